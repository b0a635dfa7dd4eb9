"""CourtListener: CSV dialect, choice of text, joined tables, combined opinions, API JSON, broken files."""

from __future__ import annotations

import bz2
import dataclasses
import io
import json
import re
from pathlib import Path

import pytest

from pilebuilder.read.courtlistener import BEGINS, CourtListener
from pilebuilder.read.courtlistener_text import clean_text, unwrapped
from pilebuilder.read.delimited import Broken
from pilebuilder.read.delimited import records as csv_records
from tests.read.hostile import (
    as_raw,
    assert_cuts_are_detected,
    assert_flips_are_survived,
    assert_wrong_files_are_named,
    read,
    reasons,
    records,
    skipped,
)
from tests.read.test_jats import archive

NAME = "opinions-2026-06-30.csv.bz2"
COLUMNS = """id date_created date_modified author_str per_curiam joined_by_str type sha1 page_count download_url local_path
plain_text html html_lawbox html_columbia html_anon_2020 xml_harvard xml_scan html_with_citations extracted_by_ocr author_id
cluster_id""".split()  # noqa: SIM905
LONG = " This opinion goes on for some time, as opinions of this court are known to do, at least in part." * 2


def row(**values: str) -> str:
    cells = {"date_created": "2010-04-25T07:30:26Z", "type": "010combined", "extracted_by_ocr": "f"} | values
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in cells.items()}
    return ",".join(f'"{escaped[name]}"' if name in escaped else "" for name in COLUMNS) + "\n"


def table(*rows: str) -> bytes:
    return (",".join(COLUMNS) + "\n" + "".join(rows)).encode()


HTML = (
    '<div><center><b>Roe v. "Doe"</b></center>\n<p>He said: <span class="star-pagination">*12</span>C:\\\\x<sup>1</sup>.'
    f'</p><p>See <a href="/x">1 U.S. 2</a>.{LONG}</p><style>p {{}}</style></div>'
)
PLAIN = f"      COURT OF APPEALS\n\n  Appellants Alberto J. Torres and others ap-\npeal.\n\n        -3-\n\f  They lost.{LONG}\n"


def test_golden_rendering(tmp_path: Path) -> None:
    data = bz2.compress(
        table(row(id="7", cluster_id="9", html_with_citations=HTML, plain_text=PLAIN, author_str="Roe"))
    )
    [found] = records(read(CourtListener(), data, NAME, tmp_path))
    assert found.text == f'Roe v. "Doe"\n\nHe said: C:\\\\x1.\n\nSee 1 U.S. 2.{LONG}'
    assert found.key == "cl:opinion:7"
    assert found.meta == {
        "opinion_id": 7,
        "cluster_id": 9,
        "author": "Roe",
        "type": "010combined",
        "field": "html_with_citations",
    }
    [plain] = records(read(CourtListener(), bz2.compress(table(row(id="8", plain_text=PLAIN))), NAME, tmp_path))
    assert plain.text == f"COURT OF APPEALS\n\nAppellants Alberto J. Torres and others appeal.\n\nThey lost.{LONG}"


def test_the_pile_takes_the_last_field(tmp_path: Path) -> None:
    data = table(row(id="7", plain_text="Plain.", html="<p>Html.</p>", xml_harvard="<opinion><p>X\n\nml.</p></opinion>"),
                 row(id="8", plain_text="Plain.", html="Unable to extract the content from this file."))  # fmt: skip
    found = records(read(CourtListener(style="pile"), data, "opinions-1.csv", tmp_path))
    assert [(r.text, r.meta["field"]) for r in found] == [("X\n\nml.", "xml_harvard"), ("Plain.", "plain_text")]


