"""Local folders: what is listed, what is refused, and when a run does the work again."""

import os
from pathlib import Path

import pytest

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from pilebuilder.fetch.base import Want
from pilebuilder.fetch.web import Web
from tests.fetch.support import recipe, run

RECIPE = """
name: t
components:
  - name: Mine
    take: {take}
    fetch: {{local: {{path: {path}, include: {include}}}}}
    read: jsonl
"""


def made(folder: Path, include: str = '["**"]', take: str = "null"):
    return recipe(RECIPE.format(path=folder, include=include, take=take), folder)


def listed(**params):
    return [i.name for i in registry.make("fetcher", "local", params).discover(Web.open(), Want())]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    for name in ("a.txt", "b/c.txt", "b/d/e.md", "z.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}\n")
    return root


def test_lists_in_order_and_digests(folder, tmp_path):
    out = run(made(folder), tmp_path / "out")
    assert out.names() == ["a.txt", "b/c.txt", "b/d/e.md", "z.txt"]
    row = out.rows()[1]
    assert row["path"] == str(folder / "b/c.txt")
    assert row["bytes"] == len("content of b/c.txt\n")
    assert row["url"] is None
    assert out.content("b/c.txt") == b"content of b/c.txt\n"


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["*.txt"], ["a.txt", "z.txt"]),
        (["**/*.txt"], ["a.txt", "b/c.txt", "z.txt"]),
        (["b/**"], ["b/c.txt", "b/d/e.md"]),
        (["b/*"], ["b/c.txt"]),
        (["*/*/*.md", "[!a].txt"], ["b/d/e.md", "z.txt"]),
        (["nothing/**"], []),
    ],
)
def test_globs(folder, globs, expected):
    assert listed(path=str(folder), include=globs) == expected


def test_second_run_does_nothing_and_a_change_redoes_its_batch(folder, tmp_path):
    plan, out = made(folder), tmp_path / "out"
    first = run(plan, out)
    assert first.ran
    assert run(plan, out).ran == []
    (folder / "a.txt").write_text("changed")
    third = run(plan, out)
    assert len(third.ran) == 1
    assert third.content("a.txt") == b"changed"
    assert third.rows()[1] == first.rows()[1]


def test_links_are_not_followed_out(folder, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("outside")
    (folder / "inner.txt").symlink_to(folder / "a.txt")
    (folder / "out.txt").symlink_to(secret)
    (folder / "dangling.txt").symlink_to(tmp_path / "nowhere")
    (folder / "elsewhere").symlink_to(tmp_path)
    out = run(made(folder), tmp_path / "out")
    assert out.reasons() == {"out.txt": "link_outside", "dangling.txt": "link_broken", "elsewhere": "link_folder"}
    assert out.content("inner.txt") == b"content of a.txt\n"
    assert not any(n.startswith("elsewhere/") for n in out.names())
    assert listed(path=str(folder), include=("**/*.none",)) == ["elsewhere"]
    assert listed(path=str(folder), include=("*.none",)) == []
    assert listed(path=str(folder), include=("**/*.none",), exclude=("elsewhere/**",)) == []


def test_conservation_of_files(folder, tmp_path):
    (folder / "x").symlink_to("/etc/hostname")
    out = run(made(folder), tmp_path / "out")
    count = out.manifests[0].tally["Mine"]
    assert (count.seen, count.kept, dict(count.quarantined)) == (5, 4, {"link_outside": 1})


def test_a_file_that_vanishes_between_listing_and_reading(folder, tmp_path):
    fetcher = registry.make("fetcher", "local", {"path": str(folder)})
    items = list(fetcher.discover(Web.open(), Want()))
    (folder / "a.txt").unlink()
    (folder / "z.txt").write_text("longer than it was when it was listed")
    with pytest.raises(Exception, match="vanished"):
        fetcher.fetch(items[0], tmp_path / "t", Web.open())
    with pytest.raises(Exception, match="changed"):
        fetcher.fetch(items[-1], tmp_path / "t", Web.open())


def test_names_that_are_not_utf8(folder, tmp_path):
    odd = os.fsencode(folder) + b"/caf\xe9.txt"
    with open(odd, "wb") as stream:
        stream.write(b"odd")
    (folder / "new\nline.txt").write_text("line")
    out = run(made(folder), tmp_path / "out")
    names = [n for n in out.names() if "%" in n]
    assert [n.split(".")[0] for n in names] == ["caf%E9", "new%0Aline"]
    assert all(n.endswith(".txt") for n in names)
    assert [out.content(n) for n in names] == [b"odd", b"line"]


def test_missing_folder_stops_the_run_with_a_remedy(tmp_path):
    with pytest.raises(RecipeError, match=r"Mine.*does not exist.*path"):
        run(made(tmp_path / "no"), tmp_path / "out")


def test_rights_must_be_acknowledged(folder, tmp_path):
    text = RECIPE.format(path=folder, include='["**"], acknowledge_rights: false', take="null")
    with pytest.raises(RecipeError, match="acknowledge_rights: true"):
        run(recipe(text, folder), tmp_path / "out")


def test_take_is_seeded(folder, tmp_path):
    out = run(made(folder, take="2 files"), tmp_path / "out")
    assert len(out.names()) == 2


def test_symbolic_places():
    assert "json/decoder.py" in listed(path="python:stdlib", include=["json/*.py"])
    assert any(n.endswith("/METADATA") for n in listed(path="python:site-packages", include=["*.dist-info/METADATA"]))
    assert not any(n.startswith("site-packages") for n in listed(path="python:stdlib", include=["**/METADATA"]))
    with pytest.raises(Exception, match="python:stdlib"):
        listed(path="python:nowhere")


def test_a_single_file(folder):
    assert listed(path=str(folder / "a.txt")) == ["a.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_quarantined_and_tried_again(folder, tmp_path):
    (folder / "a.txt").chmod(0)
    plan, out = made(folder), tmp_path / "out"
    assert run(plan, out).reasons() == {"a.txt": "unreadable"}
    (folder / "a.txt").chmod(0o644)
    assert run(plan, out).reasons() == {}
