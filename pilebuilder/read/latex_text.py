"""LaTeX to Markdown in plain Python: what stands in for pandoc where it is not installed or gives up.

It reads the structure that papers share: sections, paragraphs, emphasis, lists, quotations, theorems, captions,
accents and signs, user macros without side effects. Mathematics stays as it is written, between dollars. Tables,
pictures and the bibliography are left out; an unknown command vanishes and its arguments stay. One pass with an
explicit limit of depth; time is linear but for macros, which may expand `MAX_STEPS` times.

>>> to_markdown(r"\\section{On \\emph{X}} Caf\\'e costs \\$5 -- ``fine''.\\footnote{No.} $x_1$")
'# On X\\n\\nCafé costs $5 – “fine”. $x_1$'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from pilebuilder.read.latex_signs import (
    ACCENTS,
    CITATIONS,
    DROP_ARGUMENTS,
    DROPPED_ENVIRONMENTS,
    FLOATS,
    MATH_ENVIRONMENTS,
    SECTIONS,
    SIGNS,
    THEOREMS,
    VERBATIM,
)

MAX_STEPS = 100_000
DEEPEST = 150
_TOKEN = re.compile(r"\\([a-zA-Z@]+)\*?|\\(.)|(\$\$?)|([{}~&])|(\n[ \t]*\n\s*)|---?|``|''|[^\\${}~&\n`'-]+|.", re.S)
_SPACES = re.compile(r"[ \t]*\n?[ \t]*")
_DEFINITION = re.compile(
    r"\\(?:re|provide|Declare(?:Robust)?)?(?:newcommand|command|Command|MathOperator)\*?\s*\{?\s*\\([a-zA-Z@]+)\s*\}?"
    r"\s*(?:\[(\d)\])?(?:\[[^\]]{0,100}\])?\s*(?=\{)|\\def\s*\\([a-zA-Z@]+)((?:#\d)*)\s*(?=\{)"
)
_BLANKS = re.compile(r"\n(?:[ \t]*\n)+")
_LOST_SPACE = re.compile(r"[ \t]+([,.;:)\]])")


class TooDeep(ValueError):
    """Groups or environments nested beyond `DEEPEST`, or macros that expand without end."""


def to_markdown(source: str, macros: Mapping[str, tuple[int, str]] | None = None) -> str:
    """Markdown of the body of a document (what stands between ``\\begin{document}`` and its end)."""
    converter = _Converter(source, dict(macros or {}))
    converter.run("")
    text = "".join(converter.out)
    lines = (
        re.sub(r"[ \t]+", " ", line).strip() if not line.startswith("    ") else line for line in text.split("\n")
    )
    text = _LOST_SPACE.sub(r"\1", "\n".join(lines))
    return unicodedata.normalize("NFC", _BLANKS.sub("\n\n", text).strip())


def definitions(source: str) -> tuple[dict[str, tuple[int, str]], str]:
    """User macros (name to number of arguments and body), and the source without their definitions."""
    macros: dict[str, tuple[int, str]] = {}
    pieces, at = [], 0
    for found in _DEFINITION.finditer(source):
        if found.start() < at:
            continue
        end = closing(source, found.end())
        if end < 0:
            break
        name = found.group(1) or found.group(3)
        count = int(found.group(2) or 0) if found.group(1) else len(found.group(4)) // 2
        body = source[found.end() + 1 : end - 1]
        if name not in SECTIONS and name not in ("begin", "end", "item", "par") and len(body) < 2000:
            macros[name] = (count, body)
        pieces.append(source[at : found.start()])
        at = end
    return macros, "".join(pieces) + source[at:]


def closing(text: str, start: int) -> int:
    """Offset after the brace that closes the group at `start`; -1 when none does within 100,000 characters."""
    depth = 0
    for found in re.compile(r"\\.|[{}]", re.S).finditer(text, start, start + 100_000):
        if found.group() == "{":
            depth += 1
        elif found.group() == "}":
            depth -= 1
            if depth == 0:
                return found.end()
    return -1


class _Converter:
    """A reading position in the source and the text so far."""

    def __init__(self, source: str, macros: dict[str, tuple[int, str]]) -> None:
        self.source, self.at, self.macros = source, 0, macros
        self.out: list[str] = []
        self.depth = self.steps = 0
        self.lists: list[int] = []
        """Open lists: 0 for marks, else the number of the next item."""
        self.hidden = 0
        """Inside a float: only captions are written."""

    def put(self, text: str) -> None:
        if not self.hidden:
            self.out.append(text)

    def run(self, until: str) -> None:
        """Convert up to the closing brace (``}``), the end of an environment (its name), or the end of the source."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooDeep("groups nested too deep")
        while found := _TOKEN.match(self.source, self.at):
            self.at = found.end()
            command, sign, dollars, special, _ = found.groups()
            if command:
                if self.command(command, found.group().endswith("*"), until):
                    break
            elif sign is not None:
                self.sign(sign)
            elif dollars:
                self.math(dollars, dollars)
            elif special == "{":
                self.run("}")
            elif special == "}":
                if until == "}":
                    break
            elif special:
                self.put(" ")
            else:
                token = found.group()
                self.put(SIGNS.get(token, "\n\n" if found.group(5) else token))
        self.depth -= 1

    # Arguments ------------------------------------------------------------------------------------------------------

    def skip_spaces(self) -> None:
        found = _SPACES.match(self.source, self.at)
        assert found
        self.at = found.end()

    def option(self) -> str:
        """An optional argument in brackets, if there is one."""
        start = self.at
        self.skip_spaces()
        if self.source[self.at : self.at + 1] == "[":
            end = self.source.find("]", self.at, self.at + 2000)
            if end >= 0:
                inner = self.source[self.at + 1 : end]
                if inner.count("{") == inner.count("}"):
                    self.at = end + 1
                    return inner
        self.at = start
        return ""

    def argument(self) -> str:
        """The source of a mandatory argument: a group, or one token."""
        self.skip_spaces()
        if self.source[self.at : self.at + 1] == "{":
            end = closing(self.source, self.at)
            if end < 0:
                return ""
            inner, self.at = self.source[self.at + 1 : end - 1], end
            return inner
        found = _TOKEN.match(self.source, self.at)
        if not found or found.group()[:1] in "}\n":
            return ""
        token = found.group() if found.group()[:1] == "\\" else found.group()[:1]
        self.at += len(token)
        if token[-1:].isalpha() and token[0] == "\\":
            self.eat_space()
        return token

    def rendered(self, source: str) -> str:
        """Markdown of a piece of source, on one line."""
        inner = _Converter(source, self.macros)
        inner.depth, inner.steps = self.depth, self.steps
        inner.run("")
        self.steps = inner.steps
        return " ".join("".join(inner.out).split())

    # What is met ----------------------------------------------------------------------------------------------------

    def sign(self, sign: str) -> None:
        if sign in "()[]":
            if sign in "([":
                self.math("\\)" if sign == "(" else "\\]", "$" if sign == "(" else "$$")
        elif sign in ACCENTS:
            self.accent(sign)
        elif sign == "\\":
            self.option()
            self.put(" ")
        else:
            self.put({",": " ", ";": " ", ":": " ", "!": "", "/": "", "-": "", "\n": " ", "@": ""}.get(sign, sign))

    def accent(self, sign: str) -> None:
        letter = self.argument().replace(r"\i", "i").replace(r"\j", "j").strip("{} ") or " "
        self.put(unicodedata.normalize("NFC", letter[0] + ACCENTS[sign]) + letter[1:])

    def math(self, end: str, mark: str) -> None:
        stop = self.source.find(end, self.at)
        if stop < 0 or (mark == "$" and "\n\n" in self.source[self.at : stop]):
            return  # a lone dollar
        inner, self.at = self.source[self.at : stop].strip(), stop + len(end)
        if inner:
            self.put(f"{mark}{' '.join(inner.split())}{mark}" if mark == "$" else f"\n\n$${inner}$$\n\n")

    def command(self, name: str, starred: bool, until: str) -> bool:
        """Handle a command; True when it ends the environment that is open."""
        if name == "begin":
            self.environment(self.argument())
        elif name == "end":
            return self.argument() == until or until == ""
        elif name in SECTIONS:
            self.option()
            title = self.rendered(self.argument())
            self.put(f"\n\n{'#' * SECTIONS[name]} {title}\n\n" if title else "")
        elif name in self.macros:
            self.macro(name)
        elif name == "item":
            self.item()
        elif name in ("caption", "captionof"):
            self.caption(name)
        elif name in CITATIONS:
            self.cite()
        elif name == "verb":
            self.verb(starred)
        elif name == "par":
            self.put("\n\n")
        elif len(name) == 1 and name in ACCENTS:
            self.accent(name)
        elif name in SIGNS:
            self.put(SIGNS[name])
            self.eat_space()
        elif name in DROP_ARGUMENTS:
            for _ in range(2):
                self.option()
            for _ in range(DROP_ARGUMENTS[name]):
                self.argument()
        else:
            self.option()
            self.eat_space()
        return False

    def eat_space(self) -> None:
        """The blanks after a command name belong to it."""
        while self.source[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        if self.source[self.at : self.at + 2] == "{}":
            self.at += 2

    def macro(self, name: str) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS or len(self.source) > 1 << 25:
            raise TooDeep(f"the macro {name} expands without end")
        count, body = self.macros[name]
        self.option()
        arguments = [self.argument() for _ in range(count)]
        before = self.at
        if not count:
            self.eat_space()
        following = self.source[self.at : self.at + 1]
        ends_word = (
            body.rstrip().endswith("\\xspace") and self.at > before and (following.isalnum() or following in "$\\(")
        )
        for number, argument in enumerate(arguments, 1):
            body = body.replace(f"#{number}", argument)
        inner = _Converter(body, {key: value for key, value in self.macros.items() if key != name})
        inner.depth, inner.steps, inner.lists, inner.hidden = self.depth, self.steps, self.lists, self.hidden
        inner.run("")
        self.steps = inner.steps
        self.out += inner.out
        if ends_word:
            self.put(" ")

    def environment(self, name: str) -> None:
        base = name.rstrip("*")
        if base in MATH_ENVIRONMENTS:
            self.math_environment(name, base)
        elif base in VERBATIM:
            self.verbatim(name)
        elif base in DROPPED_ENVIRONMENTS:
            end = self.source.find(f"\\end{{{name}}}", self.at)
            self.at = len(self.source) if end < 0 else end + len(name) + 6
        elif base in ("itemize", "enumerate", "description", "compactitem", "compactenum"):
            self.option()
            self.lists.append(1 if base in ("enumerate", "compactenum") else 0)
            self.put("\n\n")
            self.run(name)
            self.lists.pop()
            self.put("\n\n")
        elif base in FLOATS:
            self.option()
            self.hidden += 1
            self.run(name)
            self.hidden -= 1
        elif base == "abstract":
            self.put("\n\n# Abstract\n\n")
            self.run(name)
            self.put("\n\n")
        else:
            option = self.option()
            if base.lower() in THEOREMS:
                self.put(f"\n\n{base.capitalize()}{f' ({self.rendered(option)})' if option else ''}. ")
            elif base in ("minipage", "multicols", "adjustwidth", "spacing"):
                self.argument()
            self.run(name)
            self.put("\n\n")

    def math_environment(self, name: str, base: str) -> None:
        end = self.source.find(f"\\end{{{name}}}", self.at)
        if end < 0:
            return
        inner = re.sub(r"\\label\s*\{[^{}]*\}|\\(?:notag|nonumber)\b", "", self.source[self.at : end]).strip()
        self.at = end + len(name) + 6
        if base == "math":
            self.put(f"${inner}$")
        elif base in ("equation", "displaymath"):
            self.put(f"\n\n$${inner}$$\n\n")
        else:
            kind = {"gather": "gathered", "multline": "gathered"}.get(base, "aligned")
            self.put(f"\n\n$$\\begin{{{kind}}}\n{inner}\n\\end{{{kind}}}$$\n\n")

    def verbatim(self, name: str) -> None:
        self.option()
        if name.startswith("minted"):
            self.argument()
        end = self.source.find(f"\\end{{{name}}}", self.at)
        inner = self.source[self.at : end if end >= 0 else len(self.source)].strip("\n")
        self.at = len(self.source) if end < 0 else end + len(name) + 6
        self.put("\n\n" + "\n".join("    " + line for line in inner.split("\n")) + "\n\n" if inner.strip() else "")

    def item(self) -> None:
        term = self.rendered(self.option())
        number = self.lists[-1] if self.lists else 0
        if number:
            self.lists[-1] += 1
        indent = "  " * max(0, len(self.lists) - 1)
        self.put(f"\n{indent}{f'{number}.' if number else '-'} {f'{term}: ' if term else ''}")

    def caption(self, name: str) -> None:
        if name == "captionof":
            self.argument()
        self.option()
        text = self.rendered(self.argument())
        if text:
            self.out.append(f"\n\n{text}\n\n")

    def cite(self) -> None:
        self.option()
        self.option()
        keys = [key.strip() for key in self.argument().split(",") if key.strip()]
        self.put(f"[{'; '.join('@' + key for key in keys)}]" if keys else "")

    def verb(self, starred: bool) -> None:
        mark = self.source[self.at : self.at + 1]
        end = self.source.find(mark, self.at + 1, self.at + 500) if mark else -1
        if end > 0:
            self.put(f"`{self.source[self.at + 1 : end]}`")
            self.at = end + 1
