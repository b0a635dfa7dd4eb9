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
from pilebuilder.kernels.wikitext_braces import begin_external, end_braces, end_link, is_address, next_part
from pilebuilder.kernels.wikitext_stack import (
    ABSENT,
    ACTIONS,
    ARGUMENT,
    BREAK,
    DEEP,
    ENDS,
    ENV,
    EXTERNAL,
    FRESH,
    HTML_TABLE,
    LINE,
    LINE_END,
    LINK,
    MATH,
    NAMES,
    OUT,
    PREFIXES,
    RAW,
    SPACE,
    STACK,
    STRINGS,
    STRIP,
    TABLE,
    TABLE_TAG,
    TAG_ACTIONS,
    TAGS,
    TEMPLATE,
    TEMPLATES,
    TITLE_END,
    B,
    I,
    N,
    O,
    copy,
    drop,
    emit,
    innermost,
    kind_on_top,
    letter,
    lookup,
    lower,
    push,
)

_OUT = types.Array(types.uint8, 1, "C")
_LONGS = types.Array(types.int64, 1, "C")
_SPECIAL = np.zeros(256, np.uint8)
_SPECIAL[np.frombuffer(b"{}[]|<'\n_=", np.uint8)] = 1


# Tags ----------------------------------------------------------------------------------------------------------------


@device
def _closing(env: int, i: int, start: int, size: int) -> int:
    """Where ``</name`` begins for the name of `size` bytes at `start`, from `i` on; -1 if nowhere."""
    b, n = i64(env, B), i64(env, N)
    while i < n - size - 2:
        if byte(b, i) == 60 and byte(b, i + 1) == 47:
            k = 0
            while k < size and lower(byte(b, i + 2 + k)) == lower(byte(b, start + k)):
                k += 1
            if k == size and not letter(byte(b, i + 2 + size)):
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
        o = copy(b, i, shut, out, o + 1)
        set_byte(out, o, 36)
        o += 1
    elif action == RAW:
        o = copy(b, i, shut, out, o)
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
    while letter(byte(b, stop)) or (stop > start and 48 <= byte(b, stop) <= 57):
        stop += 1
    which = lookup(env, i64(env, TEMPLATES), i64(env, TAGS), start, stop) if stop > start else -1
    if which < 0:
        emit(env, 60)
        set_i64(env, I, i + 1)
        return
    action = i64(i64(env, TAG_ACTIONS), which)
    end = _after(env, stop, 62)
    set_i64(env, I, end)
    if action == BREAK:
        _end_line(env)
    elif action == SPACE:
        emit(env, 32)
    elif action == TABLE_TAG:
        depth = innermost(env, HTML_TABLE) if close else 0
        if depth:
            drop(env, depth, 0)
        elif not close:
            push(env, HTML_TABLE, 0)
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
    emit(env, 10)
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
    emit(env, 1)
    emit(env, 48 + level)
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
        emit(env, 45)
        emit(env, 32)
    while i < n and byte(b, i) == 32:
        i += 1
    set_i64(env, I, i)
    c = byte(b, i)
    if c == 123 and byte(b, i + 1) == 124:
        push(env, TABLE, 2)
    elif c == 124 and byte(b, i + 1) == 125 and byte(b, i + 2) != 125:
        depth = innermost(env, TABLE)
        if depth:
            drop(env, depth, 2)


@device
def _quotes(env: int) -> None:
    """Two to five apostrophes are bold or italic; one is itself, and so is what is more than five."""
    b, i = i64(env, B), i64(env, I)
    run = 1
    while byte(b, i + run) == 39:
        run += 1
    for _ in range(1 if run == 1 or run == 4 else max(run - 5, 0)):
        emit(env, 39)
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
        emit(env, 95)
        set_i64(env, I, i + 1)


# The scan ------------------------------------------------------------------------------------------------------------


@device
def _open(env: int, c: int, following: int) -> None:
    """At ``{`` or ``[``."""
    b, i = i64(env, B), i64(env, I)
    if c == 123 and following == 123:
        if byte(b, i + 2) == 123 and byte(b, i + 3) != 123:
            push(env, ARGUMENT, 3)
        else:
            push(env, TEMPLATE, 2)
    elif c == 91 and following == 91:
        push(env, LINK, 2)
    elif c == 91 and is_address(b, i + 1):
        begin_external(env)
    else:
        emit(env, c)
        set_i64(env, I, i + 1)


@device
def _close(env: int, c: int, following: int) -> None:
    """At ``}`` or ``]``."""
    i, top = i64(env, I), kind_on_top(env)
    if c == 125 and following == 125:
        end_braces(env)
    elif c == 93 and top == EXTERNAL:
        set_i64(env, DEEP, i64(env, DEEP) - 1)
        set_i64(env, I, i + 1)
    elif c == 93 and following == 93 and top == LINK:
        end_link(env)
    else:
        emit(env, c)
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
        next_part(env)
    elif c == 39:
        _quotes(env)
    elif c == 95:
        _magic(env)
    elif c == 10:
        if kind_on_top(env) == EXTERNAL:
            set_i64(env, DEEP, i64(env, DEEP) - 1)
        _end_line(env)
        set_i64(env, FRESH, 1)
        set_i64(env, I, i64(env, I) + 1)
    else:
        emit(env, c)
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
