"""Builds an index: names come as a stream, arrays are written beside the target, then put in its place.

Memory grows with the names only by a few dozen bytes each; what is larger, the postings, is written through
the disk, a chunk of names at a time.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from medspan.errors import DataError, UsageError
from medspan.features.name_grams import BUCKETS, features_of
from medspan.model.store import replacing
from medspan.tasks.resolution.arrays import ARRAYS, Growing, digest_of, key_hash, save_array
from medspan.tasks.resolution.spec import CONFIG, FORMAT, IndexSpec
from medspan.tasks.resolution.weights import default_ranking
from medspan.text.name_keys import bag_key, plain_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from medspan.tasks.resolution.spec import Source
    from medspan.tasks.resolution.terms import Name

_CHUNK: Final = 20_000  # names
_FEATURES: Final = "features.tmp"
_MOST_SOURCES: Final = 255


class IndexBuilder:
    """Takes names, and writes an index of them.

    A name that a concept has already, but for case and marks, is not held twice: its mentions are added up.

    Args:
        prefix: put before ids that have none, e.g. ``"MESH"`` makes ``MESH:D003924`` of ``D003924``.
    """

    def __init__(self, *, prefix: str = "") -> None:
        self.prefix = prefix
        self._texts, self._ids = Growing(), Growing()
        self._numbers: dict[str, int] = {}
        self._seen: dict[int, int] = {}
        self._concepts, self._counts = array("i"), array("i")
        self._kinds, self._sources = array("B"), array("B")
        self._plain, self._bag = array("Q"), array("Q")
        self._begun = 0

    def __len__(self) -> int:
        return len(self._concepts)

    def begin_source(self) -> int:
        """The number of a further source."""
        self._begun += 1
        return self._begun - 1

    def add(self, name: Name, source: int = 0) -> bool:
        """Add a name; whether it is a new one of its concept.

        Args:
            name: a name without any letter or digit is left out.
            source: number of the source it comes from.
        """
        key = plain_key(name.name)
        if not key:
            return False
        concept = self._concept(name.id)
        row = self._seen.setdefault(key_hash(f"{concept} {key}"), len(self))
        if row < len(self):
            self._counts[row] += name.count
            self._kinds[row] = min(self._kinds[row], name.kind)
            return False
        self._texts.add(name.name)
        self._concepts.append(concept)
        self._counts.append(name.count)
        self._kinds.append(name.kind)
        self._sources.append(min(source, _MOST_SOURCES))
        self._plain.append(key_hash(key))
        self._bag.append(key_hash(bag_key(name.name)))
        return True

    def add_all(self, names: Iterable[Name], source: int = 0) -> int:
        """Add names; how many came."""
        came = 0
        for name in names:
            self.add(name, source)
            came += 1
        return came

    def _concept(self, identity: str) -> int:
        whole = f"{self.prefix}:{identity}" if self.prefix and ":" not in identity else identity
        number = self._numbers.setdefault(whole, len(self._numbers))
        if number == len(self._ids.starts) - 1:
            self._ids.add(whole)
        return number

    def write(
        self,
        folder: Path | str,
        sources: Iterable[Source],
        *,
        name: str = "",
        labels: tuple[str, ...] = (),
    ) -> IndexSpec:
        """Write the index; an index that stands there is replaced.

        Args:
            folder: where; its parents are made.
            sources: what the names come from, in the order of their numbers.
            name: of the index; that of the folder otherwise.
            labels: of the entities it is for; all where empty.

        Raises:
            DataError: if there is no name.
            UsageError: if something else than an index stands there.
        """
        target = Path(folder).resolve()
        if not len(self):
            raise DataError(f"{target.name}: the sources hold no name; nothing was written")
        refuse_others(target)
        with replacing(target) as fresh:
            self._write_columns(fresh)
            self._write_keys(fresh)
            self._write_postings(fresh)
            spec = IndexSpec(
                FORMAT,
                name or target.name,
                len(self),
                len(self._numbers),
                tuple(sources),
                self.prefix,
                default_ranking(),
                0,
                {each: digest_of(fresh / f"{each}.npy") for each in ARRAYS},
                labels,
            )
            (fresh / CONFIG).write_bytes(spec.to_json())
        return spec

    def _write_columns(self, folder: Path) -> None:
        for stem, strings in (("text", self._texts), ("id", self._ids)):
            data, starts = strings.arrays()
            save_array(folder, stem, data)
            save_array(folder, f"{stem}_start", starts)
        concepts = np.frombuffer(self._concepts, dtype=np.int32)
        counts = np.frombuffer(self._counts, dtype=np.int32)
        kinds = np.frombuffer(self._kinds, dtype=np.uint8)
        for stem, values in (("concept", concepts), ("count", counts), ("kind", kinds)):
            save_array(folder, stem, values)
        save_array(folder, "source", np.frombuffer(self._sources, dtype=np.uint8))
        size = len(self._numbers)
        save_array(folder, "best_name", _best_names(concepts, kinds, size))
        save_array(folder, "concept_names", np.bincount(concepts, minlength=size))
        save_array(folder, "concept_count", np.bincount(concepts, weights=counts, minlength=size))

    def _write_keys(self, folder: Path) -> None:
        for stem, column in (("plain", self._plain), ("bag", self._bag)):
            hashes = np.frombuffer(column, dtype=np.uint64)
            order = np.argsort(hashes, kind="stable")
            save_array(folder, stem, hashes[order])
            save_array(folder, f"{stem}_name", order)

    def _chunks(self) -> Iterator[tuple[int, list[str]]]:
        for first in range(0, len(self), _CHUNK):
            last = min(first + _CHUNK, len(self))
            yield first, [self._texts[place] for place in range(first, last)]

    def _write_postings(self, folder: Path) -> None:
        """Names by feature, and the length of each name's tf-idf vector."""
        frequency = np.zeros(BUCKETS, dtype=np.int64)
        sizes = np.zeros(len(self) + 1, dtype=np.int64)
        with (folder / _FEATURES).open("wb") as file:
            for first, names in self._chunks():
                buckets, starts = features_of(names)
                frequency += np.bincount(buckets, minlength=BUCKETS)
                sizes[first + 1 : first + 1 + len(names)] = np.diff(starts)
                file.write(buckets.tobytes())
        starts = np.cumsum(sizes)
        flat = (
            np.memmap(folder / _FEATURES, dtype=np.int32, mode="r") if starts[-1] else np.zeros(0, np.int32)
        )
        gram_start = np.zeros(BUCKETS + 1, dtype=np.int64)
        np.cumsum(frequency, out=gram_start[1:])
        save_array(folder, "gram_start", gram_start)
        postings = np.lib.format.open_memmap(
            folder / "gram_name.npy", mode="w+", dtype=np.int32, shape=(int(starts[-1]),)
        )
        squares = idf(frequency, len(self)) ** 2
        norm = np.zeros(len(self), dtype=np.float32)
        filled = gram_start[:-1].copy()
        for first in range(0, len(self), _CHUNK):
            last = min(first + _CHUNK, len(self))
            buckets = np.asarray(flat[starts[first] : starts[last]])
            owners = np.repeat(np.arange(first, last), sizes[first + 1 : last + 1])
            norm[first:last] = np.sqrt(
                np.bincount(owners - first, weights=squares[buckets], minlength=last - first)
            )
            _place(postings, filled, buckets, owners)
        postings.flush()
        del postings, flat
        (folder / _FEATURES).unlink()
        save_array(folder, "norm", norm)


