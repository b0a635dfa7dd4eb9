import base64
import hashlib
import itertools
import json
import posixpath
import random

import pytest
from lxml import html

from pilebuilder.report import plan
from tests.report.made import HOSTILE, Bench, count, facts, scan, table

TEXTS = ["Licence text " * 20, "short", "Другой текст на русском языке", ""]


def corpus(bench, names, documents, seed=0):
    """Profiles and facts of a corpus with this many documents in each component."""
    rng = random.Random(seed)
    inputs, stages = [], {"read": {}, "filter": {}, "dedup": {}, "mix": {}}
    for name in names:
        texts = ["word " * rng.randint(1, 400) for _ in range(documents)]
        size = sum(map(len, texts))
        if documents:
            inputs.append(bench.profile(table(name, texts, rng.choices(["en", "de"], [9, 1], k=documents)), name))
        stages["read"][name] = count(documents + 9, size=size, quarantined={"truncated": 2})
        stages["filter"][name] = count(documents + 7, {"length.short": 4}, size=size, edited={"whitespace": 10})
        stages["dedup"][name] = count(documents + 3, merged=3, size=size)
        stages["mix"][name] = count(documents, size=size)
    return facts(stages, names), inputs


def build(bench, names, documents):
    made, inputs = corpus(bench, names, documents)
    split = {"documents": documents, "copies": documents, "text_bytes": 10, "placed_bytes": 10}
    part = {"epochs": 1.0, "share": 0.5, "realised_epochs": 1.0, "realised_share": 0.5, "splits": {"train": split}}
    inputs.append(bench.json({"seed": 7, "shards": 2, "components": dict.fromkeys(names, part)}, "mixture"))
    rows = [[names[0], "read", "truncated", "a.gz", 17, HOSTILE]] if names else []
    inputs.append(bench.json({"rows": [], "quarantine": rows, "samples": {}}, "ledger-summary"))
    return bench.pages(made, inputs)


def parsed(files):
    """All pages of a report, parsed, by name below reports/."""
    return {
        name.removeprefix("reports/"): html.fromstring(path.read_bytes())
        for name, path in files.items()
        if name.endswith(".html")
    }


@pytest.mark.parametrize("documents", [0, 1, 10, 60])
def test_every_size_of_corpus_has_a_report(tmp_path, documents):
    files = build(Bench(tmp_path), ["one", "two"], documents)
    pages = parsed(files)
    assert {"index.html", "components.html", "components/s0.html", "removal.html", "samples.html"} <= set(pages)
    names = {p.split("/")[-1].split(".")[0] for p in files if p.startswith("reports/tables/")}
    assert {"components", "losses", "conservation", "bits-per-byte"} <= names
    if documents in (1, 10):
        assert f"too few (n = {documents})" in pages["lengths.html"].text_content()
    if not documents:
        assert "Without a document: one, two." in pages["components.html"].text_content()
        assert "Without a document" in pages["index.html"].text_content()


def test_pages_need_no_network_and_run_nothing(tmp_path):
    pages = parsed(build(Bench(tmp_path), ["a", HOSTILE], 40))
    for name, page in pages.items():
        assert not page.xpath("//link | //iframe | //img | //object | //script[@src]")
        assert bool(page.xpath("//script")) == (name == "samples.html")
        assert not [a for e in page.iter() if isinstance(e.tag, str) for a in e.attrib if a.startswith("on")]
        policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
        assert policy.startswith("default-src 'none'")
        assert ("script-src" in policy) == (name == "samples.html")
        assert "\u202e" not in page.text_content()
    assert "[U+202E]" in pages["components.html"].text_content()


