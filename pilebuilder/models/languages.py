"""Language codes: every spelling that a model, a card or a person uses, as one code per language.

The normal form is the ISO 639-1 code where one exists, else the ISO 639-3 code, in lower case, without script or
region; ``und`` (ISO 639-2) stands for "not determined".
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from pilebuilder.errors import RecipeError

UNDETERMINED = "und"

# ISO 639-3 -> ISO 639-1 (SIL code tables).
_ISO_639_3 = """
aar:aa abk:ab afr:af aka:ak amh:am ara:ar arg:an asm:as ava:av ave:ae aym:ay aze:az bak:ba bam:bm bel:be ben:bn bis:bi
bod:bo bos:bs bre:br bul:bg cat:ca ces:cs cha:ch che:ce chu:cu chv:cv cor:kw cos:co cre:cr cym:cy dan:da deu:de div:dv
dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fas:fa fij:fj fin:fi fra:fr fry:fy ful:ff gla:gd gle:ga glg:gl
glv:gv grn:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi hmo:ho hrv:hr hun:hu hye:hy ibo:ig ido:io iii:ii iku:iu
ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv jpn:ja kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw
kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu lug:lg mah:mh mal:ml
mar:mr mkd:mk mlg:mg mlt:mt mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:no
nor:no nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa pli:pi pol:pl por:pt pus:ps que:qu roh:rm ron:ro run:rn rus:ru
sag:sg san:sa sin:si slk:sk slv:sl sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr ssw:ss sun:su
swa:sw swe:sv tah:ty tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw uig:ug
ukr:uk urd:ur uzb:uz ven:ve vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi yor:yo zha:za zho:zh zul:zu
"""
# ISO 639-2/B (bibliographic) codes that differ from 639-3.
_ISO_639_2B = """
alb:sq arm:hy baq:eu bur:my chi:zh cze:cs dut:nl fre:fr geo:ka ger:de gre:el ice:is mac:mk mao:mi may:ms per:fa rum:ro
slo:sk tib:bo wel:cy
"""
# Withdrawn codes, Bokmal as Norwegian, and the individual codes of the standard variety of a macro-language.
_ALIASES = """
iw:he in:id ji:yi jw:jv mo:ro nb:no scc:sr scr:hr fil:tl bih:bho bh:bho
cmn:zh arb:ar pes:fa zsm:ms lvs:lv ekk:et azj:az khk:mn npi:ne pbt:ps swh:sw uzn:uz ydd:yi als:sq kmr:ku plt:mg gaz:om
ory:or quy:qu ayr:ay knc:kr fuv:ff
"""
_TABLE: Mapping[str, str] = dict(
    pair.split(":") for block in (_ISO_639_3, _ISO_639_2B, _ALIASES) for pair in block.split()
)

# Labels that a model gives another meaning than ISO 639 does.
MODEL_LABELS: Mapping[str, Mapping[str, str]] = {
    "lid.176": {"als": "gsw"},  # Wikipedia's code for Alemannic; ISO 639-3 als is Tosk Albanian
    "cld3": {"iw": "he", "bg-Latn": "bg", "el-Latn": "el", "hi-Latn": "hi", "ja-Latn": "ja", "ru-Latn": "ru"},
}

# A macro-language in `keep` also keeps these members (ISO 639-3 macrolanguage mappings; Indonesian is not among them,
# though ISO counts it under ms, because nobody who asks for Malay means it).
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "ar": ("arz", "ary", "arq", "apc", "ajp", "acm", "acq", "aeb", "ars", "afb"),
    "az": ("azb",),
    "chm": ("mhr", "mrj"),
    "et": ("vro",),
    "fa": ("prs",),
    "ku": ("ckb", "sdh"),
    "kv": ("koi",),
    "lah": ("pnb", "skr"),
    "lv": ("ltg",),
    "no": ("nn",),
    "sh": ("sr", "hr", "bs", "cnr"),
    "zh": ("yue", "wuu", "nan", "hak", "gan", "hsn", "cdo", "lzh"),
}

_LID176 = """
af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo
io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms
mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn
sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf
yi yo yue zh
"""
LID176 = frozenset(_LID176.split())
"""Labels of lid.176, as the model spells them."""


@functools.cache
def normal(code: str, model: str = "") -> str:
    """The normal form of a code as written by people, cards or `model`.

    >>> [normal(c) for c in ("eng", "EN-us", "iw", "nob", "zho_Hans", "zh-TW", "ger", "yue")]
    ['en', 'en', 'he', 'no', 'zh', 'zh', 'de', 'yue']
    >>> normal("als"), normal("als", "lid.176")
    ('sq', 'gsw')
    """
    special = MODEL_LABELS.get(model, {})
    if code in special:
        return special[code]
    base = code.replace("_", "-").split("-")[0].lower()
    return _TABLE.get(base, base)


@functools.cache
def known_to(model: str) -> frozenset[str] | None:
    """Normal codes of a model's labels; None when they are not known without opening it."""
    return frozenset(normal(label, model) for label in LID176) if model == "lid.176" else None


def wanted(codes: Iterable[str], model: str = "") -> frozenset[str]:
    """Normal codes that a `keep` list accepts, members of macro-languages included.

    Raises `RecipeError` for what is no language code, and for a language that the model does not know.
    """
    accepted: set[str] = set()
    known = known_to(model)
    for code in codes:
        base = normal(code)
        if not (base.isascii() and base.isalpha() and 2 <= len(base) <= 3):
            raise RecipeError(f"{code!r} is not a language code; write ISO 639 codes such as en, de, zh, yue")
        if known is not None and not known.intersection((base, *MEMBERS.get(base, ()))):
            raise RecipeError(
                f"the model {model} does not know the language {code!r}; choose a model that does, by path,"
                f" or one of: {', '.join(sorted(known))}"
            )
        accepted.update((base, *MEMBERS.get(base, ())))
    return frozenset(accepted)
