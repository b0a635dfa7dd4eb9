"""``ftfy.fix_text`` at the speed of a copy: a kernel repairs what single characters decide, ftfy itself the rest.

ftfy works by line, so a kernel goes line by line too: it writes the line with single characters replaced (quotes,
ligatures, widths, line ends, control characters), and notes why that may not be all. For the few lines so noted
Python asks ftfy, or only the part of ftfy in question. The result is ``ftfy.fix_text`` of each text, byte for byte;
why that is so stands at `ftfytables` and at each test here.
"""

from __future__ import annotations

import unicodedata
from typing import Any, cast

import numpy as np
from numba import types

from pilebuilder.kernels.ftfytables import ASK, COMBINING_SHIFT, MAP_SHIFT, MAPPED, PAIR_CLASS, UNSURE, tables
from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    UINT32S,
    UINT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    load8,
    set_byte,
    store8,
    u32,
    u64,
)  # fmt: skip
from pilebuilder.kernels.lines import line_end
from pilebuilder.kernels.utf8 import decode

HTML_OFF, HTML_AUTO, HTML_ON = 0, 1, 2
# Why a line is not settled by the kernel, as bits; `WHOLE`: the entry is a whole document.
PAIR, NORMAL, FTFY, WHOLE = 1, 2, 4, 8

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_BLANKS = np.uint64(0x2020202020202020)
_DELETES = np.uint64(0x7F7F7F7F7F7F7F7F)
_AMPERSANDS = np.uint64(0x2626262626262626)
_ANGLES = np.uint64(0x3C3C3C3C3C3C3C3C)


@device
def plain(x: Any) -> Any:
    """Whether eight bytes are printable ASCII without ``&`` and ``<``: nothing that ftfy looks at."""
    amp, angle, delete = x ^ _AMPERSANDS, x ^ _ANGLES, x ^ _DELETES
    odd = (x | (x - _BLANKS) | (amp - _ONES) | (angle - _ONES) | (delete - _ONES)) & _HIGH
    return odd == 0


@device
def has_entity(d: Any, s: Any, e: Any) -> Any:
    """Whether ftfy's ``&#?[0-9A-Za-z]{1,24};`` occurs in [s, e)."""
    while s < e:
        if byte(d, s) == 38:
            k = s + 1
            if k < e and byte(d, k) == 35:
                k += 1
            n = 0
            while k < e and n < 25:
                b = byte(d, k)
                if not ((b >= 48 and b <= 57) or (b >= 65 and b <= 90) or (b >= 97 and b <= 122)):
                    break
                k += 1
                n += 1
            if n > 0 and n < 25 and k < e and byte(d, k) == 59:
                return True
        s += 1
    return False


@device
def is_untouched(d: Any, s: Any, e: Any) -> Any:
    """Whether [s, e) is ASCII without control characters but tab, newline and form feed, and without ``&``."""
    odd = 0
    for i in range(s, e):
        b = byte(d, i)
        odd |= (b >= 0x7F) | (b == 38) | ((b < 32) & (b != 10) & (b != 9) & (b != 12))
    return odd == 0


@device
def write_line(
    d: Any, s: Any, e: Any, o: Any, at: Any, info: Any, left: Any, right: Any, texts: Any, sizes: Any, breaks: Any
) -> Any:
    """Copy the line [s, e) to `o` from `at`, single characters replaced.

    Returns where the copy ends, why it may not be settled (`PAIR`, `NORMAL`, `FTFY`), whether it differs from the
    line, and whether the line holds an ampersand and an angle bracket. Pairs are looked for in the line, where ftfy's
    detector looks first, and in the copy, where it looks in the next round.
    """
    reasons = 0
    changed = False
    ampersand = False
    angle = False
    before = -1  # character before, in the line
    written = -1  # character before, in the copy
    combining = 0
    i = s
    while i < e:
        if i + 8 <= e and before < 0x80 and written < 0x80:
            x = load8(d, i)
            if plain(x):
                store8(o, at, x)
                i += 8
                at += 8
                before = written = byte(d, i - 1)
                combining = 0
                continue
        c, n = decode(d, i)
        t = u32(info, c)
        joined = before >= 0 and (c >= 0x80 or before >= 0x80)
        if joined and u64(left, u32(info, before) & PAIR_CLASS) & u64(right, t & PAIR_CLASS):
            reasons |= PAIR
        same = written == before
        before = c
        i += n
        if t & ASK:
            reasons |= FTFY
        elif c == 13 and breaks:
            changed = True
            if i < e and byte(d, i) == 10:
                continue
            set_byte(o, at, 10)
            at += 1
            written = 10
            combining = 0
            continue
        elif t & MAPPED:
            changed = True
            store8(o, at, u64(texts, t >> MAP_SHIFT))
            end = at + i64(sizes, t >> MAP_SHIFT)
            while at < end:
                c, n = decode(o, at)
                t = u32(info, c)
                if written >= 0 and u64(left, u32(info, written) & PAIR_CLASS) & u64(right, t & PAIR_CLASS):
                    reasons |= PAIR
                written = c
                mark = t >> COMBINING_SHIFT & 0xFF
                if t & UNSURE or (mark and mark < combining):
                    reasons |= NORMAL
                combining = mark
                at += n
            continue
        elif c < 0x80:
            ampersand |= c == 38
            angle |= c == 60
        if not same and written >= 0 and u64(left, u32(info, written) & PAIR_CLASS) & u64(right, t & PAIR_CLASS):
            reasons |= PAIR
        written = c
        mark = t >> COMBINING_SHIFT & 0xFF
        if t & UNSURE or (mark and mark < combining):
            reasons |= NORMAL
        combining = mark
        for k in range(n):
            set_byte(o, at + k, byte(d, i - n + k))
        at += n
    return at, reasons, changed, ampersand, angle


