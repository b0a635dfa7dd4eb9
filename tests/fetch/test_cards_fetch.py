"""Every card that fetches from a network, against its upstream on loopback: only the host is another."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from pilebuilder.card import card_files, load_card
from pilebuilder.fetch import catalog
from pilebuilder.fetch.clock import FakeClock
from pilebuilder.fetch.connect import ALLOW_PRIVATE
from tests.fetch import upstreams, upstreams_api
from tests.fetch.server import Server, running
from tests.fetch.support import Outcome, recipe, run

MAKERS = {
    "arxiv": upstreams_api.arxiv,
    "dm-mathematics-released": upstreams.dm_mathematics_released,
    "enron-emails": upstreams.enron_emails,
    "europarl": upstreams.europarl,
    "freelaw": upstreams.freelaw,
    "github": upstreams_api.github,
    "gutenberg": upstreams.gutenberg,
    "hackernews": upstreams_api.hackernews,
    "nih-exporter": upstreams.nih_exporter,
    "opensubtitles": upstreams.opensubtitles,
    "philpapers": upstreams_api.philpapers,
    "pile-cc": upstreams.pile_cc,
    "pubmed-abstracts": upstreams.pubmed_abstracts,
    "pubmed-central": upstreams.pubmed_central,
    "stackexchange": upstreams.stackexchange,
    "ubuntu-irc": upstreams.ubuntu_irc,
    "uspto-backgrounds": upstreams.uspto,
    "wikipedia-en": upstreams.wikipedia_en,
}
ELSEWHERE = {"arxiv-bulk", "openwebtext2", "youtubesubtitles"}
"""Tested in files of their own: they need an S3 server, Reddit dumps, and yt-dlp."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr("pilebuilder.fetch.web.Clock", lambda: clock)
    return clock


@pytest.fixture
def elsewhere(server: Server, monkeypatch: pytest.MonkeyPatch):
    with running() as found:
        monkeypatch.setenv(ALLOW_PRIVATE, f"{server.netloc},{found.netloc}")
        yield found


class Site:
    """A card with its upstream on loopback."""

    def __init__(self, card: str, server: Server, elsewhere: Server, folder: Path, monkeypatch) -> None:
        self.card, self.server, self.elsewhere, self.folder = card, server, elsewhere, folder
        maker = MAKERS[card]
        self.upstream = maker(elsewhere) if card == "uspto-backgrounds" else maker()
        self.mirrors = self.upstream.install(server)
        for name, value in self.upstream.keys.items():
            monkeypatch.setenv(name, value)

    def recipe(self, take: str = "", more: str = ""):
        lines = [f"card: {self.card}", "accept_terms: true", "read: jsonl", self.upstream.recipe, take, more]
        entry = "\n    ".join(line for line in lines if line)
        fetch = json.dumps({"mirrors": self.mirrors, "contact": "tests@example.org"})
        return recipe(f"name: t\nfetch: {fetch}\ncomponents:\n  - {entry}\n", self.folder)

    def run(self, out: str = "out", **kind: str) -> Outcome:
        return run(self.recipe(**kind), self.folder / out)


@pytest.fixture
def site(server, elsewhere, tmp_path, monkeypatch):
    return lambda card: Site(card, server, elsewhere, tmp_path, monkeypatch)


def names_network_cards() -> set[str]:
    return {f for f, p in card_files().items() if _network(load_card(str(p)))}


def _network(card) -> bool:
    from pilebuilder import registry

    kind, params = catalog._named(card.fetch)
    return bool(registry.make("fetcher", kind, params).network)


def test_no_network_card_is_left_out():
    assert names_network_cards() == set(MAKERS) | ELSEWHERE


@pytest.mark.parametrize("card", sorted(set(MAKERS) - {"opensubtitles", "philpapers"}))
def test_a_whole_component(card, site):
    here = site(card)
    out = here.run()
    assert out.reasons() == {}
    found = {row["name"]: out.content(row["name"]) for row in out.rows()}
    assert found == here.upstream.files
    asked = len(here.server.asked)
    assert here.run().ran == []
    again = here.run("another")
    assert len(here.server.asked) - asked < asked, "what the store holds must not be fetched again"
    assert [r["sha256"] for r in again.rows()] == [r["sha256"] for r in out.rows()]
    assert all("tests@example.org" in a.headers["user-agent"] for a in here.server.asked)


