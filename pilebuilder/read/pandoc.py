"""Pandoc in a child process that reads its input from a pipe and can reach nothing else.

``--sandbox`` keeps the reader from files and the network (no ``\\input``, no images, no bibliography); older versions
than 3.1.6 are refused because theirs leaked (CVE-2023-35936, CVE-2023-38745). The child has an empty environment, no
home, a heap limit, a limit of CPU seconds and may write no file. It never makes PDF and extracts no media.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess

OLDEST = (3, 1, 6)
SECONDS = 60
"""CPU seconds for one document, ten times as many by the clock."""
HEAP = "1g"
OUTPUT = 64 << 20
_FENCED_DIV = re.compile(r"^:::.*\n?", re.M)
_LIMITS = 'ulimit -t "$0"; ulimit -f 0; exec "$@"'


class PandocError(Exception):
    """A document that pandoc could not do: ``pandoc_missing``, ``pandoc_failed``, ``timeout``, ``memory``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@functools.cache
def version() -> tuple[str, tuple[int, ...]]:
    """Path and version of pandoc: the one of pypandoc-binary, else the one on the path."""
    path = None
    try:
        import pypandoc

        path = pypandoc.get_pandoc_path()
    except (ImportError, OSError):
        path = shutil.which("pandoc")
    if not path:
        hint = "pandoc is not installed; pip install 'pilebuilder[latex]' brings it"
        raise PandocError("pandoc_missing", hint)
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.match(r"pandoc(?:\.exe)? (\d+(?:\.\d+)*)", answer)
    numbers = tuple(map(int, found.group(1).split("."))) if found else ()
    if numbers < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise PandocError("pandoc_missing", f"{path} is version {numbers}, below {wanted}: its sandbox leaks")
    return path, numbers


def available() -> bool:
    """Whether a pandoc that is new enough can be run."""
    try:
        version()
    except PandocError:
        return False
    return True


def markdown(
    data: bytes, source: str, *, to: str = "markdown", seconds: int = SECONDS, options: tuple[str, ...] = ()
) -> str:
    """Markdown of a document, unwrapped, without lines that begin with ``:::``; raises `PandocError`."""
    path, _ = version()
    command = [path, "+RTS", f"-M{HEAP}", "-RTS", "-f", source, "-t", to, "--wrap=none", "--sandbox", *options]
    environment = {"HOME": "/nonexistent", "TMPDIR": "/nonexistent", "LANG": "C.UTF-8", "PATH": "/nonexistent"}
    process = subprocess.Popen(
        ["/bin/sh", "-c", _LIMITS, str(seconds), *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env=environment,
    )  # fmt: skip
    try:
        out, errors = process.communicate(data, timeout=10 * seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise PandocError("timeout", f"no answer within {10 * seconds} seconds") from None
    if process.returncode:
        raise _failure(process.returncode, errors, seconds)
    if len(out) > OUTPUT:
        raise PandocError("too_large", f"{len(out)} bytes of Markdown")
    return _FENCED_DIV.sub("", out.decode("utf-8", "replace"))


def _failure(code: int, errors: bytes, seconds: int) -> PandocError:
    from pilebuilder.ledger import context

    message = context(errors.strip()[-200:])
    if code in (-24, -9, 152, 137):
        return PandocError("timeout", f"more than {seconds} seconds of CPU time")
    if code == 251 or b"heap exhausted" in errors:
        return PandocError("memory", f"more than {HEAP} of heap")
    return PandocError("pandoc_failed", f"exit code {code}: {message}")


if os.name != "posix":  # pragma: no cover
    raise ImportError("the pandoc reader needs a POSIX system")
