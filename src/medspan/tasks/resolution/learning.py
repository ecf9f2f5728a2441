"""Adds to an index what is learnt: embeddings of its names, and a ranking fitted to annotated mentions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from medspan.corpora import load as load_split
from medspan.errors import DataError
from medspan.tasks.resolution.annotated import annotated_mentions
from medspan.tasks.resolution.dense import add_encoder, name_chunks, rewrite
from medspan.tasks.resolution.fit import example_of, fit_ranking
from medspan.tasks.resolution.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.tasks.resolution.fit import Example
    from medspan.tasks.resolution.spec import IndexSpec

    Learn = Callable[[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]], NDArray[np.float16]]


class FitSettings(msgspec.Struct, frozen=True):
    """What a ranking is fitted to: a split of corpora, and which of their entities (all where empty)."""

    mentions: tuple[str, ...]
    split: str = "dev"
    labels: tuple[str, ...] = ()


class Fitted(NamedTuple):
    """How many mentions a ranking was fitted to, and the share it gets right of those it was fitted to."""

    spec: IndexSpec
    mentions: int
    right: float


def learn_index(folder: Path | str, learn: Learn) -> IndexSpec:
    """Learn embeddings of the names of an index and write it anew.

    Args:
        folder: of the index.
        learn: from features int32 (features,), starts int64 (names + 1,) and concepts int32 (names,) to the
            table of an encoder, float16 (buckets, width); `medspan.train.names.learn_encoder` does.
    """
    index = Index(folder)
    chunks = list(name_chunks(index))
    sizes = np.concatenate([np.diff(starts) for _, starts in chunks])
    starts = np.concatenate(([0], np.cumsum(sizes)))
    encoder = learn(np.concatenate([features for features, _ in chunks]), starts, index.concept)
    return add_encoder(index, encoder)


def examples_of(index: Index, settings: FitSettings) -> list[Example]:
    """Annotated mentions with their candidates; the same mention is one example with a weight."""
    counts = Counter(
        mention
        for corpus in settings.mentions
        for mention, _ in annotated_mentions(
            load_split(corpus, settings.split), settings.labels, with_none=True
        )
    )
    return [example_of(index, text, ids, count) for (text, ids), count in sorted(counts.items())]


def fit_index(folder: Path | str, settings: FitSettings) -> Fitted:
    """Fit the ranking of an index to annotated mentions and write it anew.

    The mentions must not be those whose surfaces are names of the index: of these all would be found.

    Raises:
        DataError: if the corpora have no mention with a concept of the index.
    """
    index = Index(folder)
    examples = examples_of(index, settings)
    if not any(example.is_right.any() for example in examples):
        raise DataError(
            f"{', '.join(settings.mentions)}: no mention has a concept of {index.path}; "
            "are the ids written alike? (--prefix of `medspan terminology build`)"
        )
    names = tuple(f"{corpus} ({settings.split})" for corpus in settings.mentions)
    ranking, right = fit_ranking(index, examples, index.spec.ranking, names)
    spec = rewrite(index, ranking=ranking)
    return Fitted(spec, sum(round(example.weight) for example in examples), right)
