"""An index folder, opened: arrays mapped from the disk, of which only what is looked up comes into memory."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.errors import ModelError
from medspan.features.name_grams import BUCKETS, word_features
from medspan.features.name_vectors import embed
from medspan.tasks.resolution.arrays import (
    ARRAYS,
    DENSE,
    Strings,
    digest_of,
    key_hash,
    let_go,
    open_array,
)
from medspan.tasks.resolution.spec import CONFIG, IndexSpec, parse_index_spec
from medspan.text.name_keys import bag_key, plain_key

if TYPE_CHECKING:
    from numpy.typing import NDArray


_CACHED_WORDS: Final = 1 << 16
_CACHED_VECTORS: Final = 1 << 14
_ID_SAMPLE: Final = 5000
_DIGITS: Final = re.compile(r"\d+")


class Dense(NamedTuple):
    """The learned part of an index."""

    encoder: NDArray[np.float16]
    unit: NDArray[np.int8]
    unit_name: NDArray[np.int32]
    unit_place: NDArray[np.int32]
    cell: NDArray[np.float32]
    cell_start: NDArray[np.int64]


class Index:
    """An opened index.

    Args:
        folder: what `medspan terminology build` wrote.

    Raises:
        ModelError: if there is no index, or its parts do not fit together.
    """

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder)
        config = self.path / CONFIG
        if not config.is_file():
            raise ModelError(f"{self.path}: is no index; give the folder `medspan terminology build` wrote")
        self.spec: IndexSpec = parse_index_spec(config.read_bytes(), str(config))
        part = {name: open_array(self.path, name, dtype) for name, dtype in ARRAYS.items()}
        self._parts = list(part.values())
        self.names = Strings(part["text"], part["text_start"])
        self.ids = Strings(part["id"], part["id_start"])
        self.concept, self.kind, self.source = part["concept"], part["kind"], part["source"]
        self.count, self.norm, self.best_name = part["count"], part["norm"], part["best_name"]
        self.concept_names, self.concept_count = part["concept_names"], part["concept_count"]
        self._plain, self._plain_name = part["plain"], part["plain_name"]
        self._bag, self._bag_name = part["bag"], part["bag_name"]
        self.gram_start, self.gram_name = part["gram_start"], part["gram_name"]
        self.word_weight = lru_cache(maxsize=_CACHED_WORDS)(self._word_weight)
        self.word_vector = lru_cache(maxsize=_CACHED_VECTORS)(self._word_vector)
        self.dense = self._open_dense()
        self._check_sizes(part)

    def _open_dense(self) -> Dense | None:
        if not self.spec.encoder_width:
            return None
        dense = Dense(*(open_array(self.path, name, dtype) for name, dtype in DENSE.items()))
        self._parts += dense
        return dense

    def _check_sizes(self, part: dict[str, NDArray[np.generic]]) -> None:
        names, concepts = self.spec.names, self.spec.concepts
        wanted = {
            **dict.fromkeys(("concept", "kind", "source", "count", "plain", "plain_name", "bag"), names),
            **dict.fromkeys(("bag_name", "norm"), names),
            **dict.fromkeys(("best_name", "concept_names", "concept_count"), concepts),
            "text_start": names + 1,
            "id_start": concepts + 1,
            "gram_start": BUCKETS + 1,
            "text": _last(self.names.starts),
            "id": _last(self.ids.starts),
            "gram_name": _last(self.gram_start),
        }
        for name, size in wanted.items():
            if part[name].shape != (size,):
                raise ModelError(f"{self.path / name}.npy: does not fit {CONFIG}; build the index anew")

    def __len__(self) -> int:
        return self.spec.names

    def with_plain_key(self, name: str) -> NDArray[np.int32]:
        """Names that differ from this one only in case and marks."""
        return _equal(self._plain, self._plain_name, plain_key(name))

    def with_bag_key(self, name: str) -> NDArray[np.int32]:
        """Names of the same words but for number, spelling, order and small words."""
        return _equal(self._bag, self._bag_name, bag_key(name))

    def bag_keys(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Hashes of all bag keys, ascending, and the name of each."""
        return self._bag, self._bag_name

    def first_met(self, *names: str) -> str:
        """The first that is a name of the index, by its `with_bag_key`; the very first where none is."""
        return next((name for name in names if len(self.with_bag_key(name))), names[0])

    def _word_weight(self, word: str) -> float:
        """The idf of a word of `key_words`; one that no name has weighs as much as one of a single name."""
        bucket = word_features(word)[0]
        frequency = int(self.gram_start[bucket + 1]) - int(self.gram_start[bucket])
        return math.log(1.0 + len(self) / max(frequency, 1))

    def _word_vector(self, word: str) -> NDArray[np.float32]:
        """The embedding of a word of `key_words`, of length one; of width 0 where there is no encoder."""
        if self.dense is None:
            return np.zeros(0, dtype=np.float32)
        return embed(self.dense.encoder, np.asarray(sorted(word_features(word))))

    def id_form(self, concept: int) -> float:
        """How much more often annotators choose ids of this form than the terminology has them; a logarithm.

        A terminology of several vocabularies, or of several years, has ids that are hardly ever used.
        """
        return self._id_forms.get(id_form(self.ids[concept]), 0.0)

    @cached_property
    def _id_forms(self) -> dict[str, float]:
        chosen = np.flatnonzero(self.concept_count)
        if not len(chosen):
            return {}
        mentions: Counter[str] = Counter()
        for concept in chosen:
            mentions[id_form(self.ids[int(concept)])] += int(self.concept_count[concept])
        step = max(1, self.spec.concepts // _ID_SAMPLE)
        sample = Counter(id_form(self.ids[at]) for at in range(0, self.spec.concepts, step))
        all_mentions, all_ids = sum(mentions.values()), sum(sample.values())
        return {
            form: math.log((mentions[form] + 1) / (all_mentions + 1) / ((count + 1) / (all_ids + 1)))
            for form, count in sample.items()
        }

    def let_go(self) -> None:
        """Keep no mapped page in memory; answers stay the same."""
        for values in self._parts:
            let_go(values)

    def problems(self) -> list[str]:
        """What is wrong with the files, one line each; every byte is read."""
        found = []
        for name, digest in self.spec.arrays.items():
            path = self.path / f"{name}.npy"
            if digest_of(path) != digest:
                found.append(f"{path}: differs from the digest in {CONFIG}; build the index anew")
        return found


def id_form(identity: str) -> str:
    """The form of an id: its letters, and how many digits: ``OMIM:0[6]`` of ``OMIM:114480``."""
    return _DIGITS.sub(lambda match: f"0[{len(match[0])}]", identity)


def _last(starts: NDArray[np.int64]) -> int:
    """How long an array is by the places where its parts begin."""
    return int(starts[-1]) if len(starts) else 0


def _equal(hashes: NDArray[np.uint64], names: NDArray[np.int32], key: str) -> NDArray[np.int32]:
    if not key:
        return np.zeros(0, dtype=np.int32)
    wanted = np.uint64(key_hash(key))
    first = int(np.searchsorted(hashes, wanted, side="left"))
    last = first
    while last < len(hashes) and hashes[last] == wanted:
        last += 1
    return names[first:last]
