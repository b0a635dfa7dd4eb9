"""What ftfy would do to a character, as tables made from ftfy's own objects; `mojibake` reads them.

ftfy (Apache-2.0) repairs a text line by line in rounds. A line stays as it is if ftfy's detector of mojibake is
silent, no fixer of single characters applies, no HTML entity is to be decoded and the line is normalized. The
detector is one regular expression whose alternatives each need two characters of certain classes side by side; the
tables hold these pairs of classes, so a kernel can say "surely silent". Where it cannot, ftfy itself is asked.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from pilebuilder.kernels.normal import normal_table
from pilebuilder.kernels.unicode import CODE_POINTS, stored

# Layout of a code point's number, uint32.
PAIR_CLASS = 0xFF
COMBINING_SHIFT = 8  # canonical combining class, 8 bits
UNSURE = 1 << 16  # may change under the normal form
MAPPED = 1 << 17  # a fixer of single characters replaces it, by a text that no fixer changes again
ASK = 1 << 18  # ftfy must be asked
MAP_SHIFT = 20  # which replacement, 12 bits

_FIXERS: tuple[str, ...] = (
    "fix_c1_controls",
    "fix_latin_ligatures",
    "fix_character_width",
    "uncurl_quotes",
    "fix_line_breaks",
)
_FIXERS += ("remove_terminal_escapes", "remove_control_chars")


@dataclass(frozen=True, slots=True)
class Tables:
    """`info` uint32 [0x110000] per code point; `left`, `right` uint64 [256]: pairs that a class may begin and end;
    `replacements` uint64 and `sizes` int64: UTF-8 of each replacement, and its bytes."""

    info: np.ndarray
    left: np.ndarray
    right: np.ndarray
    replacements: np.ndarray
    sizes: np.ndarray


@functools.cache
def tables(options: tuple[tuple[str, Any], ...]) -> Tables:
    """Tables for ``ftfy.TextFixerConfig(**dict(options))``; kept on disk under ftfy's version and the options."""
    import ftfy

    config = ftfy.TextFixerConfig(**dict(options))
    packed = stored("ftfy", lambda: _pack(config), (__file__,), extra=f"{ftfy.__version__} {config!r}")
    info, rest = packed[:CODE_POINTS], packed[CODE_POINTS:].view(np.uint64)
    left, right, rest = rest[:256], rest[256:512], rest[512:]
    half = len(rest) // 2
    return Tables(info, left, right, rest[:half], rest[half:].view(np.int64))


def _pack(config: Any) -> np.ndarray:
    """All tables in one array, so that they are stored together."""
    nothing, none = np.zeros(CODE_POINTS, bool), np.zeros(256, np.uint64)
    classes, left, right, alone = _pairs() if config.fix_encoding else (nothing, none, none, nothing)
    info = classes.astype(np.uint32)
    info[alone] |= np.uint32(ASK)
    if config.normalization is not None:
        normal = normal_table(config.normalization)
        info |= (normal & 0xFF).astype(np.uint32) << np.uint32(COMBINING_SHIFT)
        info[(normal >> 8) > 0] |= np.uint32(UNSURE)
    changed = _single_fixes(config)
    texts: dict[str, int] = {}
    for c, text in changed.items():
        if text is None or len(texts) >= 1 << 12:
            info[c] |= np.uint32(ASK)
        else:
            info[c] |= np.uint32(MAPPED | texts.setdefault(text, len(texts)) << MAP_SHIFT)
    raw = [text.encode() for text in texts]
    numbers = np.array([int.from_bytes(r.ljust(8, b"\0"), "little") for r in raw], np.uint64)
    sizes = np.array([len(r) for r in raw], np.uint64)
    return np.concatenate([info, *(part.view(np.uint32) for part in (left, right, numbers, sizes))])


def _single_fixes(config: Any) -> dict[int, str | None]:
    """Code points that a fixer of single characters changes -> their replacement, None where it takes ftfy to say."""
    import ftfy.fixes

    fixers = [getattr(ftfy.fixes, name) for name in _FIXERS if getattr(config, name)]

    def fixed(text: str) -> str:
        for fixer in fixers:
            text = fixer(text)
        return text

    changed: dict[int, str | None] = {}
    blocks = range(0, CODE_POINTS, 256)
    altered = [b for b in blocks for text in ["".join(map(chr, range(b, b + 256)))] if fixed(text) != text]
    for c in (c for b in altered for c in range(b, b + 256)):
        char = chr(c)
        text = fixed(char)
        if text != char:
            size, least = len(text.encode("utf-8", "surrogatepass")), len(char.encode("utf-8", "surrogatepass"))
            # an ampersand could begin an entity; eight bytes is what a kernel writes at once, twice the size its room
            safe = fixed(text) == text and "&" not in text and size <= min(8, 2 * least)
            changed[c] = text if safe else None
    if config.remove_terminal_escapes:
        changed[0x1B] = None
    for c in range(0x80, 0xA0):
        if config.fix_encoding or config.fix_c1_controls:
            changed[c] = None
    changed.pop(0x0D, None)  # the kernel knows carriage returns
    return {c: text for c, text in changed.items() if not 0xD800 <= c < 0xE000}


