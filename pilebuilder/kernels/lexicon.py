"""The lists behind words and sentences: punctuation sets, affixes, contractions, abbreviations.

Word rules follow the English rules of spaCy (MIT licence; spacy/lang/en and spacy/lang/char_classes.py), because the
published Gopher, C4 and FineWeb filters of datatrove count words with them; the punctuation sets are datatrove's
(Apache-2.0; datatrove/utils/text.py), whose terminal set is Unicode's Sentence_Terminal with a few additions.
"""

from __future__ import annotations

from collections.abc import Iterator

# Unicode Sentence_Terminal, as code points and ranges.
_TERMINAL = """21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736
17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D
2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1
ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143
111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642
1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38
16B44 16E98 1BC9F 1DA88"""


def _points(text: str) -> Iterator[int]:
    for item in text.split():
        first, _, last = item.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


TERMINAL = frozenset(map(chr, _points(_TERMINAL)))
"""Characters that end a sentence or line in some script."""
PUNCTUATION = (
    TERMINAL
    | frozenset("!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»")
    | frozenset(chr(c) for a, b in ((0, 9), (11, 32), (127, 160)) for c in range(a, b))
)
"""A word made of these alone is a symbol, not a word (datatrove's set; U+FF11 is in it there, so it is here)."""

_QUOTES = frozenset("'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧")
_PUNCT = frozenset(",:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪")
CURRENCY = frozenset("$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿")
QUOTES = _QUOTES
PREFIXES = _PUNCT | _QUOTES | CURRENCY | frozenset("§%=—–…")
"""Characters split off the front of a chunk; ``+`` and runs of dots have rules of their own."""
SUFFIXES = _PUNCT | _QUOTES | frozenset("—–…")
"""Characters split off the end of a chunk; dots, ``'s``, units, ``+`` and currencies have rules of their own."""
INFIXES = frozenset(".…,:<>=/-–—~+*^")
"""Characters that may separate words within a chunk, each by a rule of its own."""
BEFORE_DOT = _PUNCT | _QUOTES | frozenset("%²-+0123456789|…")
"""What a final full stop is split from, beside lower-case letters and letters without case."""

_UNITS = """km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph
hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с
км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб كم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ
ملغ كوب اكواب US$ C$ A$"""
UNITS = tuple(sorted(set(_UNITS.split()), key=lambda u: (-len(u.encode()), u)))
"""What is split off a number that it follows, longest first."""

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Rae et al. 2021, section A1.1: a document holds at least two of these."""


def _both(*words: str) -> list[str]:
    return [form for word in words for form in (word, word.title())]


def _pairs() -> Iterator[tuple[str, ...]]:
    """English contractions, each as the parts it is split into (``'`` stands for both apostrophes)."""
    for pronoun in _both("i"):
        yield from ((pronoun, "'m"), (pronoun, "m"), (pronoun, "'m", "a"), (pronoun, "m", "a"))
    for subject in _both("i", "you", "he", "she", "it", "we", "they"):
        yield from ((subject, "'ll"), (subject, "ll"), (subject, "'ll", "'ve"), (subject, "ll", "ve"))
        yield from ((subject, "'d"), (subject, "d"), (subject, "'d", "'ve"), (subject, "d", "ve"))
    for subject in _both("i", "you", "we", "they"):
        yield from ((subject, "'ve"), (subject, "ve"))
    for subject in _both("you", "we", "they"):
        yield from ((subject, "'re"), (subject, "re"))
    for subject in _both("he", "she", "it"):
        yield from ((subject, "'s"), (subject, "s"))
    for word in _both("who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those"):
        if word.lower() not in ("these", "those"):
            yield from ((word, "'s"), (word, "s"))
        yield from ((word, "'ll"), (word, "ll"), (word, "'ll", "'ve"), (word, "ll", "ve"))
        if word.lower() not in ("that", "this"):
            yield from ((word, "'re"), (word, "re"), (word, "'ve"), (word, "ve"))
        yield from ((word, "'d"), (word, "d"), (word, "'d", "'ve"), (word, "d", "ve"))
    modal = ("ca", "could", "do", "does", "did", "had", "may", "might", "must", "need", "ought", "sha", "should")
    for verb in _both(*modal, "wo", "would"):
        yield from ((verb, "n't"), (verb, "nt"), (verb, "n't", "'ve"), (verb, "nt", "ve"))
    for verb in _both("could", "might", "must", "should", "would"):
        yield from ((verb, "'ve"), (verb, "ve"))
    for verb in _both("ai", "are", "is", "was", "were", "have", "has", "dare"):
        yield from ((verb, "n't"), (verb, "nt"))
    for hour in map(str, range(1, 13)):
        yield from ((hour, half) for half in ("a.m.", "am", "p.m.", "pm"))
    yield from (("y'", "all"), ("y", "all"), ("not", "'ve"), ("not", "ve"), ("Not", "'ve"), ("Not", "ve"))
    yield from (("how", "'d", "'y"), ("How", "'d", "'y"), ("c'm", "on"), ("C'm", "on"))
    yield from (
        ("can", "not"),
        ("Can", "not"),
        ("gon", "na"),
        ("Gon", "na"),
        ("got", "ta"),
        ("Got", "ta"),
        ("let", "'s"),
        ("Let", "'s"),
    )


# Contractions that are words of their own far more often.
_NOT_SPLIT = frozenset(
    [
        "Ill",
        "ill",
        "Its",
        "its",
        "Hell",
        "hell",
        "Shell",
        "shell",
        "Shed",
        "shed",
        "were",
        "Were",
        "Well",
        "well",
        "Whore",
        "whore",
    ]
)
_WHOLE = """doin' goin' nothin' nuthin' ol' somethin' lovin' havin' Doin' Goin' Nothin' Nuthin' Ol' Somethin' Lovin'
Havin' 'em 'll 'nuff 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock
O'clock Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun.
Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa.
S.C. Sep. Sept. Tenn. Va. Wash. Wis. 'd a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E.
Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. ' '' \\") C++ \\t \\n —
a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü."""
_FACES = """(*_*) (-8 (-: (-; (-_-) (._.) (: (; (= (>_<) (^_^) (o: )-: ): -_- -__- ._. 0.0 0.o 0_0 0_o 8) 8-) 8-D 8D
:'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :* :-( :-(( :-((( :-) :-)) :-))) :-* :-/ :-0 :-3 :-> :-D :-O :-P :-X :-]
:-o :-p :-x :-| :-} :/ :0 :1 :3 :> :D :O :P :X :] :o :o) :p :x :| :} ;) ;-) ;-D ;D ;_; <.< </3 <3 <33 <333 =( =) =/ =3
=D =[ =] =| >.< >.> >:( >:o @_@ O.O O.o O_O O_o V.V V_V XD XDD [-: [: [= ]= ^_^ ^__^ ^___^ o.0 o.O o.o o_0 o_O o_o v.v
v_v xD xDD"""


def specials() -> dict[str, tuple[int, ...]]:
    """Chunks with a fixed reading -> byte lengths of the words they are split into."""
    found: dict[str, tuple[str, ...]] = {word: (word,) for word in (*_WHOLE.split(), *_FACES.split())}
    for parts in _pairs():
        if "".join(parts) not in _NOT_SPLIT:
            found["".join(parts)] = parts
    for word, parts in list(found.items()):
        if "'" in word and word not in _FACES:
            found[word.replace("'", "’")] = tuple(part.replace("'", "’") for part in parts)
    return {word: tuple(len(part.encode()) for part in parts) for word, parts in sorted(found.items())}
