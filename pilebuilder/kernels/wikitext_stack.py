"""What the handlers of wikitext share: the state of the scan, its output, and the stack of what is open.

One block of integers, `env`, holds addresses of the buffers and then the state; see `pilebuilder.kernels.wikitext`.
"""

from __future__ import annotations

from pilebuilder.kernels.jit import byte, device, i64, set_byte, set_i64

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


@device
def lower(c: int) -> int:
    return c + 32 if 65 <= c <= 90 else c


@device
def letter(c: int) -> bool:
    return 97 <= lower(c) <= 122


@device
def lookup(env: int, first: int, count: int, start: int, stop: int) -> int:
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
                c = lower(byte(b, start + j))
                if (32 if c == 95 else c) != byte(names, begin + j):
                    break
                j += 1
            if j == size:
                return k - first
        begin = end
    return -1


@device
def copy(source: int, start: int, stop: int, out: int, o: int) -> int:
    for k in range(start, stop):
        set_byte(out, o, byte(source, k))
        o += 1
    return o


@device
def emit(env: int, c: int) -> None:
    o = i64(env, O)
    set_byte(i64(env, OUT), o, c)
    set_i64(env, O, o + 1)


@device
def cut(env: int, o: int) -> None:
    """Set the length of the output, which may end before the current line began."""
    set_i64(env, O, o)
    set_i64(env, LINE, min(i64(env, LINE), o))


# The stack -----------------------------------------------------------------------------------------------------------


@device
def push(env: int, kind: int, skip: int) -> None:
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
def row_of(env: int, depth: int) -> int:
    """Address of the row of the construct at `depth`, from 1."""
    return i64(env, STACK) + 8 * (depth - 1) * WIDTH


@device
def kind_on_top(env: int) -> int:
    """Kind of the innermost construct, 0 for none."""
    depth = i64(env, DEEP)
    return i64(row_of(env, depth), 0) if depth else 0


@device
def innermost(env: int, kind: int) -> int:
    """Depth of the innermost construct of a kind, 0 for none."""
    depth = i64(env, DEEP)
    while depth > 0 and i64(row_of(env, depth), 0) != kind:
        depth -= 1
    return depth


@device
def drop(env: int, depth: int, skip: int) -> None:
    """End the construct at `depth` with all in it, and take back what it wrote."""
    cut(env, i64(row_of(env, depth), 1))
    set_i64(env, DEEP, depth - 1)
    set_i64(env, I, i64(env, I) + skip)
