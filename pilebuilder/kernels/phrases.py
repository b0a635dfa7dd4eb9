"""Many phrases at once: an Aho-Corasick automaton over lower-case UTF-8, one table look-up per byte."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    UINT32S,
    UINT64S,
    address,
    byte,
    i64,
    kernel,
    u32,
    u64,
)  # fmt: skip
from pilebuilder.kernels.unicode import WORD, classes, lower_case
from pilebuilder.kernels.utf8 import decode

LONGEST = 60
"""Characters of a phrase: as many as fit the record of word characters that a kernel keeps while it reads."""
INT32S = types.Array(types.int32, 1, "C", readonly=True)


@dataclass(frozen=True, slots=True)
class Phrases:
    """An automaton. `step` int32 [states * width]: next state by class of the byte; `found` int64 [states]: the first
    phrase that ends here, or -1; `more` int64 [states]: the nearest shorter state with a phrase, or 0; `sizes` int64:
    characters of each phrase; `groups` uint64: its group as a bit; `whole` int64: 1 where it must stand as words."""

    step: np.ndarray
    byte_class: np.ndarray
    found: np.ndarray
    more: np.ndarray
    sizes: np.ndarray
    groups: np.ndarray
    whole: np.ndarray

    @classmethod
    def build(cls, phrases: Sequence[tuple[str, int, bool]]) -> Phrases:
        """From (phrase, group below 64, whether it must be whole words); case is folded as `lower_case` does.

        Raises ValueError for an empty phrase, or one of more than `LONGEST` characters.
        """
        fold = lower_case()
        raw = ["".join(chr(fold[ord(c)]) for c in text) for text, _, _ in phrases]
        for text in raw:
            if not 0 < len(text) <= LONGEST:
                raise ValueError(f"a phrase has 1 to {LONGEST} characters, got {text!r}")
        children: list[dict[int, int]] = [{}]
        ends: dict[int, int] = {}
        order: list[int] = []
        for number, text in enumerate(raw):
            state = 0
            for b in text.encode():
                if b not in children[state]:
                    children[state][b] = len(children)
                    children.append({})
                state = children[state][b]
            if state not in ends:
                ends[state] = number
                order.append(number)
        used = sorted({b for edges in children for b in edges})
        byte_class = np.zeros(256, np.uint8)
        byte_class[used] = np.arange(1, len(used) + 1)
        width = len(used) + 1
        step = np.zeros((len(children), width), np.int32)
        found, more = np.full(len(children), -1, np.int64), np.zeros(len(children), np.int64)
        fail = [0] * len(children)
        queue = deque([0])
        while queue:  # breadth first: the row of the shorter state is complete when it is copied
            state = queue.popleft()
            shorter = fail[state]
            if state:
                step[state] = step[shorter]
                more[state] = shorter if found[shorter] >= 0 else more[shorter]
            found[state] = ends.get(state, -1)
            for b, child in children[state].items():
                fail[child] = int(step[shorter, byte_class[b]]) if state else 0
                step[state, byte_class[b]] = child
                queue.append(child)
        return cls(
            step.reshape(-1), byte_class, found, more, np.array([len(text) for text in raw], np.int64),
            np.array([1 << group for _, group, _ in phrases], np.uint64),
            np.array([int(whole) for *_, whole in phrases], np.int64),
        )  # fmt: skip

    def search(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each piece of the buffer: groups that occur (uint64 bits), occurrences, and the first phrase (or -1)."""
        n = len(starts)
        bits, counts, first = np.zeros(n, np.uint64), np.zeros(n, np.int64), np.full(n, -1, np.int64)
        search(
            data, starts, ends, classes(), lower_case(), self.byte_class, self.step, len(self.step) // len(self.found),
            self.found, self.more, self.sizes, self.groups, self.whole, bits, counts, first,
        )  # fmt: skip
        return bits, counts, first


@kernel(
    types.void(
        BYTES, INT64S, INT64S, UINT32S, UINT32S, BYTES, INT32S, INT64, INT64S, INT64S, INT64S, UINT64S, INT64S,
        types.uint64[::1], types.int64[::1], types.int64[::1],
    )
)  # fmt: skip
def search(  # type: ignore[no-untyped-def]
    data, starts, ends, classes_, lower_, byte_class_, step_, width, found_, more_, sizes_, groups_, whole_, bits,
    counts, first,
):  # fmt: skip
    """Groups, occurrences and first phrase of each piece [start, end), see `Phrases.search`."""
    d, cls, lower, byte_class = address(data), address(classes_), address(lower_), address(byte_class_)
    step, found, more, sizes = address(step_), address(found_), address(more_), address(sizes_)
    groups, whole = address(groups_), address(whole_)
    for row in range(len(starts)):
        i, e = starts[row], ends[row]
        state = 0
        inside = np.uint64(0)  # bit k: whether the character k places back is a word character
        while i < e:
            c = byte(d, i)
            n = 1
            if c >= 0x80:
                c, n = decode(d, i)
            low = u32(lower, c)
            inside = inside << np.uint64(1) | np.uint64(u32(cls, c) & WORD != 0)
            if low < 0x80:
                state = u32(step, state * width + byte(byte_class, low))
            else:
                shift = 6 if low < 0x800 else (12 if low < 0x10000 else 18)
                lead = (0xC0 if shift == 6 else (0xE0 if shift == 12 else 0xF0)) | low >> shift
                state = u32(step, state * width + byte(byte_class, lead))
                while shift:
                    shift -= 6
                    state = u32(step, state * width + byte(byte_class, 0x80 | low >> shift & 0x3F))
            i += n
            at = state if i64(found, state) >= 0 else i64(more, state)
            while at:
                number = i64(found, at)
                size = i64(sizes, number)
                fits = True
                if i64(whole, number):
                    fits = inside >> np.uint64(size) & np.uint64(1) == 0
                    if fits and i < e:
                        c = byte(d, i)
                        if c >= 0x80:
                            c, _ = decode(d, i)
                        fits = not u32(cls, c) & WORD
                if fits:
                    bits[row] |= u64(groups, number)
                    counts[row] += 1
                    if first[row] < 0:
                        first[row] = number
                at = i64(more, at)
