"""A built corpus as the outside tools see it: the Hub's card in `datasets`, Croissant in mlcroissant."""

import json
import shutil

import mlcroissant
import pytest
import yaml
import zstandard
from huggingface_hub import DatasetCard

from pilebuilder.build.run import Build
from pilebuilder.recipe import load_recipe
from pilebuilder.task import digest_file

TOPICS = ["rivers", "stones", "letters", "gardens", "markets", "teachers", "winters", "bridges", "songs", "clocks"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A small corpus with the files that a person uploads beside the shards."""
    root = tmp_path_factory.mktemp("standards")
    texts = [
        f"{' '.join(f'{t}{i * k}' for k, t in enumerate(TOPICS))} number {i}, jo{i}@mail.example.org"
        for i in range(80)
    ]
    (root / "in.jsonl").write_text("".join(json.dumps({"text": t, "id": f"n{i}"}) + "\n" for i, t in enumerate(texts)))
    recipe = {
        "name": "small",
        "title": "Small",
        "components": [
            {
                "name": "notes",
                "fetch": {"local": {"path": str(root / "in.jsonl")}},
                "read": "jsonl",
                "licence": {"spdx": "CC0-1.0"},
            }
        ],
        "mix": {"val": 0.2, "test": 0.1},
        "tokenize": None,
        "report": {"topics": False},
    }
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    out = root / "out"
    Build(load_recipe(root / "r.yaml"), out).run()
    for name in ("README.md", "croissant.json", "croissant-1.0.json"):
        shutil.copy(out / "reports" / "papers" / name, out / name)
    return out


def lines(path):
    raw = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True).read()
    return [json.loads(line) for line in raw.decode().splitlines()]


def test_the_corpus_loads_by_its_card(corpus, tmp_path):
    from datasets import load_dataset

    shutil.copytree(corpus, tmp_path / "c", ignore=shutil.ignore_patterns("work", "reports", "ledger", ".pilebuilder"))
    for name in ("croissant.json", "croissant-1.0.json", "corpus.lock"):
        (tmp_path / "c" / name).unlink()
    held = load_dataset(str(tmp_path / "c"), cache_dir=str(tmp_path / "cache"))
    card = DatasetCard((corpus / "README.md").read_text())
    stated = {s["name"]: s["num_examples"] for s in card.data.dataset_info["splits"]}
    assert {name: len(rows) for name, rows in held.items()} == stated
    assert held["validation"]["text"] == [r["text"] for r in lines(corpus / "val.jsonl.zst")]


def test_the_cards_head_survives_the_hubs_library(corpus):
    text = (corpus / "README.md").read_text()
    card = DatasetCard(text)
    again = yaml.safe_load(card.data.to_yaml())
    assert again == yaml.safe_load(text.split("---")[1])
    assert again["license"] == "cc0-1.0"
    assert again["configs"][0]["data_files"]


def test_ten_records_through_croissant_are_those_of_the_shard(corpus, tmp_path):
    name = "croissant.json"
    folder = tmp_path / "plain"
    folder.mkdir()
    described = json.loads((corpus / name).read_text())
    for file in described["distribution"]:
        held = file["encodingFormat"]
        file["encodingFormat"] = held if isinstance(held, str) else held[-1:]
        if file["@type"] != "cr:FileObject":
            continue
        path, plain = corpus / file["contentUrl"], folder / file["contentUrl"]
        assert file["sha256"] == digest_file(path)[0]
        # The library checks digests, and reads lines as they lie on the disk, without zstd.
        plain.parent.mkdir(exist_ok=True)
        plain.write_text("".join(json.dumps(r) + "\n" for r in lines(path)))
        file["sha256"] = digest_file(plain)[0]
    (folder / name).write_text(json.dumps(described))
    dataset = mlcroissant.Dataset(jsonld=str(folder / name))
    assert not dataset.metadata.ctx.issues.errors
    records = dataset.records(record_set="documents-train")
    wanted = [r for path in sorted((corpus / "train").glob("*.zst")) for r in lines(path)][:10]
    found = [record for record, _ in zip(records, range(10), strict=False)]
    assert [r["documents-train/text"].decode() for r in found] == [w["text"] for w in wanted]
    assert [r["documents-train/id"].decode() for r in found] == [w["meta"]["id"] for w in wanted]
    assert {r["documents-train/split"].decode() for r in found} == {"train"}
    (first, *_) = dataset.records(record_set="documents-val")
    assert first["documents-val/split"].decode() == "val"


def test_examples_in_croissant_show_no_personal_data(corpus):
    described = json.loads((corpus / "croissant.json").read_text())
    (shown,) = [r["examples"] for r in described["recordSet"] if "examples" in r]
    assert shown
    assert "<e-mail address>" in json.dumps(shown)
    assert "@mail" not in json.dumps(shown)


def test_statistics_in_croissant_are_those_of_the_shards(corpus):
    described = json.loads((corpus / "croissant.json").read_text())
    for split in ("train", "val", "test"):
        (record,) = [r for r in described["recordSet"] if r["@id"] == f"documents-{split}"]
        value = {a["name"]: a["value"] for a in record["annotation"]}
        paths = (corpus / "train").glob("*.zst") if split == "train" else [corpus / f"{split}.jsonl.zst"]
        sizes = [len(r["text"].encode()) for path in paths for r in lines(path)]
        assert (value["count"], value["sum-of-text-bytes"]) == (len(sizes), sum(sizes))
        assert value["mean-of-text-bytes"] == round(sum(sizes) / len(sizes), 2)


def test_shards_of_a_corpus_made_elsewhere_load_through_croissant_as_they_lie(tmp_path):
    """Parquet, which the library reads itself: nothing is unpacked or renamed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pilebuilder.build.progress import Quiet
    from pilebuilder.describe import describe

    folder, out = tmp_path / "c", tmp_path / "out"
    (folder / "train").mkdir(parents=True)
    out.mkdir()
    (out / "recipe.yaml").write_text("report: {topics: false}\n")
    texts = [f"text {i} about {TOPICS[i % 10]}" for i in range(40)]
    for k in range(2):
        pq.write_table(pa.table({"text": texts[k::2]}), folder / "train" / f"0{k}.parquet")
    pq.write_table(pa.table({"text": ["held out"]}), folder / "val.parquet")
    papers = describe(folder, out, None, 1, Quiet()).parent / "papers"
    shutil.copy(papers / "croissant.json", folder / "croissant.json")
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    found = list(dataset.records(record_set="documents-train"))
    assert sorted(r["documents-train/text"].decode() for r in found) == sorted(texts)
    assert {r["documents-train/split"].decode() for r in found} == {"train"}
    assert [r["documents-val/text"].decode() for r in dataset.records(record_set="documents-val")] == ["held out"]
