"""Small models that pilebuilder carries: files with recorded digests, licences and cards. Nothing is unpickled."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pilebuilder.errors import PilebuilderError, RecipeError, nearest

if TYPE_CHECKING:
    from pilebuilder.models.scorer import Scorer

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model file that travels with the package."""

    name: str
    file: str
    """Relative to this folder; its card and its notice lie beside it."""
    sha256: str
    bytes: int
    licence: str
    task: str
    card: str
    """File name of the card, a Markdown text that says what the model cannot do."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Further files of the model in the same folder, with their SHA-256."""

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self.bytes + sum((self.path.parent / name).stat().st_size for name in self.beside)

    def read_card(self) -> str:
        """The card's text."""
        return (self.path.parent / self.card).read_text(encoding="utf-8")


CATALOGUE: dict[str, Model] = {
    m.name: m
    for m in (
        Model(
            name="lid.176",
            file="lid176/lid.176.ftz",
            sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
            bytes=938_013,
            licence="CC-BY-SA-3.0",
            task="language identification, 176 languages",
            card="card.md",
        ),
        Model(
            name="toxicity",
            file="toxicity/toxicity.bin",
            sha256="9da9d2d342d66a3e6263dfbae13f6aa5a479f31d1cb818940f185ce93e4ffadc",
            bytes=1_775_430,
            licence="CC-BY-SA-4.0",
            task="toxicity of English sentences",
            card="card.md",
        ),
        Model(
            name="english.tagger",
            file="english/tagger.zst",
            sha256="d2d04a1fc566f463e4f6bafbf73b36036bccf013d0d7d4dac76aa4cf5e35051b",
            bytes=332_396,
            licence="CC-BY-SA-4.0",
            task="parts of speech of English words, 17 universal tags",
            card="card.md",
        ),
        Model(
            name="english.sentiment",
            file="english/sentiment.tsv.zst",
            sha256="ced3410c56d2e92e2fed3b2624f43c036389ebbfb87a10c1c0ce6708a29485cf",
            bytes=324_456,
            licence="CC-BY-SA-4.0",
            task="sentiment of English words, 90,956 entries",
            card="card.md",
        ),
        Model(
            name="gpt2",
            file="gpt2/vocab.bpe.xz",
            sha256="7a7f1932afdbe16b50230e3f4ef6ff1037208e6c276d97d3652608c385401f6e",
            bytes=182_324,
            licence="MIT",
            task="byte-pair encoding, 50,257 tokens",
            card="card.md",
            beside={"encoder.json.xz": "ce4082ef288d73c17dcbaf29ed47571a1d61eef0ccd2314c7bb4fa77bdca6528"},
        ),
    )
}


class DigestError(PilebuilderError):
    """A shipped model file whose bytes are not those that were recorded."""


def model(name: str) -> Model:
    """The catalogue's entry; raises `RecipeError` with the nearest known name."""
    try:
        return CATALOGUE[name]
    except KeyError:
        known = ", ".join(sorted(CATALOGUE))
        raise RecipeError(f"no model is named {name!r}{nearest(name, CATALOGUE)}; known: {known}") from None


def check(entry: Model) -> None:
    """Raise `DigestError` unless the model's files hold the recorded bytes."""
    for path, recorded in [(entry.path, entry.sha256), *((entry.path.parent / n, d) for n, d in entry.beside.items())]:
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DigestError(
                f"{path}: cannot read the {entry.name} model: {error.strerror}; reinstall pilebuilder"
            ) from error
        if found != recorded:
            raise DigestError(
                f"{path}: the {entry.name} model has SHA-256 {found}, but {recorded} is recorded;"
                " the file was changed or damaged: reinstall pilebuilder"
            )


def locate(name_or_path: str) -> Path:
    """The file of a shipped model (by name) or of the user's own (by path); a clear error if there is none."""
    if name_or_path in CATALOGUE:
        return CATALOGUE[name_or_path].path
    path = Path(name_or_path)
    if path.suffix in (".bin", ".ftz") or "/" in name_or_path:
        if not path.is_file():
            raise RecipeError(f"no model file {name_or_path}; give a path to a fastText .bin or .ftz file")
        return path
    model(name_or_path)  # raises with the known names
    raise AssertionError(name_or_path)


@functools.cache
def digest(name_or_path: str) -> str:
    """SHA-256 of a model's file: what enters a task key. Recorded for a shipped model, computed for a user's."""
    if name_or_path in CATALOGUE:
        return CATALOGUE[name_or_path].sha256
    from pilebuilder.task import digest_file

    return digest_file(locate(name_or_path))[0]


@functools.cache
def load(name_or_path: str) -> Scorer:
    """A classifier ready to score, loaded once per process; a shipped model's digest is checked first."""
    path = locate(name_or_path)
    if name_or_path in CATALOGUE:
        check(CATALOGUE[name_or_path])
    return open_file(path)


def open_file(path: Path) -> Scorer:
    """Read a fastText file (.bin, .ftz) and make it ready to score."""
    from pilebuilder.models.scorer import open_scorer

    return open_scorer(path)
