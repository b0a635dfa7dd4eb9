import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilebuilder.report.counters import EXACT, Counters, bin_value, bins


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60))
def test_bins_are_exact_below_and_close_above(values):
    values = np.array(values, np.int64)
    middle = bin_value(bins(values))
    assert (middle[values < EXACT] == values[values < EXACT]).all()
    assert (np.abs(middle - values) <= values / 1024).all()


@given(st.lists(st.integers(0, 2**34), min_size=1, max_size=50), st.integers(0, 50))
def test_merged_parts_equal_the_whole(values, cut):
    values = np.array(values, np.int64)
    whole, left, right = Counters(), Counters(), Counters()
    whole.add_lengths("x", values)
    left.add_lengths("x", values[:cut])
    right.add_lengths("x", values[cut:])
    one, other = right.merge(left).distribution("x"), whole.distribution("x")
    assert (one.n, one.total, one.squares, one.least, one.most) == (
        other.n,
        int(values.sum()),
        sum(int(v) ** 2 for v in values),
        int(values.min()),
        int(values.max()),
    )
    assert one.mean == pytest.approx(values.mean())
    assert one.deviation == pytest.approx(values.std(), rel=1e-6, abs=1e-3)


def test_quantiles_are_order_statistics():
    counters = Counters()
    counters.add_lengths("x", np.arange(1, 101))
    held = counters.distribution("x")
    assert [held.quantile(q) for q in (0.01, 0.25, 0.5, 0.99, 1)] == [1, 25, 50, 99, 100]


def test_a_file_gives_back_the_counters_and_equal_counters_equal_bytes(tmp_path):
    one, other = Counters(), Counters()
    one.add("a", "de", 3, 4)
    one.add("b")
    other.add("b")
    other.add("a", "de", 3, 1)
    other.add("a", "de", 3, 3)
    one.write(tmp_path / "1")
    other.write(tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    both = Counters.read([tmp_path / "1", tmp_path / "2"])
    assert both.get("a", "de", 3) == 8
    assert list(both.rows()) == [("a", "de", 3, 8), ("b", "", 0, 2)]


def test_no_values_give_an_empty_distribution():
    held = Counters().distribution("x")
    assert (held.n, held.mean, held.deviation, held.quantile(0.5)) == (0, 0.0, 0.0, 0)