def _place(
    postings: NDArray[np.int32],
    filled: NDArray[np.int64],
    buckets: NDArray[np.int32],
    owners: NDArray[np.int64],
) -> None:
    """Put a chunk's names behind those that their features have already."""
    order = np.argsort(buckets, kind="stable")
    sorted_buckets = buckets[order]
    firsts = np.searchsorted(sorted_buckets, sorted_buckets, side="left")
    postings[filled[sorted_buckets] + np.arange(len(order)) - firsts] = owners[order]
    filled += np.bincount(buckets, minlength=len(filled))


def idf(frequency: NDArray[np.int64], names: int) -> NDArray[np.float32]:
    """The weight of features: the rarer in names, the more; of one that no name has, 0.

    Args:
        frequency: int64 (features,), in how many names each stands.
        names: how many there are.
    """
    weight = np.log(1.0 + names / np.maximum(frequency, 1))
    return np.where(frequency > 0, weight, 0.0).astype(np.float32)


def _best_names(concepts: NDArray[np.int32], kinds: NDArray[np.uint8], size: int) -> NDArray[np.int32]:
    """Of each concept the first of its best names."""
    order = np.lexsort((np.arange(len(concepts)), kinds, concepts))
    _, first = np.unique(concepts[order], return_index=True)
    best = np.zeros(size, dtype=np.int32)
    best[concepts[order[first]]] = order[first]
    return best


def refuse_others(target: Path) -> None:
    """Only an index, or an empty folder, may be replaced.

    Raises:
        UsageError: if something else stands there.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target}: is a file; name a folder for the index")
    present = {entry.name for entry in target.iterdir()}
    strangers = sorted(name for name in present if name != CONFIG and not name.endswith(".npy"))
    if strangers or (present and CONFIG not in present):
        raise UsageError(f"{target}: is not an index, so it is not replaced; name another folder")
