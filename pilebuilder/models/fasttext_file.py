"""fastText's model file (.bin, .ftz), version 11 and 12, read into plain arrays; nothing in it is executed.

Layout from fastText's own sources (Args, Dictionary, DenseMatrix, QuantMatrix, ProductQuantizer: save and load).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilebuilder.errors import PilebuilderError

MAGIC, VERSION = 793712314, 12
SUPERVISED = 3
LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
LABEL = b"__label__"
END_OF_LINE = b"</s>"


class ModelFileError(PilebuilderError):
    """A model file that is not what it should be; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastTextFile:
    """A supervised fastText model as arrays. R rows, D dimensions, K labels, V words."""

    words: list[bytes]
    labels: list[str]
    """Names without the ``__label__`` prefix, in file order, most frequent first."""
    label_counts: np.ndarray
    """int64 [K]: training frequency, from which the tree of the hierarchical softmax is rebuilt."""
    loss: str
    word_ngrams: int
    bucket: int
    minn: int
    maxn: int
    input: np.ndarray
    """float32 [R, D]: V word rows, then hashed n-gram rows."""
    output: np.ndarray
    """float32 [K, D] (softmax, ova, ns) or [K, D] with K - 1 used inner nodes (hs)."""
    pruned: np.ndarray | None
    """int32 [n, 2]: bucket and n-gram row, for a model whose rows were pruned by quantization; None when all buckets
    have rows."""


class _Bytes:
    """A cursor over the file's bytes that never reads past their end."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                self.raw: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise ModelFileError(f"{path}: cannot read the model file: {error.strerror}") from error
        self.data = np.frombuffer(self.raw, np.uint8)

    def take(self, count: int) -> np.ndarray:
        if count < 0 or self.at + count > len(self.data):
            raise ModelFileError(
                f"{self.path}: the file ends at byte {len(self.data)} where {count} more bytes are due at {self.at};"
                " it is cut or damaged: copy it again"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def read(self, form: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)).data)

    def one(self, form: str) -> int:
        return self.read(form)[0]

    def array(self, kind: type, count: int) -> np.ndarray:
        return self.take(count * np.dtype(kind).itemsize).view(kind)

    def string(self) -> bytes:
        end = self.raw.find(b"\0", self.at)
        if end < 0:
            self.take(len(self.data) + 1)  # raises
        start, self.at = self.at, end + 1
        return self.raw[start:end]


def load(path: Path) -> FastTextFile:
    """Read a supervised model; raises `ModelFileError` for other files, newer versions and cut files."""
    source = _Bytes(path)
    if len(source.data) < 8 or source.one("i") != MAGIC:
        raise ModelFileError(f"{path}: not a fastText model (.bin or .ftz): its first bytes are not fastText's magic")
    version = source.one("i")
    if version > VERSION:
        raise ModelFileError(
            f"{path}: fastText file version {version}, newer than {VERSION}, the newest this program reads;"
            " convert the model with the fastText that wrote it, or upgrade pilebuilder"
        )
    if version < VERSION - 1:
        raise ModelFileError(f"{path}: fastText file version {version} is older than {VERSION - 1}; retrain the model")
    dim, _, _, _, _, word_ngrams, loss, kind, bucket, minn, maxn, _ = source.read("12i")
    source.read("d")
    if kind != SUPERVISED or loss not in LOSSES:
        raise ModelFileError(f"{path}: not a classifier: fastText model kind {kind}, loss {loss}; train it supervised")
    if version == VERSION - 1:
        maxn = 0  # version 11 wrote, but did not use, character n-grams of supervised models
    words, labels, counts, pruned = _dictionary(source)
    quantized = bool(source.one("?"))
    inputs = _quantized(source) if quantized else _dense(source)
    quantized_output = bool(source.one("?"))
    outputs = _quantized(source) if quantized and quantized_output else _dense(source)
    if source.at != len(source.data):
        raise ModelFileError(f"{path}: {len(source.data) - source.at} bytes follow the model; the file is damaged")
    rows = len(words) + (bucket if pruned is None else len(pruned))
    if (
        inputs.shape[1] != dim
        or outputs.shape != (len(labels), dim)
        or len(inputs) < rows * bool(maxn or word_ngrams > 1)
    ):
        raise ModelFileError(f"{path}: matrix sizes {inputs.shape}, {outputs.shape} do not fit its dictionary")
    return FastTextFile(
        words=words,
        labels=labels,
        label_counts=counts,
        loss=LOSSES[loss],
        word_ngrams=word_ngrams,
        bucket=bucket,
        minn=minn,
        maxn=maxn,
        input=inputs,
        output=outputs,
        pruned=pruned,
    )


def _dictionary(source: _Bytes) -> tuple[list[bytes], list[str], np.ndarray, np.ndarray | None]:
    size, words_count, labels_count = source.read("3i")
    _, pruned_count = source.read("2q")
    words: list[bytes] = []
    labels: list[str] = []
    counts: list[int] = []
    entry = struct.Struct("<qb")
    for _ in range(size):
        text = source.string()
        count, kind = entry.unpack(source.take(entry.size).data)
        if kind == 0:
            words.append(text)
        else:
            labels.append(text.removeprefix(LABEL).decode("utf-8", "replace"))
            counts.append(count)
    if (len(words), len(labels)) != (words_count, labels_count):
        raise ModelFileError(f"{source.path}: the dictionary holds other counts of words and labels than it declares")
    pruned = None
    if pruned_count >= 0:
        pruned = source.array(np.int32, 2 * pruned_count).reshape(-1, 2)
    return words, labels, np.array(counts, np.int64), pruned


def _dense(source: _Bytes) -> np.ndarray:
    rows, columns = source.read("2q")
    return source.array(np.float32, rows * columns).reshape(rows, columns)


def _quantized(source: _Bytes) -> np.ndarray:
    """A product-quantized matrix, expanded to float32 [rows, columns]."""
    norms_too = bool(source.one("?"))
    rows, columns = source.read("2q")
    codes = source.array(np.uint8, source.one("i"))
    dim, parts, width, last, centroids = _quantizer(source)
    if dim != columns or len(codes) != rows * parts:
        raise ModelFileError(f"{source.path}: a quantized matrix does not fit its quantizer; the file is damaged")
    codes = codes.reshape(rows, parts)
    matrix = np.zeros((rows, columns), np.float32)
    for part in range(parts):
        size = last if part == parts - 1 else width
        start = part * 256 * width
        table = centroids[start : start + 256 * size].reshape(256, size)
        matrix[:, part * width : part * width + size] = table[codes[:, part]]
    if norms_too:
        norm_codes = source.array(np.uint8, rows)
        norms = _quantizer(source)[-1]
        matrix *= norms[:256][norm_codes][:, None]
    return matrix


def _quantizer(source: _Bytes) -> tuple[int, int, int, int, np.ndarray]:
    dim, parts, width, last = source.read("4i")
    return dim, parts, width, last, source.array(np.float32, dim * 256)
