"""DeepMind Mathematics: pairs stay together, levels for evaluation stay out, a cut file is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pilebuilder import registry
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped

PAIRS = "".join(f"What is {i} + {i}?\n{2 * i}\n" for i in range(100))


def read(tmp_path: Path, data: bytes, name: str = "train-easy/arithmetic__add.txt", **params: object) -> list[Item]:
    path = tmp_path / "file"
    path.write_bytes(data)
    raw = Raw(
        path=path, name=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), component="DM Mathematics"
    )
    return list(registry.make("reader", "dm-mathematics", params)(raw))


def test_documents_close_after_the_answer_that_fills_them(tmp_path: Path) -> None:
    items = read(tmp_path, PAIRS.encode(), characters=100)
    assert all(isinstance(i, Record) for i in items)
    texts = [i.text for i in items if isinstance(i, Record)]
    assert "\n".join(texts) + "\n" == PAIRS
    assert all(t.count("\n") % 2 == 1 for t in texts)
    assert all(100 < len(t) + 1 <= 140 for t in texts[:-1])
    first = items[0]
    assert isinstance(first, Record)
    assert first.key == "dmmath:train-easy/arithmetic__add#0"
    assert first.meta == {"module": "arithmetic__add", "level": "train-easy", "chunk": 0}


def test_evaluation_levels_are_skipped_by_name(tmp_path: Path) -> None:
    assert read(tmp_path, PAIRS.encode(), "v1/interpolate/x.txt") == [
        Skipped(reason="test_set", offset=0, key="v1/interpolate/x.txt")
    ]


@pytest.mark.parametrize("cut", range(1, len("What is 99 + 99?\n198\n")))
def test_a_cut_anywhere_in_a_pair_is_noticed_and_costs_that_pair(tmp_path: Path, cut: int) -> None:
    items = read(tmp_path, PAIRS.encode()[:-cut])
    record, lost = items
    assert isinstance(record, Record)
    assert isinstance(lost, Quarantined)
    assert lost.reason == "truncated"
    assert record.text + "\n" == PAIRS.removesuffix("What is 99 + 99?\n198\n")


def test_bytes_that_are_no_text_cost_their_chunk(tmp_path: Path) -> None:
    items = read(tmp_path, PAIRS.encode().replace(b"What is 50", b"What is \xff50"), characters=100)
    bad = [i for i in items if isinstance(i, Quarantined)]
    assert [i.reason for i in bad] == ["bad_utf8"]
    assert len(items) > 10


def test_an_error_page_is_no_mathematics(tmp_path: Path) -> None:
    (item,) = read(tmp_path, b"<!DOCTYPE html><html><body>404</body></html>")
    assert isinstance(item, Quarantined)
    assert item.reason == "wrong_format"