def _pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Class of each code point; pairs (bits) that a class begins, and ends; code points that match alone.

    Each alternative of ftfy's expression is stood for by its rarest two neighbours, at least one of them never ASCII:
    text without such neighbours cannot match. If the expression has a form that is not understood, every character
    beyond ASCII counts as a match, so that ftfy decides all such lines.
    """
    from ftfy.badness import BADNESS_RE

    alone = np.zeros(CODE_POINTS, bool)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    try:
        for sets in _alternatives(BADNESS_RE):
            if len(sets) == 1 and sets[0] is not None:
                alone |= sets[0]
            else:
                found.append(_rarest(sets))
    except NotImplementedError:
        found = []
    high = np.arange(CODE_POINTS) > 127
    if not found or len(found) > 64:
        return np.zeros(CODE_POINTS, np.uint32), np.zeros(256, np.uint64), np.zeros(256, np.uint64), high
    left, right = np.zeros(CODE_POINTS, np.uint64), np.zeros(CODE_POINTS, np.uint64)
    for bit, (first, second) in enumerate(found):
        left[first] |= np.uint64(1 << bit)
        right[second] |= np.uint64(1 << bit)
    masks, classes = np.unique(np.stack([left, right], 1), axis=0, return_inverse=True)
    if len(masks) > 256:
        return np.zeros(CODE_POINTS, np.uint32), np.zeros(256, np.uint64), np.zeros(256, np.uint64), high
    padded = np.zeros((256, 2), np.uint64)
    padded[: len(masks)] = masks
    return classes.reshape(-1).astype(np.uint32), padded[:, 0].copy(), padded[:, 1].copy(), alone


def _alternatives(pattern: re.Pattern[str]) -> list[list[np.ndarray | None]]:
    """Each alternative as its sequence of character sets; None where something of variable length stands."""
    from re import _constants as op  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]

    tree = list(parser.parse(pattern.pattern, pattern.flags))
    if len(tree) != 1 or tree[0][0] is not op.BRANCH:
        raise NotImplementedError(str(tree[:1]))
    return [[_charset(node) for node in branch if node[0] is not op.AT] for branch in tree[0][1][1]]


def _charset(node: Any) -> np.ndarray | None:
    from re import _constants as op  # type: ignore[attr-defined]

    kind, value = node
    found = np.zeros(CODE_POINTS, bool)
    if kind is op.LITERAL:
        found[value] = True
    elif kind is op.NOT_LITERAL:
        found[:] = True
        found[value] = False
    elif kind is op.ANY:
        found[:] = True
        found[10] = False
    elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        return None
    elif kind is op.IN:
        negate = False
        for item, content in value:
            if item is op.NEGATE:
                negate = True
            elif item is op.LITERAL:
                found[content] = True
            elif item is op.RANGE:
                found[content[0] : content[1] + 1] = True
            elif item is op.CATEGORY and content in _CATEGORIES:
                found |= _matching(_CATEGORIES[content])
            else:
                raise NotImplementedError(f"{item} {content}")
        found ^= negate
    else:
        raise NotImplementedError(str(kind))
    return found


def _category_names() -> dict[Any, str]:
    from re import _constants as op  # type: ignore[attr-defined]

    return {op.CATEGORY_SPACE: r"\s", op.CATEGORY_WORD: r"\w", op.CATEGORY_DIGIT: r"\d"}


_CATEGORIES = _category_names()


@functools.cache
def _matching(expression: str) -> np.ndarray:
    match = re.compile(expression).match
    return np.fromiter((match(chr(c)) is not None for c in range(CODE_POINTS)), bool, CODE_POINTS)


def _rarest(sets: list[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    """The two neighbouring sets of an alternative with the fewest pairs, one of them without ASCII."""
    best: tuple[int, np.ndarray, np.ndarray] | None = None
    for first, second in itertools.pairwise(sets):
        if first is None or second is None or (first[:128].any() and second[:128].any()):
            continue
        pairs = int(first.sum()) * int(second.sum())
        if best is None or pairs < best[0]:
            best = pairs, first, second
    if best is None:
        raise NotImplementedError("no two neighbours")
    return best[1], best[2]