@kernel(
    types.int64(
        BYTES, INT64S, UINT32S, UINT64S, UINT64S, UINT64S, INT64S, INT64, INT64, INT64, types.uint8[::1],
        types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def repair_lines(data, offsets, info_, left_, right_, texts_, sizes_, html, breaks, longest, out, ends, asked):  # type: ignore[no-untyped-def]
    """Texts with single characters repaired into `out`, their ends into `ends`; returns how many lines are unsettled.

    Those go to `asked`: reasons, start and end in `data`, start and end in `out`, whether entities are decoded, and
    the number of the document. When `asked` is full the rest is counted, not noted: the caller tries again with more
    room. `longest`: characters above which ftfy cuts a line; `html`: whether entities are decoded, in `HTML_AUTO`
    until the first line with ``<``; `breaks`: whether carriage returns become newlines.
    """
    d, o, size = address(data), address(out), len(data)
    info, left, right, texts, sizes = address(info_), address(left_), address(right_), address(texts_), address(sizes_)
    at = 0
    n_asked = 0
    for row in range(len(ends)):
        s, e = offsets[row], offsets[row + 1]
        if is_untouched(d, s, e):
            for i in range(e - s):
                set_byte(o, at + i, byte(d, s + i))
            at += e - s
            ends[row] = at
            continue
        begin, begun = at, n_asked
        entities = html != HTML_OFF
        while s < e:
            b, chars = line_end(d, s, e, size)
            b = min(b + 1, e)
            after, reasons, changed, ampersand, angle = write_line(
                d, s, b, o, at, info, left, right, texts, sizes, breaks
            )
            if angle and html == HTML_AUTO:
                entities = False
            if ampersand and (changed or (entities and has_entity(d, s, b))):
                reasons |= FTFY
            if (reasons or changed) and chars >= longest:
                # ftfy cuts such a line at a place that only it should know
                at, n_asked = begin, begun
                s, b, after, reasons, entities = offsets[row], e, at, WHOLE, html == HTML_ON
            if reasons:
                if n_asked < len(asked):
                    asked[n_asked, 0], asked[n_asked, 1], asked[n_asked, 2] = reasons, s, b
                    asked[n_asked, 3], asked[n_asked, 4], asked[n_asked, 5] = at, after, entities
                    asked[n_asked, 6] = row
                n_asked += 1
            at = after
            s = b
        ends[row] = at
    return n_asked


def repair(
    data: np.ndarray, offsets: np.ndarray, options: tuple[tuple[str, Any], ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """``ftfy.fix_text(text, **dict(options))`` of each text: UTF-8 bytes and offsets (int64, documents + 1)."""
    import ftfy

    config = ftfy.TextFixerConfig(**dict(options), explain=False)
    found = tables(options)
    html = {"auto": HTML_AUTO, True: HTML_ON, False: HTML_OFF}[config.unescape_html]
    # a replacement is at most twice as long as its character (see `ftfytables`)
    room = 2 * int(offsets[-1] - offsets[0]) + 64
    out, ends = np.empty(room, np.uint8), np.empty(len(offsets) - 1, np.int64)
    asked = np.empty((4096, 7), np.int64)
    while True:
        count = repair_lines(
            data, offsets, found.info, found.left, found.right, found.replacements, found.sizes, html,
            bool(config.fix_line_breaks), config.max_decode_length, out, ends, asked,
        )  # fmt: skip
        if count <= len(asked):
            break
        asked = np.empty((count, 7), np.int64)
    return _splice(data, out, ends, asked[:count], config)


def _splice(
    data: np.ndarray, out: np.ndarray, ends: np.ndarray, asked: np.ndarray, config: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Put ftfy's version of the unsettled lines in their places."""
    import ftfy
    from ftfy.badness import is_bad

    from pilebuilder.kernels.ftfylines import fix_line

    raw, copy = memoryview(cast(Any, data)), memoryview(cast(Any, out))
    variants = {on: config._replace(unescape_html=bool(on)) for on in (0, 1)}
    pieces: list[Any] = []
    grown = np.zeros(len(ends), np.int64)
    done = 0
    for reasons, start, end, first, last, entities, row in asked.tolist():
        line = str(raw[start:end], "utf-8")
        if reasons & WHOLE:
            fixed = ftfy.fix_text(line, config)
        else:
            if not reasons & FTFY:
                mine = str(copy[first:last], "utf-8")
                if not (
                    (reasons & PAIR and (is_bad(line) or is_bad(mine)))
                    or (reasons & NORMAL and not unicodedata.is_normalized(config.normalization, mine))
                ):
                    continue
            fixed = fix_line(line, variants[entities])
        raw_fixed = fixed.encode("utf-8")
        pieces += (copy[done:first], raw_fixed)
        done = last
        grown[row] += len(raw_fixed) - (last - first)
    total = int(ends[-1]) if len(ends) else 0
    if not pieces:
        return out, np.concatenate(([0], ends))
    pieces.append(copy[done:total])
    return np.frombuffer(b"".join(pieces), np.uint8), np.concatenate(([0], ends + np.cumsum(grown)))
