"""What `take` draws from a listing."""

from pilebuilder.fetch.base import Item
from pilebuilder.fetch.select import select, want
from pilebuilder.units import Take


def listing(count: int, size: int | None = 100) -> list[Item]:
    return [Item(name=f"f{i:03}", address=f"a{i}", bytes=size) for i in range(count)]


def test_everything_without_take():
    assert len(select(listing(7), None, 0, "c")) == 7


def test_files_documents_and_bytes():
    items = listing(50)
    assert len(select(items, Take(5, "files"), 0, "c")) == 5
    assert len(select(items, Take(950, "bytes"), 0, "c")) == 10
    assert len(select(items, Take(6, "documents"), 0, "c", document_bytes=50)) == 3
    assert select(items, Take(0, "bytes"), 0, "c") == []


def test_choice_is_seeded_and_keeps_listing_order():
    items = listing(50)
    first = select(items, Take(8, "files"), 1, "c")
    assert first == select(items, Take(8, "files"), 1, "c") == sorted(first, key=lambda i: i.name)
    assert first != select(items, Take(8, "files"), 2, "c")
    assert first != select(items, Take(8, "files"), 1, "other")


def test_new_items_only_displace_by_their_own_draw():
    old = {i.name for i in select(listing(40), Take(10, "files"), 3, "c")}
    new = {i.name for i in select(listing(44), Take(10, "files"), 3, "c")}
    assert len(old - new) <= 4
    assert all(name >= "f040" for name in new - old)


def test_an_ordered_listing_is_read_no_further_than_needed():
    seen = []

    def endless():
        i = 0
        while True:
            seen.append(i)
            yield Item(name=str(i), address=str(i), estimate=10)
            i += 1

    assert len(select(endless(), Take(95, "bytes"), 0, "c", ordered=True)) == 10
    assert len(seen) == 10


def test_known_document_counts_are_used():
    items = [Item(name=str(i), address="a", bytes=10, extra={"documents": 4}) for i in range(9)]
    assert len(select(items, Take(10, "documents"), 0, "c")) == 3


def test_want_in_bytes():
    assert want(Take(3, "documents"), 1, 100).bytes == 300
    assert want(Take(3, "files"), 1).files == 3
    assert want(None, 1).bytes is None
