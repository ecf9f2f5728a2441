"""Names of an index that look like what is looked up: by shared features, and by learned embeddings.

Each look-up is computed by itself, so what stands beside it in a batch changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.features.name_grams import features_of, name_features
from medspan.features.name_vectors import embed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medspan.tasks.resolution.index import Dense, Index

_POSTINGS: Final = 20_000  # read for one look-up, those of its rarest features
_MOST_FEATURES: Final = 255
_ROWS: Final = 16_384  # embeddings compared for one look-up
_INT8: Final = 127.0


class Query(NamedTuple):
    """What is looked up: its features, their squared weights, and its embedding where the index has a table.

    ``features`` int64 (features,) ascending; ``squares`` float64 (features,); ``vector`` float32 (width,).
    """

    text: str
    features: NDArray[np.int64]
    squares: NDArray[np.float64]
    vector: NDArray[np.float32] | None

    @property
    def norm(self) -> float:
        """Length of the tf-idf vector."""
        return float(np.sqrt(self.squares.sum()))


def query_of(index: Index, text: str) -> Query:
    """A look-up, prepared."""
    features = np.asarray(name_features(text), dtype=np.int64)
    vector = embed(index.dense.encoder, features) if index.dense is not None else None
    return Query(text, features, squared_weights(index, features), vector)


def squared_weights(index: Index, features: NDArray[np.int64]) -> NDArray[np.float64]:
    """Squared idf of features, int64 (n,) → float64 (n,).

    One that no name has counts as much as one that a single name has.
    """
    frequency = index.gram_start[features + 1] - index.gram_start[features]
    weight: NDArray[np.float64] = np.log(1.0 + len(index) / np.maximum(frequency, 1)) ** 2
    return weight


def similar_names(index: Index, query: Query, most: int) -> NDArray[np.int64]:
    """Names with the highest tf-idf cosine over the rarest features of a query, best first.

    Args:
        index: where to look.
        query: what for.
        most: how many names.
    """
    firsts, lasts = index.gram_start[query.features], index.gram_start[query.features + 1]
    sizes = lasts - firsts
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0][:_MOST_FEATURES]
    within = np.searchsorted(np.cumsum(sizes[order]), _POSTINGS, side="right")
    order = order[: max(int(within), 1)]
    if not len(order):
        return np.zeros(0, dtype=np.int64)
    rows = np.concatenate([index.gram_name[firsts[at] : lasts[at]] for at in order]).astype(np.int64)
    keyed = (rows << 8) | np.repeat(np.arange(len(order)), sizes[order])
    keyed.sort(kind="stable")  # the postings of each feature are ascending, so these are a few runs to merge
    names = keyed >> 8
    begins = np.flatnonzero(np.diff(names, prepend=-1))
    sums = np.add.reduceat(query.squares[order][keyed & _MOST_FEATURES], begins)
    names = names[begins]
    return names[_best(sums / index.norm[names], most)]


def _best(scores: NDArray[np.floating], most: int) -> NDArray[np.int64]:
    """Places of the highest scores, best first, of equal ones the first."""
    if len(scores) > most:
        worst = np.partition(scores, len(scores) - most)[len(scores) - most]
        kept = np.flatnonzero(scores >= worst)
    else:
        kept = np.arange(len(scores))
    return kept[np.argsort(-scores[kept], kind="stable")][:most]


def cosine(index: Index, query: Query, names: NDArray[np.int64], texts: Sequence[str]) -> NDArray[np.float64]:
    """The tf-idf cosine of a query and names, over all features; (names,).

    Args:
        index: gives the lengths of the names' vectors.
        query: has a feature.
        names: of the index.
        texts: these names.
    """
    flat, starts = features_of(texts)
    place = np.minimum(np.searchsorted(query.features, flat), len(query.features) - 1)
    shared = np.where(query.features[place] == flat, query.squares[place], 0.0)
    norms = index.norm[names] * query.norm
    found: NDArray[np.float64] = np.add.reduceat(shared, starts[:-1]) / np.maximum(norms, 1e-9)
    return found


def close_names(index: Index, query: Query, most: int) -> NDArray[np.int64]:
    """Names whose embeddings are nearest, best first, from the cells whose centres are nearest."""
    dense = index.dense
    if dense is None or query.vector is None:
        return np.zeros(0, dtype=np.int64)
    nearest = np.argsort(-(dense.cell @ query.vector), kind="stable")
    rows, scores, left = [], [], _ROWS
    for cell in nearest:
        first, last = int(dense.cell_start[cell]), int(dense.cell_start[cell + 1])
        if first == last:
            continue
        scores.append(dense.unit[first:last].astype(np.float32) @ query.vector)
        rows.append(dense.unit_name[first:last])
        left -= last - first
        if left <= 0:
            break
    names, found = np.concatenate(rows), np.concatenate(scores)
    return names[_best(found, most)].astype(np.int64)


def closeness(dense: Dense, query: Query, names: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosine of a query's embedding and those of names; (names,)."""
    units = dense.unit[dense.unit_place[names]].astype(np.float32) / _INT8
    vector = np.zeros(units.shape[1], np.float32) if query.vector is None else query.vector
    found: NDArray[np.float64] = (units * vector).sum(axis=1, dtype=np.float64)
    return found
