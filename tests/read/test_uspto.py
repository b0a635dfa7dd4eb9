"""US patents: the background in every form, what ends it, concatenated documents, hostile and broken files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pilebuilder.read.uspto import Uspto, documents
from pilebuilder.read.uspto_aps import signs
from pilebuilder.read.uspto_text import Block, Patent, background, iso_date, number_of
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

APS = b"""PATN
WKU  039373754
SRC  5
APN  5184541
APT  1
ISD  19760210
TTL  Bumper for 2.times.4
      boats
INVT
NAM  Daniels; Everette E.
CTY  Des Moines
ASSG
NAM  Boats Inc.
CLAS
OCL  224 4207
BSUM
PAC  CROSS REFERENCE TO RELATED APPLICATIONS
PAR  None.
PAC  BACKGROUND OF THE INVENTION
PAC  Field
PAR  At 50.degree. C. boats
      float##EQU1## on H.sub.2 O.
PAC  BRIEF DESCRIPTION OF THE PRIOR ART
PA1  They sink.
PAC  SUMMARY OF THE INVENTION
PAR  They float.
DETD
PAR  A boat.
"""
APS_BARE = (
    b"PATN\nWKU  D02000017\nAPT  4\nTTL  Bowl\nISD  19770000\nBSUM\nPAR  Bowls are round.\nCLMS\nPAR  1. A bowl.\n"
)
V4 = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE us-patent-grant SYSTEM "us-patent-grant-v45-2014-04-03.dtd" [ ]>
<us-patent-grant file="US08930553-20150106.XML"><us-bibliographic-data-grant><publication-reference><document-id><country>US</country>
<doc-number>08930553</doc-number><kind>B2</kind><date>20150106</date></document-id></publication-reference>
<application-reference><document-id><doc-number>13648029</doc-number></document-id></application-reference>
<classifications-ipcr><classification-ipcr><section>G</section><class>06</class><subclass>F</subclass><main-group>15</main-group><subgroup>16</subgroup></classification-ipcr></classifications-ipcr>
<invention-title>Managing <i>napkins</i></invention-title><us-parties><inventors><inventor><addressbook><last-name>Roe</last-name><first-name>Ann</first-name></addressbook></inventor></inventors></us-parties>
<assignees><assignee><addressbook><orgname>Napkin Corp</orgname></addressbook></assignee></assignees></us-bibliographic-data-grant>
<abstract><p>No.</p></abstract><description id="d"><?BRFSUM description="Brief Summary" end="lead"?>
<heading level="1">TECHNICAL FIELD</heading><p num="1">Napkins.</p>
<heading level="1">BACKGROUND OF THE INVENTION</heading>
<heading level="2">1. Field of the Invention</heading><p num="2">The invention&nbsp;relates to <b>napkins</b>.</p>
<heading level="2">2. Related Art</heading><p num="3">Known: <maths id="m"><math><mi>x</mi></math></maths><tables><table><row>1</row></table></tables></p>
<heading level="1">SUMMARY</heading><p num="4">Better.</p><?BRFSUM description="Brief Summary" end="tail"?>
<heading level="1">DETAILED DESCRIPTION</heading><p>Long.</p></description></us-patent-grant>
"""
V2 = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE PATDOC SYSTEM "ST32-US-Grant-025xml.dtd" [
<!ENTITY D0.TIF SYSTEM "D0.TIF" NDATA TIF>
]>
<PATDOC DTD="2.5"><SDOBI><B100><B110><DNUM><PDAT>06336130</PDAT></DNUM></B110><B130><PDAT>B1</PDAT></B130><B140><DATE><PDAT>20020101</PDAT></DATE></B140></B100>
<B540><STEXT><PDAT>Servers</PDAT></STEXT></B540><B720><B721><PARTY-US><NAM><FNM><PDAT>Thanh</PDAT></FNM><SNM><STEXT><PDAT>Do</PDAT></STEXT></SNM></NAM></PARTY-US></B721></B720></SDOBI>
<SDODE><RELAPP><BTEXT><PARA><PTEXT><PDAT>Of 1997.</PDAT></PTEXT></PARA></BTEXT></RELAPP><BRFSUM><BTEXT><H LVL="1"><STEXT><PDAT>BACKGROUND</PDAT></STEXT></H>
<PARA ID="P-2"><PTEXT><PDAT>Servers &ldquo;serve&rdquo; &agr;.</PDAT></PTEXT></PARA><H LVL="1"><STEXT><PDAT>OBJECTS OF THE INVENTION</PDAT></STEXT></H><PARA><PTEXT><PDAT>To serve.</PDAT></PTEXT></PARA></BTEXT></BRFSUM></SDODE></PATDOC>
"""
V1 = b"""<!DOCTYPE simple PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<patent-application-publication><subdoc-bibliographic-information><document-id><doc-number>20010000044</doc-number><kind-code>A1</kind-code><document-date>20010315</document-date></document-id>
<title-of-invention>Shops</title-of-invention></subdoc-bibliographic-information><subdoc-description><summary-of-invention><section><heading>Summary</heading><paragraph>Later.</paragraph></section></summary-of-invention>
<background-of-invention><section><heading>Field</heading><paragraph id="P-1"><number>&lsqb;0001&rsqb;</number> Shops sell.</paragraph></section></background-of-invention></subdoc-description></patent-application-publication>
"""
SEQUENCE = b'<?xml version="1.0"?>\n<!DOCTYPE sequence-cwu SYSTEM "x.dtd" [ ]>\n<sequence-cwu id="s"><table-cwu/></sequence-cwu>\n'
GOLDEN_V4 = (
    "BACKGROUND OF THE INVENTION\n\n1. Field of the Invention\n\nThe invention relates to napkins.\n\n2. Related Art\n\n"
    "Known: [equation] [table]"
)


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


WEEK = V4 + SEQUENCE + V4.replace(b"08930553", b"D0680087").replace(b"B2<", b"S1<").replace(b"<heading", b"<x").replace(
    b"</heading", b"</x").replace(b"<p ", b"<q ").replace(b"</p>", b"</q>").replace(b"<p>", b"<q>")  # fmt: skip


@pytest.mark.parametrize(
    ("data", "key", "date", "clean", "pile"),
    [
        (APS, "US3937375A", "1976-02-10", "BACKGROUND OF THE INVENTION\n\nField\n\nAt 50° C. boats float[equation] on H2 O.\n\n"
         "BRIEF DESCRIPTION OF THE PRIOR ART\n\nThey sink.", None),
        (APS_BARE, "USD200001S", "1977", "Bowls are round.", None),
        (V4, "US8930553B2", "2015-01-06", GOLDEN_V4, None),
        (V4.replace(b"<heading level=\"2\">1. Field of the Invention</heading>", b""), "US8930553B2", "2015-01-06",
         GOLDEN_V4.replace("1. Field of the Invention\n\n", ""), "The invention relates to napkins."),
        (V2, "US6336130B1", "2002-01-01", "BACKGROUND\n\nServers “serve” α.", "Servers “serve” α.\nTo serve."),
        (V1, "US20010000044A1", "2001-03-15", "Field\n\nShops sell.", None),
    ],
)  # fmt: skip
def test_golden_renderings(tmp_path: Path, data: bytes, key: str, date: str, clean: str, pile: str | None) -> None:
    [found] = records(read(Uspto(), data, "p.txt", tmp_path))
    assert (found.key, found.date, found.text) == (f"uspto:{key}", date, clean)
    original = read(Uspto(style="pile"), data, "p.txt", tmp_path)
    assert [item.text for item in records(original)] == ([pile] if pile else [])
    assert skipped(original) == ({} if pile else {"no_background": 1})


def test_facts(tmp_path: Path) -> None:
    [aps], [v4], [v2] = (records(read(Uspto(), data, "p.txt", tmp_path)) for data in (APS, V4, V2))
    assert aps.meta == {
        "number": "3937375", "kind": "A", "date": "1976-02-10", "title": "Bumper for 2×4 boats", "format": "aps",
        "inventors": ["Daniels; Everette E."], "assignees": ["Boats Inc."], "classes": ["224 4207"], "application_number": "5184541",
    }  # fmt: skip
    assert v4.meta == {
        "number": "8930553", "kind": "B2", "date": "2015-01-06", "title": "Managing napkins", "inventors": ["Roe, Ann"],
        "assignees": ["Napkin Corp"], "classes": ["G06F 15/16"], "application_number": "13648029", "format": "v4",
    }  # fmt: skip
    assert v2.meta["inventors"] == ["Do, Thanh"]


def test_many_documents_in_one_file(tmp_path: Path) -> None:
    for data, name in ((WEEK, "ipg.xml"), (packed({"ipg.xml": WEEK, "readme.html": b"x"}), "ipg.zip")):
        items = read(Uspto(), data, name, tmp_path)
        assert [item.key for item in records(items)] == ["uspto:US8930553B2"]
        assert skipped(items) == {"sequence_listing": 1, "no_background": 1} | (
            {"not_named": 1} if name == "ipg.zip" else {}
        )
    assert len(records(read(Uspto(), APS + APS_BARE + APS, "pftaps.txt", tmp_path))) == 3
    sgml = V2.split(b"\n", 1)[1]
    assert len(records(read(Uspto(), sgml + sgml, "pg.sgm", tmp_path))) == 2
    assert not records(read(Uspto(applications=False), V1, "a.xml", tmp_path))


@pytest.mark.parametrize("step", [1, 13, 1 << 20])
def test_documents_do_not_depend_on_the_blocks(step: int) -> None:
    stream = io.BytesIO(WEEK + V2)

    class Small:
        def read(self, n: int, /) -> bytes:
            return stream.read(min(n, step))

    pieces = list(documents(Small()))
    assert b"".join(data for _, data in pieces) == WEEK + V2
    assert [offset for offset, _ in pieces] == [0, len(V4), len(V4 + SEQUENCE), len(WEEK)]


def test_sgml_with_open_empty_elements(tmp_path: Path) -> None:
    sgml = V2.replace(b"Servers &ldquo;", b"Servers <EMI ID='E1' FILE='x.TIF'> &ldquo;")
    [found] = records(read(Uspto(), sgml, "pg.sgm", tmp_path))
    assert found.text == "BACKGROUND\n\nServers [equation] “serve” α."


def test_a_broken_document_costs_itself(tmp_path: Path) -> None:
    items = read(Uspto(), V4 + V4.replace(b"</p>", b"", 1) + V4, "ipg.xml", tmp_path)
    assert len(records(items)) == 2
    assert reasons(items) == ["parse_error"]
    broken = bytearray(packed({"a.xml": V4, "b.xml": V2}))
    broken[120] ^= 0xFF
    items = read(Uspto(), bytes(broken), "ipg.zip", tmp_path)
    assert reasons(items) == ["corrupt"]
    assert [item.key for item in records(items)] == ["uspto:US6336130B1"]


def test_cuts(tmp_path: Path) -> None:
    edges = [len(V4), len(V4 + SEQUENCE)]
    assert_cuts_are_detected(Uspto(), WEEK, "ipg.xml", tmp_path, edges, by_length=True)
    assert_cuts_are_detected(Uspto(), APS + APS_BARE, "pftaps.txt", tmp_path, [len(APS)], by_length=True)
    assert_cuts_are_detected(Uspto(), packed({"ipg.xml": WEEK, "b.xml": V2}), "ipg.zip", tmp_path)
    for cut in range(len(V4) * 3 // 4, len(V4) - 1, 40):
        assert reasons(read(Uspto(), V4[:cut], "ipg.xml", tmp_path)) == ["truncated"]


def test_flips_and_wrong_files(tmp_path: Path) -> None:
    for data, name in ((V4, "a.xml"), (V2, "a.xml"), (APS, "a.txt"), (packed({"a.xml": WEEK}), "a.zip")):
        assert_flips_are_survived(Uspto(), data, name, tmp_path, 100)
    for name in ("a.xml", "a.zip"):
        assert_wrong_files_are_named(Uspto(), name, tmp_path)


def test_hostile_markup(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    entity = V4.replace(b"[ ]", f'[<!ENTITY x SYSTEM "file://{secret}">]'.encode()).replace(b"The invention", b"&x;")
    assert reasons(read(Uspto(), entity, "a.xml", tmp_path)) == ["xml_entities"]
    slip = packed({"../../etc/a.xml": V4, "/abs.xml": V4})
    assert len(records(read(Uspto(), slip, "a.zip", tmp_path))) == 2
    bomb = packed({"a.xml": V4 + b" " * (80 << 20)})
    assert reasons(read(Uspto(), bomb, "a.zip", tmp_path)) == ["bomb"]


def test_rules_of_headings() -> None:
    def cut(*blocks: str) -> str:
        kinds = [Block("heading" if text.isupper() else "paragraph", text, "summary") for text in blocks]
        return background(Patent(blocks=kinds))

    assert cut("FIELD", "a", "BACKGROUND", "b", "OBJECT OF THE INVENTION", "c") == "BACKGROUND\n\nb"
    assert cut("DESCRIPTION OF THE PRIOR ART", "b", "BRIEF SUMMARY", "c") == "DESCRIPTION OF THE PRIOR ART\n\nb"
    assert cut("FIELD", "a", "BRIEF DESCRIPTION OF DRAWINGS", "c") == "FIELD\n\na"
    assert cut("SUMMARY", "a") == ""
    assert cut("BACKGROUND", "b", "SUB", "DETAILED DESCRIPTION", "c") == "BACKGROUND\n\nb"
    assert cut("BACKGROUND", "SUMMARY", "c") == ""


def test_numbers_dates_and_signs() -> None:
    assert [number_of(raw) for raw in ("08930553", "D0680087", "RE012345", "x")] == [
        "8930553",
        "D680087",
        "RE12345",
        "x",
    ]
    assert [iso_date(raw) for raw in ("20150106", "19760200", "19770000", "1977")] == [
        "2015-01-06",
        "1976-02",
        "1977",
        "",
    ]
    assert signs("a.b.c. 1.5 .unknown. .mu.m ##STR2##") == "a.b.c. 1.5 .unknown. μm [structure]"
