"""Adds to an index what is learnt: embeddings of its names, and a ranking fitted to annotated mentions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from medspan.corpora import load as load_split
from medspan.errors import DataError
from medspan.tasks.resolution.annotated import annotated_mentions
from medspan.tasks.resolution.dense import add_encoder, name_chunks, rewrite
from medspan.tasks.resolution.evidence import evidence_of
from medspan.tasks.resolution.fit import Example, fit_ranking
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.twins import twins_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.tasks.resolution.annotated import Mention
    from medspan.tasks.resolution.spec import IndexSpec

    Learn = Callable[[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]], NDArray[np.float16]]


class FitSettings(msgspec.Struct, frozen=True):
    """What a ranking is fitted to: a split of corpora, and which of their entities (all where empty).

    ``own``: corpora whose mentions, of the split ``own_split``, are names of the index; each document is
    taken as if the index had been built without it.
    """

    mentions: tuple[str, ...]
    split: str = "dev"
    labels: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    own_split: str = "train"


class Fitted(NamedTuple):
    """Held-out mentions a ranking was fitted to, and the share right, cross-validated."""

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


Twins = Mapping[int, Collection[int]]


def held_out_examples(index: Index, settings: FitSettings, twins: Twins) -> list[Example]:
    """Mentions that are no names of an index; one that comes again in a document weighs more."""
    known: dict[Mention, Example] = {}
    found: dict[tuple[Mention, str], Example] = {}
    for corpus in settings.mentions:
        documents = load_split(corpus, settings.split)
        for mention, document in annotated_mentions(documents, settings.labels, with_none=True):
            before = found.get((mention, document))
            if mention not in known:
                known[mention] = example_of(index, mention, twins)
            weight = before.weight + 1 if before else 1.0
            found[mention, document] = known[mention]._replace(document=document, weight=weight)
    return list(found.values())


def own_examples(index: Index, settings: FitSettings, twins: Twins) -> list[Example]:
    """Mentions that are names of an index, with the candidates they would have without their document."""
    numbers = {index.ids[place]: place for place in range(index.spec.concepts)} if settings.own else {}
    found = []
    for corpus in settings.own:
        pairs = annotated_mentions(load_split(corpus, settings.own_split), settings.labels)
        for document, group in groupby(pairs, key=itemgetter(1)):
            counts = Counter(mention for mention, _ in group)
            without = _names_of(index, counts, numbers)
            found += [
                example_of(index, mention, twins, without=without)._replace(document=document, weight=count)
                for mention, count in counts.items()
            ]
    return found


def _names_of(index: Index, mentions: Counter[Mention], numbers: Mapping[str, int]) -> dict[int, int]:
    """Rows of the names that mentions of a document have in an index, each with how many are theirs."""
    found: Counter[int] = Counter()
    for mention, count in mentions.items():
        for row in index.with_plain_key(mention.texts[0]):
            if int(index.concept[row]) in {numbers.get(identity) for identity in mention.ids}:
                found[int(row)] += count
    return dict(found)


def example_of(
    index: Index,
    mention: Mention,
    twins: Twins,
    *,
    without: Mapping[int, int] = MappingProxyType({}),
) -> Example:
    """The candidates of an annotated mention, and which of them, or of their twins, are right."""
    text = index.first_met(*mention.texts)
    evidence = evidence_of(index, text, only_exact=False, without=without)
    right = [
        any(index.ids[each] in mention.ids for each in (concept, *twins.get(concept, ())))
        for concept in evidence.concepts.tolist()
    ]
    return Example(evidence, np.asarray(right, dtype=bool), 1.0, "")


def fit_index(folder: Path | str, settings: FitSettings) -> Fitted:
    """Fit the ranking of an index to annotated mentions and write it anew.

    The held-out mentions must not be names of the index: of these all would be found.

    Raises:
        DataError: if the corpora have no mention with a concept of the index.
    """
    index = Index(folder)
    twins = twins_of(index)
    held_out, own = held_out_examples(index, settings, twins), own_examples(index, settings, twins)
    if not any(example.is_right.any() for example in held_out):
        raise DataError(
            f"{', '.join(settings.mentions)}: no mention has a concept of {index.path}; "
            "are the ids written alike? (--prefix of `medspan terminology build`)"
        )
    names = tuple(f"{corpus} ({settings.split})" for corpus in settings.mentions)
    names += tuple(f"{corpus} ({settings.own_split})" for corpus in settings.own)
    ranking, right = fit_ranking(held_out, own, index.spec.ranking, names)
    spec = rewrite(index, ranking=ranking)
    return Fitted(spec, sum(round(example.weight) for example in held_out), right)
