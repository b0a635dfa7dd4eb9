import json
import math

import numpy as np
import pytest
import zstandard

from pilebuilder.ledger import Tally
from pilebuilder.report import compressed, plan
from pilebuilder.report.evaluations import bits_per_byte, difficulty, from_perplexity, measured, weighted
from pilebuilder.report.facts import Facts, Source
from pilebuilder.report.sections import bits as bits_page
from pilebuilder.report.sections import difficulty as difficulty_page
from pilebuilder.report.sections import training
from pilebuilder.report.sections.composition import Part, weights
from pilebuilder.report.site import page_of
from tests.report.anchors import MODELS, PILE, PILE_BITS
from tests.report.made import Bench, artifact, count, table


@pytest.mark.parametrize("name", MODELS)
def test_table_8_times_table_7_is_table_2(name):
    bits, perplexity, *_ = MODELS[name]
    assert from_perplexity(perplexity, PILE[name][5]) == pytest.approx(bits, abs=3e-4)


def test_the_corpus_value_weighs_by_effective_size():
    share = weights([Part(name=n, raw=v[0], epochs=v[2], documents=1) for n, v in PILE.items()])
    assert weighted({n: v[0] for n, v in MODELS.items()}, share) == pytest.approx(PILE_BITS, abs=5e-4)
    assert from_perplexity(18.0878, 0.29335) == pytest.approx(1.22531, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_difficulty_follows_from_tables_2_and_4(name):
    _, _, reference, own, expected = MODELS[name]
    web = MODELS["OpenWebText2"]
    assert difficulty(reference, own, web[2], web[3]) == pytest.approx(expected, abs=1e-3)


def test_bits_come_from_summed_nats_and_bytes():
    assert bits_per_byte(8 * math.log(2), 4) == pytest.approx(2.0)


def score(component, bits, documents, error=0.01, size=1000):
    return {
        "component": component,
        "bits_per_byte": bits,
        "standard_error": error,
        "nats_per_token": bits * math.log(2) * 4,
        "documents": documents,
        "of_documents": documents,
        "tokens": size // 4,
        "bytes": size,
        "sequence": 64,
        "stride": 64,
    }


def evaluated(name, bits, *, kind="run", split="test", few=()):
    scores = [score(c, b, 3 if c in few else 50) for c, b in bits.items()]
    whole = score("overall", 1.5, sum(s["documents"] for s in scores))
    subject = {"kind": kind, "architecture": "x", "parameters": 9, "step": 5, "tokens": 50, "weights": "0" * 64}
    return {
        "format": 1,
        "name": name,
        "subject": subject,
        "tokenizer": {"name": "gpt2"},
        "split": split,
        "token_limit": None,
        "protocols": [
            {
                "name": "segments",
                "sequence": 64,
                "stride": 64,
                "scores": [*scores, whole],
                "positions": [[0, 3.0, 9], [4, 2.0, 9]],
            }
        ],
        "cloze": {"held-out": [], "lambada": [dict(zip(CLOZE, ("LAMBADA", 40, 0.5, 0.35, 0.65, 12.0), strict=True))]},
    }


CLOZE = ("component", "passages", "accuracy", "accuracy_low", "accuracy_high", "perplexity")
BITS = {"Web": 1.0, "Books": 1.2, "Code": 0.6}


def with_evaluations(*held, web="Web"):
    stages = {"mix": Tally({n: count(100, size=s) for n, s in (("Web", 6000), ("Books", 3000), ("Code", 1000))})}
    sources = tuple(Source(name=n, slug=n.lower(), epochs=1.0, card={}) for n in BITS)
    return Facts(corpus={}, sources=sources, stages=stages, evaluations=held, config={"web_component": web})


def test_the_table_of_bits_weighs_components_by_size():
    table = bits_page.evaluation_table(with_evaluations(evaluated("own", BITS), evaluated("b", BITS, kind="import")))
    assert [c.group for c in table.columns if c.key.startswith("bits")] == ["own", "b"]
    assert table.rows[0][2:4] == (1.0, 0.01)
    whole, plain = table.totals
    assert whole[2] == pytest.approx(0.6 * 1.0 + 0.3 * 1.2 + 0.1 * 0.6)
    assert whole[3] == pytest.approx(0.01 * math.sqrt(0.36 + 0.09 + 0.01))
    assert plain[2] == 1.5


def test_few_documents_show_their_number_and_no_value():
    facts = with_evaluations(evaluated("own", BITS, few=("Books",)))
    table = bits_page.evaluation_table(facts)
    assert str(table.rows[1][2]) == "too few (n = 3)"
    assert str(table.totals[0][2]) == "only 70% of the corpus has a value"
    assert "1.5000 (text as it is)" in training.section(facts).lead
    kept = bits_page.evaluation_table(with_evaluations(evaluated("own", BITS, few=("Code",))))
    assert kept.totals[0][2] == pytest.approx((0.6 * 1.0 + 0.3 * 1.2) / 0.9)


def test_difficulty_needs_both_models_and_a_web_component():
    own, other = evaluated("own", BITS), evaluated("gpt2", {"Web": 1.1, "Books": 1.5, "Code": 1.0}, kind="import")
    rows = {r[0]: r for r in difficulty_page.difficulty_table(with_evaluations(own, other)).rows}
    assert rows["Code"][3] == pytest.approx((1.0 - 1.1) - (0.6 - 1.0))
    assert rows["Web"][3] == pytest.approx(0.0)
    for held, web, words in (
        ((), "Web", "no evaluation"),
        ((own,), "Web", "no imported model"),
        ((other,), "Web", "no model trained here"),
        ((own, other), None, "names no report.web_component"),
    ):
        table = difficulty_page.difficulty_table(with_evaluations(*held, web=web))
        assert words in str(table.rows[0][1])


def test_the_test_split_goes_before_validation():
    facts = with_evaluations(evaluated("a", BITS, split="val"), evaluated("b", BITS))
    assert [m.name for m in measured(facts)] == ["b"]
    assert [m.name for m in measured(with_evaluations(evaluated("a", BITS, split="val")))] == ["a"]


def test_the_page_of_models_has_every_block():
    page = page_of(training.section(with_evaluations(evaluated("own", BITS), evaluated("<b>", BITS, kind="import"))))
    for name in (
        "bits-per-byte",
        "models",
        "evaluations",
        "loss-by-position",
        "published-bits",
        "difficulty",
        "training-sets",
        "cloze",
    ):
        assert f'id="table-{name}"' in page
    assert "no passage of this shape" in page
    assert "<b>" not in page.replace("<body>", "")


def test_a_compressor_stands_beside_models_and_alone(tmp_path):
    bench = Bench(tmp_path)
    texts = ["the same words again and again " * 20, "", "short"]
    held = bench.partition(table("Web", texts), "Web")
    asked = plan.task("c", "compressed:count", [held])
    (made,) = bench.run(asked).values()
    sums = compressed.merged([json.loads((tmp_path / made.path).read_bytes())] * 20)
    raw = [t.encode() for t in texts if t]
    packer = zstandard.ZstdCompressor(level=19, write_content_size=False)
    bits = [8 * len(packer.compress(r)) for r in raw]
    (row, whole) = compressed.as_evaluation(sums)["protocols"][0]["scores"]
    assert row["bits_per_byte"] == whole["bits_per_byte"] == pytest.approx(sum(bits) / sum(map(len, raw)))
    assert (row["documents"], row["bytes"]) == (40, 20 * sum(map(len, raw)))
    value = row["bits_per_byte"]
    residual = 20 * sum((x - value * len(r)) ** 2 for x, r in zip(bits, raw, strict=True))
    assert row["standard_error"] == pytest.approx(math.sqrt(40 / 39 * residual) / row["bytes"])
    alone = with_evaluations()
    alone.compressed = sums
    shown = bits_page.evaluation_table(alone)
    assert "not measured" in str(shown.rows[0][2])
    assert shown.rows[0][3] == pytest.approx(value)
    beside = with_evaluations(evaluated("own", BITS))
    beside.compressed = sums
    assert [c.group for c in bits_page.evaluation_table(beside).columns][2::2][:2] == ["own", "zstd -19"]


def test_the_byte_model_is_witten_and_bells():
    """Against the formula, context by context, over two documents that do not run into each other."""
    from collections import Counter

    from pilebuilder.report import bytemodel

    known, asked = [b"abracadabra", b"abba\n"], [b"abrac", b"zebra", b""]

    def packed(texts):
        return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])

    seen = Counter()
    for text in known:
        for i, byte in enumerate(text):
            for order in range(bytemodel.ORDER + 1):
                seen[(b"\0" * 5 + text)[i + 5 - order : i + 5], byte] += 1

    def chance(context, byte):
        p = 1 / 256
        for order in range(bytemodel.ORDER + 1):
            held = {b: n for (c, b), n in seen.items() if c == context[len(context) - order :]}
            if held:
                p = (held.get(byte, 0) + len(held) * p) / (sum(held.values()) + len(held))
        return p

    wanted = [-math.log2(chance((b"\0" * 5 + t)[i : i + 5], b)) for t in asked for i, b in enumerate(t)]
    found = bytemodel.cost(bytemodel.train(packed(known)), *packed(asked))
    assert found == pytest.approx(wanted)


