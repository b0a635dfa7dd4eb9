"""What the compiled wikitext renderer keeps, drops and replaces: templates, tags, link prefixes by name."""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.kernels.wikitext import render
from pilebuilder.kernels.wikitext_stack import (
    BREAK,
    CONVERT,
    DEPTH,
    DROP,
    ENV,
    KEEP,
    LAST,
    LITERAL,
    MATH,
    PAD,
    PREFIX,
    RATIO,
    RAW,
    SPACE,
    STRIP,
    TABLE_TAG,
    WIDTH,
)

if TYPE_CHECKING:
    from pilebuilder.read.wikitext import Rules

# Templates that stand in running text, by what the reader of a page sees in their place. All others are dropped.
_FIRST_ARGUMENT = (
    "nowrap nobr small big smaller larger abbr em strong resize visible anchor|vanchor|not a typo|as written|quote"
    "|cquote|blockquote|quotation|bquote|bq|code|mono|var|samp|kbd|math|mvar|serif|poemquote|tooltip|sub|sup|nobold"
    "|noitalic|ill|interlanguage link|link|val|nihongo|nihongo2|lang-*|langx-*|iast|iast3|nastaliq|script/*|zh-full"
    "|translit|sic|typo|linktext|gloss|avoid wrap|large|huge|smallcaps|sc|caps|allcaps|unicode|polytonic|hlist"
)
_SECOND_ARGUMENT = "lang|langx|color|colour|font color|font|transl|transliteration|native name|script|wikt-lang|lang*2"
_LITERALS = {
    "ndash": " – ", "en dash": " – ", "snd": " – ", "spaced ndash": " – ", "spnd": " – ", "dash": "–", "–": "–",
    "mdash": "—", "em dash": "—", "nbsp": " ", "sp": " ", "space": " ", "thinsp": " ", "hair space": " ", "'": "'",
    "'s": "'s", "=": "=", "!": "|", "pi": "π", "times": "×", "minus": "−", "pm": "±", "okina": "ʻ", "euro": "€",
    "degree": "°", "hamza": "ʼ", "ayin": "ʽ", "circ": "°", "sup2": "²", "bull": " • ", "·": " · ", "dot": " · ",
    "cdot": "·", "middot": "·", "ell": "…", "...": "…",
}  # fmt: skip
_PREFIXES = {
    "circa": "c. ", "c.": "c. ", "ca.": "c. ", "as of": "As of ", "us$": "US$", "usd": "US$", "gbp": "£", "£": "£",
    "inr": "₹", "eur": "€", "a$": "A$", "ca$": "C$", "floruit": "fl. ", "fl.": "fl. ",
}  # fmt: skip
_LAST_ARGUMENT = "chem name|angbr|angle bracket"

_TAGS: dict[int, str] = {
    DROP: "ref references gallery timeline imagemap score mapframe templatedata graph hiero templatestyles includeonly"
    " indicator style script inputbox categorytree maplink section",
    MATH: "math chem ce",
    RAW: "nowiki pre syntaxhighlight source",
    BREAK: "br p div li ul ol dl dd dt tr blockquote center hr h1 h2 h3 h4 h5 h6 poem caption",
    SPACE: "td th",
    TABLE_TAG: "table",
    STRIP: "b i u s sup sub small big span font abbr cite q kbd samp tt var del ins em strong dfn code strike bdi bdo"
    " ruby rb rt rp mark time wbr a noinclude onlyinclude data thead tbody tfoot col colgroup section rbc rtc",
}
_LINK_PREFIXES = "file image media category"
# Wikipedia's language codes of two and three letters and the longer ones: an interlanguage link shows nothing.
_LANGUAGES = (
    "aa ab ace ady af ak als alt am ami an ang ar arc ary arz as ast atj av avk awa ay az azb ba ban bar bat-smg"
    " bcl be be-tarask be-x-old bg bh bi bjn blk bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch chr chy ckb"
    " co cr crh cs csb cu cv cy da dag de din diq dsb dty dv dz ee el eml en eo es et eu ext fa fat ff fi fiu-vro"
    " fj fo fr frp frr fur fy ga gag gan gcr gd gl glk gn gom gor got gpe gu guc gur guw gv ha hak haw he hi hif"
    " ho hr hsb ht hu hy hyw hz ia id ie ig ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg ki kj"
    " kk kl km kn ko koi kr krc ks ksh ku kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv mad"
    " mai map-bms mdf mg mh mhr mi min mk ml mn mni mnw mo mr mrj ms mt mus mwl my myv mzn na nah nap nds nds-nl"
    " ne new ng nia nl nn no nov nqo nrm nso nv ny oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms"
    " pnb pnt ps pt pwn qu rm rmy rn ro roa-rup roa-tara ru rue rw sa sah sat sc scn sco sd se sg sh shi shn si"
    " simple sk skr sl sm smn sn so sq sr srn ss st stq su sv sw szl szy ta tay tcy te tet tg th ti tk tl tn to"
    " tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo wa war wo wuu xal xh xmf yi yo za zea zh"
    " zh-classical zh-min-nan zh-yue zu"
)


