"""Source code: the files of repositories, as folders or tarballs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader


@reader("source-code", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCode:
    """Source files, one document each: loose, or in a repository's tarball or zip (as code hosts serve them).

    Format: any text; archives as ``https://api.github.com/repos/OWNER/REPO/tarball`` gives them; notebooks: nbformat
    4.
    Record unit: a file.
    Id: ``gh:OWNER/REPO@COMMIT:PATH`` when the fetch stage says which repository it is, else ``ARCHIVE/PATH`` or the
    file's name.
    Text: verbatim, decoded as UTF-8 or by detection; of notebooks, the sources of their cells; ``b"def f():\\r\\n
    pass\\r\\n"`` gives the same two lines.
    Metadata: path, language (by name or ``#!`` line), repository, commit, stars, ``encoding`` if not UTF-8.
    Licence: the file's SPDX header, else the repository's own LICENSE text, else what the raw file came with.
    Skip reasons: ``vendored`` (a path through node_modules, vendor, third_party, dist, build, .git, ...; or
    ``linguist-vendored``), ``generated`` (markers in the first lines, lock files, ``linguist-generated``),
    ``minified`` (a line above `max_line`, or lines of over 200 characters on average), ``not_code`` (under 25 %
    letters and digits), ``binary``, ``lfs_pointer``, ``link``, ``licence`` (outside `licences`), ``language`` (outside
    `languages`), ``large`` (above `max_chars`), ``hidden`` and ``extension`` (in ``style: pile``, whose rules are
    those of the original).
    Quarantined: ``bad_notebook``, ``too_large``, and what ends an archive early.
    """

    empty_is_normal: ClassVar[bool] = True  # __init__.py and its like

    licences: Annotated[
        tuple[str, ...], Field(description="SPDX identifiers that are kept; empty: all, unknown ones included")
    ] = ()
    languages: Annotated[tuple[str, ...], Field(description="languages that are kept; empty: all text files")] = ()
    style: Annotated[Literal["clean", "pile"], Field(description="clean, or the Pile's own exclusions")] = "clean"
    max_line: Annotated[int, Field(ge=80, description="a longer line makes a file minified")] = 1000
    max_chars: Annotated[int, Field(ge=100, description="longer files are skipped as `large`")] = 1_000_000

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.source_files import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))