def test_the_byte_model_reads_text_like_its_training_text_in_fewer_bits(tmp_path):
    bench = Bench(tmp_path)
    like, odd = ["the same words again and again "] * 40, ["zq% 7vk! 1x#w"] * 40
    train = artifact(_file(bench, "Web", like), "overlap-train", tmp_path, component="Web", documents=40)
    held = [
        artifact(_file(bench, name, texts), "overlap-held", tmp_path, component=name, documents=40)
        for name, texts in (("Web", like), ("Code", odd))
    ]
    (made,) = bench.run(plan.task("b", "bytemodel:count", [train, *held], seed=1)).values()
    sums = compressed.merged([json.loads((tmp_path / made.path).read_bytes())])
    rows = {r["component"]: r for r in compressed.as_evaluation(sums, "x")["protocols"][0]["scores"]}
    assert rows["Web"]["bits_per_byte"] < 0.2
    assert rows["Code"]["bits_per_byte"] > 6
    assert rows["Web"]["documents"] == 40
    assert rows["Web"]["bytes"] == sum(map(len, like))


def _file(bench, component, texts):
    return bench.root / bench.partition(table(component, texts), component).path


def test_difficulty_is_drawn_with_the_corpus_value_as_a_line():
    own, other = evaluated("own", BITS), evaluated("gpt2", {"Web": 1.1, "Books": 1.5, "Code": 1.0}, kind="import")
    facts = with_evaluations(own, other)
    figure = difficulty_page.difficulty_figure(facts)
    whole = 0.6 * 1.1 + 0.3 * 1.5 + 0.1 * 1.0 - (0.6 * 1.0 + 0.3 * 1.2 + 0.1 * 0.6) - (1.1 - 1.0)
    assert f"corpus {whole:+.3f}" in figure.draw(760)
    assert "Hardest for gpt2: Code" in figure.alt
    assert 'id="figure-difficulty"' in page_of(training.section(facts))
    assert difficulty_page.difficulty_figure(with_evaluations(own)) is None


def test_bits_against_size_shows_published_models_and_those_measured_here():
    from pilebuilder.report.sections.scaling import scaling_figure

    assert "No model was measured here" in scaling_figure(with_evaluations()).subtitle
    figure = scaling_figure(with_evaluations(evaluated("own", BITS)))
    assert "own: 1.0200." in figure.alt
    assert "own, on this corpus" in figure.draw(760)
