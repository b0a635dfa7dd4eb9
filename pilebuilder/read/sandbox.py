"""Risky parsers in a child process with limits: a crash or a hang costs one document, not the worker.

A parser of HTML, PDF or TeX is native code fed with what strangers wrote. `call` runs one in a child that has an
address space limit, a limit of CPU seconds for each document, no way to write a file, an almost empty environment, and
marks itself as the first to go when the machine runs out of memory. What comes back is JSON, so that a parser which
was taken over can hand nothing to the worker but text. CPU time and not the clock decides, so the same documents fail
on a busy machine; the clock (ten times as long) is for a child that sleeps.

A child is started once per function and worker and serves one document at a time; a document that crashes it, or needs
more memory than it may have, is tried once more in a fresh child before it is given up.

>>> call("pilebuilder.read.sandbox:echo", b"abc", {"times": 2})
'abcabc'
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Generic, TypeVar

_HEAD = struct.Struct("<IQ")
RECYCLE = 5000
"""Documents after which a child is replaced, so that what a parser leaks stays bounded."""
STRIKES = 2
PIPE = 1 << 20
"""Size of the pipes to a child where the system allows it: fewer switches between the two processes."""
BATCH_JOBS, BATCH_BYTES = 32, 1 << 20
"""Documents, and bytes of them, that go to a child at once."""
OUTPUT = 256 << 20
"""Most bytes of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one document may cost."""

    memory: int = 2 << 30
    """Address space of the child in bytes. Libraries and their thread stacks map some 0.5 GiB that they never use."""
    seconds: float = 30.0
    """CPU time for one document; ten times as much by the clock."""


DEFAULT = Limits()


T = TypeVar("T")


class Failure(Exception):
    """A document that its parser could not do. `reason`: crash, timeout, memory, or what the parser itself said."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def call(
    function: str, data: bytes, params: Mapping[str, Any], limits: Limits = DEFAULT, *, strikes: int = STRIKES
) -> Any:
    """``function(data, **params)`` in a child. `function` is ``module:name`` and returns what JSON can say.

    Raises `Failure`. An exception of the function comes back by its ``reason`` attribute, else as ``parse_error``.
    """
    for strike in range(1, strikes + 1):
        try:
            answer = _child(function, limits).call([data], [dict(params)])[0]
        except Failure as failure:
            answer = failure
        if not isinstance(answer, Failure):
            return answer
        if answer.reason not in ("crash", "memory") or strike == strikes:
            raise answer
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[T]):
    """A document for the child, and what its answer (or `Failure`) becomes."""

    data: bytes
    params: Mapping[str, Any]
    then: Callable[[Any], T]


def ordered(function: str, entries: Iterator[T | Job[T]], limits: Limits = DEFAULT) -> Iterator[T]:
    """Entries in their order, with each `Job` replaced by what its answer became.

    Jobs go to the child some at a time, which costs a third of what one at a time does for small documents. When a
    batch kills the child, only the document that it was at is given up, after one more try of its own.
    """
    held: list[T | Job[T]] = []
    jobs = size = 0
    error: Exception | None = None
    while True:
        try:
            entry = next(entries, _END)
        except Exception as problem:
            entry, error = _END, problem
        if entry is not _END:
            held.append(entry)  # type: ignore[arg-type]
            if isinstance(entry, Job):
                jobs += 1
                size += len(entry.data)
        if entry is _END or not jobs or jobs >= BATCH_JOBS or size >= BATCH_BYTES or len(held) >= 1000:
            yield from _answered(function, held, limits)
            held, jobs, size = [], 0, 0
        if error is not None:
            raise error
        if entry is _END:
            return


_END: Any = object()


def _answered(function: str, held: list[T | Job[T]], limits: Limits) -> Iterator[T]:
    answers = iter(_batch(function, [entry for entry in held if isinstance(entry, Job)], limits))
    for entry in held:
        yield entry.then(next(answers)) if isinstance(entry, Job) else entry


def _batch(function: str, jobs: list[Job[T]], limits: Limits) -> list[Any]:
    """An answer or `Failure` for each job. The child tells how far it came before it died, so its killer is known."""
    answers: list[Any] = []
    while len(answers) < len(jobs):
        todo = jobs[len(answers) :]
        child = _child(function, limits)
        try:
            answers += child.call([job.data for job in todo], [dict(job.params) for job in todo])
        except Failure as failure:
            done = min(child.done, len(todo) - 1)
            answers += _batch(function, todo[:done], limits) if done else []
            answers.append(failure)
    for k, answer in enumerate(answers):
        if isinstance(answer, Failure) and answer.reason in ("crash", "memory"):
            try:
                answers[k] = call(function, jobs[k].data, jobs[k].params, limits, strikes=1)
            except Failure as failure:
                answers[k] = failure
    return answers


_CHILDREN: dict[tuple[str, Limits, int], _Child] = {}


def _child(function: str, limits: Limits) -> _Child:
    """The child of this process for a function; a new one if there is none or it is spent."""
    key = (function, limits, os.getpid())
    child = _CHILDREN.get(key)
    if child is None or child.spent:
        if child is not None:
            child.close()
        child = _CHILDREN[key] = _Child(function, limits)
    return child


