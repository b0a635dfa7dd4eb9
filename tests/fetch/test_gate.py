"""Politeness across processes, and the shared store."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from pilebuilder.fetch.base import Item
from pilebuilder.fetch.clock import Clock, FakeClock
from pilebuilder.fetch.gate import Gate
from pilebuilder.fetch.rawstore import Evidence, RawStore, item_key


def visit(folder: str, log: str, slots: int, delay: float, times: int) -> None:
    gate = Gate(Path(folder), Clock())
    for _ in range(times):
        with gate.request("h", delay, slots), open(log, "a") as stream:
            stream.write(f"in {time.monotonic()}\n")
            stream.flush()
            time.sleep(0.02)
            stream.write(f"out {time.monotonic()}\n")


@pytest.mark.parametrize(("slots", "delay"), [(1, 0.05), (2, 0.0)])
def test_slots_and_delay_hold_across_processes(slots, delay, tmp_path):
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    args = (str(tmp_path / "gate"), str(log), slots, delay, 4)
    workers = [context.Process(target=visit, args=args) for _ in range(3)]
    [w.start() for w in workers]
    [w.join(60) for w in workers]
    events = sorted((float(t), kind) for kind, t in map(str.split, log.read_text().splitlines()))
    inside = most = 0
    for _, kind in events:
        inside += 1 if kind == "in" else -1
        most = max(most, inside)
    assert len(events) == 24
    assert 1 <= most <= slots
    starts = [t for t, kind in events if kind == "in"]
    assert all(b - a >= delay * 0.9 for a, b in itertools.pairwise(starts))


def test_two_slots_are_two(tmp_path):
    gate = Gate(tmp_path, FakeClock())
    third = threading.Thread(target=visit, args=(tmp_path, tmp_path / "log", 2, 0, 1), daemon=True)
    with gate.request("h", 0, 2), gate.request("h", 0, 2):
        third.start()
        third.join(0.3)
        assert third.is_alive(), "a third request must wait"
    third.join(60)
    assert not third.is_alive()


def test_a_clock_that_was_set_back_does_not_stop_us(tmp_path):
    clock = FakeClock()
    with Gate(tmp_path, clock).request("h", 5, 1):
        pass
    clock.time -= 100_000
    with Gate(tmp_path, clock).request("h", 5, 1):
        pass
    assert sum(clock.slept) <= 5


def test_hosts_do_not_wait_for_each_other(tmp_path):
    clock = FakeClock()
    gate = Gate(tmp_path, clock)
    for host in ("a", "b", "../c", "d" * 300):
        with gate.request(host, 60, 1):
            pass
    assert clock.slept == []
    assert all(p.parent == tmp_path for p in tmp_path.rglob("*"))


def put(store: RawStore, address: str, content: bytes) -> Evidence:
    import hashlib

    item = Item(name="x", address=address)
    part = store.part(item_key(item))
    part.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    found = Evidence(address=address, sha256=digest, bytes=len(content), time="2026-01-01T00:00:00+00:00")
    store.add(item, part, found)
    return found


def test_collection_keeps_what_a_corpus_links_to(tmp_path, store):
    used, unused = put(store, "a", b"used"), put(store, "b", b"unused")
    store.place(used, tmp_path / "corpus")
    stale = store.part("k" * 64)
    stale.write_bytes(b"half")
    now = time.time()
    assert store.collect(now)["objects"] == 0
    later = now + 40 * 86400
    freed = store.collect(later)
    assert (freed["objects"], freed["parts"], freed["records"]) == (1, 1, 1)
    assert (tmp_path / "corpus").read_bytes() == b"used"
    assert store.find(Item(name="x", address="a")) is not None
    assert store.find(Item(name="x", address="b")) is None
    assert not store.object(unused.sha256).exists()
    assert store.size() == (1, 4)


def test_objects_are_shared_and_read_only(tmp_path, store):
    found = put(store, "a", b"text")
    for name in ("one", "two"):
        store.place(found, tmp_path / name)
    assert os.stat(tmp_path / "one").st_ino == os.stat(tmp_path / "two").st_ino
    assert not os.stat(tmp_path / "one").st_mode & 0o222


def test_an_item_is_known_by_address_and_version_not_by_name():
    base = Item(name="a", address="x", version="1")
    assert item_key(base) == item_key(Item(name="b", address="x", version="1"))
    assert item_key(base) != item_key(Item(name="a", address="x", version="2"))
    assert item_key(base) != item_key(Item(name="a", address="x", version="1", extra={"_start": 0, "_length": 5}))


def test_a_broken_record_is_fetched_again(store):
    put(store, "a", b"text")
    store.record(item_key(Item(name="x", address="a"))).write_text("{half")
    assert store.find(Item(name="x", address="a")) is None
