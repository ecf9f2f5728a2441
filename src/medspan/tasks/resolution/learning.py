"""Adds to an index what is learnt: embeddings of its names, and a ranking fitted to annotated mentions."""

from __future__ import annotations

from collections import Counter
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.tasks.resolution.annotated import Mention
    from medspan.tasks.resolution.spec import IndexSpec

    Learn = Callable[[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]], NDArray[np.float16]]


class FitSettings(msgspec.Struct, frozen=True):
    """What a ranking is fitted to: a split of corpora, and which of their entities (all where empty).

    ``own``: corpora whose mentions, of the split ``own_split``, are names of the index; each of their documents
    is taken as if the index had been built without it.
    """

    mentions: tuple[str, ...]
    split: str = "dev"
    labels: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    own_split: str = "train"


class Fitted(NamedTuple):
    """How many held-out mentions a ranking was fitted to, and the share of them right, cross-validated."""

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


def held_out_examples(index: Index, settings: FitSettings) -> list[Example]:
    """Mentions that are no names of an index, with their candidates; one that comes again weighs more."""
    known: dict[Mention, Example] = {}
    for corpus in settings.mentions:
        documents = load_split(corpus, settings.split)
        for mention, document in annotated_mentions(documents, settings.labels, with_none=True):
            before = known.get(mention)
            known[mention] = (
                before._replace(weight=before.weight + 1)
                if before
                else example_of(index, mention, document=document)
            )
    return list(known.values())


def own_examples(index: Index, settings: FitSettings) -> list[Example]:
    """Mentions that are names of an index, with the candidates they would have without their document."""
    numbers = {index.ids[place]: place for place in range(index.spec.concepts)} if settings.own else {}
    found = []
    for corpus in settings.own:
        pairs = annotated_mentions(load_split(corpus, settings.own_split), settings.labels)
        for document, group in groupby(pairs, key=itemgetter(1)):
            counts = Counter(mention for mention, _ in group)
            without = _names_of(index, counts, numbers)
            found += [
                example_of(index, mention, document=document, weight=count, without=without)
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
    *,
    document: str = "",
    weight: float = 1.0,
    without: Mapping[int, int] = MappingProxyType({}),
) -> Example:
    """The candidates of an annotated mention, and which of them are right."""
    text = index.first_met(*mention.texts)
    evidence = evidence_of(index, text, only_exact=False, without=without)
    right = [index.ids[int(concept)] in mention.ids for concept in evidence.concepts]
    return Example(evidence, np.asarray(right, dtype=bool), weight, document)


def fit_index(folder: Path | str, settings: FitSettings) -> Fitted:
    """Fit the ranking of an index to annotated mentions and write it anew.

    The held-out mentions must not be those whose surfaces are names of the index: of these all would be found.

    Raises:
        DataError: if the corpora have no mention with a concept of the index.
    """
    index = Index(folder)
    held_out, own = held_out_examples(index, settings), own_examples(index, settings)
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
