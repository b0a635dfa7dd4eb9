"""A list of words in categories: what is counted, and what is wrong with a list."""

from __future__ import annotations

import json

import pytest

from pilebuilder.build.progress import Quiet
from pilebuilder.describe import describe
from pilebuilder.errors import RecipeError
from pilebuilder.report import plan
from pilebuilder.report.lexicon import MOST_TOKENS, load
from pilebuilder.report.sections import lexicon
from pilebuilder.task import Artifact, digest_file
from tests.report.made import Bench
from tests.report.test_planted import sample

PLAIN = """\
# words that offend nobody
[rude]
blot
blot of ink
ink
s&m
STRASSE-9

[harmless-fruit]
apples?
wom[ae]n
pear\\w*
two  pears
"""
CSV = """\
word,in some list,notes,categorization
blot,1,,rude
blot of ink,1,"with, a comma",rude
ink,1,,rude
s&m,1,,rude
strasse-9,1,,rude
apples?,0,,harmless-fruit
wom[ae]n,0,,harmless-fruit
pear\\w*,0,,harmless-fruit
two pears,0,,harmless-fruit
"""
FILL = "The people walked along the river and they talked about the weather of the day."


def written(tmp_path, text, name="list.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def measured(tmp_path, documents, text):
    bench, path = Bench(tmp_path), written(tmp_path, text)
    digest, size = digest_file(path)
    listed = Artifact(path=str(path), sha256=digest, bytes=size, kind="lexicon")
    inputs = [sample(bench, documents), listed]
    made = bench.run(plan.task("bias", "sampled.bias:measure", inputs, terms="pile", toxicity="none", seed=1))
    return json.loads((tmp_path / made["000-bias.json"].path).read_bytes())["lexicon"]


def test_both_forms_of_a_list_say_the_same(tmp_path):
    one, other = load(written(tmp_path, PLAIN)), load(written(tmp_path, CSV, "list.csv"))
    assert one == other
    assert one.categories == ("rude", "harmless-fruit")
    assert one.flagging == (True, False)
    assert [e.words for e in one.entries][1:5] == [
        ("blot", "of", "ink"),
        ("ink",),
        ("s", "&", "m"),
        ("strasse", "-", "9"),
    ]
    assert load(written(tmp_path, "\ufeffword\nbanana\n", "bare.csv")).categories == ("listed",)


def test_whole_tokens_in_any_case_and_the_longest_phrase(tmp_path):
    texts = [
        "There was a Blot of Ink on the page and the people saw it in the morning. " + FILL,  # one, not three
        "They saw the blot, of ink nobody spoke that day in the house by the river. " + FILL,  # blot and ink apart
        "The inkwell and the blots and the linking of things were not there that day. " + FILL,  # none
        "An apple and APPLES for the woman and the women, and two pears for the pearly king. " + FILL,
        "They read about s&m and about S & M in the house on Strasse-9 in the morning. " + FILL,
        *[FILL] * 95,
    ]
    held = measured(tmp_path, texts, PLAIN)
    assert held["categories"] == ["rude", "harmless-fruit"]
    assert held["entries"] == [5, 4]
    sums = dict(zip(("tokens", "sentences", "flagged", "rude", "fruit"), held["sums"], strict=True))
    assert (sums["rude"], sums["fruit"]) == (1 + 2 + 3, 6)
    assert sums["sentences"] == 105
    assert sums["flagged"] == 3
    assert (held["flagged_documents"], held["documents_with"]) == (3, [3, 1])
    shown = {(category, text): n for category, text, n in held["frequent"]}
    assert shown["rude", "s**** (5)"] == 2
    assert shown["harmless-fruit", "apples?"] == 2
    assert shown["harmless-fruit", "two pears"] == 1
    assert not any("blot" in text for _, text, _ in held["frequent"])


def test_a_rate_is_inside_its_interval_and_absent_words_have_one(tmp_path):
    texts = [("The blot was there that day in the house. " if i % 4 == 0 else "") + FILL for i in range(400)]
    held = measured(tmp_path, texts, "[rude]\nblot\n[gone]\nzyzzyva\n")
    value, low, high = lexicon.rate(held, lexicon.MENTIONS, lexicon.SENTENCES)
    assert value == pytest.approx(100 / 500)
    assert low < value < high
    none = lexicon.rate(held, lexicon.MENTIONS + 1, lexicon.TOKENS)
    assert none[0] == none[1] == 0 < none[2]
    assert lexicon.rate({**held, "sums": [10, 99, 0, 0, 0]}, lexicon.MENTIONS, lexicon.TOKENS) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the list has no entry"),
        ("# only remarks\n[rude]\n\n", "the list has no entry"),
        (b"good\nf\xfcr\n", ":2: not UTF-8"),
        ("one\ntwo\nONE\n", ":3: the entry of line 1 again"),
        ("word,category\na b,x\n\nA  b,y\n", ":4: the entry of line 2 again"),
        ("one\n" + "many " * (MOST_TOKENS + 1), f":2: {MOST_TOKENS + 1} tokens"),
        ("x" * 121, ":1: 1 tokens and 121 characters"),
        ("fine\n(a+)+b?\n", ":2: no pattern"),
        ("a*b*c*", ":1: no pattern"),
        ("[a-z", ":1: no pattern"),
        ("word,category\n,x\n", ":2: an entry without a word"),
        ("category,word\nx\n", ":2: 1 columns, the header has 2"),
        ("\n".join(f"[c{i}]\nw{i}" for i in range(9)), "9 categories, at most 8"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(RecipeError, match=r"list\.txt") as caught:
        load(written(tmp_path, text))
    assert message in str(caught.value)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"report\.lexicon: no such file: .*nowhere\.txt"):
        load(tmp_path / "nowhere.txt")


def test_the_report_of_a_folder_counts_the_list_and_anew_when_it_changes(tmp_path):
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    corpus.mkdir()
    out.mkdir()
    (out / "recipe.yaml").write_text("report: {topics: false}\n")
    texts = [("The blot was there that day in the house. " if i % 4 == 0 else "") + FILL for i in range(200)]
    (corpus / "a.jsonl").write_text(
        "".join(json.dumps({"text": t + f" It was day {i}."}) + "\n" for i, t in enumerate(texts))
    )

    def found(text):
        path = written(tmp_path, text)
        tables = describe(corpus, out, None, 1, Quiet(), path).parent / "tables"
        rows = json.loads((tables / "lexicon.json").read_bytes())["rows"]
        return rows[0]["rude: mentions"], (tables / "lexicon.csv").read_text()

    assert found("[rude]\nblot\n")[0] == 50
    mentions, csv = found("[rude]\nblot\nriver\n")
    assert mentions == 250
    assert "The Pile" not in csv
    page = (out / "reports" / "profanity.html").read_text()
    assert "the list list.txt: 2 entries" in page
    with pytest.raises(RecipeError, match="--lexicon: no such file"):
        describe(corpus, out, None, 1, Quiet(), tmp_path / "nowhere.txt")
