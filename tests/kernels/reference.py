"""What the text kernels compute, in plain Python from the definitions: str methods, re, Counter. Slow and readable."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from pilebuilder.kernels import lexicon

SPECIALS = {
    word.encode(): [word.encode()[sum(parts[:k]) : sum(parts[: k + 1])].decode() for k in range(len(parts))]
    for word, parts in lexicon.specials().items()
}
MAX_CHUNK, LONGEST_SPECIAL, LONGEST_UNIT = 1 << 16, 16, 12
HOST = "A-Za-z0-9\u00a1-\uffff"
ADDRESS = re.compile(
    rf"([A-Za-z0-9_\u0080-\U0010ffff+.-]{{2,}}://)?"
    rf"(?P<host>(?:[{HOST}](?:[{HOST}_-]*[{HOST}])?\.)+(?P<top>[{HOST}_-]+))(?::[0-9]{{2,5}})?(?:[/?#].*)?",
    re.DOTALL,
)


def is_icon(c: str) -> bool:
    return unicodedata.category(c) == "So"


def is_upper(c: str) -> bool:
    return c.isupper()


def is_lower(c: str) -> bool:
    return c.isalpha() and not c.isupper()


def is_capital(c: str) -> bool:
    """Upper case, or a letter without case."""
    return c.isupper() or (c.isalpha() and not c.islower())


def is_digit(c: str) -> bool:
    return c in "0123456789"


def special(text: str) -> list[str] | None:
    raw = text.encode()
    return SPECIALS.get(raw) if len(raw) <= LONGEST_SPECIAL else None


def prefix(text: str) -> int:
    if text[0] in lexicon.PREFIXES or is_icon(text[0]):
        return 1
    match = re.match(r"\.\.+|\+(?![0-9])|US\$|[CA]\$", text)
    return match.end() if match else 0


def suffix(text: str) -> int:
    if not text:
        return 0
    last, before = text[-1], text[:-1]
    if last in lexicon.SUFFIXES or is_icon(last):
        return 1
    dots = len(text) - len(text.rstrip("."))
    if dots > 1:
        return dots
    if dots == 1:
        if not before:
            return 0
        if before[-1] in lexicon.BEFORE_DOT or is_lower(before[-1]):
            return 1
        return int(len(before) > 1 and is_upper(before[-1]) and is_capital(before[-2]))
    if re.search("['’][sS]$", text):
        return 2
    if last in "sS":
        return 0
    if before and is_digit(before[-1]) and (last == "+" or last in lexicon.CURRENCY):
        return 1
    unit = re.search(r"(?<=[0-9])[^0-9]+$", text)
    return len(unit.group()) if unit and unit.group() in lexicon.UNITS else 0


def is_address(text: str) -> bool:
    scheme = re.match(r"[A-Za-z0-9_\u0080-\U0010ffff+.-]{2,}://", text)
    starts = [scheme.end() if scheme and len(scheme.group().encode()) > 4 else 0]
    if "@" in text and text.rindex("@") + 1 >= starts[0]:
        starts.append(text.rindex("@") + 1)
    for start in starts:
        match = ADDRESS.fullmatch(text[start:])
        if match and match.group(1) is None:
            labels = match.group("host").split(".")
            if (
                all(len(x.encode()) <= 252 for x in labels)
                and len(labels[-1].encode()) >= 2
                and all(map(is_lower, labels[-1]))
            ):
                return True
    return False


def infix(text: str, k: int) -> int:
    """Characters of the separator at `k`, or 0."""
    rest, before = text[k:], text[k - 1]
    if match := re.match(r"\.\.+", rest):
        return match.end()
    if rest[0] == "…" or is_icon(rest[0]):
        return 1
    if len(rest) < 2:
        return 0
    c, after = rest[0], rest[1]
    if is_digit(before) and c in "+-*^" and (is_digit(after) or after == "-"):
        return 1
    if c == ".":
        return int((is_lower(before) or before in lexicon.QUOTES) and (is_capital(after) or after in lexicon.QUOTES))
    if c == ",":
        return int(before.isalpha() and after.isalpha())
    if not (before.isalpha() or is_digit(before)):
        return 0
    for mark in ("-", "–", "—", "~", "--", "---", "——"):
        if rest.startswith(mark) and rest[len(mark) : len(mark) + 1].isalpha():
            return len(mark)
    return int(c in ":<>=/" and after.isalpha())


def middle(text: str) -> list[str]:
    words, start, k, checked = [], 0, 0, False
    while k < len(text):
        n = infix(text, k) if k and not (text[k].isascii() and (text[k].isalpha() or is_digit(text[k]))) else 0
        if n:
            if not checked and is_address(text):
                break
            checked = True
            words += [text[start:k]] if k > start else []
            words.append(text[k : k + n])
            start = k = k + n
        else:
            k += 1
    return words + ([text[start:]] if start < len(text) else [])


def split_chunk(text: str) -> list[str]:
    """spaCy's loop: strip a prefix and a suffix in turn, until a known word or nothing more to strip."""
    front: list[str] = []
    back: list[str] = []
    known = None
    while text:
        if known := special(text):
            break
        p = prefix(text)
        if p and (known := special(text[p:]) if text[p:] else None):
            front.append(text[:p])
            break
        s = suffix(text[p:])
        if s and s < len(text) and (known := special(text[:-s])):
            back.append(text[-s:])
            break
        if not p and not s:
            break
        front += [text[:p]] if p else []
        back += [text[len(text) - s :]] if s else []
        text = text[p : len(text) - s]
    words = front + (known or (middle(text) if text else [])) + back[::-1]
    return join_marks(words)


