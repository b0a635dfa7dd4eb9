"""The cards: complete, true to the paper's table, and local where they must be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pilebuilder import registry
from pilebuilder.card import card_files, load_card
from pilebuilder.fetch import catalog
from pilebuilder.fetch.base import Want
from pilebuilder.fetch.web import Web

# Gao et al. 2020, table 1: raw GiB, weight %, epochs, effective GiB, mean KiB; then documents and bytes.
TABLE = """
pile-cc|Pile-CC|227.12|18.11|1|227.12|4.33|54953117|243872121726
pubmed-central|PubMed Central|90.27|14.40|2|180.55|30.55|3098931|96929951580
books3|Books3|100.96|12.07|1.5|151.44|538.36|196640|108404259563
openwebtext2|OpenWebText2|62.77|10.01|2|125.54|3.85|17103059|67396380547
arxiv|ArXiv|56.21|8.96|2|112.42|46.61|1264405|60353358395
github|Github|95.16|7.59|1|95.16|5.25|19021454|102180233200
freelaw|FreeLaw|51.15|6.12|1.5|76.73|15.06|3562015|54923939791
stackexchange|StackExchange|32.20|5.13|2|64.39|2.16|15622475|34571286358
uspto-backgrounds|USPTO Backgrounds|22.90|3.65|2|45.81|4.08|5883037|24593538339
pubmed-abstracts|PubMed Abstracts|19.26|3.07|2|38.53|1.30|15518009|20684050384
gutenberg|Gutenberg (PG-19)|10.88|2.17|2.5|27.19|398.73|28602|11678184672
opensubtitles|OpenSubtitles|12.98|1.55|1.5|19.47|30.48|446612|13940478112
wikipedia-en|Wikipedia (en)|6.38|1.53|3|19.13|1.11|6033151|6847462907
dm-mathematics|DM Mathematics|7.75|1.24|2|15.49|8.00|1014997|8316165951
ubuntu-irc|Ubuntu IRC|5.52|0.88|2|11.03|545.48|10605|5923631555
bookcorpus2|BookCorpus2|6.30|0.75|1.5|9.45|369.87|17868|6767414779
europarl|EuroParl|4.59|0.73|2|9.17|68.87|69814|4923130035
hackernews|HackerNews|3.90|0.62|2|7.80|4.92|831198|4185091916
youtubesubtitles|YoutubeSubtitles|3.73|0.60|2|7.47|22.55|173651|4010420381
philpapers|PhilPapers|2.38|0.38|2|4.76|73.37|33990|2553543227
nih-exporter|NIH ExPorter|1.89|0.30|2|3.79|2.11|939661|2034579138
enron-emails|Enron Emails|0.88|0.14|2|1.76|1.78|517401|945212874
"""
# Table 5: terms of service, author. Access by what is right today.
CONSENT = """
pile-cc yes no open|pubmed-central yes yes open|books3 no no local_only|openwebtext2 no no opt_in|arxiv yes yes open
github yes no open|freelaw yes yes open|stackexchange yes yes open|uspto-backgrounds yes yes open
pubmed-abstracts yes yes open|gutenberg yes no open|opensubtitles no no opt_in|wikipedia-en yes yes open
dm-mathematics yes yes open|ubuntu-irc yes yes open|bookcorpus2 no no local_only|europarl yes yes open
hackernews yes no open|youtubesubtitles no no opt_in|philpapers yes yes opt_in|nih-exporter yes yes open
enron-emails yes no open
"""
ROWS = [line.split("|") for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_figures(row):
    card = load_card(row[0])
    figures = card.pile
    assert card.name == row[1]
    assert [figures.raw_gib, figures.weight_percent, figures.epochs] == [float(x) for x in row[2:5]]
    assert [figures.effective_gib, figures.mean_kib] == [float(x) for x in row[5:7]]
    assert [figures.documents, figures.bytes] == [int(x) for x in row[7:]]
    assert card.epochs == figures.epochs


def test_all_22_and_their_sums():
    assert len(ROWS) == 22
    cards = [load_card(r[0]) for r in ROWS]
    assert sum(c.pile.documents for c in cards) == 146_340_692
    assert abs(sum(c.pile.raw_gib for c in cards) - 825.18) < 0.1
    assert abs(sum(c.pile.weight_percent for c in cards) - 100) < 0.1


@pytest.mark.parametrize("text", CONSENT.replace("\n", "|").strip("|").split("|"))
def test_consent_and_access(text):
    name, terms, author, access = text.split()
    card = load_card(name)
    assert (card.consent.public, card.consent.terms, card.consent.author) == (True, terms == "yes", author == "yes")
    assert card.access == access
    if access == "opt_in":
        assert card.terms


@pytest.mark.parametrize("name", sorted(card_files()))
def test_every_card_is_complete_and_its_parts_exist(name):
    card = load_card(name)
    kind, params = catalog._named(card.fetch)
    registry.make("fetcher", kind, params)
    assert registry.part("fetcher", kind).summary
    assert all((card.title, card.description, card.homepage, card.upstream, card.personal_data))
    assert card.licence.evidence
    assert card.licence.spdx or card.licence.text
    if card.pile:
        assert card.citation
        assert card.languages
    assert card.name in catalog.show(name)


@pytest.mark.parametrize("name", ["books3", "bookcorpus2"])
def test_local_only_cards_cannot_open_a_connection(name, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a local-only card opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    card = load_card(name)
    kind, params = catalog._named(card.fetch)
    assert kind == "local"
    assert params["acknowledge_rights"] is False
    assert not any(u.startswith("http") for u in card.upstream)
    (tmp_path / "a.txt").write_text("text")
    fetcher = registry.make("fetcher", kind, {**params, "path": str(tmp_path), "acknowledge_rights": True})
    assert fetcher.network is False
    with Web.open() as web:
        items = list(fetcher.discover(web, Want()))
        assert fetcher.fetch(items[0], tmp_path / "t", web).bytes == 4


def test_the_local_fetcher_imports_no_network_code():
    from pilebuilder.fetch import local

    text = Path(local.__file__).read_text()
    imports = [line for line in text.splitlines() if "import" in line and not line.startswith("    from")]
    assert not any(word in line for line in imports for word in ("urllib3", "http", "socket", "bring", "transfer"))


def test_the_table_lists_all():
    text = catalog.table(catalog.rows())
    assert all(r[1] in text for r in ROWS)
    assert len(text.splitlines()) == len(card_files()) + 1


def test_an_unknown_card_names_the_nearest():
    with pytest.raises(Exception, match="did you mean 'gutenberg'"):
        catalog.show("gutenburg")


def test_the_pile_recipe_names_all_22(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("USPTO_API_KEY", raising=False)
    from pilebuilder.card import data_folder

    found = list(catalog.preview(data_folder("pipelines") / "pile.yaml", ask=False))
    assert [f.name for f in found] == [r[1] for r in ROWS]
    needs = {f.name: " ".join(f.missing) for f in found if f.missing}
    assert set(needs) == {
        "Books3", "OpenWebText2", "Github", "USPTO Backgrounds", "OpenSubtitles", "BookCorpus2", "YoutubeSubtitles",
        "PhilPapers",
    }  # fmt: skip
    assert "GITHUB_TOKEN" in needs["Github"]
    assert "accept_terms: true" in needs["OpenSubtitles"]
    assert "acknowledge_rights: true" in needs["Books3"]


def test_check_names_what_is_missing_without_asking(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an upstream was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("USPTO_API_KEY", raising=False)
    found = list(catalog.check(["uspto-backgrounds", "opensubtitles", "books3", "youtubesubtitles"]))
    assert not any(f.ready for f in found)
    assert all("needs" in f.line() for f in found)
