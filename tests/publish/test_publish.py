"""What a publication holds: configs, splits, parts, Parquet, tokens, branches, pull requests, versions, dry runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilebuilder.build.verify import verify
from pilebuilder.publish import run
from pilebuilder.publish.corpus import open_corpus
from pilebuilder.publish.layout import Limits
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.pull import HubSource, pull
from tests.publish import small
from tests.publish.cardrules import problems
from tests.publish.driving import CALM, REPO, assert_whole, publish
from tests.publish.faults import Fault
from tests.publish.hub import Hub
from tests.publish.store import Repo


def content(hub: Hub, path: str, revision: str = "main", repo: str = REPO) -> bytes:
    commit = hub.repo(repo).resolve(revision)
    assert commit is not None
    entry = commit.files[path]
    return entry.content if entry.content is not None else hub.state.objects[entry.sha256 or ""]


def card(hub: Hub, revision: str = "main", repo: str = REPO) -> dict[str, Any]:
    return dict(yaml.safe_load(content(hub, "README.md", revision, repo).decode().split("---\n")[1]))


def rows(raw: bytes) -> list[str]:
    import zstandard

    stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw), read_across_frames=True)
    return stream.read().decode().splitlines()


def test_one_config_per_component_and_the_whole(corpus: Path, hub: Hub) -> None:
    publish(corpus)
    data = card(hub)
    assert problems(data) == []
    assert [c["config_name"] for c in data["configs"]] == ["default", "books-old", "letters", "pages"]
    assert [c for c in data["configs"] if c.get("default")] == data["configs"][:1]
    body = content(hub, "README.md").decode()
    assert f'load_dataset("{REPO}")' in body
    assert "PATH_OF_THIS_FOLDER" not in body
    expected = [
        json.loads(line) for shard in small.SHARDS[:3] for line in small.lines(shard, meta=("url", "date", "licence"))
    ]
    for name, slug in (("Letters", "letters"), ("Books (old)", "books-old"), ("Pages", "pages")):
        held = [json.loads(line) for line in rows(content(hub, f"data/{slug}/train-00000.jsonl.zst"))]
        assert held == [row for row in expected if row["meta"]["pile_set_name"] == name], "the same lines, in order"
        info = next(i for i in data["dataset_info"] if i["config_name"] == slug)
        assert {s["name"]: s["num_examples"] for s in info["splits"]}["train"] == len(held)


def test_papers(corpus: Path, hub: Hub) -> None:
    publish(corpus)
    names = set(hub.repo(REPO).listing())
    assert {"NOTICE", "datasheet.md", "croissant.json", "CITATION.cff", "CHANGELOG.md", "corpus.lock",
            "reports/index.html", "MANIFEST.json"} <= names  # fmt: skip
    assert not any(n.startswith(("tokens/", "ledger/")) for n in names)
    assert json.loads(content(hub, "croissant.json"))["url"].endswith("/datasets/me/small")
    citation = yaml.safe_load(content(hub, "CITATION.cff"))
    lock = json.loads((corpus / "corpus.lock").read_bytes())["digest"]
    assert citation["identifiers"][0]["value"] == f"sha256:{lock}"
    assert "First publication: 40 documents, 3 components" in content(hub, "CHANGELOG.md").decode()


def test_ledger_and_tokens_on_request(corpus: Path, hub: Hub) -> None:
    publish(corpus, ledger=True, tokens=True)
    assert {"tokens/train_00.bin", "ledger/read-00000.parquet"} <= set(hub.repo(REPO).listing())
    assert_whole(hub, corpus)


def test_without_files_per_component(corpus: Path, hub: Hub) -> None:
    publish(corpus, components=False)
    assert not any(p.startswith("data/") for p in hub.repo(REPO).listing())
    assert [c["config_name"] for c in card(hub)["configs"]] == ["default"]
    assert_whole(hub, corpus)


def test_tokens_in_a_repository_of_their_own(corpus: Path, hub: Hub) -> None:
    publish(corpus, repo="me/small-tokens", tokens_only=True)
    listing = hub.repo("me/small-tokens").listing()
    assert {p for p in listing if "/" in p} == {"tokens/train_00.bin"}
    assert_whole(hub, corpus, repo="me/small-tokens")
    done = pull(HubSource("me/small-tokens", "main", print, CALM), corpus.parent / "tokens")
    assert done.absent == ["data", "ledger", "reports", "train"]
    assert verify(corpus.parent / "tokens") == []


def test_parquet(tmp_path: Path, hub: Hub) -> None:
    import pyarrow.parquet as pq

    corpus = small.make(tmp_path / "c", meta=("url", "signal.score"))
    publish(corpus, parquet=True)
    table = pq.read_table(io.BytesIO(content(hub, "data/letters/train-00000.parquet")))
    want = [json.loads(x) for s in small.SHARDS[:3] for x in small.lines(s, meta=("url", "signal.score"))]
    assert table.to_pylist() == [w for w in want if w["meta"]["pile_set_name"] == "Letters"]
    table = pq.read_table(io.BytesIO(content(hub, "parquet/train-00001.parquet")))
    assert table.to_pylist() == [json.loads(x) for x in small.lines("train/01", meta=("url", "signal.score"))]
    assert {f["path"].rpartition(".")[2] for c in card(hub)["configs"] for f in c["data_files"]} == {"parquet"}
    feature = card(hub)["dataset_info"][1]["features"][1]["struct"]
    assert {"name": "score", "dtype": "float64"} in feature
    assert_whole(hub, corpus)


def test_large_files_are_cut_between_frames(tmp_path: Path, hub: Hub) -> None:
    corpus = small.make(tmp_path / "c", documents=60)
    limit = 2_000
    publish(corpus, limits=Limits(file=limit), tokens=True)
    listing = hub.repo(REPO).listing()
    parts = [p for p in listing if p.startswith("train/00.part-")]
    assert len(parts) > 1
    assert all(listing[p][0] <= limit for p in parts)
    joined = [row for p in sorted(parts) for row in rows(content(hub, p))]
    assert joined == small.lines("train/00", meta=("url", "date", "licence"), documents=60), "each part can be read"
    from fnmatch import fnmatch

    patterns = [f["path"] for c in card(hub)["configs"] for f in c["data_files"]]
    data = [p for p in listing if p.startswith(("train/", "data/"))]
    assert all(any(fnmatch(p, pattern) for pattern in patterns) for p in data), "the configs read every part"
    named = {d["contentUrl"] for d in json.loads(content(hub, "croissant.json"))["distribution"]}
    assert set(parts) <= named
    assert_whole(hub, corpus)
    done = pull(HubSource(REPO, "main", print, CALM), tmp_path / "again")
    assert (tmp_path / "again/train/00.jsonl.zst").read_bytes() == (corpus / "train/00.jsonl.zst").read_bytes()
    assert done.fetched == done.files
    assert pull(HubSource(REPO, "main", print, CALM), tmp_path / "again").fetched == 0


def test_parquet_above_the_limit(tmp_path: Path, hub: Hub) -> None:
    corpus = small.make(tmp_path / "c", documents=60)
    with pytest.raises(PublishError, match="more shards") as caught:
        publish(corpus, parquet=True, limits=Limits(file=2_000))
    assert caught.value.reason == "over_limit"


def test_branch(corpus: Path, hub: Hub) -> None:
    done = publish(corpus, branch="next/one")
    assert done.tag is None
    assert_whole(hub, corpus, revision="next/one")
    assert set(hub.repo(REPO).listing("main")) == {".gitattributes"}


def test_pull_request_is_found_again(corpus: Path, hub: Hub, waits: object) -> None:
    """Also to a repository of somebody else; a run that was cut off goes on with its own request."""
    hub.state.repos["you/small"] = Repo("you/small", private=False)
    hub.faults = [Fault("POST .*/commit/", 403)]
    with pytest.raises(PublishError):
        publish(corpus, repo="you/small", pull_request=True)
    done = publish(corpus, repo="you/small", pull_request=True)
    assert done.revision == "refs/pr/1"
    assert [d["status"] for d in hub.repo("you/small").discussions] == ["open"]
    assert_whole(hub, corpus, repo="you/small", revision="refs/pr/1")
    assert set(hub.repo("you/small").listing("main")) == {".gitattributes"}
    assert "refs/tags/v1.0" not in hub.repo("you/small").refs


def test_gated(corpus: Path, hub: Hub) -> None:
    publish(corpus, gated="manual", gate="No re-identification.")
    assert hub.repo(REPO).gated == "manual"
    assert card(hub)["extra_gated_prompt"] == "No re-identification."
    publish(corpus, gated="off")
    assert hub.repo(REPO).gated is False


def test_again_sends_nothing(corpus: Path, hub: Hub) -> None:
    publish(corpus)
    hub.log.clear()
    done = publish(corpus)
    assert (done.sent, hub.sent()) == (0, 0)
    assert not [a for a in hub.log if a.method == "PUT" or "/commit/" in a.path]


def test_a_new_version_sends_what_changed(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    first = publish(corpus)
    new = small.make(tmp_path / "new", version="1.1", without={"train/01-4", "train/01-1"})
    hub.log.clear()
    done = publish(new)
    assert (first.earlier, done.earlier) == (None, "1.0")
    assert_whole(hub, new)
    assert_whole(hub, corpus, revision="v1.0")
    assert hub.repo(REPO).refs["refs/tags/v1.1"] == done.commit != first.commit
    put = {a.path.split("/")[2].partition("?")[0] for a in hub.log if a.method == "PUT"}
    names = {p for p, (_, digest) in hub.repo(REPO).listing().items() if digest in put}
    assert names == {"train/01.jsonl.zst", "data/books-old/train-00000.jsonl.zst"}
    log = content(hub, "CHANGELOG.md").decode()
    assert "Books (old): 15 -> 13 documents" in log
    assert log.index("## 1.1") < log.index("## 1.0")


def test_files_of_the_old_version_leave(tmp_path: Path, hub: Hub) -> None:
    old = small.make(tmp_path / "old")
    publish(old, parquet=True)
    done = publish(old)
    assert done.removed == 9 + 5
    assert_whole(hub, old)


def test_a_tag_is_never_moved(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    other = small.make(tmp_path / "other", without={"val-1"})
    with pytest.raises(PublishError, match="raise `version:`") as caught:
        publish(other)
    assert caught.value.reason == "tag_taken"
    assert_whole(hub, corpus)
    publish(other, tag="v1.0.1")
    assert_whole(hub, other, revision="v1.0.1")
    assert "## v1.0.1 (lock" in content(hub, "CHANGELOG.md").decode()


def test_dry_run_shows_all_and_sends_nothing(
    tmp_path: Path, hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pilebuilder.publish import show

    monkeypatch.delenv("HF_TOKEN")
    corpus = small.make(tmp_path / "c", emails=1, terms={"Pages": {"licence": "CC-BY-SA-4.0", "class": "share-alike"}})
    assert show.publish(str(corpus), None, REPO, None, run.Options(), True) == 0
    out = capsys.readouterr().out
    for path in json.loads((corpus / "corpus.lock").read_bytes())["outputs"]:
        assert (path["path"] in out) == (not path["path"].startswith(("tokens/", "ledger/"))), path["path"]
    assert "licence: Pages: share-alike (CC-BY-SA-4.0)" in out
    assert "refused without --yes: personal-data" in out
    assert "config_name: letters" in out
    assert hub.log == []


def test_the_repository_of_the_recipe_is_the_default(corpus: Path, hub: Hub) -> None:
    from pilebuilder.publish import show

    with pytest.raises(PublishError, match="say where to"):
        show.publish(str(corpus), None, None, None, run.Options(), True)


def test_a_killed_split_goes_on(corpus: Path, hub: Hub) -> None:
    """Leftovers of a killed run in the cache are neither used nor left; finished pieces are not made again."""
    from pilebuilder.publish import pieces

    found, cache = open_corpus(str(corpus)), corpus / ".pilebuilder/publish"
    planned = pieces.plan(found, cache, parquet=False)
    pieces.make(found, planned)
    times = {p.file: p.file.stat().st_mtime_ns for p in planned}
    planned[0].facts.unlink()
    (cache / ".killed.tmp").write_bytes(b"half")
    publish(corpus)
    assert_whole(hub, corpus)
    assert [p.file.stat().st_mtime_ns == times[p.file] for p in planned] == [False] + [True] * (len(planned) - 1)
    assert not (cache / ".killed.tmp").exists()


def test_pieces_by_size(tmp_path: Path) -> None:
    """Several files of one component: every line once, in order, for any size of file."""
    from pilebuilder.publish import pieces

    corpus = open_corpus(str(small.make(tmp_path / "c", documents=30)))
    whole = [
        json.loads(x) for s in small.SHARDS[:3] for x in small.lines(s, meta=("url", "date", "licence"), documents=30)
    ]
    for size in (1, 5_000, 1 << 30):
        made = pieces.make(corpus, pieces.plan(corpus, tmp_path / str(size), parquet=False, file_text=size))
        own = [m for m in made if m.piece.component == "Letters" and m.piece.split == "train"]
        held = [json.loads(x) for m in own for x in rows(m.piece.file.read_bytes())]
        assert held == [w for w in whole if w["meta"]["pile_set_name"] == "Letters"]
        assert len(own) == (3 if size == 1 else len(own)) >= 1