def join_marks(words: list[str]) -> list[str]:
    """Two or three one-byte marks in a row that are one known word (two apostrophes) are joined."""
    joined, k = [], 0

    def single(word: str) -> bool:
        return len(word.encode()) == 1

    while k < len(words):
        n = 1
        if (
            single(words[k])
            and not (words[k].isalpha() or is_digit(words[k]))
            and k + 1 < len(words)
            and single(words[k + 1])
        ):
            triple = "".join(words[k : k + 3])
            if k + 2 < len(words) and single(words[k + 2]) and special(triple) == [triple]:
                n = 3
            elif special(triple[:2]) == [triple[:2]]:
                n = 2
        joined.append("".join(words[k : k + n]))
        k += n
    return joined


def chunks(text: str) -> Iterator[str]:
    for chunk in text.split():
        part, size = "", 0
        for c in chunk:
            if size >= MAX_CHUNK:
                yield part
                part, size = "", 0
            part, size = part + c, size + len(c.encode())
        yield part


def words(text: str) -> list[str]:
    return [word for chunk in chunks(text) for word in split_chunk(chunk)]


UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "BALINESE", "JAVANESE", "YI"}
UNSPACED |= {"TAI", "BOPOMOFO", "HALFWIDTH"}


def unspaced(c: str) -> bool:
    name = unicodedata.name(c, "").split()
    return unicodedata.category(c) in ("Lo", "Lm") and bool(name) and name[0] in UNSPACED and "HANGUL" not in name


def duplicates(parts: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = chars = 0
    for part in parts:
        if part in seen:
            count, chars = count + 1, chars + len(part)
        seen.add(part)
    return count, chars


def top_n_gram(tokens: list[str], n: int) -> int:
    grams = Counter(tuple(tokens[k : k + n]) for k in range(len(tokens) - n + 1))
    if not grams:
        return 0
    gram, times = grams.most_common(1)[0]
    return times * len(" ".join(gram))


def dup_n_gram(tokens: list[str], n: int) -> int:
    seen: set[tuple[str, ...]] = set()
    chars = k = 0
    while k < len(tokens) - n + 1:
        gram = tuple(tokens[k : k + n])
        if gram in seen:
            chars += len("".join(gram))
            k += n
        else:
            seen.add(gram)
            k += 1
    return chars


def stats(text: str) -> dict[str, int]:
    """Every column of `pilebuilder.kernels.text_stats`."""
    tokens = words(text)
    proper = [w for w in tokens if any(c not in lexicon.PUNCTUATION for c in w)]
    found = {
        "bytes": len(text.encode()),
        "words": len(proper),
        "word_tokens": len(tokens),
        "word_chars": sum(map(len, proper)),
        "alpha_words": sum(any(c.isalpha() for c in w) for w in tokens),
        "stop_words": len(set(lexicon.STOP_WORDS) & set(tokens)),
        "ellipses": text.count("...") + text.count("…"),
    }
    found |= {f"top_{n}_gram_chars": top_n_gram(tokens, n) for n in (2, 3, 4)}
    found |= {f"dup_{n}_gram_chars": dup_n_gram(tokens, n) for n in range(5, 11)}
    pieces, lines = re.split("\n+", text), text.splitlines()
    filled = [line for line in text.split("\n") if line.strip()]
    paragraphs = re.split("\n{2,}", text.strip())
    found["newlines"] = text.count("\n")
    found["pieces"] = len(pieces)
    found["dup_pieces"], found["dup_piece_chars"] = duplicates(pieces)
    found["lines"] = len(lines)
    found["bullet_lines"] = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    found["ellipsis_lines"] = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    found["filled_lines"] = len(filled)
    found["terminal_lines"] = sum(line.endswith(tuple(lexicon.TERMINAL)) for line in filled)
    found["short_lines"] = sum(len(line) <= 30 for line in filled)
    found["dup_line_chars"] = duplicates(filled)[1]
    found["longest_line"] = max(map(len, text.split("\n")))
    found["paragraphs"] = len(paragraphs)
    found["dup_paragraphs"], found["dup_paragraph_chars"] = duplicates(paragraphs)
    found["chars"] = len(text)
    found["letters"] = sum(map(str.isalpha, text))
    found["upper"] = sum(map(str.isupper, text))
    found["lower"] = sum(map(str.islower, text))
    found["digits"] = sum(map(str.isdigit, text))
    found["spaces"] = sum(map(str.isspace, text))
    found["controls"] = sum(unicodedata.category(c) == "Cc" and not c.isspace() for c in text)
    found["hashes"] = text.count("#")
    found["braces"] = text.count("{")
    found["replacements"] = text.count("\ufffd")
    found["unspaced"] = sum(map(unspaced, text))
    return found
