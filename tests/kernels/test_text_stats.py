"""Text statistics against their definitions in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import text_stats
from pilebuilder.kernels.lines import MAX_LINES
from pilebuilder.kernels.textstats import COLUMNS, SHARES, TextStats
from pilebuilder.kernels.utf8 import hash_of
from pilebuilder.kernels.words import MAX_CHUNK
from tests.kernels import reference
from tests.kernels.texts import CASES, any_text, buffers


def measured(texts: list[str]) -> list[dict[str, int]]:
    stats = text_stats(*buffers(texts))
    columns = {name: getattr(stats, name) for name in COLUMNS}
    return [{name: int(column[row]) for name, column in columns.items()} for row in range(len(texts))]


def words_of(text: str, before: str = "", after: str = "") -> list[int]:
    stats = text_stats(*buffers([before, text, after]))
    stats.words
    assert stats._hashes is not None
    words, first, last = stats._hashes
    return [int(h) for h in words.hashes[first[1] : last[1]]]


@settings(max_examples=400, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=4))
@example(["中文、。", "ab", "don't"])
def test_every_column_equals_its_definition(texts: list[str]) -> None:
    assert measured(texts) == [reference.stats(text) for text in texts]


@settings(max_examples=600, deadline=None)
@given(any_text)
def test_words_are_the_words_of_the_definition(text: str) -> None:
    assert words_of(text) == [hash_of(word.encode()) for word in reference.words(text)]


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hard_cases(text: str) -> None:
    assert measured([text, "end", text])[0] == measured([text])[0] == reference.stats(text)


def test_reads_nothing_beyond_the_last_text() -> None:
    """The bytes behind the buffer's end, and those of neighbours, do not count."""
    for text in ("abc", "the", "word.", "x" * 8, "don't", "é"):
        raw = np.frombuffer(text.encode(), np.uint8).copy()
        alone = text_stats(raw, np.array([0, len(raw)]))
        assert alone.words.tolist() == [1] or text == "don't"
        assert words_of(text) == [hash_of(w.encode()) for w in reference.words(text)]


@pytest.mark.parametrize("unit", ["a", "é", "aB1", "x."])
def test_a_run_without_spaces_is_cut_alike_wherever_it_lies(unit: str) -> None:
    """Around the longest chunk, the words of a text depend neither on what stands beside it nor on the buffer's end."""
    for size in (MAX_CHUNK - 8, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, MAX_CHUNK + 9):
        for tail in ("", ".", "'s b", "e.g."):
            text = (unit * size).encode()[:size].decode("utf-8", "ignore") + tail
            found = words_of(text)
            assert found == words_of(text, "x y", "z" * 9) == words_of(text, "1234567", "abc")
            columns = measured([text])[0]
            assert measured(["x y", text, "z" * 9])[1] == measured(["1234567", text, "abc"])[1] == columns
            assert columns["word_tokens"] == len(found)
            if unit == "a":
                assert found == [hash_of(word.encode()) for word in reference.words(text)]


def test_a_sliced_column_is_measured_where_it_lies() -> None:
    data, offsets = buffers(["first text", "to be or not to be", "third"])
    assert text_stats(data, offsets[1:]).words.tolist() == [6, 1]


def test_take_keeps_what_was_measured_and_measures_the_rest() -> None:
    texts = ["to be or not to be", "a b c d e f g h i j " * 3, "x y z"]
    rows = np.array([2, 1])
    early, late = text_stats(*buffers(texts)), text_stats(*buffers(texts))
    early.words
    late = late.take(rows)
    for name in (*COLUMNS, *SHARES):
        assert getattr(early.take(rows), name).tolist() == getattr(late, name).tolist(), name


def test_no_documents_and_unknown_names() -> None:
    empty = text_stats(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    assert all(len(getattr(empty, name)) == 0 for name in (*COLUMNS, *SHARES))
    with pytest.raises(AttributeError, match="no text statistic is named 'wrods'"):
        empty.wrods
    with pytest.raises(ValueError, match="offsets must rise"):
        text_stats(np.zeros(2, np.uint8), np.array([0, 3]))


def test_stop_words_of_another_language() -> None:
    from pilebuilder.kernels import stop_words

    data = buffers(["le chat est sur la table", "the cat", ""])
    assert stop_words(*data, ("le", "la", "est", "et")).tolist() == [3, 0, 0]
    with pytest.raises(ValueError, match="at most 64"):
        stop_words(*data, tuple(f"w{k}" for k in range(65)))


def test_short_lines_with_another_limit() -> None:
    from pilebuilder.kernels import short_lines

    text = "four\nlonger line\n  \n\nab"
    assert short_lines(*buffers([text]), 4).tolist() == [2]


def test_one_line_of_many_megabytes_is_bounded() -> None:
    """Memory for lines and n-grams has a ceiling, so a text of nothing but short lines is no trap."""
    text = "\n".join(map(str, range(MAX_LINES // 8)))
    stats = text_stats(*buffers([text * 2, "(" * 3_000_000]))
    assert stats.pieces[0] == 2 * (MAX_LINES // 8) - 1
    assert stats.dup_pieces[0] == MAX_LINES // 8 - 2
    assert stats.word_tokens[1] == 3_000_000
    assert isinstance(stats, TextStats)


def test_statistics_held_at_the_same_time_do_not_share_words() -> None:
    """The memory of words is used again only when nobody can ask for their n-grams any more."""
    first = text_stats(*buffers(["a b a b a b c d"]))
    first.words
    second = text_stats(*buffers(["x y z x y z x y z"]))
    second.words
    kept = first.take(np.array([0]))
    del first
    third = text_stats(*buffers(["q r s t u v w q"]))
    third.words
    assert kept.top_2_gram_chars.tolist() == [3 * 3]
    assert second.top_3_gram_chars.tolist() == [3 * 5]
    assert third.top_2_gram_chars.tolist() == [3]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(any_text, any_text, st.booleans(), st.booleans()), min_size=1, max_size=6), st.booleans())
def test_after_an_edit_the_changed_texts_alone_are_measured(rows: list, between: bool) -> None:
    """Two edits, rows taken in between: the same numbers as of the final texts."""
    first = [old for old, _, _, _ in rows]
    second = [new if once else old for old, new, once, _ in rows]
    third = [text + "!" if twice else text for text, (_, _, _, twice) in zip(second, rows, strict=True)]
    stats = text_stats(*buffers(first))
    stats.lines, stats.dup_5_gram_chars
    stats = stats.edited(*buffers(second), np.flatnonzero([a != b for a, b in zip(first, second, strict=True)]))
    if between:
        stats.lines
    taken = np.arange(len(rows))[::2]
    stats, second, third = stats.take(taken), second[::2], third[::2]
    changed = np.flatnonzero([a != b for a, b in zip(second, third, strict=True)])
    after = stats.edited(*buffers(third), changed)
    fresh = text_stats(*buffers(third))
    assert set(after.known()) >= {"lines"}
    for name in (*COLUMNS, *SHARES):
        assert np.array_equal(getattr(after, name), getattr(fresh, name)), name
    again = text_stats(*buffers(third), after.known())
    assert all(np.array_equal(getattr(again, n), getattr(fresh, n)) for n in COLUMNS)
