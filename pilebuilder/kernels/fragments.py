"""Escaped HTML fragments to text, compiled: what `pilebuilder.read.markup.html_text` does, for the tags of posts.

One call takes the raw value of an XML attribute (``&lt;p&gt;So&lt;/p&gt;``) and gives the text as Markdown. It knows
the elements that posts are made of; for anything else (tables, embedded media, rare entities, odd spellings) it
returns -1 and the caller takes the slow way, so the two agree by construction; a test compares them.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64, address, byte, device, i64, kernel, set_byte, set_i64
from pilebuilder.kernels.references import encode, named_reference, number_reference, unescape

_OUT = types.Array(types.uint8, 1, "C")
SLOW = -1

# Fields of the state: position in the output, what is pending, and what is open.
_O, _STARTED, _BREAKS, _SPACE, _ITEM, _HEADING, _WAS_LIST, _QUOTES, _LISTS, _PRE, _HELD, _HAS = range(12)
_STACK = 16
_DEEPEST = 16
_STATE = _STACK + _DEEPEST + 1
_MARGIN = 512
"""Bytes that must be free before a line begins: the longest prefix is 8 quotes, 16 lists, a number and a heading."""

_PLAIN, _WHITE, _TAG, _REFERENCE, _BREAK, _MAYBE = range(6)
_KIND = np.zeros(256, np.uint8)
_KIND[[9, 10, 12, 13, 28, 29, 30, 31, 32]] = _WHITE
_KIND[ord("<")], _KIND[ord("&")], _KIND[11] = _TAG, _REFERENCE, _BREAK
_KIND[[0xC2, 0xE1, 0xE2, 0xE3]] = _MAYBE


def _code(name: str) -> int:
    """A tag name of at most 10 letters as one number: its first 6 bytes, its last byte, its length."""
    head = name[:6].encode().ljust(6, b"\0")
    return int.from_bytes(head, "little") | ord(name[-1]) << 48 | len(name) << 56


def _codes(names: str) -> np.ndarray:
    return np.array([_code(name) for name in names.split()], np.int64)


_IGNORED = _codes("a strong em abbr b cite font i small span sub sup u s del ins strike dfn var big img")
_FLUSHING = _codes("p div dl dt dd hr section article center")
_CODE = _codes("code kbd samp tt")
_BR, _UL, _OL, _LI, _PRE_TAG, _QUOTE, _H1 = (int(code) for code in _codes("br ul ol li pre blockquote h1"))
_QUOTE_CHARACTER, _LESS, _MORE, _SLASH = ord('"'), ord("<"), ord(">"), ord("/")


@device
def _put(out: int, state: int, value: int) -> None:
    at = i64(state, _O)
    set_byte(out, at, value)
    set_i64(state, _O, at + 1)


@device
def _prefix(out: int, state: int, depth: int) -> None:
    """What each line of the open block begins with: quote marks and the indentation of `depth` lists."""
    for _ in range(i64(state, _QUOTES)):
        _put(out, state, 62)
        _put(out, state, 32)
    for level in range(depth):
        for _ in range(3 if i64(state, _STACK + level) else 2):
            _put(out, state, 32)


@device
def _newline(out: int, state: int) -> None:
    _put(out, state, 10)
    _prefix(out, state, i64(state, _LISTS))


@device
def _digits(out: int, state: int, number: int) -> None:
    scale = 1
    while scale * 10 <= number:
        scale *= 10
    while scale:
        _put(out, state, 48 + number // scale % 10)
        scale //= 10


@device
def _begin(out: int, state: int) -> None:
    """Before a visible character: begin the block, or write the space or line breaks that are pending."""
    if i64(state, _STARTED):
        for _ in range(i64(state, _BREAKS)):
            _newline(out, state)
        if i64(state, _SPACE) and not i64(state, _BREAKS):
            _put(out, state, 32)
    else:
        item, lists = i64(state, _ITEM), i64(state, _LISTS)
        if i64(state, _HAS):
            _put(out, state, 10)
            if item < 0 or not i64(state, _WAS_LIST):
                _put(out, state, 10)
        _prefix(out, state, lists - 1 if item >= 0 else lists)
        if item > 0:
            _digits(out, state, item)
            _put(out, state, 46)
            _put(out, state, 32)
        elif item == 0:
            _put(out, state, 45)
            _put(out, state, 32)
        for _ in range(i64(state, _HEADING)):
            _put(out, state, 35)
        if i64(state, _HEADING):
            _put(out, state, 32)
        set_i64(state, _ITEM, -1)
        set_i64(state, _WAS_LIST, int(lists > 0))
        set_i64(state, _STARTED, 1)
        set_i64(state, _HAS, 1)
    set_i64(state, _BREAKS, 0)
    set_i64(state, _SPACE, 0)


@device
def _flush(out: int, held: int, state: int, limit: int) -> bool:
    """End the open block; False when the slow way must be taken."""
    if not i64(state, _PRE):
        set_i64(state, _STARTED, 0)
        set_i64(state, _BREAKS, 0)
        set_i64(state, _SPACE, 0)
        return True
    start, end = 0, i64(state, _HELD)
    set_i64(state, _HELD, 0)
    while start < end and byte(held, start) == 10:
        start += 1
    while end > start and byte(held, end - 1) == 10:
        end -= 1
    seen = other = ticks = lines = 0
    for i in range(start, end):
        c = byte(held, i)
        ticks = ticks + 1 if c == 96 else 0
        lines += int(c == 10)
        other += int(c >= 0x80)
        seen += int(c < 0x80 and _KIND[c] != _WHITE and c != 11)
        if ticks == 3:
            return False
    if not seen:
        return not other
    if i64(state, _O) + (end - start) + (lines + 3) * _MARGIN > limit:
        return False
    heading = i64(state, _HEADING)
    set_i64(state, _HEADING, 0)
    set_i64(state, _STARTED, 0)
    _begin(out, state)
    set_i64(state, _HEADING, heading)
    set_i64(state, _STARTED, 0)
    for _ in range(3):
        _put(out, state, 96)
    _newline(out, state)
    for i in range(start, end):
        c = byte(held, i)
        if c == 10:
            _newline(out, state)
        else:
            _put(out, state, c)
    _newline(out, state)
    for _ in range(3):
        _put(out, state, 96)
    return True


@device
def _has(codes: np.ndarray, code: int) -> bool:
    for k in range(len(codes)):  # noqa: SIM110 (numba compiles no generator inside another function)
        if codes[k] == code:
            return True
    return False


@device
def _tag_end(src: int, i: int, n: int) -> int:
    """Offset of the ``>`` of the tag at `i`; -1 when quotes or a ``<`` make that doubtful."""
    quotes = 0
    while i < n:
        c = byte(src, i)
        if c == _MORE:
            return -1 if quotes & 1 else i
        if c == _LESS:
            return -1
        quotes += int(c == _QUOTE_CHARACTER)
        i += 1
    return -1


@device
def _name(src: int, i: int, end: int) -> int:
    """The tag name at `i` as `_code` numbers it; 0 when it is none of ours."""
    code = length = last = 0
    while i < end:
        c = byte(src, i)
        if 65 <= c <= 90:
            c += 32
        if not (97 <= c <= 122 or (48 <= c <= 57 and length)):
            break
        if length < 6:
            code |= c << (8 * length)
        last = c
        length += 1
        i += 1
    if not 0 < length <= 10 or (i < end and byte(src, i) > 32 and byte(src, i) != _SLASH):
        return 0
    return code | last << 48 | length << 56


@device
def _element(code: int, closing: bool, out: int, held: int, state: int, limit: int) -> bool:
    """What a tag does; False for one that only the slow way knows."""
    if _has(_CODE, code):
        if not i64(state, _PRE):
            _begin(out, state)
            _put(out, state, 96)
        return True
    if code == _BR:
        if closing:
            return True
        if i64(state, _PRE):
            set_byte(held, i64(state, _HELD), 10)
            set_i64(state, _HELD, i64(state, _HELD) + 1)
        else:
            set_i64(state, _BREAKS, i64(state, _BREAKS) + 1)
            set_i64(state, _SPACE, 0)
        return i64(state, _BREAKS) < 64
    if not _flush(out, held, state, limit):
        return False
    lists = i64(state, _LISTS)
    if _has(_FLUSHING, code):
        return True
    if code == _PRE_TAG:
        set_i64(state, _PRE, max(0, i64(state, _PRE) + (-1 if closing else 1)))
    elif code == _QUOTE:
        set_i64(state, _QUOTES, min(max(0, i64(state, _QUOTES) + (-1 if closing else 1)), 8))
    elif code in (_UL, _OL):
        if closing:
            set_i64(state, _ITEM, -1)
            set_i64(state, _LISTS, max(0, lists - 1))
        elif lists < _DEEPEST:
            set_i64(state, _STACK + lists, int(code == _OL))
            set_i64(state, _LISTS, lists + 1)
    elif code == _LI:
        if not closing:
            if not lists:
                set_i64(state, _STACK, 0)
                set_i64(state, _LISTS, 1)
                lists = 1
            number = i64(state, _STACK + lists - 1)
            set_i64(state, _ITEM, number)
            set_i64(state, _STACK + lists - 1, number + int(number > 0))
    else:
        level = (code >> 8 & 0xFF) - 48
        if code & ~(0xFF << 8 | 0xFF << 48) != _H1 & ~(0xFF << 8 | 0xFF << 48) or not 1 <= level <= 6:
            return False
        set_i64(state, _HEADING, 0 if closing else level)
    return True


@device
def _white(src: int, i: int, n: int) -> int:
    """Bytes of the white space character at `i`, a lead byte of two or three; 0 when it is none."""
    a = byte(src, i)
    b = byte(src, i + 1) if i + 1 < n else 0
    c = byte(src, i + 2) if i + 2 < n else 0
    if a == 0xC2:
        return 2 if b == 0x85 or b == 0xA0 else 0
    if a == 0xE1:
        return 3 if b == 0x9A and c == 0x80 else 0
    if a == 0xE3:
        return 3 if b == 0x80 and c == 0x80 else 0
    if b == 0x80:
        return 3 if 0x80 <= c <= 0x8A or c == 0xA8 or c == 0xA9 or c == 0xAF else 0
    return 3 if b == 0x81 and c == 0x9F else 0


@device
def _comment_end(src: int, i: int, n: int) -> int:
    """Offset after the comment at `i`; -1 when what is there is none or does not end."""
    if i + 3 >= n or byte(src, i + 2) != 45 or byte(src, i + 3) != 45:
        return -1
    i += 2
    while i + 2 < n:
        if byte(src, i) == 45 and byte(src, i + 1) == 45 and byte(src, i + 2) == _MORE:
            return i + 3
        i += 1
    return -1


@device
def _tag(src: int, i: int, n: int, out: int, held: int, state: int, limit: int) -> int:
    """Handle what begins with ``<`` at `i`; the offset after it, or `SLOW`."""
    first = byte(src, i + 1) if i + 1 < n else 0
    if first == 33:
        return _comment_end(src, i, n)
    closing = first == _SLASH
    end = _tag_end(src, i + 1, n)
    if end < 0 or not (closing or 97 <= first | 32 <= 122):
        return SLOW
    code = _name(src, i + 1 + int(closing), end)
    if not code or (byte(src, end - 1) == _SLASH and (code != _BR or closing) and not _has(_IGNORED, code)):
        return SLOW
    if _has(_IGNORED, code) or _element(code, closing, out, held, state, limit):
        return end + 1
    return SLOW


@device
def _reference(src: int, i: int, n: int) -> tuple[int, int]:
    """Code point and end of the HTML reference at `i`; 0 for a lone ``&``, -1 for what the slow way must decide."""
    following = byte(src, i + 1) if i + 1 < n else 0
    if following == 35:
        code, after = number_reference(src, i, n)
        usual = code == 10 or code == 9 or 32 <= code <= 126 or 0xA0 <= code < 0x1680 or 0x2070 <= code < 0x3000
        return (code if usual or 0x3001 <= code < 0xD800 else -1), after
    if 97 <= following | 32 <= 122:
        if i + 5 < n and following == 110 and byte(src, i + 2) == 98 and byte(src, i + 3) == 115:
            return (0xA0 if byte(src, i + 4) == 112 and byte(src, i + 5) == 59 else -1), i + 6
        return named_reference(src, i, n)
    return (-1 if following == _LESS else 0), i + 1


@device
def _render(src: int, n: int, out: int, held: int, state: int, limit: int) -> int:
    i = 0
    while i < n:
        c = byte(src, i)
        kind = _KIND[c]
        width, code = 1, c
        if kind == _TAG:
            i = _tag(src, i, n, out, held, state, limit)
            if i < 0:
                return SLOW
            continue
        if kind == _REFERENCE:
            code, after = _reference(src, i, n)
            if code < 0:
                return SLOW
            width, code = after - i, code if code else 38
            kind = _WHITE if code in (9, 10, 32, 0xA0) else _PLAIN
        elif kind == _MAYBE:
            width = _white(src, i, n)
            kind, width = (_WHITE, width) if width else (_PLAIN, 1)
        if i64(state, _PRE):
            at = i64(state, _HELD)
            if c == 38:
                at = encode(held, at, code)
            else:
                for k in range(width):
                    set_byte(held, at, 10 if c == 11 else byte(src, i + k))
                    at += 1
            set_i64(state, _HELD, at)
        elif kind == _PLAIN:
            if i64(state, _O) + _MARGIN * (2 + i64(state, _BREAKS)) > limit:
                return SLOW
            if not i64(state, _STARTED) or i64(state, _SPACE) or i64(state, _BREAKS):
                _begin(out, state)
            if c == 38:
                set_i64(state, _O, encode(out, i64(state, _O), code))
            else:
                _put(out, state, c)
        elif kind == _BREAK:
            set_i64(state, _BREAKS, i64(state, _BREAKS) + 1)
            set_i64(state, _SPACE, 0)
            if i64(state, _BREAKS) >= 64:
                return SLOW
        else:
            set_i64(state, _SPACE, 1)
        i += width
    if i64(state, _PRE):
        return SLOW
    return i64(state, _O)


@kernel(INT64(BYTES, _OUT, _OUT, _OUT))
def escaped_fragment(value: np.ndarray, html: np.ndarray, held: np.ndarray, out: np.ndarray) -> int:
    """Text of an escaped fragment in `out`; its length, or `SLOW`. `html` and `held` are as long as `value`."""
    state = np.zeros(_STATE, np.int64)
    base = address(state)
    set_i64(base, _ITEM, -1)
    n = unescape(address(value), len(value), address(html))
    if n < 0:
        return SLOW
    length = _render(address(html), n, address(out), address(held), base, len(out))
    state[_ITEM] = 0  # numba lets go of an array after its last use, and an address is none
    return length
