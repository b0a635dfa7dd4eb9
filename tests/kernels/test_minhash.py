"""Words, shingles, signatures and digests, held to plain Python and to datasketch."""

from __future__ import annotations

import re
import unicodedata

import datasketch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import folding, minhash, shingles, shinglesets

WORDY = st.text(st.sampled_from("aAbZ09_ \n\t.,-é\u0301\u00adßςΣ中国かการя\U0001f600\U00010400"), max_size=80)


def buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    raw = [t.encode("utf-8", "surrogatepass") for t in texts]
    return np.frombuffer(b"".join(raw) + b"", np.uint8), np.cumsum([0, *map(len, raw)]).astype(np.int64)


def hashes_of(texts: list[str], ngram: int = 5) -> list[list[int]]:
    data, offsets = buffers(texts)
    counts = np.array([len(shingles.reference_shingles(t, ngram)) for t in texts], np.int64)
    flat, ends = shinglesets.collect(data, offsets, np.arange(len(texts)), counts, ngram)
    return [part.tolist() for part in np.split(flat, ends)[:-1]]


def expected(text: str, ngram: int = 5) -> list[int]:
    return list(dict.fromkeys(shingles.shingle_hash32(s) for s in shingles.reference_shingles(text, ngram)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(WORDY | st.text(max_size=40), max_size=6), st.integers(1, 6))
def test_kernel_agrees_with_the_definition(texts: list[str], ngram: int) -> None:
    texts = [t.encode("utf-8", "ignore").decode() for t in texts]
    assert hashes_of(texts, ngram) == [expected(t, ngram) for t in texts]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.text(st.sampled_from("aB z.é я中\u00ad’Ⱥ😀"), max_size=3000), max_size=30), st.sampled_from([1, 5]))
def test_texts_of_all_lengths_in_a_block(texts: list[str], ngram: int) -> None:
    assert hashes_of(texts, ngram) == [expected(t, ngram) for t in texts]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=71) | st.lists(st.sampled_from([b"a", b" ", b"\xe2", b"\x80", b"\xc3\xa9"]), max_size=60))
def test_bytes_that_are_not_utf8_do_not_depend_on_how_many_are_read_at_once(given: bytes | list[bytes]) -> None:
    raw = given if isinstance(given, bytes) else b"".join(given)[:71]
    found = []
    for behind in (b"", b"\0" * 200):  # near the end of a buffer bytes are read one by one
        data = np.frombuffer(raw + behind, np.uint8)
        offsets = np.array([0, len(raw), len(data)])
        flat, ends = shinglesets.collect(data, offsets, np.arange(2), np.array([len(raw) + 1, 1]), 1)
        found.append(flat[: ends[0]].tolist())
    assert found[0] == found[1]


def test_words_are_folded_and_cut_as_stated() -> None:
    text = "Straße_42 na\u00efve co\u00adop E\u0301tude \u4e2d\u56fd! \u0e01\u0e32 x\u2014Y \u03a3\u03c2"
    words = [w.decode() for w in folding.reference_words(text)]
    assert words == [
        "straße_42", "na\u00efve",
        "coop", "e\u0301tude", "\u4e2d", "\u56fd", "\u0e01", "\u0e32", "x", "y", "\u03c3\u03c3",
    ]  # fmt: skip


def test_every_code_point_is_word_mark_or_separator_as_python_says() -> None:
    table = folding.fold_table()
    for point in [*range(folding.TABLE_SIZE), *range(0xE0000, 0xE0200)]:
        char = chr(point)
        value = int(table[point]) if point < len(table) else 0
        if unicodedata.category(char) == "Cf":
            assert point >= len(table) or value == folding.IGNORED
        elif point < len(table):
            is_word = char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"
            assert (value != 0) == is_word, hex(point)
        else:
            assert not char.isalnum(), hex(point)


