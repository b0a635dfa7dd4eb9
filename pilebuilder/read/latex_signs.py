"""Tables of LaTeX commands for `pilebuilder.read.latex_text`: signs, accents, environments, arguments to leave out."""

# ruff: noqa: E501 (tables keep their lines)

from __future__ import annotations

SECTIONS = {
    "part": 1,
    "chapter": 1,
    "section": 1,
    "subsection": 2,
    "subsubsection": 3,
    "paragraph": 4,
    "subparagraph": 5,
}

ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "d": "\u0323", "b": "\u0331", "r": "\u030a",
    "t": "\u0361",
}  # fmt: skip
"""Combining characters by the sign or letter that names the accent."""

SIGNS = {
    "---": "—", "--": "–", "``": "“", "''": "”", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dots": "…",
    "ldots": "…", "textellipsis": "…", "S": "§", "P": "¶", "copyright": "©", "textcopyright": "©", "textregistered": "®",
    "texttrademark": "™", "pounds": "£", "textsterling": "£", "euro": "€", "texteuro": "€", "textdegree": "°", "dag": "†",
    "ddag": "‡", "textbackslash": "\\", "textasciitilde": "~", "texttildelow": "~", "textasciicircum": "^", "textless": "<",
    "textgreater": ">", "textbar": "|", "textendash": "–", "textemdash": "—", "textquoteleft": "‘", "textquoteright": "’",
    "textquotedblleft": "“", "textquotedblright": "”", "guillemotleft": "«", "guillemotright": "»", "textbullet": "•",
    "textperiodcentered": "·", "textpm": "±", "textmu": "µ", "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX",
    "LaTeXe": "LaTeX2e", "quad": " ", "qquad": " ", "space": " ", "xspace": "", "newline": " ", "linebreak": " ",
    "hfill": " ", "ie": "i.e.", "eg": "e.g.", "etal": "et al.", "checkmark": "✓", "today": "", "slash": "/", "nobreakdash": "",
}  # fmt: skip
"""What a command or a ligature stands for."""

DROP_ARGUMENTS = {
    name: count
    for count, names in {
        0: "maketitle tableofcontents clearpage newpage pagebreak noindent indent centering raggedright bigskip medskip"
           " smallskip vfill hline toprule midrule bottomrule appendix footnotesize small large Large huge tiny scriptsize"
           " normalsize bf it rm sf tt sc em sl bfseries itshape rmfamily sffamily ttfamily scshape upshape mdseries"
           " protect relax break nopagebreak samepage sloppy flushbottom balance onecolumn twocolumn nocite acknowledgments"
           " frontmatter mainmatter backmatter printbibliography doublespacing singlespacing leavevmode phantomsection",
        1: "label ref eqref pageref cref Cref autoref nameref vref subref footnotemark footnote footnotetext thanks index vspace hspace"
           " includegraphics bibliographystyle bibliography color pagestyle thispagestyle setcounter hypersetup usetikzlibrary"
           " date author address email affiliation affil institute title keywords pacs thispagestyle pagenumbering vskip hskip"
           " hyphenation usepackage RequirePackage graphicspath newtheorem cline phantom hphantom vphantom selectlanguage"
           " addbibresource includepdf printindex markright urlstyle captionsetup todo hypertarget hyperlink textcolor"
           " glsadd tag bibitem input include stepcounter refstepcounter nolinkurl acknowledgements foreignlanguage",
        2: "setlength addtolength rule fontsize addcontentsline markboth newcounter addtocounter numberwithin resizebox"
           " newenvironment renewenvironment DeclareMathOperator raisebox parbox multicolumn multirow colorbox scalebox",
        3: "definecolor fcolorbox ifthenelse",
    }.items()
    for name in names.split()
} | {"textcolor": 1, "raisebox": 1, "parbox": 1, "multicolumn": 2, "multirow": 2, "colorbox": 1, "resizebox": 2,
     "scalebox": 1, "nocite": 1, "href": 1, "newcounter": 1, "newenvironment": 3, "renewenvironment": 3,
     "fcolorbox": 2, "setcounter": 2}  # fmt: skip
"""Commands that leave nothing in the text, with the number of arguments that go with them (what follows stays)."""

MATH_ENVIRONMENTS = frozenset(
    (
        "equation",
        "align",
        "alignat",
        "gather",
        "multline",
        "eqnarray",
        "displaymath",
        "math",
        "flalign",
        "split",
        "dmath",
    )
)
VERBATIM = frozenset(("verbatim", "lstlisting", "Verbatim", "minted", "alltt", "BVerbatim"))
FLOATS = frozenset(
    ("figure", "table", "wrapfigure", "wraptable", "sidewaysfigure", "sidewaystable", "longtable", "algorithm", "subfigure",
     "SCfigure", "floatingfigure", "teaserfigure", "marginfigure")
)  # fmt: skip
DROPPED_ENVIRONMENTS = frozenset(
    ("tabular", "tabularx", "tabulary", "array", "tikzpicture", "picture", "pspicture", "pgfpicture", "thebibliography",
     "CCSXML", "keywords", "IEEEkeywords", "keyword", "titlepage", "authblock", "forest", "axis", "comment", "algorithmic")
)  # fmt: skip
THEOREMS = frozenset(
    ("theorem", "lemma", "proposition", "corollary", "definition", "proof", "remark", "example", "claim", "conjecture",
     "assumption", "note", "fact", "observation", "thm", "lem", "prop", "cor", "defn", "rem", "ex", "exercise", "question")
)  # fmt: skip
CITATIONS = frozenset(
    (
        "cite",
        "citet",
        "citep",
        "citealp",
        "citealt",
        "parencite",
        "textcite",
        "autocite",
        "citeyearpar",
        "Cite",
        "Citet",
    )
)
