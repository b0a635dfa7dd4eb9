"""Plain sentences: what becomes of letters, signs, names of groups, and where sentences end."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata

import numpy as np
import pytest

from pilebuilder.kernels import sentences
from pilebuilder.kernels.sentences import COUNT, HIDE, MAX_WORDS, SOFT
from pilebuilder.models import wordlist

TABLE = wordlist.table({HIDE: ["norse", "elves"], SOFT: ["middle"], COUNT: ["drat"]})


def split(text: str, *, whole: bool = False) -> list[str]:
    raw = text.encode()
    out, bounds, owner, _ = sentences.sentences(
        np.frombuffer(raw or b"\0", np.uint8), np.array([0, len(raw)]), TABLE, split=not whole
    )
    assert set(owner.tolist()) <= {0}
    return [out[a:b].tobytes().decode().strip() for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Hello, WORLD!", "hello world !"),
        ("Don’t can't O'Neil's", "dont cant oneils"),
        ("naïve Ｆｕｌｌ e\u0301te\u0301 İstanbul ΑΒΓ Ж", "naive full ete istanbul αβγ ж"),
        ("soooo coool aab", "soo cool aab"),
        ("b@d w0rd 4ll $ee 1234 co2 x", "bad word all see co x"),
        ("f*g **bold** a*", "f*g bold a"),
        ("see https://x.org/a?b=c or www.x.org, @bob_2 hi", "see or hi"),
        ("what?! no!!!", "what ?? no !!"),
        ("a Norse man, the Norse elves; Middle elves and middle ground", "a # man the # # and middle ground"),
        ("日本語 東京。", "日本語 東京"),
        ("\u00a0\t-- 12 --\n", ""),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
    ],
)
def test_plain_form(text: str, plain: str) -> None:
    assert " ".join(split(text, whole=True)) == plain


def test_sentences_end_at_stops_short_lines_and_empty_lines() -> None:
    long_line = "these words fill a line that was broken only because the page was full"
    assert split("One two three. Four five six! Seven eight nine? Ten eleven twelve") == [
        "one two three",
        "four five six !",
        "seven eight nine ?",
        "ten eleven twelve",
    ]
    assert split(f"{long_line}\nof words and went on") == [f"{long_line} of words and went on"]
    assert split("a short line\nand one more\n\nof them here") == ["a short line", "and one more", "of them here"]
    assert split("the file a.b.c holds version 3.14 of it") == ["the file a b c holds version of it"]


def test_short_sentences_go_on_and_long_ones_are_cut() -> None:
    assert split("No. Never. I will not.") == ["no never i will not"]
    words = split("word " * (3 * MAX_WORDS + 1))
    assert [len(s.split()) for s in words] == [MAX_WORDS] * 3 + [1]


def test_words_are_counted_per_document() -> None:
    texts = [b"drat it, drat", b"", b"a quiet day"]
    data = np.frombuffer(b"".join(texts), np.uint8)
    _, _, owner, words = sentences.sentences(data, np.cumsum([0, *map(len, texts)]), TABLE)
    assert words.tolist() == [[3, 2], [0, 0], [3, 0]]
    assert owner.tolist() == [0, 2]


def test_cutting_loses_no_word_and_documents_do_not_touch() -> None:
    rng = random.Random(7)
    alphabet = "ab eE.!?\n'*@$4é\u0301漢\u200d-#"
    texts = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(120))) for _ in range(300)]
    encoded = [t.encode() for t in texts]
    data, offsets = np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)])
    out, bounds, owner, _ = sentences.sentences(data, offsets, TABLE)
    joined: dict[int, str] = {}
    for i, doc in enumerate(owner.tolist()):
        joined[doc] = joined.get(doc, "") + out[bounds[i] : bounds[i + 1]].tobytes().decode()
    for doc, text in enumerate(texts):
        assert joined.get(doc, "").split() == " ".join(split(text, whole=True)).split(), text


def test_folding_agrees_with_unicodedata_on_single_letters() -> None:
    for char in "ÀéÑöşŽłßøαΩЖйאبไक漢ｱ":
        bases = [c for c in unicodedata.normalize("NFKD", char).lower() if unicodedata.category(c)[0] == "L"]
        assert split(char, whole=True) == [bases[0]]


def test_ten_megabytes_on_one_line() -> None:
    big = "word! " * 1_700_000
    found = split(big[: 10 << 20])
    assert len(found) > 1000
    assert not re.search(r"[A-Z.]", found[0])