@pytest.mark.parametrize("size", [7, 8, 9, 4087, 4088, 4089, 4095, 4096, 4097, 8191, 8192, 8193, 20000])
def test_block_and_word_limits(size: int) -> None:
    for text in (
        "x" * size,
        "ab " * (size // 3),
        "é" * size + " b",
        "a b c d e " + "y" * size + " f g",
        "中" * (size // 4),
    ):
        assert hashes_of([text]) == [expected(text)]


def test_short_and_empty_texts() -> None:
    data, offsets = buffers(["", "...", "One", "one two three four", "one two three four five", "a b c d e f"])
    signatures, counts, few = minhash.signatures(data, offsets, ngram=5, count=16, seed=1)
    assert counts.tolist() == [0, 0, 1, 1, 1, 2]
    assert few.tolist() == [False, False, True, True, False, False]
    assert (signatures[:2] == 0xFFFFFFFF).all()
    assert not (signatures[2:] == 0xFFFFFFFF).all(axis=1).any()


def test_a_long_text_needs_no_more_memory_than_a_short_one() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs " * 40_000
    data, offsets = buffers([text, text[: len(text) // 2]])
    signatures, counts, _ = minhash.signatures(data, offsets, ngram=5, count=32, seed=1)
    assert (signatures[0] == signatures[1]).all()
    assert counts[0] == 11 * 40_000 - 4


@pytest.mark.parametrize("scheme", minhash.SCHEMES)
@pytest.mark.parametrize(("count", "seed"), [(112, 1), (7, 42), (260, 4_000_000_000)])
def test_signatures_equal_those_of_datasketch(scheme: str, count: int, seed: int) -> None:
    texts = [
        "one",
        "a b c d e f g",
        "The quick brown fox. " * 30,
        "Привет, мир! " * 9,
        "x y z " * 500 + "中国人民大学",
    ]
    data, offsets = buffers(texts)
    signatures, _, _ = minhash.signatures(data, offsets, ngram=5, count=count, seed=seed, scheme=scheme)
    for text, row in zip(texts, signatures, strict=True):
        theirs = datasketch.MinHash(count, seed=seed, hashfunc=shingles.shingle_hash32, scheme=scheme)
        theirs.update_batch(shingles.reference_shingles(text))
        assert datasketch.LeanMinHash(theirs) == datasketch.LeanMinHash(seed=seed, hashvalues=row, scheme=scheme)


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match=r"affine64.*known: affine32, legacy"):
        minhash.permutations(8, 1, "affine64")


def test_band_keys_agree_exactly_where_the_rows_of_the_band_do() -> None:
    signatures = np.random.default_rng(0).integers(0, 2**32, (3, 12), dtype=np.uint32)
    signatures[1] = signatures[0]
    signatures[1, 5] += 1  # band 1 of 4 rows
    signatures[2, 4:8] = signatures[0, 0:4]  # the minima of band 0 in band 1
    keys = minhash.band_keys(signatures, bands=3, rows=4)
    assert (keys[0] == keys[1]).tolist() == [True, False, True]
    assert keys[2, 1] != keys[0, 0]
    assert len(set(keys[0].tolist())) == 3


@pytest.mark.parametrize("scheme", minhash.SCHEMES)
@pytest.mark.parametrize(("bands", "rows"), [(16, 7), (5, 3), (1, 20)])
def test_keys_of_texts_are_those_of_their_signatures(
    scheme: str, bands: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minhash, "AT_ONCE", 7)
    texts = ["", "one word", *("the quick brown fox jumps over the lazy dog " * k for k in range(1, 30))]
    data, offsets = buffers(texts)
    digests, keys, counts, few = minhash.text_keys(
        data, offsets, ngram=5, bands=bands, rows=rows, seed=3, scheme=scheme
    )
    signatures, *known = minhash.signatures(data, offsets, ngram=5, count=bands * rows, seed=3, scheme=scheme)
    assert (digests == minhash.digests(data, offsets)).all()
    assert (keys == minhash.band_keys(signatures, bands=bands, rows=rows)).all()
    assert (counts == known[0]).all()
    assert (few == known[1]).all()


def murmur3(data: bytes, seed: int) -> bytes:
    """MurmurHash3 x64 128 by its published definition."""
    full = (1 << 64) - 1
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F

    def rotate(x: int, n: int) -> int:
        return ((x << n) | (x >> (64 - n))) & full

    def final(k: int) -> int:
        k = ((k ^ (k >> 33)) * 0xFF51AFD7ED558CCD) & full
        k = ((k ^ (k >> 33)) * 0xC4CEB9FE1A85EC53) & full
        return k ^ (k >> 33)

    h1 = h2 = seed
    whole = len(data) // 16 * 16
    for i in range(0, whole, 16):
        k1, k2 = (int.from_bytes(data[i + j : i + j + 8], "little") for j in (0, 8))
        h1 ^= rotate(k1 * c1 & full, 31) * c2 & full
        h1 = ((rotate(h1, 27) + h2) * 5 + 0x52DCE729) & full
        h2 ^= rotate(k2 * c2 & full, 33) * c1 & full
        h2 = ((rotate(h2, 31) + h1) * 5 + 0x38495AB5) & full
    if tail := data[whole:]:
        k1, k2 = int.from_bytes(tail[:8], "little"), int.from_bytes(tail[8:], "little")
        h2 ^= rotate(k2 * c2 & full, 33) * c1 & full
        h1 ^= rotate(k1 * c1 & full, 31) * c2 & full
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & full
    h2 = (h2 + h1) & full
    h1, h2 = final(h1), final(h2)
    h1 = (h1 + h2) & full
    return h1.to_bytes(8, "little") + ((h2 + h1) & full).to_bytes(8, "little")


SPACED = st.text(st.sampled_from("ab \n\t\x00é中"), max_size=60)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(SPACED | SPACED.map(lambda t: t * 400), max_size=4), st.integers(0, 2**63))
def test_digest_is_murmur3_of_the_text_with_white_space_normalised(texts: list[str], seed: int) -> None:
    found = minhash.digests(*buffers(texts), seed=seed)
    for text, row in zip(texts, found, strict=True):
        normal = re.sub(rb"[\x00-\x20]+", b" ", text.encode()).strip(b" ")
        assert row.tobytes() == murmur3(normal, seed)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("http://www.Example.org/a/", "https://example.org/a", True),
        ("https://example.org:443/a#part", "http://example.org/a", True),
        ("http://example.org:80", "example.org", True),
        ("  http://example.org/a?x=1 ", "http://example.org/a?x=1", True),
        ("http://example.org/a?x=1", "http://example.org/a?x=2", False),
        ("http://example.org/A", "http://example.org/a", False),
        ("http://example.org:8080/a", "http://example.org/a", False),
        ("ftp://example.org/a", "http://example.org/a", False),
        ("http://www", "http://", False),
        ("http://", "https://www.", True),
    ],
)
def test_addresses_that_name_the_same_page(a: str, b: str, same: bool) -> None:
    keys = minhash.url_keys(*buffers([a, b]))
    assert (keys[0] == keys[1]).all() == same


def test_huge_texts_are_sampled_alike() -> None:
    rng = np.random.default_rng(5)
    words = [f"w{n}" for n in rng.integers(0, 10**9, shinglesets.SAMPLED * 3)]
    texts = [" ".join(words), " ".join(words[: shinglesets.SAMPLED * 2])]
    data, offsets = buffers(texts)
    counts = np.array([len(words) - 4, shinglesets.SAMPLED * 2 - 4], np.int64)
    assert shinglesets.sampling_limits(counts).tolist() == [2**30 - 1, 2**31 - 1]
    flat, ends = shinglesets.collect(data, offsets, np.arange(2), counts, 5)
    large, small = set(flat[: ends[0]].tolist()), set(flat[ends[0] :].tolist())
    assert abs(len(large) / (counts[0] / 4) - 1) < 0.02
    coarse = {h for h in small if h >> 30 == 0}
    assert abs(len(large & coarse) / len(large | coarse) - 2 / 3) < 0.01


def test_too_small_a_count_is_an_error_not_an_overflow() -> None:
    data, offsets = buffers([" ".join(str(i) for i in range(500))])
    with pytest.raises(ValueError, match="counts 3 shingles"):
        shinglesets.collect(data, offsets, np.arange(1), np.array([3], np.int64), 5)


def test_smallest_hashes_of_sets() -> None:
    hashes = np.array([5, 1, 9, 3, 8, 2], np.uint32)
    limits = np.array([shinglesets.EVERY, shinglesets.EVERY, 99])
    found = shinglesets.smallest(hashes, np.array([4, 4, 6]), 3, limits)
    assert [a.tolist() for a in found] == [[1, 3, 5, 2, 8], [3, 3, 5], [5, shinglesets.EVERY, 99]]
