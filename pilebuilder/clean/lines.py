"""Steps that take lines out of texts: repeated lines and paragraphs, boilerplate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pilebuilder.document import Docs, from_buffers
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

    from pilebuilder.kernels.linetable import Lines

# What web pages say to every reader. Lower case; a phrase counts in any line of at most `max_words` words.
BOILERPLATE: Mapping[str, tuple[str, ...]] = {
    "cookies": (
        "uses cookies", "use cookies", "use of cookies", "cookie policy", "accept cookies", "accept all cookies",
        "cookie settings", "cookie preferences", "cookie notice",
    ),
    "policy": (
        "terms of use", "terms of service", "terms and conditions", "privacy policy", "privacy notice",
        "all rights reserved", "do not sell my", "copyright ©",
    ),
    "account": (
        "sign in", "sign up", "log in", "log out", "forgot password", "forgot your password", "create an account",
        "my account", "subscribe to our newsletter", "enter your email",
    ),
    "navigation": (
        "read more", "skip to content", "skip to main content", "back to top", "click here to", "load more comments",
        "previous post", "next post", "related articles", "related posts", "you may also like", "table of contents",
    ),
    "sharing": (
        "share on facebook", "share on twitter", "share on linkedin", "share this post", "share this article",
        "tweet this", "pin it", "follow us on", "like us on facebook", "leave a comment", "leave a reply",
        "post a comment",
    ),
    "shop": (
        "add to cart", "add to basket", "items in cart", "view cart", "add to wishlist", "buy now", "free shipping",
    ),
    "script": ("enable javascript", "javascript is disabled", "requires javascript", "javascript to view"),
}  # fmt: skip


def drop(docs: Docs, lines: Lines, marks: Mapping[str, np.ndarray]) -> Docs:
    """The texts without the marked lines; a line marked for several reasons goes for the first."""
    import numpy as np

    everything = np.zeros(len(lines.starts), bool)
    for marked in marks.values():
        everything |= marked
    if not everything.any():
        return docs
    data, offsets, taken = lines.without(everything)
    removed, counted = {}, np.zeros(len(lines.starts), bool)
    for reason, marked in marks.items():
        removed[reason] = lines.count_by_text(np.where(marked & ~counted, taken, 0))
        counted |= marked
    return docs.edit(from_buffers(data, offsets), removed)


@step("dedup-lines", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DedupLines:
    """Removes lines that came before in the same document; blank lines stay."""

    min_chars: Annotated[
        int, Field(ge=1, description="shorter lines may repeat (brackets of code, speakers of a play)")
    ] = 20

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels.linetable import Lines

        lines = Lines.of(*docs.buffers())
        marks = lines.repeats() & (lines.features()["chars"] >= self.min_chars)
        return drop(docs, lines, {"dedup-lines.repeated": marks})


@step("dedup-paragraphs", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DedupParagraphs:
    """Removes paragraphs (what blank lines separate) that came before in the same document."""

    min_chars: Annotated[int, Field(ge=1, description="shorter paragraphs may repeat")] = 40

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels.linetable import Lines

        lines = Lines.of(*docs.buffers(), paragraphs=True)
        marks = lines.repeats() & (lines.features()["chars"] >= self.min_chars)
        return drop(docs, lines, {"dedup-paragraphs.repeated": marks})


@step("boilerplate", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Boilerplate:
    """Removes short lines that say what web pages say to every reader: cookies, policies, accounts, navigation."""

    groups: Annotated[
        tuple[str, ...],
        Field(description=f"which of {', '.join(BOILERPLATE)}; English phrases"),
    ] = ("cookies", "policy", "account", "navigation", "sharing", "shop", "script")
    phrases: Annotated[
        Mapping[str, tuple[str, ...]],
        Field(description="more phrases by reason, in any language: {imprint: [Impressum]}"),
    ] = field(default_factory=dict)
    max_words: Annotated[int, Field(ge=1, description="a line of more words stays: it talks, it does not link")] = 12

    def __post_init__(self) -> None:
        for group in self.groups:
            if group not in BOILERPLATE:
                from pilebuilder.errors import nearest

                raise ValueError(f"no boilerplate group {group!r}{nearest(group, BOILERPLATE)}")

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        from pilebuilder.kernels.linetable import Lines
        from pilebuilder.kernels.phrases import Phrases

        named = {**{group: BOILERPLATE[group] for group in self.groups}, **self.phrases}
        if not named:
            return docs
        search = Phrases.build(
            [(phrase, k, phrase[-1].isalnum()) for k, phrases in enumerate(named.values()) for phrase in phrases]
        )
        lines = Lines.of(*docs.buffers())
        short = np.flatnonzero((lines.features()["words"] <= self.max_words) & (lines.keys != 0))
        bits, _, _ = search.search(lines.data, lines.starts[short], lines.ends[short])
        marks = {}
        for k, group in enumerate(named):
            marked = np.zeros(len(lines.starts), bool)
            marked[short[(bits >> np.uint64(k)) & np.uint64(1) == 1]] = True
            marks[f"boilerplate.{group}"] = marked
        return drop(docs, lines, marks)