def close_all() -> None:
    """End every child of this process."""
    for key in [k for k in _CHILDREN if k[2] == os.getpid()]:
        _CHILDREN.pop(key).close()


atexit.register(close_all)


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, function: str, limits: Limits) -> None:
        self.limits, self.served, self.dead = limits, 0, False
        self.done = 0
        """Documents of the last call that were answered; meant for when it died."""
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "PILEBUILDER_CACHE", "HOME")}
        self.progress, mark = os.pipe()
        os.set_blocking(self.progress, False)
        keep["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path)
        code = "from pilebuilder.read.sandbox import serve; serve()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, function, str(limits.memory), str(limits.seconds), str(mark)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**keep, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"},
            pipesize=PIPE,
            pass_fds=(mark,),
        )
        os.close(mark)

    @property
    def spent(self) -> bool:
        return self.dead or self.served >= RECYCLE or self.process.poll() is not None

    def call(self, documents: list[bytes], params: list[dict[str, Any]]) -> list[Any]:
        """An answer, or a `Failure`, for each document; raises `Failure` when the child dies."""
        import orjson

        self.served += len(documents)
        self._marks()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            head = orjson.dumps([params, [len(d) for d in documents]])
            send(self.process.stdin, head, *documents)
        except OSError:  # the child died while it was given the documents
            raise self._died() from None
        answers = orjson.loads(self._receive(self.process.stdout.fileno(), len(documents)))
        found = [value if kind == "value" else Failure(*value) for kind, value in answers]
        if any(isinstance(f, Failure) and f.reason == "memory" for f in found):
            self._kill()
        return found

    def _receive(self, pipe: int, count: int) -> bytes:
        """One message; raises `Failure` when the child dies or the clock runs out."""
        seconds = 10 * self.limits.seconds * count
        end, held = time.monotonic() + seconds, bytearray()
        size = _HEAD.size
        while len(held) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self._kill()
                raise Failure("timeout", f"no answer within {seconds:g} seconds")
            block = os.read(pipe, 1 << 20)
            if not block:
                raise self._died()
            held += block
            if size == _HEAD.size and len(held) >= size:
                size += _HEAD.unpack_from(held)[0]
                if size > OUTPUT:
                    self._kill()
                    raise Failure("too_large", f"an answer of {size} bytes")
        return bytes(memoryview(held)[_HEAD.size : size])

    def _marks(self) -> int:
        """How many documents were done since this was last asked."""
        with contextlib.suppress(BlockingIOError, OSError):
            return len(os.read(self.progress, 1 << 16))
        return 0

    def _died(self) -> Failure:
        self.dead, self.done = True, self._marks()
        code = self.process.wait(10)
        self.close()
        if -code in (24, 9) and sys.platform == "linux":  # SIGXCPU at the soft limit, SIGKILL at the hard one
            cpu = -code == 24
            return (
                Failure("timeout", f"more than {self.limits.seconds:g} seconds of CPU time")
                if cpu
                else Failure("crash", "killed")
            )
        return Failure(
            "crash", f"the parser ended with signal {-code}" if code < 0 else f"the parser exited with code {code}"
        )

    def _kill(self) -> None:
        self.dead, self.done = True, self._marks()
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.progress)
        self.progress = -1
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def send(pipe: IO[bytes], head: bytes, *body: bytes) -> None:
    """Write one message: sizes, JSON, bytes."""
    pipe.write(_HEAD.pack(len(head), sum(map(len, body))))
    pipe.write(head)
    for part in body:
        pipe.write(part)
    pipe.flush()


# In the child --------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Main function of a child: answer calls until the worker closes the pipe."""
    import orjson

    name, memory, seconds, mark = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get into the answers
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    _confine(memory)
    while len(head := source.read(_HEAD.size)) == _HEAD.size:
        sizes = _HEAD.unpack(head)
        params, lengths = orjson.loads(source.read(sizes[0]))
        answers = []
        for given, length in zip(params, lengths, strict=True):
            data = source.read(length)
            _allow(seconds)
            answers.append(_answer(function, data, given))
            os.write(mark, b".")
        send(target, b"[" + b",".join(answers) + b"]")


def _answer(function: Any, data: bytes, params: dict[str, Any]) -> bytes:
    import orjson

    try:
        return orjson.dumps(["value", function(data, **params)])
    except MemoryError:
        reason, detail = "memory", "out of memory"
    except RecursionError:
        reason, detail = "too_deep", "nested too deep for its parser"
    except Exception as error:
        reason = str(getattr(error, "reason", "parse_error"))
        detail = str(getattr(error, "detail", "")) or f"{type(error).__name__}: {error}"
    return orjson.dumps(["error", [reason, detail.encode("utf-8", "backslashreplace").decode()[:300]]])


def _confine(memory: int) -> None:
    import resource

    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # a platform without this limit, or a lower one in force
            resource.setrlimit(what, (limit, limit))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _allow(seconds: float) -> None:
    """Set the soft CPU limit to what was used so far plus `seconds`; the kernel counts whole seconds."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def echo(data: bytes, times: int = 1) -> str:
    """Answer with the text that came in; for tests of the sandbox itself."""
    return data.decode() * times
