"""Personal data and secrets in UTF-8 text: one pass over the bytes, constant work at each trigger, so linear time.

A byte that can begin something (``@``, a digit, ``+``, a capital, a quote, ...) triggers a matcher that looks at a
bounded stretch around it. What each matcher accepts is stated at its top.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
from numba import types

from pilebuilder.kernels import pii_tables
from pilebuilder.kernels.fasttext import word_hashes
from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, kernel
from pilebuilder.kernels.pii_addresses import LENGTHS, match_email, match_iban, match_ipv6
from pilebuilder.kernels.pii_numbers import FLAGS, match_number
from pilebuilder.kernels.pii_secrets import RULES, match_assigned, match_jwt, match_key_block, match_prefix
from pilebuilder.kernels.pii_tables import (
    ALNUM,
    DIGIT,
    T_AT,
    T_CAPITAL,
    T_DASH,
    T_DIGIT,
    T_NUMBER,
    T_PREFIX,
    T_QUOTE,
    TOKEN,
)

EMAIL, PHONE, IP, IBAN, CARD, NATIONAL, SECRET = range(7)
KINDS = ("email", "phone", "ip", "iban", "card", "national_id", "secret")
INT = types.int64


@kernel(
    INT(
        BYTES, INT64S, types.uint8, BYTES, BYTES, UINT64S, UINT64S, UINT64S, UINT64S, FLAGS, LENGTHS,
        RULES, BYTES, INT64S, BYTES, BYTES, BYTES, types.int64[:, ::1], types.uint8[::1],
    )
)  # fmt: skip
def find(  # type: ignore[no-untyped-def]
    data, offsets, wanted, cls, trigger, tlds, reserved, names, word_keys, word_flags, ibans,
    rules, prefixes, first, begin_mark, key_mark, end_mark, spans, kinds,
):  # fmt: skip
    """Spans of personal data and secrets; returns their number, which may exceed the room: then call again.

    `spans` [m, 3]: document, start and stop (absolute bytes), in order, without overlap. `kinds` [m]: index into
    KINDS. `wanted`: bit set of kinds.
    """
    count = 0
    mark = np.zeros(2, np.int64)
    for doc in range(len(offsets) - 1):
        begin = offsets[doc]
        end = offsets[doc + 1]
        done = begin  # nothing before this byte is open for a match
        at = begin
        while at < end:
            t = trigger[data[at]]
            if t == 0:
                at += 1
                continue
            start = np.int64(0)
            stop = np.int64(0)
            kind = 0
            fresh = at == begin or not cls[data[at - 1]] & TOKEN
            if t & T_AT:
                if wanted & 1:
                    start, stop = match_email(data, at, done, end, cls, tlds, reserved)
            elif t & T_NUMBER:
                if t & T_DIGIT and not fresh and data[at - 1] != 45:  # inside a word, or of a number already looked at
                    at += 1
                    while at < end and cls[data[at]] & ALNUM:
                        at += 1
                    continue
                if (
                    t & T_DIGIT
                    and wanted & 4
                    and at + 7 < end
                    and data[at + 4] == 58
                    and (data[at] == 50 or data[at] == 51)
                ):
                    start, stop = match_ipv6(data, at, begin, end, cls)
                    kind = IP
                if stop == 0:
                    kind = match_number(data, at, begin, end, wanted, cls, word_keys, word_flags, mark)
                    start, stop = mark[0], mark[1]
                    if stop == 0:
                        at += 1
                        if t & T_DIGIT:
                            while at < end and cls[data[at]] & DIGIT:
                                at += 1
                        continue
            elif t & T_QUOTE:
                if wanted & 64:
                    start, stop = match_assigned(data, at, begin, end, cls, names)
                    kind = SECRET
            elif t & T_DASH:
                if wanted & 64 and at + 30 < end and data[at + 4] == 45 and data[at + 5] == 66:
                    start, stop = match_key_block(data, at, end, begin_mark, key_mark, end_mark)
                    kind = SECRET
            elif fresh:
                if t & T_PREFIX and wanted & 64:
                    kind = SECRET
                    start, stop = match_prefix(data, at, end, cls, rules, prefixes, first)
                    if stop == 0 and data[at] == 101:
                        start, stop = match_jwt(data, at, end, cls)
                if stop == 0 and t & T_CAPITAL:
                    if wanted & 8:
                        start, stop = match_iban(data, at, end, cls, ibans)
                        kind = IBAN
                    if stop == 0 and wanted & 32:
                        kind = match_number(data, at, begin, end, wanted, cls, word_keys, word_flags, mark)
                        start, stop = mark[0], mark[1]
            if stop == 0:
                at += 1
                continue
            if count < len(kinds):
                spans[count, 0] = doc
                spans[count, 1] = start
                spans[count, 2] = stop
                kinds[count] = kind
            count += 1
            at = stop
            done = stop
    return count


@kernel(types.void(BYTES, INT64S, types.Array(types.int64, 2, "C", readonly=True), BYTES, INT64S,
                   types.uint8[::1], types.int64[::1]))  # fmt: skip
def replace(data, offsets, spans, texts, bounds, out, out_offsets):  # type: ignore[no-untyped-def]
    """Copy all documents to `out` with span k replaced by texts[bounds[k]:bounds[k + 1]]."""
    place = np.int64(0)
    k = 0
    out_offsets[0] = 0
    for doc in range(len(offsets) - 1):
        at = offsets[doc]
        while k < len(spans) and spans[k, 0] == doc:
            size = spans[k, 1] - at
            out[place : place + size] = data[at : spans[k, 1]]
            place += size
            size = bounds[k + 1] - bounds[k]
            out[place : place + size] = texts[bounds[k] : bounds[k + 1]]
            place += size
            at = spans[k, 2]
            k += 1
        size = offsets[doc + 1] - at
        out[place : place + size] = data[at : offsets[doc + 1]]
        place += size
        out_offsets[doc + 1] = place


def _hashes(words: Iterable[str]) -> np.ndarray:
    encoded = [word.lower().encode() for word in words]
    bounds = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    return np.asarray(word_hashes(np.frombuffer(b"".join(encoded), np.uint8), bounds))


@functools.cache
def _tables() -> tuple[np.ndarray, ...]:
    """Everything that `find` looks up, in the order of its parameters."""
    flags: dict[str, int] = {}
    for flag, words in pii_tables.WORDS.items():
        for word in words.split():
            flags[word] = flags.get(word, 0) | flag
    keys = pii_tables.hash_set(_hashes(flags))
    places = {int(key): k for k, key in enumerate(keys)}
    values = np.zeros(len(keys), np.uint32)
    for key, flag in zip(_hashes(flags).tolist(), flags.values(), strict=True):
        values[places[key]] |= np.uint32(flag)
    rules, prefixes, first = pii_tables.prefix_rules()
    return (
        pii_tables.classes(),
        pii_tables.triggers(),
        pii_tables.hash_set(_hashes([*pii_tables.COUNTRIES.split(), *pii_tables.GENERIC.split()])),
        pii_tables.hash_set(_hashes(pii_tables.RESERVED.split())),
        pii_tables.hash_set(_hashes(pii_tables.ASSIGNED_NAMES.split())),
        keys,
        values,
        pii_tables.iban_lengths(),
        rules,
        prefixes,
        first,
        *(np.frombuffer(text, np.uint8) for text in (b"-----BEGIN ", b"PRIVATE KEY-----", b"-----END ")),
    )


def scan(data: np.ndarray, offsets: np.ndarray, kinds: Iterable[int] = range(7)) -> tuple[np.ndarray, np.ndarray]:
    """All finds of these kinds: spans (int64 [m, 3]: document, start, stop in `data`) and kinds (uint8 [m])."""
    wanted = np.uint8(sum(1 << k for k in set(kinds)))
    offsets = np.ascontiguousarray(offsets, np.int64)
    room = int(offsets[-1] - offsets[0]) // 256 + 64
    while True:
        spans, found = np.zeros((room, 3), np.int64), np.zeros(room, np.uint8)
        count = find(data, offsets, wanted, *_tables(), spans, found)
        if count <= room:
            return spans[:count], found[:count]
        room = count


def substitute(
    data: np.ndarray, offsets: np.ndarray, spans: np.ndarray, texts: list[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Documents with span k replaced by texts[k]: their bytes and offsets."""
    bounds = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    offsets = np.ascontiguousarray(offsets, np.int64)
    size = int(offsets[-1] - offsets[0] - (spans[:, 2] - spans[:, 1]).sum() + bounds[-1])
    out, out_offsets = np.empty(size, np.uint8), np.zeros(len(offsets), np.int64)
    replace(data, offsets, spans, np.frombuffer(b"".join(texts) or b"\0", np.uint8), bounds, out, out_offsets)
    return out, out_offsets
