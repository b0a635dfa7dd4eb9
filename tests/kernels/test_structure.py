"""Characters by kind against plain Python, and suspects against ftfy's own detector."""

from __future__ import annotations

import itertools
import random
import string
import unicodedata

import numpy as np
import pytest
from ftfy.badness import badness

from pilebuilder.kernels.structure import structure

TEXTS = [
    "",
    " \n\t ",
    "plain text, with a comma -- and  ------- a rule_of_underscores",
    "The Mona Lisa doesn\u00c3\u00a2\u00e2\u201a\u00ac\u00e2\u201e\u00a2t have eyebrows. \u00c3\u00a9t\u00c3\u00a9",
    "\u4e2d\u6587\u6587\u6587\u3002\u3002 \u00bfqu\u00e9? \u201cquoted\u201d \U0001f600\U0001f600\U0001f600\U0001f600",
    "c1 \x85 control \x93 marks",
    "e\u0301e\u0301 combining, price \u20ac5 and $5 and \u0663",
    "\u00c2 alone at the start",
]


def buffers(texts):
    parts = [t.encode() for t in texts]
    return np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)])


def plainly(text):
    punctuation = sum(c in string.punctuation or unicodedata.category(c)[0] == "P" for c in text)
    signs = sum(not c.isalnum() and not c.isspace() for c in text)
    runs = [len(list(g)) for c, g in itertools.groupby(text) if not c.isspace()]
    return punctuation, signs, max(runs, default=0)


def check(texts):
    found = structure(*buffers(texts))
    for i, text in enumerate(texts):
        assert tuple(int(found[k][i]) for k in ("punctuation", "signs", "longest_run")) == plainly(text), text
        if badness(text):
            assert found["suspects"][i], text
    return found


def test_kinds_are_those_of_plain_python():
    found = check(TEXTS)
    assert found["suspects"][3] > 0
    assert found["suspects"][[0, 1, 2]].tolist() == [0, 0, 0]
    assert found["longest_run"][2] == 7


@pytest.mark.parametrize("seed", range(3))
def test_no_text_that_ftfy_suspects_is_missed(seed):
    rng = random.Random(seed)
    letters = "aZ 9.\n\u00c2\u00c3\u00e2\u20ac\u2122\u00a9\u00a0\u0153\u2019\u00b0\u0432\u0402\u00d8\u00d9\u2502\u2500\u00bd\u00c9\x99"
    check(["".join(rng.choice(letters) for _ in range(rng.randint(0, 12))) for _ in range(2000)])
