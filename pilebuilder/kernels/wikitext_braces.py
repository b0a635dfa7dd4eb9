"""Templates and links of wikitext: what stays of them when they end."""

from __future__ import annotations

from pilebuilder.kernels.jit import byte, device, i64, set_byte, set_i64
from pilebuilder.kernels.wikitext_stack import (
    ACTIONS,
    ARGS,
    ARGUMENT,
    CONVERT,
    DEEP,
    EXTERNAL,
    LINK,
    LITERAL,
    LONGEST_NAME,
    OUT,
    PREFIX,
    PREFIXES,
    RATIO,
    STRINGS,
    TAGS,
    TEMPLATE,
    TEMPLATES,
    B,
    I,
    N,
    O,
    copy,
    cut,
    drop,
    emit,
    letter,
    lookup,
    push,
    row_of,
)

# Templates -----------------------------------------------------------------------------------------------------------


@device
def _is_named(out: int, start: int, stop: int) -> bool:
    """Whether an argument is ``name=value``."""
    for j in range(start, min(stop, start + 40)):
        c = byte(out, j)
        if c == 61:
            return True
        if not (letter(c) or 48 <= c <= 57 or c == 32 or c == 45 or c == 95 or c == 10):
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
    to = copy(out, second, second_end, out, to + 1)
    if ranged:
        set_byte(out, to, 32)
        to = copy(out, third, third_end, out, to + 1)
        set_byte(out, to, 32)
        to = copy(out, fourth, fourth_end, out, to + 1)
    return to


@device
def _end_template(env: int, depth: int) -> None:
    """End the template at `depth`: what its name asks for stays, or nothing."""
    b, out, row, o, strings = i64(env, B), i64(env, OUT), row_of(env, depth), i64(env, O), i64(env, STRINGS)
    begin, start, stop = i64(row, 1), i64(row, 2), i64(row, 2)
    longest = min(i64(env, I), start + LONGEST_NAME)
    while stop < longest and byte(b, stop) != 124 and byte(b, stop) != 60:
        stop += 1
    which = lookup(env, 0, i64(env, TEMPLATES), start, stop)
    rule = i64(env, ACTIONS) + 32 * which
    drop(env, depth, 2)
    if which < 0:
        return
    action, first, last = i64(rule, 0), i64(rule, 2), i64(rule, 3)
    if action == LITERAL:
        set_i64(env, O, copy(strings, first, last, out, begin))
        return
    found, end = _argument(out, row, i64(rule, 1), o)
    if found < 0:
        return
    if action == PREFIX:  # the argument moves out of the way of what comes before it
        shift = max(begin + last - first - found, 0)
        for k in range(end - 1, found - 1, -1):
            set_byte(out, k + shift, byte(out, k))
        begin = copy(strings, first, last, out, begin)
        found += shift
        end += shift
    to = copy(out, found, end, out, begin)
    if action == CONVERT:
        to = _convert(out, row, o, to)
    elif action == RATIO:
        second, second_end = _argument(out, row, 2, o)
        if second >= 0:
            set_byte(out, to, 47)
            to = copy(out, second, second_end, out, to + 1)
    set_i64(env, O, to)


@device
def end_braces(env: int) -> None:
    """At ``}}``: the end of the innermost template or argument. Links that it leaves open never end."""
    b, i = i64(env, B), i64(env, I)
    depth = i64(env, DEEP)
    while depth > 0 and LINK <= i64(row_of(env, depth), 0) <= EXTERNAL:
        depth -= 1
    kind = i64(row_of(env, depth), 0) if depth else 0
    if kind == ARGUMENT and byte(b, i + 2) == 125:
        drop(env, depth, 3)
    elif kind == TEMPLATE:
        _end_template(env, depth)
    else:
        set_i64(env, I, i + 2)


# Links ---------------------------------------------------------------------------------------------------------------


@device
def end_link(env: int) -> None:
    """At ``]]`` of a link: its label, else its target; nothing for files, categories and other languages."""
    b, out, depth, i, o = i64(env, B), i64(env, OUT), i64(env, DEEP), i64(env, I), i64(env, O)
    row = row_of(env, depth)
    begin, start, pipes = i64(row, 1), i64(row, 2), i64(row, 3)
    stop = i64(row, 4) if pipes else i
    while start < stop and byte(b, start) <= 32:
        start += 1
    plain = start < stop and byte(b, start) == 58  # [[:File:x]] links to a file's page
    colon = start
    while colon < min(stop, start + LONGEST_NAME) and byte(b, colon) != 58:
        colon += 1
    groups = i64(env, TEMPLATES) + i64(env, TAGS)
    drop(env, depth, 2)
    if (
        not plain
        and colon < stop
        and byte(b, colon) == 58
        and lookup(env, groups, i64(env, PREFIXES), start, colon) >= 0
    ):
        return
    if not pipes or o == begin:
        o = copy(b, start + plain, stop, out, begin)
    set_i64(env, O, o)


@device
def begin_external(env: int) -> None:
    """At ``[`` and an address: the address goes, its label stays."""
    b, n, i = i64(env, B), i64(env, N), i64(env, I)
    end = i + 1
    while end < n and byte(b, end) > 32 and byte(b, end) != 93 and byte(b, end) != 91:
        end += 1
    if byte(b, end) == 93:
        set_i64(env, I, end + 1)
    elif byte(b, end) == 32:
        push(env, EXTERNAL, end + 1 - i)
    else:
        set_i64(env, I, i + 1)


@device
def is_address(b: int, i: int) -> bool:
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
def next_part(env: int) -> None:
    """At ``|`` within a construct: the next part of a link, the next argument of a template, a cell of a table."""
    row, i, o = row_of(env, i64(env, DEEP)), i64(env, I), i64(env, O)
    kind, pipes = i64(row, 0), i64(row, 3)
    set_i64(env, I, i + 1)
    set_i64(row, 3, pipes + 1)
    if kind == LINK:
        if pipes == 0:
            cut(env, i64(row, 1))
            set_i64(row, 4, i)
        else:
            emit(env, 124)
    elif kind == TEMPLATE and pipes < ARGS:
        set_i64(row, 4 + pipes, o)
