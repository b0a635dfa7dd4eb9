"""Fetchers that make their files: mathematics, documentation pages, catalogues."""

import gzip
import io
import struct
from fractions import Fraction

import pytest

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from pilebuilder.fetch.base import Want
from pilebuilder.fetch.docpages import body, pages
from pilebuilder.fetch.installed import translations
from pilebuilder.fetch.mathematics import algebra, arithmetic, numbers, poly
from pilebuilder.fetch.mathematics.draw import LEVELS, Draw, show
from pilebuilder.fetch.mathematics.generator import MODULES, questions
from pilebuilder.fetch.web import Web
from tests.fetch.support import recipe, run


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_alternates_short_lines(module):
    for level in LEVELS:
        text = questions(module, level, "1", 60)
        lines = text.split("\n")
        assert lines.pop() == ""
        assert text.isascii()
        assert len(lines) == 120
        assert all(0 < len(q) <= 160 for q in lines[::2])
        assert all(0 < len(a) <= 30 for a in lines[1::2])
        assert text == questions(module, level, "1", 60)
        assert text != questions(module, level, "2", 60)


def test_the_released_names():
    assert len(MODULES) == 56
    assert {"algebra__linear_1d", "numbers__gcd_composed", "probability__swr_p_sequence"} <= set(MODULES)


def test_linear_equations_hold():
    draw = Draw("x", "train-medium")
    for _ in range(300):
        question, answer = algebra.linear_1d(draw)
        equation, name = question.removeprefix("Solve ").removesuffix(".").rsplit(" for ", 1)
        left, right = equation.split(" = ")
        env = {name: int(answer)}
        assert eval(left, {}, env) == eval(right, {}, env), question


def test_arithmetic_holds():
    draw = Draw("x", "train-hard")
    for call in (arithmetic.mixed, arithmetic.add_sub_multiple, arithmetic.mul_div_multiple):
        for _ in range(300):
            question, answer = call(draw)
            text = question.removeprefix("What is the value of ").removeprefix("What is ").removeprefix("Evaluate ")
            text = text.removeprefix("Calculate ").rstrip(".?")
            exact = "".join(f"F({t})" if t.isdigit() else t for t in _tokens(text))
            assert eval(exact, {"F": Fraction}) == Fraction(answer), question


def _tokens(text):
    out = ""
    for char in text:
        if out and (char.isdigit() != out[-1].isdigit()):
            yield out
            out = ""
        if out and not char.isdigit():
            yield out
            out = ""
        out += char
    yield out


def test_expand_and_factor_agree_with_evaluation():
    draw = Draw("x", "train-medium")
    from pilebuilder.fetch.mathematics.polynomials import expand

    for _ in range(200):
        question, answer = expand(draw)
        name = next(c for c in question[7:] if c.isalpha())
        for x in (-3, 2, 7):
            assert eval(question.removeprefix("Expand ").removesuffix("."), {name: x}) == eval(answer, {name: x})
    for _ in range(200):
        question, answer = algebra.polynomial_roots(draw)
        if question.startswith("Factor"):
            text = question.removeprefix("Factor ").removesuffix(".")
            name = next(c for c in text if c.isalpha())
            assert all(eval(text, {name: x}) == eval(answer, {name: x}) for x in (-5, 1, 11)), question


def test_number_theory():
    primes = "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59"
    assert " ".join(str(n) for n in range(60) if numbers.is_prime_number(n)) == primes
    assert numbers.is_prime_number(1549448471)
    assert not numbers.is_prime_number(561 * 1729)
    assert numbers.factors(28663953) == [3, 353, 27067]
    assert [arithmetic._nearest_root(n, 2) for n in (6, 7, 12, 13)] == [2, 3, 3, 4]
    assert show(Fraction(-1, 8)) == "-0.125"
    assert poly.show_poly(poly.compose([1, 2], [0, 0, 3]), "x") == "6*x**2 + 1"


def test_generated_mathematics_as_a_component(tmp_path):
    entry = "{card: dm-mathematics, take: 12 files, fetch: {generate-mathematics: {pairs: 30}}, read: jsonl}"
    plan = recipe(f"name: t\ncomponents: [{entry}]", tmp_path)
    out = run(plan, tmp_path / "out")
    assert len(out.names()) == 12
    row = out.rows()[0]
    assert row["path"].startswith("work/fetch/")
    assert (tmp_path / "out" / row["path"]).stat().st_size == row["bytes"]
    assert run(plan, tmp_path / "out").ran == []
    again = run(plan, tmp_path / "other")
    assert [r["sha256"] for r in again.rows()] == [r["sha256"] for r in out.rows()]


