"""The shipped web recipe, end to end, on archives made here: what each of its steps is for happens and is counted."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

from pilebuilder.build.run import Build
from pilebuilder.build.verify import verify
from pilebuilder.card import data_folder
from pilebuilder.ledger import Tally
from pilebuilder.recipe import load_recipe
from tests import mini
from tests.read.fixtures import warc_record

RECIPE = data_folder("pipelines") / "web.yaml"
GERMAN = "Der Ausschuss hat am Dienstag beschlossen, dass der Bericht noch vor dem Ende des Jahres erscheinen soll. "
SHOUT = "You are a stupid idiot and a pathetic loser, and the committee said that to you with the door open. "


def page(url: str, paragraphs: list[str], status: str = "200 OK") -> bytes:
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    html = (
        '<!DOCTYPE html><html lang="en"><head><title>A page</title></head><body><nav><a href="/">Home</a></nav>'
        f"<main><article><h1>A page</h1>{body}</article></main><footer>Imprint</footer></body></html>"
    )
    block = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}".encode()
    return gzip.compress(warc_record("response", block, url))


def prose(k: int, count: int = 6) -> list[str]:
    """Paragraphs of sentences that no other seed makes."""
    rng = random.Random(k)
    return [" ".join(mini.sentence(rng) for _ in range(4)) for _ in range(count)]


def figures(text: str) -> str:
    """Every other word a number: too few words with a letter, yet English."""
    rng = random.Random(text)
    return " ".join(f"{word} {rng.randrange(10_000)}" for word in text.split())


def crawl(site: str, first: int) -> bytes:
    own = prose(first)
    pages = [page(f"https://{site}/good-{k}", prose(first + 1 + k)) for k in range(24)]
    pages += [
        page(f"https://{site}/a", own),
        page(f"https://{site}/b", [*own, "One line more than before."]),
        page(f"https://{site}/german", [GERMAN * 4] * 3),
        page(f"https://{site}/privacy-policy", prose(first + 40)),
        page(f"https://{site}/spam", ["Buy the cheap boots of the season now with us. " * 40] * 3),
        page(f"https://{site}/figures", [figures(text) for text in prose(first + 45)]),
        page(f"https://{site}/code", [*prose(first + 41), "function of(x) { return x; }"]),
        page(f"https://{site}/contact", [*prose(first + 42), "Write to jane.doe@corp-mail.org about it."]),
        page(f"https://{site}/rude", [*prose(first + 43), SHOUT]),
        page(f"https://{site}/gone", prose(first + 44), status="404 Not Found"),
    ]
    return b"".join(pages)


def edited(folder: Path) -> Path:
    """The recipe with its own crawl switched on and the network component read from a folder."""
    for name, first in (("crawl", 1000), ("common", 2000)):
        (folder / name).mkdir()
        (folder / name / "CC-MAIN-2026-39-0.warc.gz").write_bytes(crawl(f"{name}.example", first))
    text = RECIPE.read_text(encoding="utf-8").replace("  #- name: Own", "  - name: Own").replace("  #  ", "    ")
    content: dict[str, Any] = yaml.safe_load(text)
    assert [c.get("name") or c["card"] for c in content["components"]] == ["pile-cc", "Own Crawl"]
    content["report"] = {"topics": False}
    common, own = content["components"]
    common |= {"take": None, "fetch": {"local": {"path": str(folder / "common")}}}
    own["fetch"]["local"]["path"] = str(folder / "crawl")
    path = folder / "web.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("web")
    run = Build(load_recipe(edited(folder)), folder / "out", workers=1)
    run.run()
    return run


def test_every_step_does_what_it_is_for(built: Build) -> None:
    passed = Tally.total([m.tally for m in built.manifests("filter")])
    for name in ("Pile-CC", "Own Crawl"):
        dropped = passed[name].dropped
        steps = Counter(reason.split(".")[0] for reason in dropped.elements())
        assert steps == {"url-blocklist": 1, "lang": 1, "gopher-repetition": 1, "gopher-quality": 1, "c4": 1}, dropped
        assert passed[name].edited["pii.mask"] > 0
        assert passed[name].kept == 24 + 4
    read = Tally.total([m.tally for m in built.manifests("read")])
    assert all(count.seen - count.kept == 1 for count in read.values())
    merged = Tally.total([m.tally for m in built.manifests("dedup")])
    assert [count.merged for count in merged.values()] == [1, 1]


def test_the_corpus_holds_text_without_addresses_of_people(built: Build) -> None:
    texts = []
    for path in sorted((built.root / "train").glob("*.zst")):
        with zstandard.open(path, "rt", encoding="utf-8") as stream:
            texts += [json.loads(line)["text"] for line in stream]
    assert sum("<EMAIL>" in text for text in texts) == 2
    assert not any("corp-mail" in text or "Imprint" in text for text in texts)
    assert any("stupid idiot" in text for text in texts)
    assert verify(built.root) == []
    assert list((built.root / "tokens").glob("*.bin"))
    assert "toxic" in (built.root / "reports" / "profanity.html").read_text(encoding="utf-8")


def test_the_recipe_as_shipped_is_valid() -> None:
    recipe = load_recipe(RECIPE)
    assert [c.name for c in recipe.components] == ["Pile-CC"]
