"""What `take` draws from a listing."""

from dataclasses import dataclass

from pilebuilder.fetch.base import Item
from pilebuilder.fetch.select import LEAST_PART, select, want
from pilebuilder.units import Take


@dataclass(frozen=True)
class Manner:
    sampled: bool = False
    partial: bool = False


PLAIN = Manner()


def listing(count: int, size: int | None = 100) -> list[Item]:
    return [Item(name=f"f{i:03}", address=f"a{i}", bytes=size) for i in range(count)]


def test_everything_without_take():
    assert len(select(listing(7), None, 0, "c", PLAIN)) == 7


def test_files_documents_and_bytes():
    items = listing(50)
    assert len(select(items, Take(5, "files"), 0, "c", PLAIN)) == 5
    assert len(select(items, Take(980, "bytes"), 0, "c", PLAIN)) == 9
    assert len(select(items, Take(6, "documents"), 0, "c", PLAIN, 50)) == 3
    assert select(items, Take(0, "bytes"), 0, "c", PLAIN) == []


def test_choice_is_seeded_and_keeps_listing_order():
    items = listing(50)
    first = select(items, Take(8, "files"), 1, "c", PLAIN)
    assert first == select(items, Take(8, "files"), 1, "c", PLAIN) == sorted(first, key=lambda i: i.name)
    assert first != select(items, Take(8, "files"), 2, "c", PLAIN)
    assert first != select(items, Take(8, "files"), 1, "other", PLAIN)


def test_new_items_only_displace_by_their_own_draw():
    old = {i.name for i in select(listing(40), Take(10, "files"), 3, "c", PLAIN)}
    new = {i.name for i in select(listing(44), Take(10, "files"), 3, "c", PLAIN)}
    assert len(old - new) <= 4
    assert all(name >= "f040" for name in new - old)


def test_a_huge_item_does_not_break_the_budget():
    items = [*listing(20), Item(name="huge", address="h", bytes=10**12)]
    for seed in range(20):
        chosen = select(items, Take(1000, "bytes"), seed, "c", PLAIN)
        assert sum(i.bytes for i in chosen) <= 1000
        assert len(chosen) == 10


def test_when_nothing_fits_the_smallest_is_taken():
    items = [Item(name=str(n), address="a", bytes=n) for n in (700, 300, 900)]
    assert [i.name for i in select(items, Take(100, "bytes"), 0, "c", PLAIN)] == ["300"]


def test_a_useful_beginning_is_cut_to_the_budget():
    (cut,) = select([Item(name="x", address="a", bytes=10**12)], Take(5 << 20, "bytes"), 0, "c", Manner(partial=True))
    assert (cut.bytes, cut.extra["_length"], cut.extra["partial"]) == (5 << 20, 5 << 20, True)
    (whole,) = select(
        [Item(name="x", address="a", bytes=10**12)], Take(LEAST_PART - 1, "bytes"), 0, "c", Manner(partial=True)
    )
    assert whole.bytes == 10**12


def test_an_ordered_listing_is_read_no_further_than_needed():
    seen = []

    def endless():
        i = 0
        while True:
            seen.append(i)
            yield Item(name=str(i), address=str(i), estimate=10)
            i += 1

    assert len(select(endless(), Take(100, "bytes"), 0, "c", Manner(sampled=True))) == 10
    assert len(seen) == 10


def test_known_document_counts_are_used():
    items = [Item(name=str(i), address="a", bytes=10, extra={"documents": 4}) for i in range(9)]
    assert len(select(items, Take(10, "documents"), 0, "c", PLAIN)) == 2


def test_want_in_bytes():
    assert want(Take(3, "documents"), 1, 100).bytes == 300
    assert want(Take(3, "files"), 1).files == 3
    assert want(None, 1).bytes is None
