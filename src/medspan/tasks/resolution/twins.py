"""Concepts that are one under several ids, by their names: those of two vocabularies in one terminology."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from medspan.tasks.resolution.terms import Kind

if TYPE_CHECKING:
    from medspan.tasks.resolution.index import Index

_MOST: Final = 6  # concepts with one name; more of them share a word, not a meaning
_LEAST: Final = 2


def twins_of(index: Index) -> dict[int, set[int]]:
    """Concepts that share two names, or one that is preferred by either, each with its twins.

    Names of annotated mentions do not count. This serves the fit of a ranking, to which an answer that means
    the same is not wrong; nothing is merged in the index.
    """
    hashes, names = index.bag_keys()
    begins = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] - np.uint64(1)))
    ends = np.append(begins[1:], len(hashes))
    shared: Counter[tuple[int, int]] = Counter()
    for begin, end in zip(begins[ends - begins > 1], ends[ends - begins > 1], strict=True):
        rows = names[begin:end]
        rows = rows[index.kind[rows] != Kind.MENTION]
        concepts = sorted(set(index.concept[rows].tolist()))
        if 1 < len(concepts) <= _MOST:
            preferred = set(index.concept[rows[index.kind[rows] == Kind.PREFERRED]].tolist())
            for pair in combinations(concepts, 2):
                shared[pair] += _LEAST if preferred & set(pair) else 1
    found: dict[int, set[int]] = {}
    for (one, other), count in shared.items():
        if count >= _LEAST:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
    return found
