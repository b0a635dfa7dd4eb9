"""Rules over lists that the user brings: addresses (UT1 layout, domains, substrings) and bad words."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import SIGNAL, Docs, Rule, text_buffers, texts
from pilebuilder.errors import RecipeError
from pilebuilder.filter.rules import RuleStep, Verdicts
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

    from pilebuilder.kernels.phrases import Phrases
    from pilebuilder.kernels.urls import UrlList

# Languages written without spaces between words: a listed word counts wherever it stands.
NO_SPACES = ("ja", "th", "zh", "lo", "km", "my")


def files_of(where: str, what: str) -> list[Path]:
    """The file at `where`, or all files below the folder, in order; `RecipeError` if there is none."""
    path = Path(where).expanduser()
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and p.name[0] != ".")
    if not found:
        raise RecipeError(f"{what}: there is no list at {where}; give a file, or a folder of files")
    return found


def digest(files: list[Path]) -> str:
    """SHA-256 over names and contents."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def entries(path: Path) -> list[str]:
    """Lines of a list without comments (from '#') and blanks; `RecipeError` if it is no UTF-8."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: a list must be UTF-8 text: {error}") from None
    return [text for line in lines if (text := line.partition("#")[0].strip())]


@step("url-blocklist", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class UrlBlocklist(RuleStep):
    """Drops documents whose address is on a list: by host or parent host, by host and path, or by a part of it.

    `lists` are files with one host or address a line, or folders in the layout of the UT1 lists: one folder per
    category with the files `domains` and `urls`. Documents without an address stay.
    """

    name: ClassVar[str] = "url-blocklist"
    source: ClassVar[str] = "Penedo et al. 2023 (arXiv:2306.01116), G.1; UT1 lists of Université Toulouse Capitole"
    fixed_rules: ClassVar[dict[str, str]] = {
        "<category>": "the host, a parent of it, or the address up to a slash is listed in this category",
        "substring": "the address holds one of `substrings`",
    }

    lists: Annotated[tuple[str, ...], Field(description="files or folders")] = ()
    categories: Annotated[
        tuple[str, ...], Field(description="names of the categories that count (folder or file names); none: all")
    ] = ()
    substrings: Annotated[tuple[str, ...], Field(description="what no address may hold, in any case")] = ()

    def digests(self) -> dict[str, str]:
        """Digest of the lists."""
        return {where: digest(files_of(where, self.name)) for where in self.lists}

    def __post_init__(self) -> None:
        """The names of rules are those of the categories, known when the lists are read."""

    def rules(self, docs: Docs) -> list[Rule]:
        import pyarrow.compute as pc

        from pilebuilder.kernels.phrases import Phrases

        data, offsets = text_buffers(pc.fill_null(docs.column("url"), "").cast("large_string"))
        found = Verdicts(self)
        if self.lists:
            urls, names = _url_list(self.lists, self.categories)
            host, path = urls.search(data, offsets)
            for number, category in enumerate(names):
                found.add(category, (host == number) | (path == number))
        if self.substrings:
            search = Phrases.build([(text, 0, False) for text in self.substrings])
            found.add("substring", search.search(data, offsets[:-1], offsets[1:])[1] > 0)
        return list(found)


def _categories(where: str) -> Iterator[tuple[str, Path]]:
    """Category and file of each list at a place."""
    root = Path(where).expanduser()
    for path in files_of(where, UrlBlocklist.name):
        if root.is_dir() and path.name not in ("domains", "urls") and path.suffix != ".txt":
            continue  # UT1 folders hold more than lists
        yield path.parent.name if root.is_dir() and path.parent != root else path.stem, path


def has_path(entry: str) -> bool:
    """Whether a list entry is an address with a path, rather than a host."""
    return "/" in entry.partition("://")[2 if "://" in entry else 0].rstrip("/")


@functools.lru_cache(maxsize=4)
def _url_list(lists: tuple[str, ...], categories: tuple[str, ...]) -> tuple[UrlList, list[str]]:
    """The lists as hashes, and the names of their groups."""
    from pilebuilder.errors import nearest
    from pilebuilder.kernels.urls import UrlList

    found = [item for where in lists for item in _categories(where)]
    names = sorted({category for category, _ in found})
    for wanted in categories:
        if wanted not in names:
            raise RecipeError(
                f"url-blocklist: no category {wanted!r}{nearest(wanted, names)}; there are {', '.join(names)}"
            )
    names = [name for name in names if not categories or name in categories]
    chosen: list[tuple[np.ndarray, np.ndarray, int, bool]] = []
    for category, path in found:
        if category in names:
            lines = entries(path)
            for paths in (False, True):
                part = [line for line in lines if has_path(line) == paths]
                chosen.append((*text_buffers(texts(part)), names.index(category), paths))
    return UrlList.build(chosen), names


@step("badwords", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Badwords(RuleStep):
    """Drops documents with listed words or phrases; the lists are yours (none is shipped).

    A file holds one word or phrase a line. A folder holds one file per language, named by its code (``en``, ``de``,
    ``zh.txt``: the layout of the List of Dirty, Naughty, Obscene and Otherwise Bad Words); the language is that of the
    signal `lang`, or `language` for documents without it. Words count as whole words in any case; in languages without
    spaces, anywhere. A language without a list is judged by none.
    """

    name: ClassVar[str] = "badwords"
    source: ClassVar[str] = "Raffel et al. 2020 (arXiv:1910.10683), 2.2: one listed word is enough"

    lists: Annotated[str, Field(min_length=1, description="a file, or a folder with a file per language")]
    language: Annotated[str, Field(description="language of documents that have no signal `lang`")] = "en"
    max_matches: Annotated[int | None, Field(ge=0, description="listed words in the document")] = 0
    max_match_ratio: Annotated[float | None, Field(ge=0, description="listed words per word")] = None

    def digests(self) -> dict[str, str]:
        """Digest of the lists."""
        return {self.lists: digest(files_of(self.lists, self.name))}

    def rules(self, docs: Docs) -> list[Rule]:
        import numpy as np

        data, offsets = docs.buffers()
        matches = np.zeros(len(docs), np.int64)
        for language, rows in self._languages(docs):
            search = _word_list(self.lists, language)
            if search is not None:
                matches[rows] = search.search(data, offsets[:-1][rows], offsets[1:][rows])[1]
        found = Verdicts(self)
        found.high("max_matches", matches)
        if self.max_match_ratio is not None:
            found.high("max_match_ratio", matches / np.maximum(docs.stats().words, 1))
        return list(found)

    def _languages(self, docs: Docs) -> Iterator[tuple[str, np.ndarray]]:
        """Each language with the numbers of its documents."""
        import numpy as np
        import pyarrow.compute as pc

        if Path(self.lists).expanduser().is_file() or SIGNAL + "lang" not in docs.table.column_names:
            yield self.language, np.arange(len(docs))
            return
        labels = pc.fill_null(docs.column(SIGNAL + "lang").cast("string"), self.language)
        for language in sorted(pc.unique(labels).to_pylist()):
            yield language, np.flatnonzero(pc.equal(labels, language).to_numpy(zero_copy_only=False))


@functools.lru_cache(maxsize=64)
def _word_list(where: str, language: str) -> Phrases | None:
    """Automaton of the list for a language, or None where a folder has none."""
    from pilebuilder.kernels.phrases import LONGEST, Phrases

    path = Path(where).expanduser()
    if path.is_dir():
        named = [p for p in files_of(where, Badwords.name) if p.stem == language]
        if not named:
            return None
        path = named[0]
    words = list(dict.fromkeys(entries(path)))
    if not words:
        raise RecipeError(f"badwords: {path} lists no word")
    long = [word for word in words if len(word) > LONGEST]
    if long:
        raise RecipeError(f"badwords: {path}: a word or phrase has at most {LONGEST} characters, not {long[0]!r}")
    return Phrases.build([(word, 0, language not in NO_SPACES) for word in words])
