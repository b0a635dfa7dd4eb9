"""Wikitext to text in one pass over its bytes: links, templates, tables, references, tags, lists, headings.

Everything that nests (``{{``, ``[[``, ``{|``, ``<table>``) goes on one stack that remembers how long the output was
where it began. What must go is cut back to that length when it ends, so nothing is looked ahead for, nothing recurses,
and time is linear. A construct that never ends stays as what it held. Entities stay as they are written.

Headings come out as ``\\x01``, the level as a digit, and the title, on a line of their own.

The handlers share one block of integers, `env`: addresses of the buffers, then the state of the scan.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64, INT64S, address, byte, device, i64, kernel, set_byte, set_i64

PAD = 16
DEPTH = 200
ARGS = 8
WIDTH = 4 + ARGS
"""A row of the stack: kind, length of the output at its begin, place in the input after its opening, pipes seen, and
where each of the first `ARGS` arguments begins in the output (of a link: where its target ends in the input)."""
TEMPLATE, ARGUMENT, LINK, EXTERNAL, TABLE, HTML_TABLE = 1, 2, 3, 4, 5, 6

LONGEST_NAME = 300
"""Bytes in which a template's or a namespace's name must end."""

# What becomes of a template: dropped unless its name is in the table with one of these.
KEEP, LITERAL, PREFIX, CONVERT, RATIO, LAST = 1, 2, 3, 4, 5, 6
# What becomes of a tag and of what stands in it.
STRIP, DROP, RAW, MATH, BREAK, SPACE, TABLE_TAG = 1, 2, 3, 4, 5, 6, 7

# Places in `env`.
B, N, OUT, STACK, NAMES, ENDS, TEMPLATES, TAGS, PREFIXES, ACTIONS, STRINGS, TAG_ACTIONS = range(12)
I, O, LINE, DEEP, FRESH, TITLE_END, LINE_END = range(12, 19)  # noqa: E741 - input, output
ABSENT = 19
MOST_TAGS = 128
ENV = ABSENT + MOST_TAGS
"""From `ABSENT` on, one entry a tag: 1 once no end tag was found for it, so that nobody looks for it again."""

_OUT = types.Array(types.uint8, 1, "C")
_LONGS = types.Array(types.int64, 1, "C")
_SPECIAL = np.zeros(256, np.uint8)
_SPECIAL[np.frombuffer(b"{}[]|<'\n_=", np.uint8)] = 1


@device
def _lower(c: int) -> int:
    return c + 32 if 65 <= c <= 90 else c


@device
def _letter(c: int) -> bool:
    return 97 <= _lower(c) <= 122


@device
def _lookup(env: int, first: int, count: int, start: int, stop: int) -> int:
    """Which of `count` names from the `first` on a span of the input is, from 0; -1 for none.

    Compared in ASCII lower case, ``_`` as a space, white space around ignored. A name that ends in ``*`` stands for
    all that begin so.
    """
    b, names, ends = i64(env, B), i64(env, NAMES), i64(env, ENDS)
    while start < stop and byte(b, start) <= 32:
        start += 1
    while stop > start and byte(b, stop - 1) <= 32:
        stop -= 1
    begin = i64(ends, first - 1) if first else 0
    for k in range(first, first + count):
        end = i64(ends, k)
        whole = byte(names, end - 1) != 42
        size = end - begin - (0 if whole else 1)
        if size == stop - start or (not whole and size < stop - start):
            j = 0
            while j < size:
                c = _lower(byte(b, start + j))
                if (32 if c == 95 else c) != byte(names, begin + j):
                    break
                j += 1
            if j == size:
                return k - first
        begin = end
    return -1


@device
def _copy(source: int, start: int, stop: int, out: int, o: int) -> int:
    for k in range(start, stop):
        set_byte(out, o, byte(source, k))
        o += 1
    return o


@device
def _emit(env: int, c: int) -> None:
    o = i64(env, O)
    set_byte(i64(env, OUT), o, c)
    set_i64(env, O, o + 1)


@device
def _cut(env: int, o: int) -> None:
    """Set the length of the output, which may end before the current line began."""
    set_i64(env, O, o)
    set_i64(env, LINE, min(i64(env, LINE), o))


# The stack -----------------------------------------------------------------------------------------------------------


@device
def _push(env: int, kind: int, skip: int) -> None:
    """Begin a construct whose opening has `skip` bytes; beyond `DEPTH` it is not followed any more."""
    depth, i = i64(env, DEEP), i64(env, I) + skip
    set_i64(env, I, i)
    if depth < DEPTH:
        row = i64(env, STACK) + 8 * depth * WIDTH
        set_i64(row, 0, kind)
        set_i64(row, 1, i64(env, O))
        set_i64(row, 2, i)
        set_i64(row, 3, 0)
        set_i64(env, DEEP, depth + 1)


@device
def _row(env: int, depth: int) -> int:
    """Address of the row of the construct at `depth`, from 1."""
    return i64(env, STACK) + 8 * (depth - 1) * WIDTH


@device
def _top(env: int) -> int:
    """Kind of the innermost construct, 0 for none."""
    depth = i64(env, DEEP)
    return i64(_row(env, depth), 0) if depth else 0


@device
def _innermost(env: int, kind: int) -> int:
    """Depth of the innermost construct of a kind, 0 for none."""
    depth = i64(env, DEEP)
    while depth > 0 and i64(_row(env, depth), 0) != kind:
        depth -= 1
    return depth


@device
def _drop(env: int, depth: int, skip: int) -> None:
    """End the construct at `depth` with all in it, and take back what it wrote."""
    _cut(env, i64(_row(env, depth), 1))
    set_i64(env, DEEP, depth - 1)
    set_i64(env, I, i64(env, I) + skip)


# Templates -----------------------------------------------------------------------------------------------------------


@device
def _is_named(out: int, start: int, stop: int) -> bool:
    """Whether an argument is ``name=value``."""
    for j in range(start, min(stop, start + 40)):
        c = byte(out, j)
        if c == 61:
            return True
        if not (_letter(c) or 48 <= c <= 57 or c == 32 or c == 45 or c == 95 or c == 10):
            return False
    return False


@device
def _argument(out: int, row: int, wanted: int, o: int) -> tuple[int, int]:
    """Where positional argument `wanted` (from 1; 0 for the last) lies in the output; (-1, -1) for none."""
    pipes = min(i64(row, 3), ARGS)
    seen, found, end = 0, -1, -1
    for k in range(pipes):
        start = i64(row, 4 + k)
        stop = i64(row, 5 + k) if k + 1 < pipes else o
        if not _is_named(out, start, stop):
            seen += 1
            if seen == wanted or wanted == 0:
                found, end = start, stop
    if found < 0:
        return -1, -1
    while found < end and byte(out, found) <= 32:
        found += 1
    while end > found and byte(out, end - 1) <= 32:
        end -= 1
    return found, end


@device
def _joins(out: int, start: int, stop: int) -> bool:
    """Whether an argument of ``convert`` stands between two values: x, -, +, to, by, or, and, an en dash."""
    a, b, size = byte(out, start), byte(out, start + 1), stop - start
    if size == 1:
        return a == 120 or a == 45 or a == 43
    if size == 2:
        return (a == 116 and b == 111) or (a == 98 and b == 121) or (a == 111 and b == 114)
    return size == 3 and ((a == 97 and b == 110) or (a == 0xE2 and b == 0x80))


@device
def _convert(out: int, row: int, o: int, to: int) -> int:
    """After the value of ``convert``: its unit, or the word, second value and unit of a range."""
    second, second_end = _argument(out, row, 2, o)
    third, third_end = _argument(out, row, 3, o)
    fourth, fourth_end = _argument(out, row, 4, o)
    if second < 0:
        return to
    set_byte(out, to, 32)
    ranged = fourth >= 0 and _joins(out, second, second_end)
    to = _copy(out, second, second_end, out, to + 1)
    if ranged:
        set_byte(out, to, 32)
        to = _copy(out, third, third_end, out, to + 1)
        set_byte(out, to, 32)
        to = _copy(out, fourth, fourth_end, out, to + 1)
    return to


@device
def _end_template(env: int, depth: int) -> None:
    """End the template at `depth`: what its name asks for stays, or nothing."""
    b, out, row, o, strings = i64(env, B), i64(env, OUT), _row(env, depth), i64(env, O), i64(env, STRINGS)
    begin, start, stop = i64(row, 1), i64(row, 2), i64(row, 2)
    longest = min(i64(env, I), start + LONGEST_NAME)
    while stop < longest and byte(b, stop) != 124 and byte(b, stop) != 60:
        stop += 1
    which = _lookup(env, 0, i64(env, TEMPLATES), start, stop)
    rule = i64(env, ACTIONS) + 32 * which
    _drop(env, depth, 2)
    if which < 0:
        return
    action, first, last = i64(rule, 0), i64(rule, 2), i64(rule, 3)
    if action == LITERAL:
        set_i64(env, O, _copy(strings, first, last, out, begin))
        return
    found, end = _argument(out, row, i64(rule, 1), o)
    if found < 0:
        return
    if action == PREFIX:  # the argument moves out of the way of what comes before it
        shift = max(begin + last - first - found, 0)
        for k in range(end - 1, found - 1, -1):
            set_byte(out, k + shift, byte(out, k))
        begin = _copy(strings, first, last, out, begin)
        found += shift
        end += shift
    to = _copy(out, found, end, out, begin)
    if action == CONVERT:
        to = _convert(out, row, o, to)
    elif action == RATIO:
        second, second_end = _argument(out, row, 2, o)
        if second >= 0:
            set_byte(out, to, 47)
            to = _copy(out, second, second_end, out, to + 1)
    set_i64(env, O, to)


@device
def _braces(env: int) -> None:
    """At ``}}``: the end of the innermost template or argument. Links that it leaves open never end."""
    b, i = i64(env, B), i64(env, I)
    depth = i64(env, DEEP)
    while depth > 0 and LINK <= i64(_row(env, depth), 0) <= EXTERNAL:
        depth -= 1
    kind = i64(_row(env, depth), 0) if depth else 0
    if kind == ARGUMENT and byte(b, i + 2) == 125:
        _drop(env, depth, 3)
    elif kind == TEMPLATE:
        _end_template(env, depth)
    else:
        set_i64(env, I, i + 2)


# Links ---------------------------------------------------------------------------------------------------------------


@device
def _end_link(env: int) -> None:
    """At ``]]`` of a link: its label, else its target; nothing for files, categories and other languages."""
    b, out, depth, i, o = i64(env, B), i64(env, OUT), i64(env, DEEP), i64(env, I), i64(env, O)
    row = _row(env, depth)
    begin, start, pipes = i64(row, 1), i64(row, 2), i64(row, 3)
    stop = i64(row, 4) if pipes else i
    while start < stop and byte(b, start) <= 32:
        start += 1
    plain = start < stop and byte(b, start) == 58  # [[:File:x]] links to a file's page
    colon = start
    while colon < min(stop, start + LONGEST_NAME) and byte(b, colon) != 58:
        colon += 1
    groups = i64(env, TEMPLATES) + i64(env, TAGS)
    _drop(env, depth, 2)
    if (
        not plain
        and colon < stop
        and byte(b, colon) == 58
        and _lookup(env, groups, i64(env, PREFIXES), start, colon) >= 0
    ):
        return
    if not pipes or o == begin:
        o = _copy(b, start + plain, stop, out, begin)
    set_i64(env, O, o)


@device
def _begin_external(env: int) -> None:
    """At ``[`` and an address: the address goes, its label stays."""
    b, n, i = i64(env, B), i64(env, N), i64(env, I)
    end = i + 1
    while end < n and byte(b, end) > 32 and byte(b, end) != 93 and byte(b, end) != 91:
        end += 1
    if byte(b, end) == 93:
        set_i64(env, I, end + 1)
    elif byte(b, end) == 32:
        _push(env, EXTERNAL, end + 1 - i)
    else:
        set_i64(env, I, i + 1)


@device
def _is_address(b: int, i: int) -> bool:
    """Whether an address begins here: http, ftp:, mailto:, or //."""
    c, d = byte(b, i), byte(b, i + 1)
    if c == 47:
        return d == 47
    if c == 104:
        return d == 116 and byte(b, i + 2) == 116 and byte(b, i + 3) == 112
    if c == 102:
        return d == 116 and byte(b, i + 2) == 112 and byte(b, i + 3) == 58
    return c == 109 and d == 97 and byte(b, i + 2) == 105 and byte(b, i + 3) == 108 and byte(b, i + 6) == 58


@device
def _pipe(env: int) -> None:
    """At ``|`` within a construct: the next part of a link, the next argument of a template, a cell of a table."""
    row, i, o = _row(env, i64(env, DEEP)), i64(env, I), i64(env, O)
    kind, pipes = i64(row, 0), i64(row, 3)
    set_i64(env, I, i + 1)
    set_i64(row, 3, pipes + 1)
    if kind == LINK:
        if pipes == 0:
            _cut(env, i64(row, 1))
            set_i64(row, 4, i)
        else:
            _emit(env, 124)
    elif kind == TEMPLATE and pipes < ARGS:
        set_i64(row, 4 + pipes, o)


# Tags ----------------------------------------------------------------------------------------------------------------


@device
def _closing(env: int, i: int, start: int, size: int) -> int:
    """Where ``</name`` begins for the name of `size` bytes at `start`, from `i` on; -1 if nowhere."""
    b, n = i64(env, B), i64(env, N)
    while i < n - size - 2:
        if byte(b, i) == 60 and byte(b, i + 1) == 47:
            k = 0
            while k < size and _lower(byte(b, i + 2 + k)) == _lower(byte(b, start + k)):
                k += 1
            if k == size and not _letter(byte(b, i + 2 + size)):
                return i
        i += 1
    return -1


@device
def _after(env: int, i: int, c: int) -> int:
    """The place after the next byte `c`, or the end."""
    b, n = i64(env, B), i64(env, N)
    while i < n and byte(b, i) != c:
        i += 1
    return min(i + 1, n)


@device
def _comment(env: int) -> None:
    b, n, i = i64(env, B), i64(env, N), i64(env, I) + 4
    while i < n and not (byte(b, i) == 45 and byte(b, i + 1) == 45 and byte(b, i + 2) == 62):
        i += 1
    set_i64(env, I, min(i + 3, n))


@device
def _content(env: int, which: int, action: int, start: int, size: int) -> None:
    """After an opening tag whose content is no wikitext: pass over the content, or copy it as it is."""
    b, out, i, o = i64(env, B), i64(env, OUT), i64(env, I), i64(env, O)
    shut = _closing(env, i, start, size) if i64(env, ABSENT + which) == 0 else -1
    if shut < 0:
        set_i64(env, ABSENT + which, 1)
        return
    if action == MATH:
        set_byte(out, o, 36)
        o = _copy(b, i, shut, out, o + 1)
        set_byte(out, o, 36)
        o += 1
    elif action == RAW:
        o = _copy(b, i, shut, out, o)
    set_i64(env, O, o)
    set_i64(env, I, _after(env, shut, 62))


@device
def _markup(env: int) -> None:
    """At ``<``: a comment, a tag that is known, or a character."""
    b, i = i64(env, B), i64(env, I)
    if byte(b, i + 1) == 33 and byte(b, i + 2) == 45 and byte(b, i + 3) == 45:
        _comment(env)
        return
    close = byte(b, i + 1) == 47
    start = i + 1 + close
    stop = start
    while _letter(byte(b, stop)) or (stop > start and 48 <= byte(b, stop) <= 57):
        stop += 1
    which = _lookup(env, i64(env, TEMPLATES), i64(env, TAGS), start, stop) if stop > start else -1
    if which < 0:
        _emit(env, 60)
        set_i64(env, I, i + 1)
        return
    action = i64(i64(env, TAG_ACTIONS), which)
    end = _after(env, stop, 62)
    set_i64(env, I, end)
    if action == BREAK:
        _end_line(env)
    elif action == SPACE:
        _emit(env, 32)
    elif action == TABLE_TAG:
        depth = _innermost(env, HTML_TABLE) if close else 0
        if depth:
            _drop(env, depth, 0)
        elif not close:
            _push(env, HTML_TABLE, 0)
    elif action != STRIP and not close and byte(b, end - 2) != 47:
        _content(env, which, action, start, stop - start)


# Lines ---------------------------------------------------------------------------------------------------------------


@device
def _trim(env: int) -> int:
    """Take back white space at the end of the line, and a list mark with nothing after it."""
    out, o, line = i64(env, OUT), i64(env, O), i64(env, LINE)
    while o > line and (byte(out, o - 1) == 32 or byte(out, o - 1) == 9):
        o -= 1
    if o == line + 1 and byte(out, line) == 45:
        o = line
    set_i64(env, O, o)
    return o


@device
def _end_line(env: int) -> None:
    _trim(env)
    _emit(env, 10)
    set_i64(env, LINE, i64(env, O))


@device
def _heading(env: int) -> bool:
    """At ``=`` where a line begins: if the line ends in ``=`` too, begin a heading."""
    b, n, i = i64(env, B), i64(env, N), i64(env, I)
    end = _after(env, i, 10)
    end -= byte(b, end - 1) == 10
    stop, at = end, end
    while at > i:  # white space and comments may follow the closing signs
        stop = at
        while stop > i and byte(b, stop - 1) <= 32:
            stop -= 1
        at = i
        if stop - i >= 7 and byte(b, stop - 1) == 62 and byte(b, stop - 2) == 45 and byte(b, stop - 3) == 45:
            at = stop - 4
            while at > i and not (byte(b, at) == 60 and byte(b, at + 1) == 33):
                at -= 1
    left, right = i, stop
    while left < stop and byte(b, left) == 61:
        left += 1
    while right > left and byte(b, right - 1) == 61:
        right -= 1
    level = min(left - i, stop - right, 6)
    if level == 0 or right <= left:
        return False
    _emit(env, 1)
    _emit(env, 48 + level)
    set_i64(env, I, i + level)
    set_i64(env, TITLE_END, stop - level)
    set_i64(env, LINE_END, min(end, n))
    return True


@device
def _begin_line(env: int) -> None:
    """Where a line begins: headings, list marks, rules, and the begin and end of tables."""
    b, n, i = i64(env, B), i64(env, N), i64(env, I)
    set_i64(env, FRESH, 0)
    while i < n and byte(b, i) == 32:
        i += 1
    set_i64(env, I, i)
    c = byte(b, i)
    if c == 61 and i64(env, DEEP) == 0 and _heading(env):
        return
    if c == 45 and byte(b, i + 1) == 45 and byte(b, i + 2) == 45 and byte(b, i + 3) == 45:
        while byte(b, i) == 45:
            i += 1
    item = False
    while c == 42 or c == 35 or c == 58 or c == 59:
        item = item or c == 42 or c == 35
        i += 1
        c = byte(b, i)
    if item:
        _emit(env, 45)
        _emit(env, 32)
    while i < n and byte(b, i) == 32:
        i += 1
    set_i64(env, I, i)
    c = byte(b, i)
    if c == 123 and byte(b, i + 1) == 124:
        _push(env, TABLE, 2)
    elif c == 124 and byte(b, i + 1) == 125 and byte(b, i + 2) != 125:
        depth = _innermost(env, TABLE)
        if depth:
            _drop(env, depth, 2)


@device
def _quotes(env: int) -> None:
    """Two to five apostrophes are bold or italic; one is itself, and so is what is more than five."""
    b, i = i64(env, B), i64(env, I)
    run = 1
    while byte(b, i + run) == 39:
        run += 1
    for _ in range(1 if run == 1 or run == 4 else max(run - 5, 0)):
        _emit(env, 39)
    set_i64(env, I, i + run)


@device
def _magic(env: int) -> None:
    """At ``_``: a word such as ``__NOTOC__`` goes."""
    b, i = i64(env, B), i64(env, I)
    end = i + 2
    while 65 <= byte(b, end) <= 90:
        end += 1
    if byte(b, i + 1) == 95 and end > i + 2 and byte(b, end) == 95 and byte(b, end + 1) == 95:
        set_i64(env, I, end + 2)
    else:
        _emit(env, 95)
        set_i64(env, I, i + 1)


# The scan ------------------------------------------------------------------------------------------------------------


@device
def _open(env: int, c: int, following: int) -> None:
    """At ``{`` or ``[``."""
    b, i = i64(env, B), i64(env, I)
    if c == 123 and following == 123:
        if byte(b, i + 2) == 123 and byte(b, i + 3) != 123:
            _push(env, ARGUMENT, 3)
        else:
            _push(env, TEMPLATE, 2)
    elif c == 91 and following == 91:
        _push(env, LINK, 2)
    elif c == 91 and _is_address(b, i + 1):
        _begin_external(env)
    else:
        _emit(env, c)
        set_i64(env, I, i + 1)


@device
def _close(env: int, c: int, following: int) -> None:
    """At ``}`` or ``]``."""
    i, top = i64(env, I), _top(env)
    if c == 125 and following == 125:
        _braces(env)
    elif c == 93 and top == EXTERNAL:
        set_i64(env, DEEP, i64(env, DEEP) - 1)
        set_i64(env, I, i + 1)
    elif c == 93 and following == 93 and top == LINK:
        _end_link(env)
    else:
        _emit(env, c)
        set_i64(env, I, i + 1)


@device
def _special(env: int, c: int, following: int) -> None:
    if c == 123 or c == 91:
        _open(env, c, following)
    elif c == 125 or c == 93:
        _close(env, c, following)
    elif c == 60:
        _markup(env)
    elif c == 124 and i64(env, DEEP) > 0:
        _pipe(env)
    elif c == 39:
        _quotes(env)
    elif c == 95:
        _magic(env)
    elif c == 10:
        if _top(env) == EXTERNAL:
            set_i64(env, DEEP, i64(env, DEEP) - 1)
        _end_line(env)
        set_i64(env, FRESH, 1)
        set_i64(env, I, i64(env, I) + 1)
    else:
        _emit(env, c)
        set_i64(env, I, i64(env, I) + 1)


@kernel(INT64(BYTES, INT64, _OUT, _LONGS, BYTES, INT64S, INT64S, INT64S, BYTES, INT64S, _LONGS))
def render(
    text: np.ndarray, n: int, output: np.ndarray, stack: np.ndarray, names: np.ndarray, ends: np.ndarray,
    counts: np.ndarray, actions: np.ndarray, strings: np.ndarray, tag_actions: np.ndarray, block: np.ndarray,
) -> int:  # fmt: skip
    """Render ``text[:n]`` (`PAD` zero bytes follow) into `output` (twice as long); the length of the result.

    `stack` has ``DEPTH * WIDTH`` entries, `block` `ENV`. `names` and `ends` hold the names of templates, tags and link
    prefixes, in this order, `counts` how many of each. `actions` has, for each template, its action, an argument and
    a span of `strings`; `tag_actions` an action for each tag.
    """
    env, b, out = address(block), address(text), address(output)
    block[B], block[N], block[OUT], block[STACK], block[NAMES] = b, n, out, address(stack), address(names)
    block[ENDS], block[TEMPLATES], block[TAGS], block[PREFIXES] = address(ends), counts[0], counts[1], counts[2]
    block[ACTIONS], block[STRINGS], block[TAG_ACTIONS] = address(actions), address(strings), address(tag_actions)
    for k in range(I, ENV):
        block[k] = 0
    block[FRESH], block[TITLE_END] = 1, -1
    while i64(env, I) < n:
        if i64(env, FRESH):
            _begin_line(env)
        i, o, title = i64(env, I), i64(env, O), i64(env, TITLE_END)
        while i < n and i != title and not _SPECIAL[byte(b, i)]:
            set_byte(out, o, byte(b, i))
            i += 1
            o += 1
        set_i64(env, I, i)
        set_i64(env, O, o)
        if i == title:
            set_i64(env, I, i64(env, LINE_END))
            set_i64(env, TITLE_END, -1)
        elif i < n:
            _special(env, byte(b, i), byte(b, i + 1))
    return _trim(env)
