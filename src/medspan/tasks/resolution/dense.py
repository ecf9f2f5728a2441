"""Puts a learned encoder, and the embeddings of all names, into an index.

Embeddings are kept in eight bits and ordered by cell (an inverted file: names by the nearest of some centres,
found by k-means), so that a look-up compares a few thousand of them however many there are.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from medspan.features.name_grams import features_of
from medspan.features.name_vectors import embed_all
from medspan.model.store import replacing
from medspan.tasks.resolution.arrays import DENSE, digest_of, save_array
from medspan.tasks.resolution.spec import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.tasks.resolution.index import Index
    from medspan.tasks.resolution.spec import IndexSpec, Ranking

_CHUNK: Final = 20_000
_NAMES_A_CELL: Final = 500
_MOST_CELLS: Final = 2048
_SAMPLE: Final = 50_000
_ROUNDS: Final = 8
_INT8: Final = 127.0


def name_chunks(index: Index) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Features of all names, a chunk at a time, as `features_of` gives them."""
    for first in range(0, len(index), _CHUNK):
        yield features_of(index.names.some(range(first, min(first + _CHUNK, len(index)))))


def add_encoder(index: Index, encoder: NDArray[np.float16]) -> IndexSpec:
    """Write an index anew with an encoder and the embeddings of its names.

    Args:
        index: an opened index; it is to be opened again afterwards.
        encoder: float16 (buckets, width).
    """
    small = np.concatenate([_in_eight_bits(embed_all(encoder, *chunk)) for chunk in name_chunks(index)])
    centres = _centres(small)
    cells = _nearest(small, centres)
    order = np.argsort(cells, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    starts = np.concatenate(([0], np.cumsum(np.bincount(cells, minlength=len(centres)))))
    values: dict[str, NDArray[Any]] = {
        "encoder": encoder,
        "unit": small[order],
        "unit_name": order,
        "unit_place": place,
        "cell": centres,
        "cell_start": starts,
    }
    return rewrite(index, dense=values)


def rewrite(
    index: Index, *, dense: dict[str, NDArray[Any]] | None = None, ranking: Ranking | None = None
) -> IndexSpec:
    """Write an index anew with other parts; what does not change is linked or copied."""
    target = index.path.resolve()
    with replacing(target) as fresh:
        spec = index.spec
        for name in spec.arrays:
            if dense is None or name not in DENSE:
                _link(target / f"{name}.npy", fresh / f"{name}.npy")
        if dense is not None:
            for name, values in dense.items():
                save_array(fresh, name, values)
            digests = {name: digest_of(fresh / f"{name}.npy") for name in dense}
            width = dense["encoder"].shape[1]
            spec = msgspec.structs.replace(spec, encoder_width=width, arrays={**spec.arrays, **digests})
        if ranking is not None:
            spec = msgspec.structs.replace(spec, ranking=ranking)
        (fresh / CONFIG).write_bytes(spec.to_json())
    return spec


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _in_eight_bits(units: NDArray[np.float32]) -> NDArray[np.int8]:
    small: NDArray[np.int8] = np.rint(units * _INT8).astype(np.int8)
    return small


def _centres(units: NDArray[np.int8]) -> NDArray[np.float32]:
    """Centres of cells by k-means on a sample; float32 (cells, width), of length one."""
    random = np.random.default_rng(0)
    sample = units[random.permutation(len(units))[:_SAMPLE]]
    cells = min(_MOST_CELLS, max(1, len(units) // _NAMES_A_CELL), len(sample))
    centres = sample[:cells].astype(np.float32) / _INT8
    for _ in range(_ROUNDS):
        nearest = _nearest(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample.astype(np.float32))
        filled = np.bincount(nearest, minlength=cells) > 0
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        centres = np.where(filled[:, None], sums / lengths, centres).astype(np.float32)
    return centres


def _nearest(units: NDArray[np.int8], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cell of each embedding; int64 (names,)."""
    found = [
        (units[first : first + _CHUNK].astype(np.float32) @ centres.T).argmax(axis=1)
        for first in range(0, len(units), _CHUNK)
    ]
    return np.concatenate(found)
