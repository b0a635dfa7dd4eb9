"""The sandbox: a crash, a hang, or too much memory costs one document; its neighbours come through in order."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from pilebuilder.read import sandbox
from pilebuilder.read.sandbox import Failure, Job, Limits, call, ordered

HERE = __name__
FAST = Limits(seconds=1, memory=2 << 30)


def behave(data: bytes, mood: str = "", path: str = "") -> str:
    """What the child runs."""
    if mood == "crash":
        os.abort()
    if mood == "exit":
        os._exit(3)
    if mood == "spin":
        while True:
            pass
    if mood == "sleep":
        time.sleep(60)
    if mood == "eat":
        return str(len(bytearray(3 << 30)))
    if mood == "deep":
        return behave(data, mood)
    if mood == "raise":
        raise ValueError("no \ud800 way")
    if mood == "print":
        os.write(1, b"noise on standard output")
        print("more noise")
    if mood == "write":
        Path(path).write_bytes(b"x" * 5000)
    return f"{os.getpid()} {data.decode()}"


def reason(mood: str, limits: Limits = FAST, **params: str) -> str:
    with pytest.raises(Failure) as caught:
        call(f"{HERE}:behave", b"", {"mood": mood, **params}, limits)
    return caught.value.reason


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        ("crash", "crash"),
        ("exit", "crash"),
        ("spin", "timeout"),
        ("eat", "memory"),
        ("deep", "too_deep"),
        ("raise", "parse_error"),
    ],
)
def test_what_a_parser_may_do(mood: str, expected: str) -> None:
    assert reason(mood) == expected
    assert call(f"{HERE}:behave", b"ok", {}, FAST).endswith("ok")


def test_a_sleeping_child_is_ended_by_the_clock() -> None:
    start = time.monotonic()
    assert reason("sleep", Limits(seconds=0.1)) == "timeout"
    assert time.monotonic() - start < 5


def test_the_child_writes_no_file_and_its_noise_harms_nothing(tmp_path: Path) -> None:
    target = tmp_path / "written"
    with contextlib.suppress(Failure):
        call(f"{HERE}:behave", b"", {"mood": "write", "path": str(target)}, FAST)
    assert not target.exists() or target.stat().st_size == 0
    assert call(f"{HERE}:behave", b"x", {"mood": "print"}, FAST).endswith("x")


def test_the_child_has_an_almost_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary")
    sandbox.close_all()
    assert "SECRET_TOKEN" not in call(f"{HERE}:environment", b"", {}, FAST)


def environment(data: bytes) -> list[str]:
    return sorted(os.environ)


def test_one_poisonous_document_among_many() -> None:
    moods = ["", "", "crash", "", "eat", "", "raise", "", ""]
    entries: list[str | Job[str]] = []
    for k, mood in enumerate(moods):
        entries.append(f"ready {k}")
        entries.append(
            Job(
                data=str(k).encode(),
                params={"mood": mood},
                then=lambda a: a.reason if isinstance(a, Failure) else a.split()[1],
            )
        )
    found = list(ordered(f"{HERE}:behave", iter(entries), FAST))
    names = {"crash": "crash", "eat": "memory", "raise": "parse_error"}
    expected = [x for k, mood in enumerate(moods) for x in (f"ready {k}", names.get(mood, str(k)))]
    assert found == expected


def test_what_was_held_comes_before_the_error_of_the_source() -> None:
    def source() -> object:
        yield Job(data=b"1", params={}, then=lambda a: a.split()[1])
        yield "ready"
        raise ValueError("the source broke")

    found = []
    with pytest.raises(ValueError, match="the source broke"):
        found.extend(iter_into(found, ordered(f"{HERE}:behave", source(), FAST)))  # type: ignore[arg-type]
    assert found == ["1", "ready"]


def iter_into(found: list[str], entries: object) -> list[str]:
    for entry in entries:  # type: ignore[attr-defined]
        found.append(entry)
    return []


def test_children_are_replaced_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "RECYCLE", 3)
    pids = [call(f"{HERE}:behave", b"x", {}, FAST).split()[0] for _ in range(7)]
    assert 2 <= len(set(pids)) <= 4


def test_large_documents_go_through() -> None:
    data = b"x" * (20 << 20)
    assert len(call("pilebuilder.read.sandbox:echo", data, {}, FAST)) == len(data)
