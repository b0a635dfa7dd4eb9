"""JATS: rendering, formulas, licences, archives, pandoc's sandbox, hostile and broken files."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from pilebuilder.read import pandoc
from pilebuilder.read.jats import Jats
from pilebuilder.read.licences import cc_licence, family
from pilebuilder.read.mathml import tex
from pilebuilder.read.xml import tree
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

NAME = "PMC7.nxml"
needs_pandoc = pytest.mark.skipif(not pandoc.available(), reason="pandoc is not installed")
BODY = """<body><sec><label>1.</label><title>Methods</title><p>Cells (<xref ref-type="bibr" rid="b1">Roe 2001</xref>) were
 weighed at 10<sup>5</sup> g, <inline-formula><mml:math><mml:msub><mml:mi>m</mml:mi><mml:mn>2</mml:mn></mml:msub><mml:mo>=</mml:mo>
 <mml:mn>3</mml:mn></mml:math></inline-formula><sup><xref rid="b2">2</xref></sup>: <disp-formula><label>(1)</label><tex-math>\\documentclass{article}
\\begin{document}$$E=mc^2$$\\end{document}</tex-math></disp-formula>as shown.<fn><p>A note.</p></fn></p>
<sec><title>Sub &amp; more</title><list list-type="order"><list-item><p>first</p></list-item><list-item><p>second</p><p>more</p>
</list-item></list><disp-quote><p>Quoted.</p></disp-quote></sec>
<fig id="f"><label>Figure 1</label><caption><title>Title.</title><p>Caption <italic>text</italic>.</p></caption><graphic/></fig>
<table-wrap><label>Table 1.</label><caption><p>Numbers.</p></caption><table><tr><td>cell</td></tr></table></table-wrap>
<p>See <ext-link xlink:href="https://x.org">https://x.org/a</ext-link> and <ext-link xlink:href="y">that</ext-link>.</p></sec></body>"""
LICENCE = '<license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>Free.</license-p></license>'


def article(body: str = BODY, licence: str = LICENCE, kind: str = "research-article", ids: str = "") -> bytes:
    ids = ids or '<article-id pub-id-type="pmcid">PMC7</article-id><article-id pub-id-type="doi">10.1/A</article-id>'
    return f"""<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS 1.0//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" article-type="{kind}">
<front><journal-meta><journal-title-group><journal-title>J Cells</journal-title></journal-title-group></journal-meta>
<article-meta>{ids}<title-group><article-title>The <italic>E. coli</italic> weight<xref rid="n">*</xref></article-title></title-group>
<contrib-group><contrib contrib-type="author"><name><surname>Roe</surname><given-names>Ann</given-names></name></contrib>
<contrib contrib-type="editor"><name><surname>No</surname></name></contrib></contrib-group>
<pub-date pub-type="epub"><day>4</day><month>5</month><year>2019</year></pub-date><pub-date><year>2020</year></pub-date>
<permissions><copyright-statement>C 2019</copyright-statement>{licence}</permissions>
<abstract><p>What was found&nbsp;&mdash; much.</p></abstract><abstract abstract-type="graphical"><p>Picture</p></abstract>
</article-meta></front>{body}<back><ack><p>Thanks.</p></ack><ref-list><ref id="b1"/></ref-list>
<app-group><app><title>App A</title><p>Extra.</p></app></app-group></back>
<sub-article><body><p>Letter.</p></body></sub-article></article>""".encode()


GOLDEN = """# The E. coli weight*

## Abstract

What was found — much.

## 1. Methods

Cells (Roe 2001) were weighed at 10^5 g, $m_{2} = 3$2:

$$E=mc^2$$

as shown.

### Sub & more

1. first
2. second
  more

> Quoted.

Figure 1. Title. Caption text.

Table 1. Numbers.

See and that.

## App A

Extra."""


def archive(files: dict[str, bytes], *, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0) if packed else out.getvalue()