def _templates() -> list[tuple[str, int, int, str]]:
    """Name, action, argument and literal of each template."""
    first = _FIRST_ARGUMENT.replace(" big", "|big")
    names = [n for part in first.split("|") for n in (part.split() if part.startswith("nowrap") else [part])]
    rules = [(name, KEEP, 1, "") for name in names]
    rules += [(name, KEEP, 2, "") for name in _SECOND_ARGUMENT.split("|")]
    rules += [(name, LITERAL, 0, text) for name, text in _LITERALS.items()]
    rules += [(name, PREFIX, 1, text) for name, text in _PREFIXES.items()]
    rules += [(name, LAST, 0, "") for name in _LAST_ARGUMENT.split("|")]
    rules += [(name, CONVERT, 1, "") for name in ("convert", "cvt", "convert/spell")]
    return rules + [(name, RATIO, 1, "") for name in ("frac", "sfrac", "fraction", "ratio")]


class Compiled:
    """The compiled renderer with one wiki's names. Not for two threads at once: it keeps its buffers."""

    def __init__(self, rules: Rules) -> None:
        templates = _templates()
        tags = [(name, action) for action, names in _TAGS.items() for name in names.split()]
        local = [n.replace("_", " ").casefold() for n in rules.namespaces]
        prefixes = [*_LINK_PREFIXES.split(), *local, *(n[:1].upper() + n[1:] for n in local), *_LANGUAGES.split()]
        names = [n.encode() for n in (*(t[0] for t in templates), *(t[0] for t in tags), *prefixes)]
        self._names = np.frombuffer(b"".join(names), np.uint8)
        self._ends = np.cumsum([len(n) for n in names]).astype(np.int64)
        self._counts = np.array([len(templates), len(tags), len(prefixes)], np.int64)
        literals = [t[3].encode() for t in templates]
        stops = np.cumsum([0, *map(len, literals)])
        self._strings = np.frombuffer(b"".join(literals), np.uint8)
        self._actions = np.array(
            [[t[1], t[2], stops[k], stops[k + 1]] for k, t in enumerate(templates)], np.int64
        ).reshape(-1)
        self._tag_actions = np.array([action for _, action in tags], np.int64)
        self._stack = np.zeros(DEPTH * WIDTH, np.int64)
        self._block = np.zeros(ENV, np.int64)
        self._output = np.empty(1 << 16, np.uint8)

    def __call__(self, text: str) -> str:
        """Wikitext to text with marked headings; entities resolved."""
        data = (text.replace("\x01", "") if "\x01" in text else text).encode("utf-8", "replace")
        if len(self._output) < 2 * len(data) + 64:
            self._output = np.empty(4 * len(data), np.uint8)
        size = render(
            np.frombuffer(data + bytes(PAD), np.uint8), len(data), self._output, self._stack, self._names,
            self._ends, self._counts, self._actions, self._strings, self._tag_actions, self._block,
        )  # fmt: skip
        result = self._output[:size].tobytes().decode("utf-8", "replace")
        return unescape(result) if "&" in result else result
