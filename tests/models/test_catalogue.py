"""Shipped models: digests checked, cards present, damage and foreign modules named."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import struct
import types
from pathlib import Path

import pytest

from pilebuilder import models
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.models import ft, languages
from pilebuilder.models.fasttext_file import ModelFileError, load


@pytest.mark.parametrize("name", sorted(models.CATALOGUE))
def test_each_shipped_file_is_the_recorded_one_and_has_a_card(name: str) -> None:
    entry = models.model(name)
    models.check(entry)
    assert entry.path.stat().st_size == entry.bytes <= entry.size <= 2_000_000
    card = entry.read_card()
    for digest in (entry.sha256, *entry.beside.values()):
        assert digest in card
    assert "cannot do" in card
    assert any((entry.path.parent / name).is_file() for name in ("NOTICE", "LICENSE"))


def test_an_unknown_name_gets_the_nearest_known_one() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'lid\.176'"):
        models.load("lid176")
    with pytest.raises(RecipeError, match="no model file"):
        models.load("somewhere/none.bin")


def test_one_changed_byte_is_refused_before_the_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = models.model("lid.176")
    raw = bytearray(entry.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "lid.ftz").write_bytes(raw)
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    damaged = dataclasses.replace(entry, file="lid.ftz")
    with pytest.raises(models.DigestError, match="damaged"):
        models.check(damaged)
    with pytest.raises(models.DigestError, match="cannot read"):
        models.check(dataclasses.replace(entry, file="absent.ftz"))
    beside = dataclasses.replace(
        entry, file="lid.ftz", sha256=hashlib.sha256(raw).hexdigest(), beside={"lid.ftz": "0" * 64}
    )
    with pytest.raises(models.DigestError, match="0000 is recorded"):
        models.check(beside)


def test_every_model_of_the_package_is_in_the_catalogue() -> None:
    """A data file of a model that no entry names would travel unchecked."""
    known = {e.path for e in models.CATALOGUE.values()}
    known |= {e.path.parent / name for e in models.CATALOGUE.values() for name in e.beside}
    shipped = {p for p in models.FOLDER.rglob("*") if p.suffix in (".bin", ".ftz", ".xz", ".zst")}
    assert shipped == known


def test_the_commands_list_show_and_check_them(capsys: pytest.CaptureFixture[str]) -> None:
    from pilebuilder import command

    command.show_models()
    listed = capsys.readouterr().out
    assert command.check_models() == 0
    checked = capsys.readouterr().out
    for name, entry in models.CATALOGUE.items():
        assert name in listed
        assert f"{name}: sha256 {entry.sha256}" in checked
        command.show_model_card(name)
        assert entry.sha256 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda raw: raw[:100], "cut or damaged"),
        (lambda raw: raw[:-1], "cut or damaged"),
        (lambda raw: raw + b"x", "follow the model"),
        (lambda raw: b"", "not a fastText model"),
        (lambda raw: b"\x80\x04\x95cposix\nsystem\n", "not a fastText model"),
        (lambda raw: raw[:4] + struct.pack("<i", 13) + raw[8:], "version 13, newer"),
        (lambda raw: raw[:4] + struct.pack("<i", 9) + raw[8:], "older"),
        (lambda raw: raw[:36] + struct.pack("<i", 1) + raw[40:], "not a classifier"),
    ],
)
def test_a_file_that_is_no_usable_model_is_named(tmp_path: Path, damage: object, word: str) -> None:
    path = tmp_path / "bad.ftz"
    path.write_bytes(damage(models.model("lid.176").path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ModelFileError, match=word) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_module_without_training_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ft, "module", lambda: types.SimpleNamespace(load_model=len))
    monkeypatch.setattr(ft, "distributions", lambda: ["fasttext-community 0.11.9", "fasttext-predict 0.9.2.4"])
    with pytest.raises(PilebuilderError, match="pip uninstall -y fasttext-predict") as caught:
        ft.for_training()
    assert "fasttext-community" in str(caught.value)


def test_a_fork_that_trains_badly_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = types.SimpleNamespace(train_supervised=len)
    monkeypatch.setattr(ft, "module", lambda: fork)
    monkeypatch.setattr(ft, "distributions", lambda: ["fasttext-modern 0.10.0"])
    with pytest.raises(PilebuilderError, match="not reproducible"):
        ft.for_training()
    assert ft.for_training(allow_unsafe=True) is fork


def test_every_label_of_lid_has_one_normal_code() -> None:
    labels = models.load("lid.176").labels
    assert set(labels) == languages.LID176
    codes = [languages.normal(label, "lid.176") for label in labels]
    assert len(set(codes)) == len(codes)
    assert all(languages.normal(code) == code for code in codes)


@pytest.mark.parametrize(
    ("written", "normal"),
    [("iw", "he"), ("heb", "he"), ("nb", "no"), ("nob", "no"), ("nn", "nn"), ("zh-Hant-TW", "zh"), ("cmn_Hans", "zh"),
     ("chi", "zh"), ("pt_BR", "pt"), ("arb_Arab", "ar"), ("arz", "arz"), ("ENG", "en"), ("fil", "tl"), ("xyz", "xyz")],
)  # fmt: skip
def test_codes_have_one_normal_form(written: str, normal: str) -> None:
    assert languages.normal(written) == normal


def test_nothing_of_ours_unpickles() -> None:
    folder = Path(models.__file__).parent
    loaders = re.compile(r"\b(pickle|joblib|dill|shelve|marshal)\b|torch\.load|allow_pickle\s*=\s*True")
    sources = [p for p in folder.rglob("*.py") if not loaders.search(p.read_text(encoding="utf-8"))]
    assert len(sources) == len(list(folder.rglob("*.py"))) > 10
