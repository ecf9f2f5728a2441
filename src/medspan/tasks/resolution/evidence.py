"""What speaks for a candidate: one row of numbers for each name that may be meant."""

from __future__ import annotations

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
from medspan.text.name_keys import key_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medspan.tasks.resolution.candidates import Query
    from medspan.tasks.resolution.index import Index

FEATURES: Final = (
    "same_text",  # 1 where the name is the mention, letter by letter
    "plain",  # 1 where they differ in case and marks only
    "bag",  # 1 where they are the same words
    "similarity",  # tf-idf cosine over words and character n-grams
    "closeness",  # cosine of the embeddings
    "preferred",  # 1 where it is the concept's preferred name
    "mention",  # 1 where it comes from annotated mentions
    "share",  # of the annotated mentions of this very name, the part with this concept
    "mentions",  # log(1 + annotated mentions of this name with this concept)
    "concept_mentions",  # log(1 + annotated mentions of the concept)
    "concept_names",  # log(1 + names of the concept)
    "source",  # 0 for a name of the first source, 1 for any other
    "votes",  # log of how many candidates are names of this concept, of those met exactly or of the others
    "mention_covered",  # of the weight of the mention's words, the part in the name
    "name_covered",  # of the weight of the name's words, the part in the mention
    "other_number",  # 1 where numbers, or single letters, differ
    "shortness",  # 1 for a mention of four characters or fewer that is not met exactly
)
NEAR: Final = 24  # names taken by similarity, and as many by closeness
_SHORT: Final = 4


class Evidence(NamedTuple):
    """Candidates of one look-up: ``names`` int64 (rows,), ``table`` float64 (rows, features)."""

    names: NDArray[np.int64]
    table: NDArray[np.float64]
    is_exact: bool


def evidence_of(index: Index, text: str, *, only_exact: bool) -> Evidence:
    """All candidates of a mention.

    Args:
        index: where to look.
        text: the mention, short forms resolved.
        only_exact: where a name is met exactly, look for no other.
    """
    plain = index.with_plain_key(text).astype(np.int64)
    bag = index.with_bag_key(text).astype(np.int64)
    exact = np.union1d(plain, bag)
    query = query_of(index, text)
    names = exact
    if not (only_exact and len(exact)):
        near = (similar_names(index, query, NEAR), close_names(index, query, NEAR))
        names = np.union1d(exact, np.concatenate(near))
    table = np.zeros((len(names), len(FEATURES)))
    if len(names):
        table[:, FEATURES.index("plain")] = np.isin(names, plain)
        table[:, FEATURES.index("bag")] = np.isin(names, bag)
        _fill(index, query, names, table)
    return Evidence(names, table, bool(len(exact)))


def _fill(index: Index, query: Query, names: NDArray[np.int64], table: NDArray[np.float64]) -> None:
    """Fill in what needs more than the keys."""
    column = {name: table[:, at] for at, name in enumerate(FEATURES)}
    concepts = index.concept[names]
    texts = index.names.some(names)
    is_plain = column["plain"] > 0
    column["same_text"][:] = [text == query.text for text in texts]
    column["similarity"][:] = cosine(index, query, names)
    if index.dense is not None:
        column["closeness"][:] = closeness(index.dense, query, names)
    kinds, counts = index.kind[names], index.count[names]
    column["preferred"][:] = kinds == Kind.PREFERRED
    column["mention"][:] = counts > 0
    column["share"][:] = np.where(is_plain, counts, 0) / max(int(counts[is_plain].sum()), 1)
    column["mentions"][:] = np.log1p(counts)
    column["concept_mentions"][:] = np.log1p(index.concept_count[concepts])
    column["concept_names"][:] = np.log1p(index.concept_names[concepts])
    column["source"][:] = index.source[names] > 0
    is_met = np.maximum(column["plain"], column["bag"]).astype(np.int64)
    _, group, sizes = np.unique(2 * concepts + is_met, return_inverse=True, return_counts=True)
    column["votes"][:] = np.log(sizes[group])
    _compare_words(index, query.text, texts, table)
    column["shortness"][:] = (len(query.text) <= _SHORT) * (1.0 - column["bag"])


def _compare_words(index: Index, text: str, names: list[str], table: NDArray[np.float64]) -> None:
    """Fill in how far the words of the mention and of each name cover one another."""
    at = {name: place for place, name in enumerate(FEATURES)}
    wanted = set(key_words(text))
    weight = {word: index.word_weight(word) for word in wanted}
    total = sum(weight.values())
    marks = {word for word in wanted if _is_mark(word)}
    for row, name in enumerate(names):
        words = set(key_words(name))
        shared = sum(weight[word] for word in words & wanted)
        of_name = shared + sum(index.word_weight(word) for word in words - wanted)
        table[row, at["mention_covered"]] = shared / total if total else 0.0
        table[row, at["name_covered"]] = shared / of_name if of_name else 0.0
        table[row, at["other_number"]] = marks != {word for word in words if _is_mark(word)}


def _is_mark(word: str) -> bool:
    """Whether a word is a number or a single letter, as in *type 2* and *hepatitis b*."""
    return word.isdigit() or (len(word) == 1 and word.isalpha())