def test_golden_rendering(tmp_path: Path) -> None:
    [found] = records(read(Jats(), article(), NAME, tmp_path))
    assert found.text == GOLDEN
    assert (found.key, found.url) == ("pmc:PMC7", "https://pmc.ncbi.nlm.nih.gov/articles/PMC7/")
    assert (found.licence, found.date) == ("CC-BY-4.0", "2019-05-04")
    assert found.meta == {
        "article_type": "research-article", "title": "The E. coli weight*", "authors": ["Roe, Ann"], "journal": "J Cells",
        "pmcid": "PMC7", "doi": "10.1/A", "date": "2019-05-04", "sub_articles": 1, "sections": 2,
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
    }  # fmt: skip


@needs_pandoc
def test_the_pile_rendering(tmp_path: Path) -> None:
    [found] = records(read(Jats(style="pile"), article(), NAME, tmp_path))
    assert "Methods" in found.text
    assert "What was found" not in found.text
    assert not any(line.startswith(":::") for line in found.text.split("\n"))


@needs_pandoc
@pytest.mark.parametrize("source", ["latex", "jats", "html", "rst", "org", "docbook", "markdown"])
def test_pandoc_reaches_no_file(tmp_path: Path, source: str) -> None:
    secret = tmp_path / "secret.tex"
    secret.write_text(CANARY)
    inputs = {
        "latex": "".join(
            f"\\{c}{{{secret}}}\n" for c in ("input", "include", "lstinputlisting", "verbatiminput", "openin")
        )
        + f"\\immediate\\write18{{touch {tmp_path}/made}} text \\csvautotabular{{{secret}}} \\usepackage{{{secret}}}",
        "jats": f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><article><body><p>&x;</p></body></article>',
        "html": f'<iframe src="file://{secret}"></iframe><p>x</p><img src="{secret}">',
        "rst": f".. include:: {secret}\n\n.. csv-table::\n   :file: {secret}\n",
        "org": f'#+INCLUDE: "{secret}"\n\nx',
        "docbook": f'<article xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></article>',
        "markdown": f"---\nbibliography: {secret}\n---\n![]({secret})",
    }
    try:
        out = pandoc.markdown(inputs[source].encode(), source)
    except pandoc.PandocError as error:
        out = error.detail
    assert CANARY not in out
    assert not (tmp_path / "made").exists()


@needs_pandoc
def test_pandoc_is_stopped() -> None:
    endless = b"\\def\\a{\\a\\a}\\a" + b"{" * 100_000
    with pytest.raises(pandoc.PandocError) as caught:
        pandoc.markdown(endless, "latex", seconds=2)
    assert caught.value.reason in ("timeout", "memory", "pandoc_failed")


@pytest.mark.parametrize(
    ("text", "name"),
    [("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"), ("CC BY-NC-ND 4.0", "CC-BY-NC-ND-4.0"),
     ("Creative Commons Attribution-NonCommercial-ShareAlike 3.0 Unported License", "CC-BY-NC-SA-3.0"),
     ("Creative Commons Attribution License (CC BY 4.0)", "CC-BY-4.0"), ("https://creativecommons.org/licenses/by/2.0", "CC-BY-2.0"),
     ("the Creative Commons Attribution License, which permits", "CC-BY"), ("Creative Commons CC0 public domain", "CC0-1.0"),
     ("All rights reserved", None), ("accby", None), ("CC0", "CC0-1.0"), ("Creative Commons Attribution No Derivatives", "CC-BY-ND")],
)  # fmt: skip
def test_licences(text: str, name: str | None) -> None:
    assert cc_licence(text) == name
    assert name is None or not family(name)[-1].isdigit() or name == "CC0-1.0"


def test_reasons_to_skip(tmp_path: Path) -> None:
    closed = article(licence="<license><license-p>All rights reserved.</license-p></license>")
    limited = article(licence='<license xlink:href="http://creativecommons.org/licenses/by-nc/4.0/"/>')
    cases = [
        (article(body=""), "no_body", {}), (article(body="<body><p> </p></body>"), "no_body", {}), (closed, "licence", {}),
        (limited, "licence", {}), (article(kind="retraction"), "article_type", {}),
        (article(), "retracted", {"extra": {"is_retracted": True}}),
        (article(), "historical_ocr", {"extra": {"is_historical_ocr": True}}),
    ]  # fmt: skip
    for data, reason, facts in cases:
        assert skipped(read(Jats(), data, NAME, tmp_path, **facts)) == {reason: 1}
    assert len(records(read(Jats(licences=()), closed, NAME, tmp_path))) == 1
    assert len(records(read(Jats(licences=("CC-BY-NC",)), limited, NAME, tmp_path))) == 1
    stated = read(Jats(), closed, NAME, tmp_path, extra={"license_code": "CC BY"})
    assert records(stated)[0].licence == "CC-BY"