def test_philpapers_records(site):
    here = site("philpapers")
    out = here.run()
    assert sorted(out.names()) == sorted(here.upstream.files)
    for name, part in here.upstream.files.items():
        assert part in out.content(name)
    assert out.content("2024-01-01_2024-01-31.xml").count(b"<record>") == 3
    dropped = out.manifests[1].tally["PhilPapers"].dropped
    assert dropped == {"no_records": 1}


def test_opensubtitles_whole_and_sampled(site):
    here = site("opensubtitles")
    whole = here.upstream.files["en.zip"]
    assert here.run().content("en.zip") == whole
    out = here.run("sample", take="take: 20 KB")
    assert 0 < len(out.rows()) < 3
    for row in out.rows():
        with zipfile.ZipFile(io.BytesIO(out.content(row["name"]))) as archive:
            assert len(archive.namelist()) <= 50
            for name in archive.namelist():
                assert archive.read(name) == here.upstream.files[name]


def test_a_damaged_member_is_noticed(site):
    here = site("opensubtitles")
    content = bytearray(here.upstream.files["en.zip"])
    content[5000:5200] = bytes(200)
    here.server.routes["/object.pouta.csc.fi/OPUS-OpenSubtitles/v2018/raw/en.zip"] = upstreams.serve(bytes(content))
    out = here.run(take="take: 200 KB")
    assert set(out.reasons().values()) <= {"checksum_mismatch", "wrong_format"}
    assert out.reasons()


def test_pile_cc_sample_is_whole_records(site):
    here = site("pile-cc")
    path = next(iter(here.upstream.files))
    big, _ = upstreams.pages(300, path)
    assert len(big) > 65536
    for name in here.upstream.files:
        here.server.routes[f"/data.commoncrawl.org/{name}"] = upstreams.serve(big)
    out = here.run(take="take: 2 files")
    assert len(out.rows()) == 2
    from fastwarc.warc import ArchiveIterator

    for row in out.rows():
        content = out.content(row["name"])
        assert big.startswith(content)
        assert len(content) <= 65536
        assert len(list(ArchiveIterator(io.BytesIO(content)))) == json.loads(row["extra"])["records"]


def test_pages_through_the_index(site):
    here = site("pile-cc")
    archive, found = upstreams.pages(12, X_Robots_Tag="noai")
    here.server.routes["/data.commoncrawl.org/w.warc.gz"] = upstreams.serve(archive)

    def answer(asked):
        if "showNumPages" in asked.query:
            return asked.reply(200, b'{"pages": 1, "pageSize": 5, "blocks": 1}')
        rows = [
            {"urlkey": "x", "timestamp": "2026", "url": u, "mime": "text/html", "status": "200", "digest": "D",
             "length": str(n), "offset": str(o), "filename": "w.warc.gz", "languages": "eng" if i % 2 == 0 else "deu"}
            for i, (u, o, n, _) in enumerate(found)
        ]  # fmt: skip
        return asked.reply(200, "\n".join(map(json.dumps, rows)).encode())

    here.server.routes["/index.commoncrawl.org/CC-MAIN-2026-39-index"] = answer
    here.upstream.recipe = 'fetch: {common-crawl: {match: ["*.example/*"], languages: [eng], captures: 50}}'
    out = here.run()
    (row,) = out.rows()
    extra = json.loads(row["extra"])
    assert (extra["records"], extra["opted_out"]) == (5, 1)
    assert out.content(row["name"]) == b"".join(m for i, (_, _, _, m) in enumerate(found) if i % 2 == 0 and i > 0)


def test_the_licence_rules_are_counted(site):
    out = site("pubmed-central").run()
    assert out.manifests[1].tally["PubMed Central"].dropped == {
        "licence": 2,
        "is_retracted": 1,
        "is_historical_ocr": 1,
    }


def test_the_key_goes_to_its_host_only(site):
    here = site("uspto-backgrounds")
    here.run()
    assert here.elsewhere.asked
    assert all("hush" not in str(a.headers) for a in here.elsewhere.asked)
    work = [p for p in (here.folder / "out").rglob("*") if p.is_file()] + list((here.folder / "store").rglob("*.json"))
    assert not any(b"hush" in p.read_bytes() for p in work)


def test_a_missing_key_is_named(site, monkeypatch):
    here = site("uspto-backgrounds")
    monkeypatch.delenv("USPTO_API_KEY")
    out = here.run()
    (row,) = out.quarantine()
    assert row["reason"] == "no_credential"
    assert "USPTO_API_KEY" in row["detail"]
    assert here.server.asked == []
    monkeypatch.setenv("USPTO_API_KEY", "hush")
    assert len(here.run().rows()) == 2, "the next run must try again"


