"""A corpus of three components of 300 documents whose every number is known by the way it was made.

Expectations are worked out here from the texts, in plain Python, or by hand; the report's tables must show them to
full precision, and the same bytes must come from any number of workers and any order of the input files.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import shutil
import statistics
from pathlib import Path

import pytest
import yaml

from pilebuilder.build.run import Build
from pilebuilder.recipe import load_recipe

N = 300
RIVERS = "The river was quiet in the morning and people talked about small things near the old bridge."
FLUSS = "Der Fluss war am Morgen still, und die Leute sprachen an der alten Brücke über kleine Dinge."
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def name_of(i: int) -> str:
    """A number in words of its own: no two documents share their sentences."""
    return " ".join(NUMBERS[int(d, 12)] for d in f"{i:04d}")


def notes() -> list[dict[str, str]]:
    """270 in English, 30 in German: 90 to 10. Every tenth has an e-mail address, the first five are one length."""
    made = []
    for i in range(N):
        text = f"{FLUSS} {FLUSS} Nummer {name_of(i)}." if i % 10 == 9 else f"{RIVERS} {RIVERS} Number {name_of(i)}."
        made.append({"text": text + (f" Write to person{i}@mail.example.org." if i % 10 == 0 else "")})
    return made


def web() -> list[dict[str, str]]:
    """Documents 250 to 299 are copies of documents 0 to 49; three hosts of two registered domains."""
    hosts = ("www.alpha.example.com", "beta.example.com", "www.gamma.co.uk")
    made = []
    for i in range(N):
        k = i % 250
        text = " ".join(f"Page {name_of(k)} says that gate {name_of(k + j)} is open." for j in range(3 + k % 4))
        made.append({"text": text, "url": f"http://{hosts[i % 3]}/p/{i}"})
    return made


def talk() -> list[dict[str, str]]:
    """He is clever 200 times and she 50; both are kind 60 times."""
    rng, made = random.Random(4), []
    lines = ["He was clever and people saw it in the morning."] * 200
    lines += ["She was clever and people saw it in the morning."] * 50
    lines += ["He was kind and people saw it often."] * 60 + ["She was kind and people saw it often."] * 60
    lines += [f"{'He' if i % 2 else 'She'} walked to the house under the bright sky." for i in range(530)]
    rng.shuffle(lines)
    for i in range(N):
        three = lines[3 * i : 3 * i + 3]
        made.append({"text": "\n\n".join([*three, f"Talk {name_of(i)} ends here."])})
    return made


MADE = {"Notes": notes, "Web": web, "Talk": talk}
EPOCHS = {"Notes": 2.0, "Web": 1.0, "Talk": 3.0}


def corpus(folder: Path, order: int = 0) -> Path:
    """The recipe, its inputs cut into files whose order by name is shuffled by `order`."""
    components = []
    for name, make in MADE.items():
        place = folder / name
        place.mkdir(parents=True)
        parts = [(i, make()[i : i + 75]) for i in range(0, N, 75)]
        random.Random(order).shuffle(parts)
        for i, rows in parts:
            (place / f"{i:03}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
        source = {"local": {"path": str(place)}}
        components.append({"name": name, "fetch": source, "read": "jsonl", "epochs": EPOCHS[name]})
    recipe = {
        "name": "golden",
        "seed": 11,
        "components": components,
        "filter": [],
        "dedup": {"minhash": None},
        "mix": {"val": 0.05, "test": 0.2},
        "shard": {"count": 2},
        "report": {"web_component": "Web", "terms": "pile", "topics": True},
    }
    path = folder / "golden.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def read(root: Path) -> dict[str, dict]:
    return {p.stem: json.loads(p.read_text()) for p in (root / "reports" / "tables").glob("*.json")}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("golden")
    Build(load_recipe(corpus(root / "a")), root / "out", workers=1).run()
    return root / "out"


@pytest.fixture(scope="module")
def tables(built):
    return read(built)


def row(table, **wanted):
    """The one row with these values."""
    (found,) = [r for r in table["rows"] + table["totals"] if all(r[k] == v for k, v in wanted.items())]
    return found


@pytest.fixture(scope="module")
def shards(built):
    """Texts by split and component, as the shards hold them."""
    import zstandard

    found: dict[str, dict[str, list[dict]]] = {}
    for path in [*sorted(built.glob("train/*.jsonl.zst")), built / "val.jsonl.zst", built / "test.jsonl.zst"]:
        split = path.name.split(".")[0] if path.parent == built else "train"
        lines = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True).read()
        for record in map(json.loads, lines.decode().splitlines()):
            found.setdefault(split, {}).setdefault(record["meta"]["pile_set_name"], []).append(record)
    return found


def distinct(name):
    """Texts of a component after exact deduplication."""
    return list(dict.fromkeys(r["text"] for r in MADE[name]()))


def test_sizes_weights_and_what_each_stage_removed(tables):
    raw = {name: sum(len(t.encode()) for t in distinct(name)) for name in MADE}
    total = sum(raw[n] * EPOCHS[n] for n in MADE)
    for name in MADE:
        found = row(tables["components"], component=name)
        assert found["raw_bytes"] == raw[name]
        assert found["effective_bytes"] == raw[name] * EPOCHS[name]
        assert found["weight"] == raw[name] * EPOCHS[name] / total
        assert found["documents"] == len(distinct(name))
        assert found["mean_document_bytes"] == raw[name] / len(distinct(name))
        gone = row(tables["removed-by-stage"], component=name)
        assert gone["in_dedup"] == 300
        assert gone["removed_dedup"] == (50 / 300 if name == "Web" else 0)
        assert gone["removed_read"] == gone["removed_filter"] == 0
    whole = row(tables["components"], component="Total")
    assert (whole["raw_bytes"], whole["documents"]) == (sum(raw.values()), 850)
    assert row(tables["removed-by-stage"], component="Total")["removed_dedup"] == 50 / 900
    assert [r["holds"] for r in tables["identities"]["rows"]] == [True] * 5


@pytest.mark.parametrize(
    ("table", "length"),
    [
        ("lengths-bytes", lambda t: len(t.encode())),
        ("lengths-characters", len),
        ("lengths-words", lambda t: len(t.split())),
    ],
)
def test_lengths_are_those_of_plain_python(tables, table, length):
    every = []
    for name in [*MADE, "Whole"]:
        values = sorted(map(length, distinct(name))) if name in MADE else sorted(every)
        every += values if name in MADE else []
        found = row(tables[table], component=name)
        assert (found["documents"], found["min"], found["max"]) == (len(values), values[0], values[-1])
        assert found["mean"] == sum(values) / len(values)
        assert found["deviation"] == pytest.approx(statistics.pstdev(values), rel=1e-12)
        for p in (1, 5, 25, 50, 75, 95, 99, 99.9):
            assert found[f"p{p:g}"] == values[math.ceil(p / 100 * len(values) - 1e-9) - 1]


def test_unicode_words_of_plain_sentences(tables):
    for name in ("Web", "Talk"):
        words = [len(re.findall(r"\w+|[^\w\s]", t)) for t in distinct(name)]
        found = row(tables["summary"], component=name)
        assert (found["words"], found["longest"], found["shortest"]) == (sum(words), max(words), min(words))


def test_a_language_mix_of_90_to_10_is_measured_within_a_point(tables):
    found = row(tables["languages-by-component"], component="Notes")
    assert abs(found["en"] - 0.9) <= 0.01
    assert abs(found["de"] - 0.1) <= 0.01
    size = [len(r["text"].encode()) for r in notes()]
    german = sum(size[i] for i in range(N) if i % 10 == 9)
    by_text = row(tables["languages-by-component-bytes"], component="Notes")
    assert by_text["de"] == pytest.approx(german / sum(size), abs=0.01)
    assert by_text["bytes"] == sum(size)


def test_tokens_are_those_of_the_encoder(tables, shards):
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    encode = encoders.engine("tiktoken", load("gpt2"))
    import numpy as np

    for name in MADE:
        texts = [r["text"].encode() for split in shards.values() for r in split[name]]
        offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
        counts = np.diff(np.asarray(encode.encode(np.frombuffer(b"".join(texts), np.uint8), offsets)[1], np.int64))
        found = row(tables["tokens"], component=name)
        assert (found["tokens"], found["documents"]) == (int(counts.sum()), len(texts))
        assert found["tokens_per_byte"] == int(counts.sum()) / sum(map(len, texts))
        each = [len(t) / n for t, n in zip(texts, counts.tolist(), strict=True)]
        assert found["document_mean"] == pytest.approx(statistics.fmean(each), abs=1e-3)
        assert found["document_deviation"] == pytest.approx(statistics.pstdev(each), abs=1e-3)
        words = sum(len(t.split()) for t in distinct(name)) / sum(len(t.encode()) for t in distinct(name))
        assert found["words_per_token"] == pytest.approx(words / found["tokens_per_byte"])


def test_splits_and_copies_are_those_of_the_shards(tables, shards):
    for name in MADE:
        train = [r["text"] for r in shards["train"][name]]
        found = row(tables["mixture"], component=name)
        assert (found["copies"], found["documents"]) == (len(train), len(set(train)))
        assert found["by_design"] == len(train) - len(set(train)) == found["documents"] * (EPOCHS[name] - 1)
        assert found["realised_epochs"] == EPOCHS[name]
        splits = row(tables["splits"], component=name)
        for split in ("train", "val", "test"):
            assert splits[f"{split}_documents"] == len(shards[split][name])
            assert splits[f"{split}_bytes"] == sum(len(r["text"].encode()) for r in shards[split][name])


def test_fifty_planted_copies_are_found_and_none_is_left(tables):
    assert row(tables["duplicate-rates"], component="Web")["exact"] == 50
    assert row(tables["duplicate-rates"], component="Talk")["exact"] == 0
    for name in MADE:
        assert row(tables["repeats"], what="Text", component=name)["documents_in_groups"] == 0


def test_overlap_of_13_grams_is_that_of_plain_python(tables, shards):
    def grams(text):
        words = text.lower().split()
        return [tuple(words[i : i + 13]) for i in range(len(words) - 12)]

    known = {g for held in shards["train"].values() for r in held for g in grams(r["text"])}
    for name in MADE:
        tested = [grams(r["text"]) for r in shards["test"][name]]
        long = [t for t in tested if t]
        found = row(tables["overlap-test"], component=name)
        assert (found["items"], found["whole"]) == (len(tested), 0)
        assert found["any"] == sum(any(g in known for g in t) for t in long)
        shares = [sum(g in known for g in t) / len(t) for t in long]
        assert found["mean_share"] == pytest.approx(statistics.fmean(shares), rel=1e-12)


def test_the_compressor_and_the_byte_model(tables, shards):
    import zstandard

    packer = zstandard.ZstdCompressor(level=19, write_content_size=False, write_checksum=False)
    for name in MADE:
        texts = [r["text"].encode() for r in shards["test"][name]]
        found = row(tables["bits-per-byte"], component=name)
        bits = 8 * sum(len(packer.compress(t)) for t in texts)
        assert found["bits_per_byte: zstd -19"] == bits / sum(map(len, texts))
        assert found["bits_per_byte: order-5 byte model"] < found["bits_per_byte: zstd -19"]
    web, whole = (found_of(tables, c) for c in ("Web", "Whole corpus, by effective size"))
    shares = {r["component"]: r["weight"] for r in tables["components"]["rows"]}
    model = "bits_per_byte: order-5 byte model"
    assert whole[model] == pytest.approx(sum(shares[n] * found_of(tables, n)[model] for n in MADE))
    assert web[model] < 1


def found_of(tables, component):
    return row(tables["bits-per-byte"], component=component)


def test_personal_data_and_profanity(tables):
    found = row(tables["personal-data"], type="e-mail address")
    assert (found["matches"], found["documents"]) == (30, 30)
    assert found["share_of_documents"] == 30 / 850
    assert found["per_million_words"] == 30 / row(tables["summary"], component="Whole")["words"] * 1e6
    for name in MADE:
        found = row(tables["profanity"], component=name)
        assert found["toxic_sentences"] == found["profane_words"] == 0
        assert 0 < found["toxic_sentences_high"] < 0.01, "nothing found is not nothing there"


def test_words_tied_to_a_pronoun_have_their_scores_by_hand(tables):
    said = " ".join(r["text"] for r in talk())
    he, she = said.count("He "), said.count("She ")
    (found,) = tables["biased-words-scores"]["rows"]
    assert (found["group"], found["rank"], found["word"], found["sentences"]) == ("he", 1, "clever", 250)
    assert found["r2"] == pytest.approx((200 / he - 50 / she) * math.sqrt(250))
    assert found["r1"] == pytest.approx((200 - 50) / math.sqrt(250))
    assert found["z"] > 3.3
    for group, n in (("he", he), ("she", she)):
        assert row(tables["sentiment"], component="Talk", group=group)["sentences"] == n
    assert row(tables["sentiment"], component="Talk", group="Hindu")["words"] == {"gap": "too few (n = 0)"}


def test_domains_and_their_concentration(tables, shards):
    hosts = [r["meta"]["url"].split("/")[2] for split in shards.values() for r in split["Web"]]
    domains = {"example.com": sum("example" in h for h in hosts), "gamma.co.uk": sum("gamma" in h for h in hosts)}
    found = {r["domain"]: r["documents"] for r in tables["web-domains"]["rows"]}
    assert found == domains
    held = row(tables["web-concentration"], component="Web")
    shares = [n / 250 for n in domains.values()]
    assert held["entropy"] == pytest.approx(-sum(p * math.log2(p) for p in shares))
    assert held["gini"] == pytest.approx(max(shares) - 0.5)
    assert "gap" in row(tables["web-concentration"], component="Talk")["documents"]


def test_divergence_of_words_is_that_of_plain_python(tables):
    from pilebuilder.report.sampled.stopwords import STOP_WORDS

    def words(text):
        found = re.findall(r"[^\W_]+(?:['.][^\W_]+)*", text.lower())
        return [w for w in found if len(w) > 1 and w not in STOP_WORDS and re.search(r"[^\W\d]", w)]

    english = {n: [t for t in distinct(n) if not t.startswith("Der")] for n in MADE}
    held = {n: [words(t) for t in texts] for n, texts in english.items()}
    documents: dict[str, int] = {}
    for texts in held.values():
        for text in texts:
            for w in set(text):
                documents[w] = documents.get(w, 0) + 1
    most = 0.5 * sum(map(len, held.values()))
    known = sorted(w for w, n in documents.items() if 5 <= n <= most)
    counts = {n: [sum(t.count(w) for t in texts) for w in known] for n, texts in held.items()}

    def divergence(a, b):
        p, q = ([x / sum(c) for x in c] for c in (a, b))
        return sum(
            (x * math.log2(2 * x / (x + y)) if x else 0) / 2 + (y * math.log2(2 * y / (x + y)) if y else 0) / 2
            for x, y in zip(p, q, strict=True)
        )

    for a in MADE:
        for b in MADE:
            if a != b:
                assert row(tables["word-divergence"], component=a)[b] == pytest.approx(
                    divergence(counts[a], counts[b])
                )
                fit = row(tables["topic-fit"], component=b)
                assert fit[a] - row(tables["topic-fit"], component=a)[a] > 1, "nats that a foreign model loses"


def test_the_same_bytes_from_two_workers_and_files_written_in_another_order(built, tmp_path):
    shutil.rmtree(built.parent / "a")  # the same place, since the recipe names it
    Build(load_recipe(corpus(built.parent / "a", order=3)), tmp_path / "out", workers=2).run()

    def digests(root):
        return {
            p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted((root / "reports").rglob("*"))
            if p.is_file()
        }

    first, second = digests(built), digests(tmp_path / "out")
    assert [n for n in first if first[n] != second.get(n)] == []
    assert len(first) == len(second) > 100