def test_keys_do_not_depend_on_place(tmp_path: Path) -> None:
    doi = '<article-id pub-id-type="doi">10.1/ABC</article-id>'
    older = '<article-id pub-id-type="pmc">7</article-id>'
    found = [records(read(Jats(), article(ids=ids), "x.xml", tmp_path))[0].key for ids in (older, doi, "<x/>")]
    assert found == ["pmc:PMC7", "doi:10.1/abc", "jats:x.xml"]


def test_archives_and_collections(tmp_path: Path) -> None:
    bare = article().split(b'.dtd">\n')[1]
    files = {"P/a.nxml": article(), "P/pic.jpg": b"x", "P/b.nxml": article()[:-30], "P/c.nxml": article(kind="correction"),
             "../../up.nxml": b"<book/>", "P/set.xml": b"<pmc-articleset>" + bare + bare + b"</pmc-articleset>"}  # fmt: skip
    items = read(Jats(), archive(files), "oa.tar.gz", tmp_path)
    assert len(records(items)) == 3
    assert skipped(items) == {"not_named": 1, "article_type": 1}
    assert sorted(reasons(items)) == ["truncated", "wrong_format"]
    assert not (tmp_path.parent / "up.nxml").exists()


def test_cuts(tmp_path: Path) -> None:
    tar = archive({f"{k}.nxml": article() for k in range(3)}, packed=False)
    edges = range(0, len(tar), 512)
    assert_cuts_are_detected(Jats(), article(), NAME, tmp_path)
    assert_cuts_are_detected(Jats(), tar[: -(-len(tar.rstrip(b"\0")) // 512) * 512 + 1024], "oa.tar", tmp_path, edges)
    assert_cuts_are_detected(Jats(), gzip.compress(tar), "oa.tar.gz", tmp_path)


def test_flips_and_wrong_files(tmp_path: Path) -> None:
    assert_flips_are_survived(Jats(), article(), NAME, tmp_path, 200)
    assert_flips_are_survived(Jats(), archive({"a.nxml": article()}), "oa.tar.gz", tmp_path)
    assert_flips_are_survived(Jats(), archive({"a.nxml": article()}, packed=False), "oa.tar", tmp_path, 200)
    for name in (NAME, "oa.tar.gz"):
        assert_wrong_files_are_named(Jats(), name, tmp_path)


def test_hostile_markup(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    entity = article().replace(b'.dtd">', f'.dtd" [<!ENTITY x SYSTEM "file://{secret}">]>'.encode())
    assert reasons(read(Jats(), entity, NAME, tmp_path)) == ["xml_entities"]
    deep = article(body="<body>" + "<sec>" * 1500 + "<p>x</p>" + "</sec>" * 1500 + "</body>")
    assert reasons(read(Jats(), deep, NAME, tmp_path)) == ["too_deep"]
    deeper = article(body="<body>" + "<sec>" * 99_000 + "<p>x</p>" + "</sec>" * 99_000 + "</body>")
    assert reasons(read(Jats(), deeper, NAME, tmp_path)) == ["xml_limit"]
    long = article(body=f"<body><p>{'word ' * 2_400_000}</p></body>")
    assert len(records(read(Jats(), long, NAME, tmp_path))) == 1


@pytest.mark.parametrize(
    ("mathml", "expected"),
    [("<msup><mi>x</mi><mn>2</mn></msup>", "x^{2}"), ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", r"\sqrt{a + b}"),
     ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover>", r"\sum_{i}^{n}"), ("<mi>sin</mi>", r"\mathrm{sin}"),
     ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a,b)"), ("<mo>{</mo>", r"\{"), ("<mfrac><mi>a</mi></mfrac>", "a"),
     ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr></mtable>", r"\begin{matrix}1 & 0\end{matrix}")],
)  # fmt: skip
def test_mathml(mathml: str, expected: str) -> None:
    assert tex(tree(f"<math>{mathml}</math>".encode())) == expected
