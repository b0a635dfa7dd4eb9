"""PubMed: rendering, versions and deletions, the MEDLINE format, hostile and broken files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pilebuilder.read.pubmed import PubMed
from tests.read.hostile import (
    CANARY,
    assert_cuts_are_detected,
    assert_flips_are_survived,
    assert_wrong_files_are_named,
    read,
    reasons,
    records,
    skipped,
)

NAME = "pubmed26n0001.xml.gz"
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle//EN"'
    ' "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
)
ABSTRACT = (
    '<AbstractText Label="AIM" NlmCategory="BACKGROUND">To see if H<sub>2</sub>O &lt; &#946;\n works.'
    "</AbstractText>"
    "<AbstractText>It <i>does</i>, &eacute;vidently.</AbstractText>"
    "<CopyrightInformation>C 2020.</CopyrightInformation>"
)


def article(
    pmid: int, title: str = "[Water works].", abstract: str = ABSTRACT, version: int = 1, pmc: str = "", refs: str = ""
) -> str:
    ids = f'<ArticleId IdType="doi">10.1/{pmid}</ArticleId>' + (
        f'<ArticleId IdType="pmc">{pmc}</ArticleId>' if pmc else ""
    )
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="{version}">{pmid}</PMID>'
        "<DateRevised><Year>2021</Year><Month>02</Month><Day>03</Day></DateRevised><Article><Journal><JournalIssue>"
        "<PubDate><Year>2020</Year><Month>May</Month></PubDate></JournalIssue><Title>J Water</Title></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>{f'<Abstract>{abstract}</Abstract>' if abstract else ''}"
        "<AuthorList><Author><LastName>Roe</LastName><ForeName>Ann B</ForeName><Initials>AB</Initials></Author>"
        "<Author><CollectiveName>The Group</CollectiveName></Author></AuthorList><Language>eng</Language>"
        "<PublicationTypeList><PublicationType>Journal Article</PublicationType></PublicationTypeList></Article>"
        "<MeshHeadingList><MeshHeading><DescriptorName UI='y'>Water</DescriptorName></MeshHeading></MeshHeadingList>"
        '<OtherAbstract Type="Publisher" Language="fre"><AbstractText>Autre.</AbstractText></OtherAbstract>'
        "<InvestigatorList><Investigator><LastName>No</LastName></Investigator></InvestigatorList></MedlineCitation>"
        f"<PubmedData><ArticleIdList>{ids}</ArticleIdList>{refs}</PubmedData></PubmedArticle>\n"
    )


REFERENCES = (
    '<ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC9</ArticleId></ArticleIdList></Reference>'
    "</ReferenceList>"
)


def file(*articles: str, head: str = HEAD, tail: str = "</PubmedArticleSet>\n") -> bytes:
    return gzip.compress((head + "".join(articles) + tail).encode(), mtime=0)


def test_golden_rendering(tmp_path: Path) -> None:
    [found] = records(read(PubMed(), file(article(7, refs=REFERENCES)), NAME, tmp_path))
    assert found.text == "Water works\n\nAIM: To see if H2O < β works.\n\nIt does, évidently."
    assert found.key == "pubmed:7"
    assert found.url == "https://pubmed.ncbi.nlm.nih.gov/7/"
    assert found.date == "2020-05"
    assert found.meta == {
        "pmid": 7, "version": 1, "doi": "10.1/7", "journal": "J Water", "year": 2020, "revised": "2021-02-03",
        "authors": ["Roe, Ann B", "The Group"], "language": ["eng"], "publication_types": ["Journal Article"],
        "mesh": ["Water"], "labels": ["AIM"], "copyright": "C 2020.",
    }  # fmt: skip


def test_the_pile_rendering_and_its_bug(tmp_path: Path) -> None:
    [found] = records(read(PubMed(style="pile"), file(article(7)), NAME, tmp_path))
    assert found.text == "[Water works].\nTo see if H2O < β works. It does, évidently."
    cited = read(PubMed(style="pile"), file(article(7, refs=REFERENCES)), NAME, tmp_path)
    assert skipped(cited) == {"in_pmc": 1}


def test_reasons_to_skip(tmp_path: Path) -> None:
    data = file(
        article(1, title=""), article(2, abstract=""), article(3, abstract="<AbstractText/>"), article(4, pmc="PMC1"),
        article(5, abstract="<AbstractText>Short. (ABSTRACT TRUNCATED AT 250 WORDS)</AbstractText>"),
    )  # fmt: skip
    items = read(PubMed(), data, NAME, tmp_path)
    assert [item.text for item in records(items)] == ["Water works\n\nShort."]
    assert skipped(items) == {"no_title": 1, "no_abstract": 1, "empty_abstract": 1, "in_pmc": 1}
    assert len(records(read(PubMed(drop_pmc=False), data, NAME, tmp_path))) == 2


def test_versions_and_deletions(tmp_path: Path) -> None:
    pmids = "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in (5, 3, 9))
    orders = f"<DeleteCitation>{pmids}</DeleteCitation>"
    versions = [article(1, "V1"), article(3), article(1, "V3", version=3), article(1, "V2", version=2)]
    data = file(*versions, article(4, "old"), article(4, "new"), orders)
    items = read(PubMed(), data, NAME, tmp_path)
    assert [item.text.split("\n")[0] for item in records(items)] == ["V3", "new"]
    assert skipped(items) == {"superseded": 3, "deleted": 1, "deletion": 3}
    assert {i.key for i in items if getattr(i, "reason", "") == "deletion"} == {"pubmed:5", "pubmed:3", "pubmed:9"}


def test_the_medline_format(tmp_path: Path) -> None:
    text = (
        b"\nPMID- 16403221\nOWN - NLM\nDP  - 2006 Jan\nTI  - A high level interface\n      to SCOP.\n"
        b"AB  - Benchmarking is\n      hard.\nFAU - Roe, Ann\nJT  - J Bio\nAID - 10.1/x [doi]\n\n"
        b"PMID- 5\nTI  - None.\n\nPMID- x\nTI  - No.\n"
    )
    items = read(PubMed(), text, "result.txt", tmp_path)
    [found] = records(items)
    assert found.text == "A high level interface to SCOP.\n\nBenchmarking is hard."
    assert (found.date, found.meta["doi"], found.meta["authors"]) == ("2006-01", "10.1/x", ["Roe, Ann"])
    assert skipped(items) == {"no_abstract": 1}
    assert reasons(items) == ["parse_error"]
    assert_cuts_are_detected(PubMed(), text.split(b"\n\nPMID- 5")[0], "result.txt", tmp_path, by_length=True)


def test_cuts(tmp_path: Path) -> None:
    data = file(*map(article, range(1, 20)))
    plain = gzip.decompress(data)
    edges = [plain.index(f'"1">{k}<'.encode()) - 80 for k in range(1, 20)]
    assert_cuts_are_detected(PubMed(), data, NAME, tmp_path)
    assert_cuts_are_detected(PubMed(), plain, "pubmed.xml", tmp_path, edges)


def test_flips_and_wrong_files(tmp_path: Path) -> None:
    data = file(*map(article, range(1, 5)))
    assert_flips_are_survived(PubMed(), data, NAME, tmp_path)
    assert_flips_are_survived(PubMed(), gzip.decompress(data), "pubmed.xml", tmp_path, 150)
    assert_wrong_files_are_named(PubMed(), NAME, tmp_path)
    assert_wrong_files_are_named(PubMed(), "pubmed.xml", tmp_path)


def test_one_bad_citation_costs_one(tmp_path: Path) -> None:
    broken = [article(2).replace("</ArticleTitle>", ""), article(3).replace("</PubmedArticle>", ""),
              article(4).replace("<PMID", "<PIMD"), "junk", article(6).replace("It <i>", "It \udcff<i>")]  # fmt: skip
    whole = (HEAD + article(1) + "".join(broken) + article(5) + "</PubmedArticleSet>").encode(
        "utf-8", "surrogateescape"
    )
    items = read(PubMed(), whole, "pubmed.xml", tmp_path)
    assert [item.key for item in records(items)] == ["pubmed:1", "pubmed:5"]
    assert reasons(items) == ["parse_error"] * 4 + ["bad_utf8"]


@pytest.mark.parametrize("declaration", ['<!ENTITY x SYSTEM "file://{}">', '<!ENTITY % p SYSTEM "file://{}"> %p;'])
def test_declared_entities_are_refused(tmp_path: Path, declaration: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    head = HEAD.replace(">\n<PubmedArticleSet", " [" + declaration.format(secret) + "]>\n<PubmedArticleSet")
    items = read(PubMed(), file(article(1, title="&x;"), head=head), NAME, tmp_path)
    assert reasons(items) == ["xml_entities"]
    assert not records(items)


def test_a_citation_beyond_the_limit_is_left_out_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pilebuilder.read.xml as xml

    monkeypatch.setattr(xml.splits, "__kwdefaults__", {"limit": 1 << 21})
    big = article(1, abstract=f"<AbstractText>{'a ' * (3 << 20)}</AbstractText>")
    data = (HEAD + big + article(2) + "</PubmedArticleSet>").encode()
    items = read(PubMed(), data, "pubmed.xml", tmp_path)
    assert reasons(items) == ["too_large"]
    assert [item.key for item in records(items)] == ["pubmed:2"]
