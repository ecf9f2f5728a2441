"""What speaks for a candidate: one row of numbers for each concept that may be meant."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.tasks.resolution.candidates import (
    close_names,
    closeness,
    cosine,
    query_of,
    similar_names,
)
from medspan.tasks.resolution.terms import Kind
from medspan.tasks.resolution.words import compare_words
from medspan.text.name_keys import key_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from medspan.tasks.resolution.candidates import Query
    from medspan.tasks.resolution.index import Index

OF_NAMES: Final = (
    "same_text",  # 1 where the name is the mention, letter by letter
    "plain",  # 1 where they differ in case and marks only
    "bag",  # 1 where they are the same words
    "similarity",  # tf-idf cosine over words and character n-grams
    "closeness",  # cosine of the embeddings
    "preferred",  # 1 where the name met exactly is the concept's preferred one
    "share",  # of the annotated mentions of this very name, the part with this concept
    "mentions",  # log(1 + annotated mentions of this very name with this concept)
    "mention_similarity",  # tf-idf cosine, of names that annotators marked only
    "mention_closeness",  # cosine of the embeddings, of names that annotators marked only
    "first_source",  # 1 for a name of the first source
    "mention_covered",  # of the weight of the mention's words, the part in the name
    "name_covered",  # of the weight of the name's words, the part in the mention
    "covered",  # the lesser of these two
    "like_mention",  # as mention_covered, a word by the word of the name whose embedding is nearest
    "like_name",  # as name_covered, so
    "like",  # the lesser of these two
    "same_numbers",  # 1 where numbers and single letters are the same
    "same_last",  # 1 where the last words are the same
)
"""The highest of a concept's names that are candidates."""
OF_CONCEPTS: Final = (
    "concept_mentions",  # log(1 + annotated mentions of the concept)
    "concept_names",  # log(1 + names of the concept)
    "id_form",  # log of how much more often annotators choose ids of this form than there are
    "votes",  # log of how many candidates are names of this concept
    "similarity_lead",  # similarity over that of the best other concept
    "closeness_lead",  # closeness so
)
OF_MENTIONS: Final = (
    "short",  # 1 for a mention of four characters or fewer
    "words",  # log of the words of the mention
    "met",  # log(1 + concepts with a name met exactly)
)
"""The same for all candidates of a mention: only of use beside others."""
FEATURES: Final = OF_NAMES + OF_CONCEPTS + OF_MENTIONS
AT: Final[Mapping[str, int]] = MappingProxyType({name: place for place, name in enumerate(FEATURES)})
NEAR: Final = 24  # names taken by similarity, and as many by closeness
_SHORT: Final = 4
_NOTHING: Final[Mapping[int, int]] = MappingProxyType({})


class Evidence(NamedTuple):
    """Candidates of one look-up: ``concepts`` int64 (rows,), ``table`` float64 (rows, features).

    ``is_met``: bool (rows,), concepts that have a name met exactly.
    """

    concepts: NDArray[np.int64]
    table: NDArray[np.float64]
    is_met: NDArray[np.bool_]

    @property
    def is_exact(self) -> bool:
        """Whether a name is met exactly."""
        return bool(self.is_met.any())


_NONE = Evidence(np.zeros(0, np.int64), np.zeros((0, len(FEATURES))), np.zeros(0, np.bool_))


def evidence_of(
    index: Index, text: str, *, only_exact: bool, without: Mapping[int, int] = _NOTHING
) -> Evidence:
    """All candidates of a mention.

    Args:
        index: where to look.
        text: the mention, short forms resolved.
        only_exact: where a name is met exactly, look for no other.
        without: annotated mentions that are not to count, how many of which names; names that are left
            without any are no candidates. So a ranking can learn from the mentions the index was built of.
    """
    if not key_words(text):  # signs alone are no name
        return _NONE
    plain = _kept(index, index.with_plain_key(text).astype(np.int64), without)
    exact = np.union1d(plain, _kept(index, index.with_bag_key(text).astype(np.int64), without))
    query = query_of(index, text)
    parts = [_rows(index, query, exact, without, plain)] if len(exact) else []
    if not (only_exact and len(exact)):
        near = np.union1d(similar_names(index, query, NEAR), close_names(index, query, NEAR))
        near = near[~np.isin(index.concept[near], index.concept[exact])]
        near = _kept(index, near, without)
        if len(near):
            parts.append(_rows(index, query, near, without))
    if not parts:
        return _NONE
    joined = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Evidence(*joined)