def test_the_policy_allows_the_search_script_and_no_other(tmp_path):
    page = parsed(build(Bench(tmp_path), ["a"], 40))["samples.html"]
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    digest = base64.b64encode(hashlib.sha256(page.xpath("//script/text()")[0].encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{digest}'")


def test_every_link_leads_somewhere(tmp_path):
    files = build(Bench(tmp_path), ["a", "b"], 40)
    pages = parsed(files)
    for name, page in pages.items():
        for address in page.xpath("//a/@href"):
            if address.startswith("data:text/csv"):
                continue
            path, _, anchor = address.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            assert f"reports/{target}" in files, (name, address)
            if anchor:
                assert anchor in pages[target].xpath("//@id"), (name, address)


def test_pages_are_accessible(tmp_path):
    for name, page in parsed(build(Bench(tmp_path), ["a", "b"], 40)).items():
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), name
        assert len(page.xpath("//h1")) == 1
        for made in page.xpath("//table"):
            assert made.get("aria-labelledby") in ids
            assert made.xpath(".//th[@scope='row']")
        for drawing in page.xpath("//figure//*[local-name()='svg']"):
            assert drawing.get("aria-label")
        for figure in page.xpath("//figure"):
            assert figure.xpath(".//figcaption//h2")
            assert figure.xpath(".//a[contains(@href, '#table-')]")
        levels = [int(e.tag[1]) for e in page.xpath("//main//h1 | //main//h2 | //main//h3 | //main//h4")]
        steps = itertools.pairwise(levels)
        assert all(after - before <= 1 for before, after in steps), (name, levels)


def test_every_table_comes_in_three_forms_with_its_provenance(tmp_path):
    files = build(Bench(tmp_path), ["a", "b"], 40)
    for name in files:
        if name.startswith("reports/tables/") and name.endswith(".json"):
            content = json.loads(files[name].read_text())
            assert content["provenance"]["recipe"] == "0" * 64
            assert len(content["provenance"]["inputs"]) == 64
            for other in ("csv", "md"):
                assert name.replace(".json", f".{other}") in files
            keys = [c["key"] for c in content["columns"]]
            assert files[name.replace(".json", ".csv")].read_text().split("\n")[0].count(",") >= len(keys) - 1


def test_the_same_bytes_from_any_order_and_cut_of_the_partitions(tmp_path):
    rng = random.Random(5)
    texts = ["some words " * rng.randint(0, 2_500) for _ in range(90)]
    languages = rng.choices(["en", "de", "fr"], k=90)
    whole = facts({"read": {"a": count(90)}, "mix": {"a": count(90)}}, ["a"])
    seen = set()
    for trial, cuts in enumerate([[90], [30, 90], [10, 11, 50, 90]]):
        bench = Bench(tmp_path / str(trial))
        bench.root.mkdir()
        starts = [0, *cuts[:-1]]
        pieces = [
            bench.profile(table("a", texts[i:j], languages[i:j]), "a") for i, j in zip(starts, cuts, strict=True)
        ]
        rng.shuffle(pieces)
        merged = bench.run(plan.task("merge", "measure:merge", pieces, "a"))
        files = bench.pages(whole, [merged["profile.parquet"]])
        seen.add(tuple((name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in sorted(files.items())))
    assert len(seen) == 1


def test_rows_of_a_removal_list_are_not_measured(tmp_path):
    import pyarrow as pa

    from pilebuilder.partition import write_table
    from pilebuilder.report.counters import Counters
    from tests.report.made import artifact

    bench = Bench(tmp_path)
    partition = bench.partition(table("a", ["one", "two two", "three"]), "a")
    write_table(pa.table({"id": ["x"], "row": pa.array([1], pa.int32())}), tmp_path / "removal.parquet")
    removal = artifact(tmp_path / "removal.parquet", "removal", tmp_path)
    made = bench.run(scan([partition, removal]))["000-profile.parquet"]
    held = Counters.read([tmp_path / made.path])
    assert held.get("documents") == 2
    assert held.distribution("bytes").total == len("one" + "three")


def test_texts_of_the_largest_clusters_stand_side_by_side(tmp_path):
    import pyarrow as pa

    from pilebuilder.partition import write_table
    from tests.report.made import artifact

    bench = Bench(tmp_path)
    partition = bench.partition(table("a", ["<b>kept</b> text", "removed text", "other"]), "a")
    ids = [f"{i:032x}" for i in range(3)]
    write_table(pa.table({"survivor": [ids[0]], "size": [2], "members": [[ids[1]]]}), tmp_path / "clusters.parquet")
    sizes = {"clusters": 1, "documents": 2, "largest": 2, "sizes": [[2, 1]]}
    clusters = artifact(tmp_path / "clusters.parquet", "clusters", tmp_path, **sizes)
    gone = {"id": [ids[1]], "row": pa.array([1], pa.int32()), "reason": ["minhash"], "similarity": [0.83]}
    write_table(pa.table(gone), tmp_path / "removal.parquet")
    removal = artifact(tmp_path / "removal.parquet", "removal", tmp_path, partition=partition.sha256)
    found = bench.run(plan.task("texts", "ledgers:excerpts", [clusters, partition, removal]))["excerpts.json"]
    made = facts({"read": {"a": count(3)}, "dedup": {"a": count(3, merged=1)}, "mix": {"a": count(2)}}, ["a"])
    page = html.fromstring(bench.pages(made, [clusters, found])["reports/duplicates.html"].read_bytes())
    texts = [e.text for e in page.xpath("//*[@class='texts']//pre")]
    assert texts == ["<b>kept</b> text", "removed text"]
    assert "removed (minhash, similarity 0.83)" in page.text_content()
