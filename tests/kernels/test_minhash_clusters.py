"""Union-find, verified components and choice of survivors against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pilebuilder.kernels import clusters, ordering, similarity


def flat(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    name = np.unique(rng.integers(0, 2**32, 4010, dtype=np.uint32))[:4000]
    arrays = [name[sorted(s)] for s in sets]
    bounds = np.cumsum([0, *map(len, arrays)]).astype(np.int64)
    return np.concatenate(arrays), bounds, np.full(len(sets), 2**32 - 1)


def jaccard(a: set[int], b: set[int]) -> float:
    return len(a & b) / len(a | b)


def components(members, ends, sets, bar: float, containment: float | None = None) -> tuple[np.ndarray, int]:  # type: ignore[no-untyped-def]
    parent = np.arange(len(sets))
    compared = similarity.verify(members, ends, *flat(sets), parent, jaccard=bar, containment=containment)
    clusters.flatten(parent)
    return parent, compared


def random_sets(seed: int, count: int = 60) -> list[set[int]]:
    """Sets in families, with similarities over the whole range."""
    rng = np.random.default_rng(seed)
    sets: list[set[int]] = []
    while len(sets) < count:
        base = set(rng.integers(0, 4000, int(rng.integers(1, 120))).tolist())
        for _ in range(int(rng.integers(1, 6))):
            lost = rng.random() * 0.5
            sets.append({x for x in base if rng.random() > lost} or {1})
    return sets[:count]


def brute_components(sets: list[set[int]], groups: list[list[int]], bar: float) -> list[int]:
    root = list(range(len(sets)))
    for group in groups:
        for a, b in itertools.combinations(group, 2):
            if jaccard(sets[a], sets[b]) >= bar and root[a] != root[b]:
                low, high = sorted((root[a], root[b]))
                root = [low if r == high else r for r in root]
    return root


@pytest.mark.parametrize("seed", range(8))
def test_components_over_verified_pairs(seed: int) -> None:
    sets = random_sets(seed)
    rng = np.random.default_rng(seed)
    groups = [sorted(rng.choice(len(sets), int(rng.integers(2, 40)), replace=False).tolist()) for _ in range(6)]
    members = np.array([x for g in groups for x in g], np.int64)
    ends = np.cumsum([len(g) for g in groups]).astype(np.int64)
    found, compared = components(members, ends, sets, 0.7)
    assert found.tolist() == brute_components(sets, groups, 0.7)
    assert 0 < compared <= sum(len(g) * (len(g) - 1) // 2 for g in groups)


def test_similarities_are_exact() -> None:
    sets = random_sets(3)
    pairs = list(itertools.combinations(range(len(sets)), 2))
    first, second = np.array(pairs).T.copy()
    found = similarity.similarities(first, second, *flat(sets))
    assert found.tolist() == pytest.approx([jaccard(sets[a], sets[b]) for a, b in pairs])


@pytest.mark.parametrize("size", [1, 15, 63, 64, 65, 130, similarity.SCANNED, similarity.SCANNED + 1, 1500])
def test_similarities_of_sets_in_any_order(size: int) -> None:
    """Edited, shuffled and foreign sets, small ones compared without a table; the last ends where memory does."""
    rng = np.random.default_rng(size)
    pool = rng.permutation(np.unique(rng.integers(0, 2**32, 4 * size + 50, dtype=np.uint32)))
    base = pool[:size]
    edited = np.concatenate([pool[size : size + 3], np.delete(base, slice(size // 3, size // 2)), pool[-5:]])
    sets = [base, rng.permutation(base), edited, rng.permutation(edited), pool[-size:], base[::-1], edited[::2], base]
    bounds = np.cumsum([0, *map(len, sets)])
    pairs = np.array(list(itertools.product(range(len(sets)), repeat=2)))
    limits = np.full(len(sets), 2**32 - 1)
    found = similarity.similarities(*pairs.T.copy(), np.concatenate(sets), bounds, limits)
    held = [set(s.tolist()) for s in sets]
    assert found.tolist() == [jaccard(held[a], held[b]) for a, b in pairs]


def test_threshold_is_inclusive() -> None:
    a, b = set(range(10)), set(range(7))
    for bar, joined in ((0.7, True), (0.7001, False)):
        found, _ = components(np.arange(2), np.array([2]), [a, b], bar)
        assert (found[1] == 0) == joined


def test_containment_joins_an_excerpt_with_its_source() -> None:
    sets = [set(range(400)), set(range(100, 200)), set(range(350, 450))]
    members, ends = np.arange(3), np.array([3])
    assert components(members, ends, sets, 0.7)[0].tolist() == [0, 1, 2]
    assert components(members, ends, sets, 0.7, containment=0.9)[0].tolist() == [0, 0, 2]


def test_a_large_group_costs_a_bounded_number_of_comparisons() -> None:
    copies = 20_000
    base = set(range(20))
    sets = [base] * copies
    found, compared = components(np.arange(copies), np.array([copies]), sets, 0.7)
    assert not found.any()
    assert compared == copies - 1
    strangers = [{i % 4000, (i * 7 + 1) % 4000, (i * 13 + 2) % 4000} for i in range(2000)]
    _, compared = components(np.arange(2000), np.array([2000]), strangers, 0.9)
    assert compared <= 2000 * (similarity.LEADERS + 1)


def test_sets_sampled_at_different_shifts() -> None:
    rng = np.random.default_rng(4)
    whole = rng.permutation(np.unique(rng.integers(0, 2**32, 200_000, dtype=np.uint32)))
    half = whole[:100_000]
    sample = whole[whole >> np.uint32(30) == 0]
    hashes = np.concatenate([sample, half])
    bounds = np.array([0, len(sample), len(hashes)])
    found = similarity.similarities(
        np.array([0, 1]), np.array([1, 0]), hashes, bounds, np.array([2**30 - 1, 2**32 - 1])
    )
    assert found[0] == found[1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("low", [0, 2**63])
@pytest.mark.parametrize("spread", [1, 50, 10**6, 2**63 - 1])
@pytest.mark.parametrize("size", [0, 1, 2, 5000])
def test_stable_order_is_stable(low: int, spread: int, size: int) -> None:
    keys = np.random.default_rng(2).integers(low, low + spread, size, dtype=np.uint64)
    assert (ordering.stable_order(keys) == np.argsort(keys, kind="stable")).all()


def test_union_find_roots_are_smallest_members() -> None:
    parent = np.arange(10)
    clusters.unite_groups(parent, np.array([7, 3, 9, 9, 5, 1, 2]), np.array([3, 5, 7]))
    clusters.flatten(parent)
    assert parent.tolist() == [0, 1, 1, 3, 4, 3, 6, 3, 8, 3]


def test_choice_of_survivors_with_a_policy() -> None:
    order, ends = np.array([2, 0, 1, 3]), np.array([4])
    component = np.array([0, 1, 0, 1], np.int32)
    every = np.ones((2, 2), bool)
    assert clusters.choose(order, ends, component, every).tolist() == [2, 2, -1, 2]
    own_only = np.eye(2, dtype=bool)
    assert clusters.choose(order, ends, component, own_only).tolist() == [2, -1, -1, 1]


def test_choice_that_requires_similarity_breaks_chains() -> None:
    sets = [set(range(100)), set(range(15, 115)), set(range(30, 130)), set(range(45, 145))]
    order, ends = np.arange(4), np.array([4])
    component, every = np.zeros(4, np.int32), np.ones((1, 1), bool)
    root, _ = components(order, ends, sets, 0.7)
    assert root.tolist() == [0, 0, 0, 0]
    replaced = np.zeros(4, np.int64)
    similarity.choose_similar(order, ends, component, every, *flat(sets), replaced, jaccard=0.7)
    assert (replaced - 1).tolist() == [-1, 0, -1, 2]


@pytest.mark.parametrize("count", [300, 3000])
def test_a_cluster_in_portions_is_decided_as_in_one(count: int) -> None:
    """The survivors are carried on; beyond `RIVALS` of them the latest ones count."""
    sets = random_sets(5, count)
    order = np.random.default_rng(1).permutation(len(sets))
    component, every = np.zeros(len(sets), np.int32), np.ones((1, 1), bool)
    results = []
    for size in (len(sets), 37):
        kept, replaced = similarity.survivors(), np.zeros(len(sets), np.int64)
        for start in range(0, len(sets), size):
            part = order[start : start + size]
            ends = np.array([len(part)])
            similarity.choose_similar(part, ends, component, every, *flat(sets), replaced, jaccard=0.8, kept=kept)
        results.append(replaced.tolist())
        assert kept[0] == replaced.tolist().count(0)
    assert results[0] == results[1]
    assert (kept[0] > similarity.RIVALS) == (count > 300)