def test_unknown_module_names_the_nearest():
    fetcher = registry.make("fetcher", "generate-mathematics", {"modules": ["algebra__linear_1"]})
    with pytest.raises(RecipeError, match="did you mean 'algebra__linear_1d'"):
        list(fetcher.discover(Web.open(), Want()))


SOURCE = '''"""A module.

Paragraph with ``code`` and <angle> brackets.

- one
- two
  more

Parameters
----------
x : int
    The number.

>>> 1 < 2
True
"""
def f(a, b=1):
    """Add."""
class C:
    """A class."""
    def g(self):
        """Method."""
def undocumented(): pass
'''


def test_pages_carry_documentation_and_boilerplate():
    first, second = pages("pkg", "pkg.mod", SOURCE.encode())
    assert first.path == "/pkg/pkg.mod.html"
    assert "<li>two more</li>" in first.html
    assert "<h3>Parameters</h3>\n<dl>\n<dt>x : int</dt>\n<dd>The number.</dd>\n</dl>" in first.html
    assert "<pre>&gt;&gt;&gt; 1 &lt; 2\nTrue</pre>" in first.html
    assert "<code>code</code> and &lt;angle&gt;" in first.html
    assert "f(a, b=1)" in first.html
    assert "undocumented" not in first.html
    assert "<h2>g(self)</h2>" in second.html
    assert "Privacy policy" in second.html
    assert list(pages("pkg", "pkg.empty", b"x = 1\n")) == []


def test_fenced_code_is_kept_as_it_stands():
    assert body("Text.\n\n```py\nx = 1\n\ny\n```\nMore.") == "<p>Text.</p>\n<pre>x = 1\n\ny\n</pre>\n<p>More.</p>\n"


def test_python_docs_are_readable_warc(tmp_path):
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    fetcher = registry.make("fetcher", "generate-python-docs", {"packages": ["pyyaml"]})
    (item,) = fetcher.discover(Web.open(), Want())
    got = fetcher.fetch(item, tmp_path / "a.warc.gz", Web.open())
    content = got.path.read_bytes()
    assert content == fetcher.fetch(item, tmp_path / "b.warc.gz", Web.open()).path.read_bytes()
    records = list(ArchiveIterator(io.BytesIO(content), record_types=WarcRecordType.response, parse_http=True))
    assert len(records) == got.facts["pages"] > 0
    for record in ArchiveIterator(io.BytesIO(content), record_types=WarcRecordType.response, parse_http=False):
        assert record.verify_block_digest()
        assert record.headers["WARC-Target-URI"].startswith("https://docs.example/pyyaml/yaml")
    assert gzip.decompress(content).startswith(b"WARC/1.1\r\nWARC-Type: warcinfo")


def test_python_docs_of_something_not_installed():
    fetcher = registry.make("fetcher", "generate-python-docs", {"packages": ["no-such-thing"]})
    with pytest.raises(Exception, match=r"not_installed.*pip install no-such-thing"):
        list(fetcher.discover(Web.open(), Want()))


def catalogue(pairs, order="<"):
    ids, texts = [k.encode() for k, _ in pairs], [v.encode() for _, v in pairs]
    at, blob, tables = 28 + 16 * len(pairs), b"", [b"", b""]
    for which, strings in enumerate((ids, texts)):
        for s in strings:
            tables[which] += struct.pack(f"{order}II", len(s), at + len(blob))
            blob += s + b"\0"
    head = struct.pack(f"{order}IIIIIII", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + tables[0] + tables[1] + blob


@pytest.mark.parametrize("order", "<>")
def test_catalogues(order):
    content = catalogue([("", "Content-Type: text/plain"), ("yes", "oui"), ("day\0days", "jour\0jours")], order)
    assert translations(content) == ["oui", "jour", "jours"]


@pytest.mark.parametrize("cut", [0, 10, 27, 30, 60])
def test_broken_catalogues(cut):
    with pytest.raises(ValueError, match=r"cut|shorter|magic"):
        translations(catalogue([("", "h"), ("yes", "oui")])[:cut])
    with pytest.raises(ValueError, match="magic"):
        translations(b"nope" + bytes(60))
