"""Addresses against block lists: hosts and their parents, and addresses by path, as sorted 64-bit hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, address, byte, device, kernel, u64

_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_STEP = np.uint64(1)


@device
def more(h: Any, b: Any) -> Any:
    return (h ^ np.uint64(b + 32 if b >= 65 and b <= 90 else b)) * _PRIME


@device
def spread(h: Any) -> Any:
    """FNV-1a leaves its high bits weak; mixed, and never 0."""
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    return h ^ h >> np.uint64(32) | _STEP


@device
def listed(h: Any, keys: Any, n: Any) -> Any:
    """Place of a hash in a sorted array, or -1."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if u64(keys, middle) < h:
            low = middle + 1
        else:
            high = middle
    return low if low < n and u64(keys, low) == h else -1


@device
def host_of(d: Any, s: Any, e: Any) -> Any:
    """Start and end of the host in an address: after the scheme and user, before port and path."""
    start = s
    for k in range(s, e - 2):
        b = byte(d, k)
        if b == 58 and byte(d, k + 1) == 47 and byte(d, k + 2) == 47:
            start = k + 3
            break
        if b == 47 or b == 63 or b == 35:
            break
    if start == s and e - s > 1 and byte(d, s) == 47 and byte(d, s + 1) == 47:
        start = s + 2
    stop = start
    while stop < e and byte(d, stop) != 47 and byte(d, stop) != 63 and byte(d, stop) != 35:
        stop += 1
    for k in range(start, stop):
        if byte(d, k) == 64:
            start = k + 1
    end = start
    while end < stop and byte(d, end) != 58:
        end += 1
    while end > start and byte(d, end - 1) == 46:
        end -= 1
    return start, end, stop


@device
def after_www(d: Any, s: Any, e: Any) -> Any:
    """Start of a host without its ``www.``"""
    for k in range(3):
        if e - s < 5 or byte(d, s + k) | 32 != 119:
            return s
    return s + 4 if byte(d, s + 3) == 46 else s


@kernel(types.void(BYTES, INT64S, types.boolean, types.uint64[::1]))
def hash_entries(data, offsets, paths, out):  # type: ignore[no-untyped-def]
    """Hash of each list entry: a host (from its end, so that parents are its prefixes), or host and path."""
    d = address(data)
    for row in range(len(out)):
        start, end, stop = host_of(d, offsets[row], offsets[row + 1])
        h = _BASIS
        if paths:
            for k in range(after_www(d, start, end), end):
                h = more(h, byte(d, k))
            last = offsets[row + 1]
            while last > stop and byte(d, last - 1) == 47:
                last -= 1
            for k in range(stop, last):
                h = more(h, byte(d, k))
        else:
            for k in range(end - 1, start - 1, -1):
                h = more(h, byte(d, k))
        out[row] = spread(h)


@kernel(types.void(BYTES, INT64S, UINT64S, UINT64S, types.int64[::1], types.int64[::1]))
def look_up(data, offsets, hosts_, paths_, host_at, path_at):  # type: ignore[no-untyped-def]
    """Place in `hosts` of the host of each address or of a parent of it, and in `paths` of the address or of a part
    of it up to a slash; -1 where there is none."""
    d, hosts, paths = address(data), address(hosts_), address(paths_)
    for row in range(len(host_at)):
        s, e = offsets[row], offsets[row + 1]
        start, end, stop = host_of(d, s, e)
        h = _BASIS
        k = end - 1
        while k >= start and len(hosts_):
            h = more(h, byte(d, k))
            if k == start or byte(d, k - 1) == 46:
                at = listed(spread(h), hosts, len(hosts_))
                if at >= 0:
                    host_at[row] = at
            k -= 1
        if not len(paths_):
            continue
        h = _BASIS
        for k in range(after_www(d, start, end), end):
            h = more(h, byte(d, k))
        for k in range(stop, e + 1):
            if k == e or byte(d, k) == 47 or byte(d, k) == 63 or byte(d, k) == 35:
                at = listed(spread(h), paths, len(paths_))
                if at >= 0:
                    path_at[row] = at
            if k < e:
                h = more(h, byte(d, k))


@dataclass(frozen=True, slots=True)
class UrlList:
    """Sorted hashes of hosts and of addresses with a path, and the group number of each."""

    hosts: np.ndarray
    host_groups: np.ndarray
    paths: np.ndarray
    path_groups: np.ndarray

    @classmethod
    def build(cls, entries: list[tuple[np.ndarray, np.ndarray, int, bool]]) -> UrlList:
        """From (bytes, offsets, group, whether entries have paths); of equal entries the first group stands."""
        found: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {False: [], True: []}
        for data, offsets, group, paths in entries:
            hashed = np.empty(len(offsets) - 1, np.uint64)
            hash_entries(data, offsets, paths, hashed)
            found[paths].append((hashed, np.full(len(hashed), group, np.int64)))
        parts = []
        for paths in (False, True):
            keys = np.concatenate([np.zeros(0, np.uint64), *(k for k, _ in found[paths])])
            groups = np.concatenate([np.zeros(0, np.int64), *(g for _, g in found[paths])])
            unique, first = np.unique(keys, return_index=True)
            parts += [unique, groups[first]]
        return cls(*parts)

    def search(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Group of each address by its host, and by its path; -1 where it is not listed."""
        n = len(offsets) - 1
        host, path = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        look_up(data, offsets, self.hosts, self.paths, host, path)
        host = np.where(host < 0, -1, np.append(self.host_groups, -1)[host])
        return host, np.where(path < 0, -1, np.append(self.path_groups, -1)[path])
