"""arXiv: rendering with and without pandoc, main file and includes, bulk tars, hostile and broken sources."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import tarfile
import time
from pathlib import Path

import pytest

from pilebuilder.read import pandoc
from pilebuilder.read.arxiv import Arxiv, paper_id
from pilebuilder.read.arxiv_paper import Refusal, paper, split, trimmed
from pilebuilder.read.latex_source import TooLarge, expanded, main_file, without_comments, without_conditions
from pilebuilder.read.latex_text import TooDeep, definitions, to_markdown
from tests.read.hostile import (
    CANARY,
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

NAME = "1911.02782.gz"
BUILTIN = Arxiv(converter="builtin")
needs_pandoc = pytest.mark.skipif(not pandoc.available(), reason="pandoc is not installed")
MAIN = r"""% A comment
\documentclass{article}
\usepackage{amsmath} \newcommand{\sys}{\textsc{Sys}\xspace} \newcommand{\pair}[2]{(#1, #2)}
\title{On \emph{Caf\'e} Graphs\thanks{To all.}}
\author{Ann Roe}
\begin{document}
\maketitle Some front matter.
\begin{abstract}
We present \sys, which costs \$5 --- ``fine''.% gone
\end{abstract}
\section{Introduction}\label{sec:i}
Graphs~\cite{roe2001,doe} are \textbf{good} \cite[p.~3]{x}. See Figure~\ref{fig:a} and \pair{a}{b}. % no
\input{parts/method}
\iffalse Never \ifx a b \fi this. \fi
\begin{figure}\includegraphics[width=1cm]{a.png}\caption{A \sys figure.}\label{fig:a}\end{figure}
\begin{thebibliography}{9}\bibitem{x} X.\end{thebibliography}
\appendix \section{More} Extra text.
\end{document}
Never.
"""
METHOD = r"""
\subsection{Method}
Let $x_1 \in \mathbb{R}$ and
\begin{equation}\label{e} E = mc^2 \end{equation}
\begin{itemize}\item one \item two\end{itemize}
\begin{enumerate}\item first \item second\end{enumerate}
\begin{verbatim}
100 % kept \input{x}
\end{verbatim}
\begin{tabular}{cc} 1 & 2 \\ \end{tabular}
"""
FILES = {
    "main.tex": MAIN.encode(),
    "parts/method.tex": METHOD.encode(),
    "a.png": b"\x89PNG" * 50,
    "anc/data.tex": b"\\documentclass{x}",
}
GOLDEN = """# On Café Graphs

## Abstract

We present Sys, which costs $5 — “fine”.

## Introduction

Graphs [@roe2001; @doe] are good [@x]. See Figure and (a, b).

### Method

Let $x_1 \\in \\mathbb{R}$ and

$$E = mc^2$$

- one
- two

1. first
2. second

    100 % kept \\input{x}

A Sys figure.

## More

Extra text."""


def test_golden_rendering(tmp_path: Path) -> None:
    [found] = records(
        read(BUILTIN, archive(FILES), NAME, tmp_path, licence="http://creativecommons.org/licenses/by/4.0/")
    )
    assert found.text == GOLDEN
    assert (found.key, found.url, found.licence) == (
        "arxiv:1911.02782",
        "https://arxiv.org/abs/1911.02782",
        "CC-BY-4.0",
    )
    assert found.meta == {
        "arxiv_id": "1911.02782",
        "title": "On Café Graphs",
        "root_file": "main.tex",
        "converter": "builtin",
    }
    [short] = records(read(Arxiv(converter="builtin", appendix=False), archive(FILES), NAME, tmp_path))
    assert short.text == GOLDEN.partition("\n\n## More")[0]


@needs_pandoc
def test_pandoc_says_the_same(tmp_path: Path) -> None:
    [found] = records(read(Arxiv(), archive(FILES), NAME, tmp_path))
    for part in ("# On Café Graphs\n\n## Abstract\n\nWe present Sys, which", "[@roe2001; @doe]", "### Method", "$x_1 \\in \\mathbb{R}$",
                 "A Sys figure.", "100 % kept", "## More\n\nExtra text."):  # fmt: skip
        assert part in found.text
    for part in ("front matter", "Never", "bibitem", ":::", "reference-type"):
        assert part not in found.text
    assert str(found.meta["converter"]).startswith("pandoc 3")
    [original] = records(read(Arxiv(style="pile"), archive(FILES), NAME, tmp_path))
    assert "Some front matter." in original.text
    assert original.text != found.text


@needs_pandoc
def test_where_pandoc_gives_up_the_other_stands_in(tmp_path: Path) -> None:
    source = MAIN.replace(r"\sys, which", r"\def\x \sys, which $ x").encode()
    assert reasons(read(Arxiv(style="pile"), gzip.compress(source), NAME, tmp_path)) == ["pandoc_failed"]
    [found] = records(read(Arxiv(), gzip.compress(source), NAME, tmp_path))
    assert found.meta["converter"] == "builtin"


def test_single_files_and_other_kinds(tmp_path: Path) -> None:
    single = records(read(BUILTIN, gzip.compress(MAIN.encode()), "hep-th9901001.gz", tmp_path))
    assert (single[0].key, single[0].meta["missing"]) == ("arxiv:hep-th/9901001", ["\\input{parts/method}"])
    latin = MAIN.replace("Some", "é").replace(r"\'e", "é").encode("latin-1")
    assert records(read(BUILTIN, latin, "x.tex", tmp_path))[0].text.startswith("# On Café Graphs")
    html = b"<html><head><title>t</title></head><body><h1>Head</h1><p>Para.</p></body></html>"
    pages = archive({"part.htm": html.replace(b"Head", b"Second" * 9), "report.htm": html, "g.gif": b"x"})
    assert records(read(BUILTIN, pages, NAME, tmp_path))[0].text.startswith("# Head\n\nPara.\n\n# Second")
    cases = {
        "no_source": [
            b"%PDF-1.4 x",
            gzip.compress(b"%PDF-1.4 x"),
            gzip.compress(b"%!PS-Adobe"),
            archive({"a.pdf": b"x"}),
        ],
        "no_tex": [archive({"a.gif": b"x"}), gzip.compress(b"Plain words without markup, quite many of them.")],
        "withdrawn": [gzip.compress(b"This paper has been withdrawn by the author.")],
        "metadata": [archive({"a/0704.0001.abs": b"x"})],
        "no_text": [gzip.compress(b"\\documentclass{a}\\begin{document}\\section{}\\bibliography{x}\\end{document}")],
    }
    for reason, inputs in cases.items():
        for data in inputs:
            assert skipped(read(BUILTIN, data, NAME, tmp_path)) in ({reason: 1}, {"no_tex": 1}), reason


def test_licences(tmp_path: Path) -> None:
    kept = Arxiv(converter="builtin", licences=("CC-BY", "PDM"))
    for stated, n in (("http://creativecommons.org/licenses/by/3.0/", 1), ("http://creativecommons.org/licenses/publicdomain/", 1),
                      ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", 0), ("http://creativecommons.org/licenses/by-nc-sa/4.0/", 0)):  # fmt: skip
        items = read(kept, archive(FILES), NAME, tmp_path, extra={"license": stated})
        assert len(records(items)) == n
        assert skipped(items) == ({} if n else {"licence": 1})


def test_bulk_tars_with_the_snapshot_beside(tmp_path: Path) -> None:
    members = {"9901/astro-ph9901001.gz": gzip.compress(MAIN.encode()), "9901/astro-ph9901002.pdf": b"%PDF", "9901/hep-th9901003.gz": archive(FILES),
               "9901/hep-th9901004.gz": archive(FILES)[:-20], "9901/math9901005.gz": gzip.compress(b"noise \0\0")}  # fmt: skip
    path, snapshot = tmp_path / "arXiv_src_9901_001.tar", tmp_path / "arxiv-metadata-oai-snapshot.json"
    path.write_bytes(archive(members, packed=False))
    rows = [
        {
            "id": "hep-th/9901003",
            "title": "T",
            "license": "http://creativecommons.org/licenses/by/4.0/",
            "categories": "hep-th",
        },
        {"id": "x"},
    ]
    snapshot.write_bytes(
        b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows) + b"broken\n"
    )
    assert BUILTIN.wants(path.name, [snapshot.name, "other"]) == [snapshot.name]
    items = list(BUILTIN(dataclasses.replace(as_raw(path), beside={snapshot.name: snapshot})))
    assert [(item.key, item.licence) for item in records(items)] == [
        ("arxiv:astro-ph/9901001", None),
        ("arxiv:hep-th/9901003", "CC-BY-4.0"),
    ]
    assert records(items)[1].meta["categories"] == "hep-th"
    assert skipped(items) == {"no_source": 1}
    assert reasons(items) == ["truncated", "wrong_format"]
    assert skipped(list(BUILTIN(as_raw(snapshot)))) == {"metadata": 1}


def test_responses_among_the_sources(tmp_path: Path) -> None:
    response = '<OAI-PMH xmlns="x"><ListRecords><record><header><identifier>oai:arXiv.org:0704.1</identifier></header></record></ListRecords></OAI-PMH>'
    error = '<OAI-PMH xmlns="x"><error code="badResumptionToken">old</error></OAI-PMH>'
    assert skipped(read(BUILTIN, response.encode(), "r.xml", tmp_path)) == {"metadata": 1}
    assert reasons(read(BUILTIN, error.encode(), "r.xml", tmp_path)) == ["oai_error"]
    assert read(BUILTIN, error.replace("badResumptionToken", "noRecordsMatch").encode(), "r.xml", tmp_path) == []


def test_main_files() -> None:
    head, doc = "\\documentclass{a}", "\\documentclass{a}\n\\begin{document}x\\end{document}"
    assert main_file({"a.tex": "x", "b.tex": doc}) == "b.tex"
    assert main_file({"a.tex": doc, "ms.tex": doc}) == "ms.tex"
    assert main_file({"a.tex": doc + "\\input{ms}", "ms.tex": head}) == "a.tex"
    assert main_file({"sub/main.tex": doc, "x.tex": doc}) == "x.tex"
    assert main_file({"short.tex": doc, "long.tex": doc * 3}) == "long.tex"
    assert main_file({"a.tex": "% \\documentclass{a}", "b.tex": "\\magnification=1200 x \\bye"}) == "b.tex"
    assert (
        main_file(
            {"a.tex": doc, "b.tex": doc, "00README.json": '{"sources": [{"filename": "b.tex", "usage": "toplevel"}]}'}
        )
        == "b.tex"
    )
    assert main_file({"a.tex": doc, "b.tex": doc, "00README.XXX": "a.tex ignore\nb.tex toplevelfile"}) == "b.tex"
    assert main_file({"anc/a.tex": doc}) is None
    assert main_file({"a.bbl": "x"}) is None


def test_includes() -> None:
    files = {"m.tex": r"a \input b c \include{d/e} \import{d/}{f} \subfile{G} \input{gone} \input{m} %\input{b}", "b.tex": "B", "d/e.tex": r"E\input{f}",
             "d/f.tex": "F", "g.TEX": "G"}  # fmt: skip
    text, missing = expanded(files, "m.tex")
    assert text.split() == ["a", "B", "c", "EF", "F", "G"]
    assert missing == ["\\input{gone}"]
    bomb = {f"{k}.tex": f"\\input{{{k + 1}}}" * 12 for k in range(9)} | {"9.tex": "x" * 1000}
    with pytest.raises(TooLarge):
        expanded(bomb, "0.tex")


@pytest.mark.parametrize(
    ("source", "expected"),
    [("a%b\nc", "ac"), ("a\n% b\n\nc", "a\n\nc"), (r"50\% of", r"50\% of"), ("\\\\% x", "\\\\"), ("%\\begin{verbatim}\na%b\n", "\na"),
     ("\\begin{comment}x\\end{comment}y", "y"), ("\\begin{verbatim}%x\\end{verbatim}%y", "\\begin{verbatim}%x\\end{verbatim}")],
)  # fmt: skip
def test_comments(source: str, expected: str) -> None:
    assert without_comments(source) == expected


def test_conditions_and_parts() -> None:
    assert without_conditions(r"a\iffalse b \ifdim c \fi d\fi e") == "a e"
    assert without_conditions(r"a\iffalse b") == r"a\iffalse b"
    assert split("p\\begin{document}b\\end{document}x") == ("p", "b")
    assert trimmed(r"front \section{A} a \bibliography{x} b", appendix=True) == r"\section{A} a  b"


@pytest.mark.parametrize(
    ("source", "expected"),
    [(r"Erd\H{o}s, \c{c}a, na\"\i ve, \v Z", "Erdős, ça, naïve, Ž"), (r"\textcolor{red}{kept} \href{http://x}{link}", "kept link"),
     (r"\begin{theorem}[Roe] T. \end{theorem}", "Theorem (Roe). T."), (r"\[a\] \(b\) $$c$$", "$$a$$\n\n$b$\n\n$$c$$"),
     (r"\begin{align*} a &= b \\ c \end{align*}", "$$\\begin{aligned}\na &= b \\\\ c\n\\end{aligned}$$"), (r"\verb|a_b| x", "`a_b` x"),
     (r"\begin{quote}Said.\end{quote}\unknown[x]{kept}", "Said.\n\nkept"), (r"a\footnote{no {deep}} b~c\,d", "a b c d"), ("price is 5$ only", "price is 5 only"),
     (r"\begin{description}\item[Term] text\end{description}", "- Term: text"), (r"{\bf bold} {\it x}", "bold x"), ("}{x", "x"), (r"\end{x} y", "")],
)  # fmt: skip
def test_the_converter(source: str, expected: str) -> None:
    assert to_markdown(source) == expected


def test_macros() -> None:
    macros, rest = definitions(
        r"\newcommand{\a}{A}\def\b#1#2{#2#1}\renewcommand\c[1][d]{#1!}\DeclareMathOperator{\d}{dd} z"
    )
    assert {name: count for name, (count, _) in macros.items()} == {"a": 0, "b": 2, "c": 1, "d": 0} or macros["b"] == (
        2,
        "#2#1",
    )
    assert rest.strip() == "z"
    assert to_markdown(r"\a\ \b{x}{y}", {"a": (0, "A"), "b": (2, "#2#1")}) == "A yx"
    started = time.perf_counter()
    with pytest.raises(TooDeep):
        to_markdown(r"\x", {f"{chr(97 + k)}": (0, f"\\{chr(98 + k)}" * 10) for k in range(20)} | {"x": (0, r"\a\a")})
    with pytest.raises(TooDeep):
        to_markdown("{" * 100_000)
    assert time.perf_counter() - started < 20


def test_cuts_flips_and_wrong_files(tmp_path: Path) -> None:
    bulk = archive({f"9901/hep-th990100{k}.gz": archive(FILES) for k in range(3)}, packed=False)
    bulk = bulk[: -(-len(bulk.rstrip(b"\0")) // 512) * 512 + 1024]
    assert_cuts_are_detected(BUILTIN, archive(FILES), NAME, tmp_path)
    assert_cuts_are_detected(BUILTIN, gzip.compress(MAIN.encode()), NAME, tmp_path)
    assert_cuts_are_detected(BUILTIN, bulk, "bulk.tar", tmp_path, range(0, len(bulk), 512))
    assert_flips_are_survived(BUILTIN, archive(FILES), NAME, tmp_path)
    assert_flips_are_survived(BUILTIN, MAIN.encode(), "x.tex", tmp_path, 100)
    assert_wrong_files_are_named(BUILTIN, NAME, tmp_path)


def test_hostile_sources(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tex"
    secret.write_text(CANARY)
    commands = "".join(
        f"\\{c}{{{secret}}} "
        for c in ("input", "include", "lstinputlisting", "verbatiminput", "subfile", "import{/}", "InputIfFileExists")
    )
    source = MAIN.replace(
        "Extra text.",
        f"Extra. {commands}\\immediate\\write18{{touch {tmp_path}/made}}\\openin1={secret} \\input {secret} \\input{{|cat {secret}}}",
    )
    slip = archive({"main.tex": source.encode(), f"../../..{secret}": b"own"})
    for reader in (BUILTIN, Arxiv()):
        for data in (gzip.compress(source.encode()), slip):
            [found] = records(read(reader, data, NAME, tmp_path))
            assert CANARY not in found.text
            assert CANARY not in str(found.meta)
    assert not (tmp_path / "made").exists()
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as tar:
        info = tarfile.TarInfo("main.tex")
        info.type, info.linkname = tarfile.SYMTYPE, str(secret)
        tar.addfile(info)
    assert skipped(read(BUILTIN, link.getvalue(), NAME, tmp_path)) == {"no_tex": 1}


def test_bombs_cost_one_paper(tmp_path: Path) -> None:
    started = time.perf_counter()
    body = "\\begin{document}\\section{A}" + "{" * 1_000_000 + "\\end{document}"
    for data, reason in (
        (gzip.compress(b"\\section{a}" + b"a" * (20 << 20)), "too_large"),
        (gzip.compress(("\\documentclass{a}" + body).encode()), "too_deep"),
        (archive({"m.tex": b"\\documentclass{a}\\begin{document}x\\input{a}"} | {f"{chr(97 + k)}.tex": f"\\input{{{chr(98 + k)}}}".encode() * 12 for k in range(9)}
                 | {"j.tex": b"x" * 9000}), "parse_error"),
    ):  # fmt: skip
        items = read(BUILTIN, data, NAME, tmp_path)
        assert reasons(items) == [reason], items
    quick = Arxiv(converter="builtin", seconds=1.0)
    slow = gzip.compress(("\\documentclass{a}\\begin{document}\\section{A}" + "\\textcolor{" * 60_000).encode())
    assert reasons(read(quick, slow, NAME, tmp_path)) in (["timeout"], ["too_deep"])
    assert time.perf_counter() - started < 90


def test_names() -> None:
    names = ["1911.02782v3.gz", "hep-th9901001.tar.gz", "0704.0001", "math0001001v2.gz", "notes.tex"]
    assert [paper_id(name) for name in names] == ["1911.02782", "hep-th/9901001", "0704.0001", "math/0001001", "notes"]


def test_the_child_refuses_by_name() -> None:
    with pytest.raises(Refusal, match="wrong_format"):
        paper(gzip.compress(b"\0\1\2" * 100), "clean", "builtin", True, 5.0)
