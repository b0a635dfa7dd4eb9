import math

import pytest

from pilebuilder.report.sections.composition import Part, weights
from pilebuilder.report.sections.training import bits_per_byte, difficulty, from_perplexity, weighted
from tests.report.anchors import MODELS, PILE, PILE_BITS


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
