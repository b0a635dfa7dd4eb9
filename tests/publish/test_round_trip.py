"""The whole round on a real build: publish, load with `datasets`, pull, verify, take documents out, publish again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from pilebuilder.build.run import Build
from pilebuilder.build.takedown import Wanted, takedown
from pilebuilder.build.verify import verify
from pilebuilder.publish import run
from pilebuilder.publish.corpus import open_corpus
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.pull import HubSource, pull
from pilebuilder.publish.run import Options
from pilebuilder.publish.upload import Done
from pilebuilder.recipe import load_recipe
from tests import mini
from tests.publish.cardrules import problems
from tests.publish.driving import CALM, assert_whole, use
from tests.publish.hub import Hub
from tests.publish.test_publish import card

REPO = "me/mini"
QUICK = """\
tokenize: {tokenizer: gpt2}
report: {topics: false, sample: {documents: 100}}
"""

LOAD = """\
import json, sys
from datasets import get_dataset_config_names, load_dataset
repo, found = sys.argv[1], {}
for name in get_dataset_config_names(repo):
    found[name] = {split: len(rows) for split, rows in load_dataset(repo, name).items()}
stream = load_dataset(repo, "letters", split="train", streaming=True)
ids = [row["meta"]["id"] for row in stream]
old = load_dataset(repo, "default", split="test", revision="v1.0", streaming=True)
print(json.dumps({"configs": found, "streamed": ids, "names": sorted({r["meta"]["pile_set_name"] for r in old})}))
"""


COLUMNS = """\
import json
from datasets import load_dataset
names = [[row["meta"]["id"] for row in load_dataset("me/columns", name, split="train", streaming=True)]
         for name in ("letters", "default")]
print(json.dumps(names))
"""


def build(recipe: Path, out: Path) -> Path:
    Build(load_recipe(recipe), out, workers=1).run()
    return out


def ids(folder: Path, name: str, split: str = "train") -> list[str]:
    """Ids of a component's lines in corpus order."""
    found = []
    for path in sorted((folder / split).glob("*.jsonl.zst")) if split == "train" else [folder / f"{split}.jsonl.zst"]:
        with zstandard.open(path, "rt", encoding="utf-8") as stream:
            metas = [json.loads(line)["meta"] for line in stream]
        found += [m["id"] for m in metas if m["pile_set_name"] == name]
    return found


def publish(folder: Path, source: Path | None = None) -> Done:
    done = run.to_hub(open_corpus(str(source or folder), folder), REPO, Options(patience=CALM, tokens=True), print)
    assert done is not None
    return done


def test_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = mini.make(tmp_path / "raw", documents=60)
    recipe.write_text(recipe.read_text() + QUICK)
    corpus = build(recipe, tmp_path / "corpus")
    with Hub(page=100) as hub:
        use(hub, monkeypatch, tmp_path)
        publish(corpus)
        assert_whole(hub, corpus, repo=REPO)
        assert problems(card_of(hub)) == []
        _loads(hub, corpus, tmp_path)
        _loads_parquet(hub, corpus, tmp_path)

        pull(HubSource(REPO, "main", print, CALM), tmp_path / "pulled")
        assert verify(tmp_path / "pulled") == []
        assert (tmp_path / "pulled/tokens/train_00.bin").read_bytes() == (corpus / "tokens/train_00.bin").read_bytes()

        gone = ids(corpus, "Letters")[:2]
        assert sorted(takedown(corpus, Wanted(ids=tuple(gone))).added) == sorted(gone)
        text = recipe.read_text().replace("name: mini\n", "name: mini\nversion: '1.1'\n")
        recipe.write_text(text + "dedup: {takedown: {list: takedown.txt}}\n")
        with pytest.raises(PublishError, match="another state"):
            publish(corpus, recipe)
        build(recipe, corpus)
        assert not set(gone) & set(ids(corpus, "Letters"))
        assert not set(gone) & set(ids(corpus, "Letters", "test"))
        before = hub.repo(REPO).listing()
        hub.log.clear()
        done = publish(corpus, recipe)
        assert_whole(hub, corpus, repo=REPO)
        assert_whole(hub, tmp_path / "pulled", repo=REPO, revision="v1.0")
        after = hub.repo(REPO).listing()
        changed = {p for p, v in after.items() if before.get(p) != v}
        assert done.sent == len(changed)
        stored = {a.path.split("/")[2].partition("?")[0] for a in hub.log if a.line.startswith("PUT /upload/")}
        known = {digest for _, digest in before.values()}
        assert not stored & known, "content that was there already was sent again"
        assert "data/books/train-00000.jsonl.zst" not in changed

        pull(HubSource(REPO, "main", print, CALM), tmp_path / "pulled", components=True)
        assert verify(tmp_path / "pulled") == []
        assert ids(tmp_path / "pulled", "Letters") == ids(corpus, "Letters")
    _goes_on(tmp_path / "pulled", tmp_path)


def card_of(hub: Hub) -> dict[str, object]:
    return card(hub, repo=REPO)


def _loads(hub: Hub, corpus: Path, tmp_path: Path) -> None:
    """What `datasets` makes of it, in a process of its own."""
    env = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", LOAD, REPO], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["streamed"] == ids(corpus, "Letters"), "the stream has the lines in corpus order"
    names = {"Letters": "letters", "Books": "books", "Pages": "pages"}
    assert list(found["configs"]) == ["default", *sorted(names.values())]
    for split, file in (("train", "train"), ("validation", "val"), ("test", "test")):
        counts = {slug: len(ids(corpus, name, file)) for name, slug in names.items()}
        for slug, count in counts.items():
            assert found["configs"][slug].get(split, 0) == count
        assert found["configs"]["default"][split] == sum(counts.values())
    assert set(found["names"]) <= set(names)


def _loads_parquet(hub: Hub, corpus: Path, tmp_path: Path) -> None:
    run.to_hub(open_corpus(str(corpus)), "me/columns", Options(parquet=True), print)
    env = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", COLUMNS], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    letters, whole = json.loads(done.stdout.splitlines()[-1])
    assert letters == ids(corpus, "Letters")
    assert len(whole) == sum(len(ids(corpus, name)) for name in ("Letters", "Books", "Pages"))


def _goes_on(folder: Path, tmp_path: Path) -> None:
    """A pulled corpus is the beginning of another: built again by component, without a document."""
    gone = ids(folder, "Books")[0]
    text = next(t for t in texts(folder / "train") if gone in t)
    (tmp_path / "more.txt").write_text(hashlib.sha256(json.loads(text)["text"].encode()).hexdigest() + "\n")
    recipe = folder / "recipe.yaml"
    optout = f"filter:\n- optout: {{hashes: [{tmp_path / 'more.txt'}]}}\n"
    recipe.write_text(recipe.read_text().replace("filter: []\n", optout))
    Build(load_recipe(recipe), tmp_path / "again", target="tokenize", workers=1).run()
    for name in ("Letters", "Books", "Pages"):
        before, after = len(set(ids(folder, name))), len(set(ids(tmp_path / "again", name)))
        assert after == before - (name == "Books")
    assert list((tmp_path / "again/tokens").glob("*.bin"))


def texts(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8") as stream:
            found += list(stream)
    return found
