"""The mix's random numbers against a plain reference written from their definition."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pilebuilder.document import document_id
from pilebuilder.mix import order

MASK = (1 << 64) - 1
u64 = st.integers(0, MASK)


def reference_draw(identity: str, seed: int, purpose: str, copy: int) -> int:
    def finish(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
        return x ^ (x >> 31)

    digest = hashlib.blake2b(f"pilebuilder.mix\0{purpose}\0{seed}".encode(), digest_size=16).hexdigest()
    key0, key1 = int(digest[:16], 16), int(digest[16:], 16)
    hi, lo = int(identity[:16], 16), int(identity[16:], 16)
    x = finish((finish(lo ^ key0) + hi & MASK) ^ key1)
    return finish(x + copy * 0x9E3779B97F4A7C15 & MASK)


@given(
    st.integers(0, MASK), st.integers(0, 1 << 62), st.integers(0, 300), st.sampled_from(["split", "copies", "order"])
)
def test_draw_is_as_defined(number: int, seed: int, copy: int, purpose: str) -> None:
    identity = document_id("c", str(number))
    words = order.words(pa.array([identity, identity]))
    found = order.draw(*words, order.keys(seed, purpose), np.array([copy, copy]))
    assert [int(x) for x in found] == [reference_draw(identity, seed, purpose, copy)] * 2


def test_ids_of_other_forms_count_by_their_digest() -> None:
    hi, lo = order.words(pa.array(["a" * 32, "urn:x", "A" * 32]))
    for at, key in ((1, b"urn:x"), (2, b"A" * 32)):
        digest = hashlib.blake2b(key, digest_size=16).hexdigest()
        assert f"{int(hi[at]):016x}{int(lo[at]):016x}" == digest
    assert int(hi[0]) == int(lo[0]) == int("a" * 16, 16)


def test_words_of_a_slice_and_of_nothing() -> None:
    ids = pa.array([document_id("c", str(i)) for i in range(9)])
    whole, part = order.words(ids), order.words(ids.slice(3, 4))
    assert (part[0] == whole[0][3:7]).all()
    assert (part[1] == whole[1][3:7]).all()
    assert len(order.words(ids.slice(0, 0))[0]) == 0


@given(st.lists(u64, min_size=1), st.integers(1, 1 << 31))
def test_bucket_is_the_exact_range(draws: list[int], count: int) -> None:
    found = order.bucket(np.array(draws, np.uint64), count)
    assert found.tolist() == [d * count >> 64 for d in draws]


@given(st.lists(u64, min_size=1), st.floats(0, 9))
def test_copies_are_floor_and_fraction(draws: list[int], epochs: float) -> None:
    found = order.copies(np.array(draws, np.uint64), epochs)
    fraction = int((epochs - int(epochs)) * 2**64)
    assert found.tolist() == [int(epochs) + (d < fraction) for d in draws]


def test_purposes_and_copies_are_independent() -> None:
    """A document that is held out under one seed must be no likelier to come first, or to be copied."""
    words = order.words(pa.array([document_id("c", str(i)) for i in range(20_000)]))
    columns = [order.draw(*words, order.keys(1, p)) / 2**64 for p in ("split", "copies", "order")]
    columns += [
        order.draw(*words, order.keys(1, "order"), 1) / 2**64,
        order.draw(*words, order.keys(2, "order")) / 2**64,
    ]
    correlation = np.corrcoef(columns) - np.eye(5)
    assert np.abs(correlation).max() < 0.03
    for column in columns:  # uniform: every tenth holds a tenth, within five standard deviations
        assert np.abs(np.histogram(column, 10, (0, 1))[0] - 2000).max() < 5 * np.sqrt(20_000 * 0.09)
