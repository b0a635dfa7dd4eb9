"""Where web documents come from: scheme, host, registered domain and suffix of their addresses."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from pilebuilder.report.measures.texts import Texts

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Suffixes:
    """The Public Suffix List (publicsuffix.org): which names registrars sell below."""

    plain: frozenset[str]
    wildcard: frozenset[str]
    exception: frozenset[str]
    version: str

    def suffix(self, host: str) -> str:
        """The public suffix of a host, by the list's algorithm; the last label when no rule matches."""
        labels = host.split(".")
        for i in range(len(labels)):
            name = ".".join(labels[i:])
            if name in self.exception:
                return ".".join(labels[i + 1 :])
            if name in self.plain or ".".join(labels[i + 1 :]) in self.wildcard:
                return name
        return labels[-1]

    def registered(self, host: str) -> str:
        """The registered domain: the suffix and one label more; the host itself when it is a suffix or an address."""
        if not host or host.replace(".", "").isdigit() or ":" in host:
            return host
        suffix = self.suffix(host)
        if host == suffix:
            return host
        return host[: -len(suffix) - 1].rsplit(".", 1)[-1] + "." + suffix


@functools.cache
def public_suffixes() -> Suffixes:
    """The list as the package `tld` carries it, with its version line."""
    from importlib.resources import files

    text = (files("tld") / "res" / "effective_tld_names.dat.txt").read_text(encoding="utf-8")
    plain, wildcard, exception, version = set(), set(), set(), "undated"
    for line in text.splitlines():
        rule = line.strip()
        if rule.startswith("// VERSION:"):
            version = rule.removeprefix("// VERSION:").strip()
        if not rule or rule.startswith("//"):
            continue
        for name in {rule, _idna(rule)}:
            if name.startswith("*."):
                wildcard.add(name[2:])
            elif name.startswith("!"):
                exception.add(name[1:])
            else:
                plain.add(name)
    return Suffixes(frozenset(plain), frozenset(wildcard), frozenset(exception), version)


def _idna(name: str) -> str:
    try:
        return name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        return name


def host_of(url: str) -> tuple[str, str]:
    """Scheme and host, lower-case, without port and credentials; empty strings when it has none."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    except ValueError:
        return "", ""


def domains(texts: Texts) -> pa.Table:
    """Documents, bytes and words by scheme, host, registered domain and suffix; documents without address as none."""
    import pyarrow as pa

    urls = texts.column("url")
    if urls is None or urls.null_count == len(urls):
        return schema().empty_table()
    coded = urls.cast(pa.string()).dictionary_encode()
    known = public_suffixes()
    hosts = [host_of(url) for url in coded.dictionary.to_pylist()]
    codes = coded.indices.fill_null(-1).to_numpy()
    present = codes >= 0
    columns = {
        "scheme": [scheme for scheme, _ in hosts],
        "host": [host for _, host in hosts],
        "domain": [known.registered(host) for _, host in hosts],
        "suffix": [known.suffix(host) if host else "" for _, host in hosts],
    }
    tables = []
    for level, names in columns.items():
        values, inverse = np.unique(np.array(names, dtype=object), return_inverse=True)
        number = inverse[codes[present]]
        sums = [
            np.bincount(number, weights, len(values)).astype(np.int64)
            for weights in (None, texts.bytes[present].astype(np.float64), texts.words[present].astype(np.float64))
        ]
        tables.append(
            pa.table(
                [pa.array([level] * len(values)), pa.array(values.tolist(), pa.string()), *map(pa.array, sums)],
                schema=schema(),
            )
        )
    return pa.concat_tables(tables)


def schema() -> pa.Schema:
    """Columns of a table of domains."""
    import pyarrow as pa

    labels = [("level", pa.string()), ("name", pa.string())]
    return pa.schema(labels + [(n, pa.int64()) for n in ("documents", "bytes", "words")])


def add_up(tables: list[pa.Table]) -> pa.Table:
    """Sums over tables of domains, sorted by level and name."""
    import pyarrow as pa

    if not tables:
        return schema().empty_table()
    sums = [(name, "sum") for name in ("documents", "bytes", "words")]
    whole = pa.concat_tables(tables).group_by(["level", "name"], use_threads=False).aggregate(sums)
    whole = whole.rename_columns({f"{name}_sum": name for name, _ in sums}).select(schema().names)
    return whole.sort_by([("level", "ascending"), ("name", "ascending")]).cast(schema())
