"""Personal data and secrets: found by form and checksum, then tagged, masked, replaced or dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.document import Docs, from_buffers
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["email", "phone", "ip", "iban", "card", "national_id", "secret"]
KINDS: tuple[Kind, ...] = ("email", "phone", "ip", "iban", "card", "national_id", "secret")


def _digits(seed: bytes, count: int) -> str:
    return str(int.from_bytes(seed[:12], "big") % 10**count).zfill(count)


# Each surrogate lies in a range that is reserved or not assigned, so it is nobody's, and is not found again.
SURROGATES: dict[str, Callable[[bytes], str]] = {
    "email": lambda s: f"user{s[:4].hex()}@example.com",
    "phone": lambda s: f"+999{_digits(s, 8)}",
    "ip": lambda s: f"198.{18 + s[0] % 2}.{s[1]}.{s[2]}",
    "iban": lambda s: f"XX00{_digits(s, 18)}",
    "card": lambda s: "0000 " + " ".join(_digits(s[4 * k :], 4) for k in range(3)),
    "national_id": lambda s: f"ID-{s[:5].hex().upper()}",
    "secret": lambda s: "secret_" + "".join("abcdefghijklmnop"[byte % 16] for byte in s[:16]),
}


@step("pii", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Pii:
    """Finds e-mail, phone, IP, IBAN, card and national id numbers and secrets; adds a count of each as a signal."""

    action: Annotated[
        Literal["tag", "mask", "pseudonymise", "drop"],
        Field(description="tag: counts only; mask: a placeholder such as <EMAIL>; pseudonymise: an invented value, the"
                          " same for the same original within a document; drop: the document leaves"),
    ] = "mask"  # fmt: skip
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, description="what to look for")] = KINDS
    more_than: Annotated[int, Field(ge=0, description="drop: leave documents with at most this many finds")] = 0
    salt: Annotated[
        str, Field(description="pseudonymise: another salt gives other invented values; not a secret of its own")
    ] = ""

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        from pilebuilder.kernels import pii

        data, offsets = docs.buffers()
        spans, found = pii.scan(data, offsets, [KINDS.index(kind) for kind in self.kinds])
        counts = np.zeros((len(docs), len(KINDS)), np.int32)
        np.add.at(counts, (spans[:, 0], found), 1)
        for kind in self.kinds:
            column = counts[:, KINDS.index(kind)]
            docs = docs.signal(f"pii_{kind}", column)
            rows = np.flatnonzero(column)
            if len(rows):
                docs.record(rows, "noted", f"pii.{kind}", column.astype(float))
        if self.action == "tag" or not len(spans):
            return docs
        if self.action == "drop":
            total = counts.sum(axis=1)
            return docs.drop(total > self.more_than, "pii", total, float(self.more_than))
        texts = self._masks(found) if self.action == "mask" else self._surrogates(docs, data, spans, found)
        return docs.edit(from_buffers(*pii.substitute(data, offsets, spans, texts)), f"pii.{self.action}")

    def _masks(self, found: np.ndarray) -> list[bytes]:
        masks = [f"<{kind.upper()}>".encode() for kind in KINDS]
        return [masks[kind] for kind in found.tolist()]

    def _surrogates(self, docs: Docs, data: np.ndarray, spans: np.ndarray, found: np.ndarray) -> list[bytes]:
        """Invented values, keyed by document: equal originals agree within a document and not between documents."""
        ids = docs.column("id").take(spans[:, 0]).to_pylist()
        texts = []
        for name, kind, (_, start, stop) in zip(ids, found.tolist(), spans.tolist(), strict=True):
            key = hashlib.blake2b(f"{self.salt}\0{name}\0{kind}".encode(), digest_size=16).digest()
            original = normal(KINDS[kind], data[start:stop].tobytes())
            seed = hashlib.blake2b(original, key=key, digest_size=24).digest()
            texts.append(SURROGATES[KINDS[kind]](seed).encode())
        return texts


def normal(kind: str, original: bytes) -> bytes:
    """The same person or account in one spelling: lower case, and numbers without their separators."""
    if kind in ("email", "ip"):
        return original.lower()
    return original if kind == "secret" else bytes(c for c in original.upper() if c > 47)