@pytest.mark.parametrize("card", sorted(MAKERS))
def test_preview_says_what_would_be_fetched(card, site):
    here = site(card)
    take = "" if card == "pile-cc" else "take: 50 MB"
    path = here.recipe(take=take).path
    lines = [f"card: {card}", "accept_terms: true", here.upstream.recipe, take]
    path.write_text("components:\n  - " + "\n    ".join(line for line in lines if line) + "\n")
    (finding,) = catalog.preview(path, policy={"mirrors": here.mirrors})
    assert finding.problem == ""
    assert finding.answers
    assert 0 < finding.items <= max(8, len(here.upstream.files))
    assert "would fetch" in finding.line()


def test_check_of_a_card_as_it_is(site):
    here = site("stackexchange")
    (finding,) = catalog.check(["stackexchange"], policy={"mirrors": here.mirrors})
    assert (finding.answers, finding.items, finding.bytes) == (True, 3, 3 * 906)
    for route in list(here.server.routes):
        here.server.routes[route] = upstreams.say(b"", 503)
    (finding,) = catalog.check(["stackexchange"], policy={"mirrors": here.mirrors, "tries": 2})
    assert finding.answers is False
    assert "503" in finding.line()


@pytest.mark.parametrize(
    "card", ["stackexchange", "pubmed-abstracts", "gutenberg", "freelaw", "wikipedia-en", "pile-cc"]
)
def test_an_html_page_instead_of_the_listing(card, site):
    here = site(card)
    page = b"<!DOCTYPE html><html><body><h1>We are down</h1></body></html>"
    for route in list(here.server.routes):
        here.server.routes[route] = upstreams.say(page)
    out = here.run()
    (row,) = out.quarantine()
    assert row["reason"] in ("bad_listing", "wrong_format", "incomplete_upstream")
    assert row["file"] == "(listing)"
    assert out.rows() == []


def test_a_wrong_checksum_is_named_and_the_others_go_on(site):
    here = site("pubmed-abstracts")
    here.server.routes["/ftp.ncbi.nlm.nih.gov/pubmed/baseline/pubmed26n0002.xml.gz"] = upstreams.serve(
        b"\x1f\x8bwrong"
    )
    out = here.run()
    assert out.reasons() == {"pubmed26n0002.xml.gz": "checksum_mismatch"}
    assert len(out.rows()) == 2


def test_a_newer_snapshot_fetches_only_what_is_new(site):
    here = site("pubmed-abstracts")
    here.run()
    folder = "/ftp.ncbi.nlm.nih.gov/pubmed/baseline/"
    new = upstreams.gzip.compress(b"new")
    names = [*here.upstream.files, "pubmed26n0004.xml.gz"]
    here.server.routes[folder] = upstreams.say(upstreams.index(names))
    here.server.routes[folder + names[-1]] = upstreams.serve(new)
    sums = f"MD5({names[-1]})= {upstreams.hashlib.md5(new).hexdigest()}\n".encode()
    here.server.routes[f"{folder}{names[-1]}.md5"] = upstreams.say(sums)
    assert len(here.run().rows()) == 3, "the recorded listing holds until another is asked for"
    here.server.asked.clear()
    plan = here.recipe()
    object.__setattr__(plan, "stages", {"fetch": plan.stages["fetch"].model_copy(update={"refresh": "october"})})
    out = run(plan, here.folder / "out")
    assert len(out.rows()) == 4
    files = [p for p in here.server.paths() if p.endswith(".gz")]
    assert files == [folder + names[-1]]


def test_a_site_that_opts_out_is_left_alone(site):
    here = site("ubuntu-irc")
    robots = upstreams.say(b"User-agent: GPTBot\nDisallow: /\n")
    here.server.routes["/robots.txt"] = here.server.routes["/irclogs.ubuntu.com/robots.txt"] = robots
    out = here.run()
    (row,) = out.quarantine()
    assert row["reason"] == "opted_out"
    assert "gptbot" in row["detail"]
    assert not any("2004" in p for p in here.server.paths())


def test_politeness_one_request_at_a_time_and_spaced(site, no_waiting):
    here = site("stackexchange")
    here.run()
    assert here.server.most_live == 1
    assert no_waiting.slept.count(1.0) >= len(here.server.asked) - 1