def test_tables_beside_are_joined(tmp_path: Path) -> None:
    clusters = tmp_path / "opinion-clusters-2026-06-30.csv"
    clusters.write_text('id,date_created,case_name,case_name_full,date_filed,slug,precedential_status,blocked,docket_id\n'
                        '"9","2014-12-21T0","Roe \\"R\\" v. Doe","","2001-02-03","roe-v-doe","Published","f","5"\n'
                        '"10","2014-12-21T0","Secret","","2001-02-03","s","Published","t","5"\n')  # fmt: skip
    dockets = tmp_path / "dockets-2026-06-30.csv"
    dockets.write_text('id,date_created,court_id,docket_number,blocked\n"5","2014-12-21T0","ca5","99-1","f"\n')
    path = tmp_path / NAME
    path.write_bytes(
        bz2.compress(table(row(id="7", cluster_id="9", html=HTML), row(id="8", cluster_id="10", html=HTML)))
    )
    names = [NAME, clusters.name, dockets.name, "courts-2026-06-30.csv", "dockets-2025-01-01.csv"]
    wanted = CourtListener().wants(NAME, names)
    assert wanted == [clusters.name, dockets.name]
    assert CourtListener().wants(clusters.name, names) == []
    raw = dataclasses.replace(as_raw(path), beside={clusters.name: clusters, dockets.name: dockets})
    items = list(CourtListener()(raw))
    [found] = records(items)
    assert (found.date, found.url) == ("2001-02-03", "https://www.courtlistener.com/opinion/9/roe-v-doe/")
    assert {k: found.meta[k] for k in ("case_name", "court_id", "docket_number", "precedential_status")} == {
        "case_name": 'Roe "R" v. Doe', "court_id": "ca5", "docket_number": "99-1", "precedential_status": "Published",
    }  # fmt: skip
    assert skipped(items) == {"blocked": 1}


def test_parts_of_a_combined_opinion(tmp_path: Path) -> None:
    data = table(row(id="1", cluster_id="9", type="040dissent", html=HTML), row(id="2", cluster_id="9", html=HTML),
                 row(id="3", cluster_id="8", type="020lead", html=HTML), row(id="4", cluster_id="8", type="040dissent", html=HTML),
                 row(id="5", cluster_id="9", type="050addendum", html=HTML))  # fmt: skip
    items = read(CourtListener(), data, "opinions-1.csv", tmp_path)
    assert [r.key[-1] for r in records(items)] == ["2", "5", "3", "4"]
    assert skipped(items) == {"in_combined": 1}
    assert len(records(read(CourtListener(style="pile"), data, "opinions-1.csv", tmp_path))) == 5


def test_reasons_to_skip(tmp_path: Path) -> None:
    items = read(
        CourtListener(),
        table(row(id="1", html="<p> </p>"), row(id="2", html="See below.")),
        "opinions-1.csv",
        tmp_path,
    )
    assert skipped(items) == {"no_text": 1, "too_short": 1}
    other = b'id,date_created,short_name\n"ca5","2014-12-21T0","Fifth"\n'
    assert skipped(read(CourtListener(), other, "courts-1.csv", tmp_path)) == {"other_table": 1}


def test_api_answers_and_archives(tmp_path: Path) -> None:
    one = {"resource_uri": "http://x/api/rest/v3/opinions/7/", "cluster": "http://x/clusters/9/", "html": HTML,
           "absolute_url": "/opinion/9/roe-v-doe/", "plain_text": "", "extracted_by_ocr": True}  # fmt: skip
    page = {"count": 2, "results": [one, {"id": 8, "cluster_id": 9, "plain_text": PLAIN}, {"id": 3}]}
    for data, name, n in ((one, "7.json", 1), (page, "p.json", 2), ([one], "l.json", 1)):
        found = records(read(CourtListener(), json.dumps(data).encode(), name, tmp_path))
        assert len(found) == n
        if n == 1:
            assert (found[0].key, found[0].url) == (
                "cl:opinion:7",
                "https://www.courtlistener.com/opinion/9/roe-v-doe/",
            )
            assert found[0].meta["ocr"] is True
    files = {
        "a/7.json": json.dumps(one).encode(),
        "b.json": b'{"id": 1',
        "c.json": b"{'}",
        "d.txt": b"x",
        "e.json": b"[1]",
    }
    items = read(CourtListener(), archive(files), "all.tar.gz", tmp_path)
    assert len(records(items)) == 1
    assert reasons(items) == ["truncated", "bad_json"]
    assert skipped(items) == {"not_named": 1, "not_an_opinion": 1}
    assert skipped(read(CourtListener(), json.dumps(page).encode(), "p.json", tmp_path)) == {"not_an_opinion": 1}


ROWS = [
    row(id=str(k), cluster_id=str(k), plain_text=f'Line one of "{k}"\nline two \\ back{LONG}', html="")
    for k in range(1, 9)
]