def _kept(index: Index, names: NDArray[np.int64], without: Mapping[int, int]) -> NDArray[np.int64]:
    """Names that are left where some mentions do not count."""
    if not without:
        return names
    gone = [int(index.kind[n]) == Kind.MENTION and index.count[n] <= without.get(int(n), 0) for n in names]
    left: NDArray[np.int64] = names[~np.asarray(gone, dtype=bool)]
    return left


def _rows(
    index: Index,
    query: Query,
    names: NDArray[np.int64],
    without: Mapping[int, int],
    plain: NDArray[np.int64] | None = None,
) -> Evidence:
    """Concepts of names met exactly, or of names that are alike.

    The two are compared each for themselves, so that the first do not depend on whether the others were
    looked for.
    """
    table = np.zeros((len(names), len(OF_NAMES)))
    if plain is not None:
        table[:, AT["plain"]] = np.isin(names, plain)
        table[:, AT["bag"]] = 1.0
    counts = np.asarray([max(int(index.count[row]) - without.get(int(row), 0), 0) for row in names])
    _compare(index, query, names, counts, table)
    return _by_concept(index, query, names, table, without)


def _compare(
    index: Index,
    query: Query,
    names: NDArray[np.int64],
    counts: NDArray[np.int64],
    table: NDArray[np.float64],
) -> None:
    """Fill in what is told of names by more than the keys."""
    column = {name: table[:, at] for at, name in enumerate(OF_NAMES)}
    texts = index.names.some(names)
    is_plain = column["plain"] > 0
    is_mention = counts > 0
    column["same_text"][:] = [text == query.text for text in texts]
    column["similarity"][:] = cosine(index, query, names, texts)
    if index.dense is not None:
        column["closeness"][:] = closeness(index.dense, query, names)
    column["preferred"][:] = (index.kind[names] == Kind.PREFERRED) & (column["bag"] > 0)
    column["share"][:] = np.where(is_plain, counts, 0) / max(int(counts[is_plain].sum()), 1)
    column["mentions"][:] = np.where(is_plain, np.log1p(counts), 0.0)
    column["mention_similarity"][:] = np.where(is_mention, column["similarity"], 0.0)
    column["mention_closeness"][:] = np.where(is_mention, column["closeness"], 0.0)
    column["first_source"][:] = index.source[names] == 0
    compare_words(index, query.text, texts, column)


def _by_concept(
    index: Index,
    query: Query,
    names: NDArray[np.int64],
    of_names: NDArray[np.float64],
    without: Mapping[int, int],
) -> Evidence:
    """The rows of names as rows of their concepts."""
    owners = index.concept[names].astype(np.int64)
    order = np.argsort(owners, kind="stable")
    concepts, first, sizes = np.unique(owners[order], return_index=True, return_counts=True)
    table = np.zeros((len(concepts), len(FEATURES)))
    table[:, : len(OF_NAMES)] = np.maximum.reduceat(of_names[order], first, axis=0)
    is_met: NDArray[np.bool_] = (table[:, AT["plain"]] > 0) | (table[:, AT["bag"]] > 0)
    less = dict.fromkeys(concepts.tolist(), 0)
    for row, count in without.items():
        if int(index.concept[row]) in less:
            less[int(index.concept[row])] += count
    annotated = np.maximum(index.concept_count[concepts] - np.asarray(list(less.values())), 0)
    table[:, AT["concept_mentions"]] = np.log1p(annotated)
    table[:, AT["concept_names"]] = np.log1p(index.concept_names[concepts])
    table[:, AT["id_form"]] = [index.id_form(int(concept)) for concept in concepts]
    table[:, AT["votes"]] = np.log(sizes)
    for name in ("similarity", "closeness"):
        table[:, AT[f"{name}_lead"]] = _leads(table[:, AT[name]])
    table[:, AT["short"]] = len(query.text) <= _SHORT
    table[:, AT["words"]] = np.log1p(query.text.count(" "))
    table[:, AT["met"]] = np.log1p(is_met.sum())
    return Evidence(concepts, table, is_met)


def _leads(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each value is over the highest of the others."""
    if len(values) == 1:
        return values.copy()
    second, first = np.sort(values)[-2:]
    leads: NDArray[np.float64] = values - np.where(values == first, second, first)
    return leads
