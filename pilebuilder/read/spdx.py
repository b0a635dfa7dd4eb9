"""Which licence a LICENSE file is, by phrases that only it contains, and SPDX headers of source files."""

from __future__ import annotations

import functools
import re

_HEADER = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+-]+(?:\s+(?:AND|OR|WITH)\s+[A-Za-z0-9.+-]+)*)")
_SPACE = re.compile(r"[\s*#/\"'`]+")
FILE_NAME = re.compile(r"(?i)(?:licen[cs]e|copying|unlicense|copyright)(?:[-._][\w.-]*)?")
"""Base names of licence files."""

_NOTICE = "the above copyright notice and this permission notice"
_GRANT = "permission is hereby granted, free of charge, to any person obtaining a copy"
_USE = "permission to use, copy, modify, and/or distribute this software"
_BSD = "redistribution and use in source and binary forms"
# Most specific first; every phrase must be there. Phrases are from the texts of the SPDX licence list, lower case.
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AGPL-3.0", ("gnu affero general public license version 3, 19 november 2007",)),
    ("LGPL-3.0", ("gnu lesser general public license version 3, 29 june 2007",)),
    ("LGPL-2.1", ("gnu lesser general public license version 2.1, february 1999",)),
    ("LGPL-2.0", ("gnu library general public license",)),
    ("GPL-3.0", ("gnu general public license", "version 3, 29 june 2007")),
    ("GPL-2.0", ("gnu general public license", "version 2, june 1991")),
    ("MPL-2.0", ("mozilla public license", "version 2.0")),
    ("EPL-2.0", ("eclipse public license - v 2.0",)),
    ("EPL-1.0", ("eclipse public license - v 1.0",)),
    ("EUPL-1.2", ("european union public licence", "v. 1.2")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("CC0-1.0", ("creative commons", "cc0", "waive")),
    ("CC-BY-SA-4.0", ("creative commons attribution-sharealike 4.0",)),
    ("CC-BY-4.0", ("creative commons attribution 4.0",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("WTFPL", ("do what the fuck you want to public license",)),
    ("BSL-1.0", ("boost software license", "version 1.0")),
    ("PSF-2.0", ("python software foundation license version 2",)),
    ("Artistic-2.0", ("the artistic license 2.0",)),
    ("NCSA", ("university of illinois/ncsa",)),
    ("PostgreSQL", ("postgresql", "use, copy, modify, and distribute this software and its documentation")),
    ("Zlib", ("without any express or implied warranty", "altered source versions")),
    ("BSD-4-Clause", (_BSD, "all advertising materials")),
    ("BSD-3-Clause", (_BSD, "endorse or promote products")),
    ("BSD-2-Clause", (_BSD, "redistributions in binary form")),
    ("ISC", (_USE, f"{_NOTICE} appear in all copies")),
    ("ISC", ("permission to use, copy, modify, and distribute this software", f"{_NOTICE} appear in all copies")),
    ("0BSD", (f"{_USE} for any purpose with or without fee is hereby granted",)),
    ("MIT-0", (_GRANT, "without restriction")),
    ("MIT", (_GRANT, f"{_NOTICE} shall be included")),
)  # fmt: skip


@functools.lru_cache(256)
def _folded(text: str) -> str:
    """Lower case, without comment marks, markup and line breaks."""
    return _SPACE.sub(" ", text.lower())


def licence_of(text: str) -> str | None:
    """SPDX identifier of a licence text; None when it is none that is known, which is not an open licence.

    >>> licence_of("Permission to use, copy, modify, and/or distribute this software for any purpose with or"
    ...            " without fee is hereby granted.")
    '0BSD'
    """
    header = _HEADER.search(text, 0, 4096)
    if header:
        return header[1]
    folded = _SPACE.sub(" ", text[:60_000].lower())
    found = [name for name, phrases in _PHRASES if all(_folded(p) in folded for p in phrases)]
    if "MIT" in found and "MIT-0" in found:
        found.remove("MIT-0")
    return found[0] if found else None


def header_of(text: str) -> str | None:
    """The SPDX identifier in the first lines of a source file."""
    match = _HEADER.search(text, 0, 2048)
    return match[1] if match else None
