"""The shipped toxicity model: that it is what the card says, and what its fairness rests on.

Test texts use mild words only.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from pilebuilder import models
from pilebuilder.filter.toxicity import ToxicityFilter
from pilebuilder.models.fasttext_file import ModelFileError
from pilebuilder.models.scorer import open_scorer
from pilebuilder.models.toxicity import build, card, data, evaluate, scoring, templates
from tests.models.docs import buffers

LABELLED = Path(__file__).resolve().parents[2] / ".." / "shared" / "labelled"
needs_labelled = pytest.mark.skipif(not LABELLED.is_dir(), reason="no labelled data beside the checkout")
FOLDER = models.model("toxicity").path.parent

HARMLESS = [
    "The committee met on Tuesday to discuss the budget for the coming year.",
    "Water boils at a lower temperature in the mountains because the air pressure is lower there.",
    "The assessment of assets and the analysis of the classic passage took all afternoon.",
    "She is a Muslim teacher who plays the violin in the town orchestra.",
]
INSULTS = ["You are a stupid idiot and a pathetic loser.", "Shut up, you disgusting moron, you are garbage."]


BIAS_WORDS = """
awful disgusting dumb filthy fucked horrible idiotic moronic nasty repulsive rotten shitty stupid terrible ugly vile
hate kill murder destroy fire respect hug love like best caring excellent fantastic friendly fun good gracious great
happy incredible kind lovely neat nice wonderful actor architect artist barber being coal computer dancer designer
doctor driver engineer factory farmer fighter hairstylist janitor lawyer machinist miner nurse officer person
photographer police programmer ram reporter sales scientist secretary web worker writer
"""


def sentence_scores(texts: list[str]) -> np.ndarray:
    return scoring.toxicity_model().measure(*buffers(texts)).highest


def test_insults_stand_out_from_ordinary_text() -> None:
    assert sentence_scores(HARMLESS).max() < 0.3
    assert sentence_scores(INSULTS).min() > 0.9


def test_no_score_depends_on_which_group_is_named() -> None:
    for frame in ("I met a {} farmer today.", "You are a stupid {} person.", "{} people moved here, Sir."):
        scores = sentence_scores([frame.format(term) for term in evaluate.BIAS_TERMS if term not in ("trans",)])
        assert np.ptp(scores) == 0.0


def test_document_measures_are_means_and_shares_over_sentences() -> None:
    text = " ".join([HARMLESS[0]] * 3 + [INSULTS[0]])
    found = scoring.toxicity_model().measure(*buffers([text, "", HARMLESS[0], INSULTS[0]]))
    assert found.sentences.tolist() == [4, 0, 1, 1]
    assert found.share.tolist() == [0.25, 0.0, 0.0, 1.0]
    assert found.mean[0] == pytest.approx((3 * found.mean[2] + found.mean[3]) / 4, rel=1e-5)
    assert found.highest[0] == pytest.approx(found.mean[3])
    assert found.profanity[2] == 0.0 < found.profanity[3] < 1.0


def test_measures_do_not_depend_on_how_documents_are_cut_into_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*HARMLESS, *INSULTS, "", "x" * 5000, *HARMLESS]
    whole = scoring.toxicity_model().measure(*buffers(texts))
    monkeypatch.setattr(scoring, "CHUNK", 64)
    pieces = scoring.toxicity_model().measure(*buffers(texts))
    for name in ("mean", "share", "highest", "profanity", "sentences"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))


def test_made_sentences_share_no_content_word_with_the_bias_test() -> None:
    """`BIAS_WORDS`: the published test's words besides identity terms, names and function words."""
    bias_words = set(BIAS_WORDS.split())
    made = {word for text in templates.harmless() for word in text.split()}
    assert not made & bias_words


@needs_labelled
def test_the_same_holds_against_the_test_itself() -> None:
    function_words = {"a", "an", "are", "i", "is", "you", "am", "like", "being"}
    terms = {word for term in evaluate.BIAS_TERMS for word in term.split()} | {"millenial", "eastern", "middle"}
    words = {w for text in data.load(LABELLED, "madlibs").texts for w in re.findall(r"[^\W\d_]+", text.lower())}
    made = {word for text in templates.harmless() for word in text.split()}
    assert not (words - terms - function_words) & made


@needs_labelled
@pytest.mark.slow
def test_retraining_gives_the_shipped_bytes_metrics_and_card(tmp_path: Path) -> None:
    build.retrain(LABELLED, tmp_path)
    assert hashlib.sha256((tmp_path / "toxicity.bin").read_bytes()).hexdigest() == models.model("toxicity").sha256
    for name in ("metrics.json", "card.md"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (FOLDER / name).read_text(encoding="utf-8")


def test_recorded_figures_reach_what_is_promised() -> None:
    found = json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))
    assert found["sha256"] == models.model("toxicity").sha256
    assert found["identity_terms"]["sha256"] == hashlib.sha256(scoring.TERMS.read_bytes()).hexdigest()
    assert found["sets"]["wikipedia talk"]["auc"] >= 0.90
    assert found["bias"]["bpsn_min"] >= 0.90
    assert found["bias"]["bpsn_spread"] <= 0.06
    assert found["bytes"] <= 2_000_000
    (clean,) = (r for r in found["clean"]["thresholds"] if r["threshold"] == found["sentence_threshold"])
    assert clean["share"] <= 0.003
    assert found["sentence_threshold"] == scoring.SENTENCE == ToxicityFilter().sentence_threshold
    assert not {"train", "clean"} & {data.SETS[s["name"]].use for s in found["measured_on"]}
    assert (FOLDER / "card.md").read_text(encoding="utf-8") == card.card(found)


def test_a_missing_or_foreign_labelled_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(data.LabelledDataError, match="t-davidson"):
        data.load(tmp_path, "davidson")
    (tmp_path / "toxicity/train").mkdir(parents=True)
    (tmp_path / "toxicity/train/davidson.csv").write_text("a,b\n1,2\n")
    with pytest.raises(data.LabelledDataError, match="does not read"):
        data.load(tmp_path, "davidson")


def test_a_model_with_other_labels_is_refused() -> None:
    with pytest.raises(ModelFileError, match="two labels"):
        scoring.ToxicityModel(open_scorer(models.locate("lid.176")))