def test_one_bad_row_costs_one(tmp_path: Path) -> None:
    broken = {
        "quote lost": ROWS[3].replace('"Line', "Line"),
        "quote more": ROWS[3].replace('\\"4', '"4'),
        "cell lost": ROWS[3].replace(',""', "", 1),
        "end lost": ROWS[3].rstrip()[:-1] + "\n",
        "newline lost": ROWS[3].rstrip("\n"),
    }
    for what, bad in broken.items():
        items = read(CourtListener(), table(*ROWS[:3], bad, *ROWS[4:]), "opinions-1.csv", tmp_path)
        lost = 8 - len(records(items))
        assert reasons(items) == ["parse_error"], what
        assert lost == (2 if what == "newline lost" else 1), what


def test_bad_bytes_are_decoded(tmp_path: Path) -> None:
    data = table(ROWS[0]).replace(b"Line one", b"Caf\xe9 one")
    [found] = records(read(CourtListener(), data, "opinions-1.csv", tmp_path))
    assert found.text.startswith("Café one")


def test_cuts(tmp_path: Path) -> None:
    plain = table(*ROWS)
    edges = [found.start() for found in re.finditer(rb'^"\d', plain, re.M)]
    assert_cuts_are_detected(CourtListener(), plain, "opinions-1.csv", tmp_path, edges, by_length=True)
    assert_cuts_are_detected(CourtListener(), bz2.compress(plain), NAME, tmp_path)
    for cut in (len(plain) - 40, len(plain) - 300):
        assert reasons(read(CourtListener(), plain[:cut], "opinions-1.csv", tmp_path))[0] in (
            "truncated",
            "parse_error",
        )


def test_flips_and_wrong_files(tmp_path: Path) -> None:
    assert_flips_are_survived(CourtListener(), table(*ROWS), "opinions-1.csv", tmp_path, 150)
    assert_flips_are_survived(CourtListener(), bz2.compress(table(*ROWS)), NAME, tmp_path)
    for name in (NAME, "opinions-1.csv", "x.json"):
        assert_wrong_files_are_named(CourtListener(), name, tmp_path)


def test_rows_have_their_offsets_and_a_limit() -> None:
    data = table(*ROWS)
    found = list(csv_records(io.BytesIO(data), BEGINS, escape="\\"))
    assert [data[item[0] :][:4] for item in found[1:] if isinstance(item, tuple)] == [
        f'"{k}",'.encode() for k in range(1, 9)
    ]
    huge = row(id="99", plain_text="x\n" * 200_000)
    items = list(csv_records(io.BytesIO(table(ROWS[0], huge, ROWS[1])), BEGINS, escape="\\", limit=100_000))
    assert [item.reason for item in items if isinstance(item, Broken)] == ["too_large"]
    assert [item[1][0] for item in items if isinstance(item, tuple)] == ["id", "1", "2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A wrapped line of running text that is wide enough\nto be joined with the next.", "A wrapped line of running text that is wide enough to be joined with the next."),
     ("IN THE\nCOURT OF\nAPPEALS", "IN THE\nCOURT OF\nAPPEALS"),
     ("A double-spaced page has every line of it on\n\nits own, and the sentence goes on.", "A double-spaced page has every line of it on\n\nits own, and the sentence goes on."),
     ("A double-spaced page has every single line of it\n\non its own.", "A double-spaced page has every single line of it on its own."),
     ("One page.\n\n  Page 2 of 9\n\fNext page.", "One page.\n\nNext page."), ("", "")],
)  # fmt: skip
def test_unwrapping(text: str, expected: str) -> None:
    assert unwrapped(text) == expected


def test_scanned_case_law() -> None:
    xml = '<opinion type="majority"><author id="a">ROE, J.</author><page-number label="3">*3</page-number><p>First.</p><footnote label="1"><p>Note.</p></footnote></opinion>'
    assert clean_text(xml, "xml_harvard") == "ROE, J.\n\nFirst.\n\nNote."
    pre = '<div><pre class="inline">A line of plain text that is wide enough to be run on\nby <a href="x">links</a>.</pre></div>'
    assert clean_text(pre, "html_with_citations") == "A line of plain text that is wide enough to be run on by links."
