"""How far the words of a mention and of names cover one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medspan.text.name_keys import key_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from medspan.tasks.resolution.index import Index


def compare_words(
    index: Index, text: str, names: Sequence[str], column: Mapping[str, NDArray[np.float64]]
) -> None:
    """Fill in the evidence of words.

    Args:
        index: gives weights and vectors of words.
        text: the mention, which has a word.
        names: candidates, each of which has one.
        column: of each kind of evidence, float64 (names,); filled in.
    """
    wanted = list(dict.fromkeys(key_words(text)))
    found = [key_words(name) for name in names]
    places: dict[str, int] = {word: place for place, word in enumerate(wanted)}
    words = [[places.setdefault(word, len(places)) for word in dict.fromkeys(each)] for each in found]
    flat = np.asarray([place for each in words for place in each])
    starts = np.cumsum([0, *(len(each) for each in words[:-1])])
    weights = np.asarray([index.word_weight(word) for word in places])
    vectors = np.stack([index.word_vector(word) for word in places])
    same = np.eye(len(wanted), len(places))
    alike = np.maximum(same, vectors[: len(wanted)] @ vectors.T)
    for table, prefix, both in ((same, "", "covered"), (alike, "like_", "like")):
        of_mention = _of_mention(table, weights[: len(wanted)], flat, starts)
        of_name = np.add.reduceat((table.max(axis=0) * weights)[flat], starts)
        of_name /= np.add.reduceat(weights[flat], starts)
        column[f"{prefix}mention" if prefix else "mention_covered"][:] = of_mention
        column[f"{prefix}name" if prefix else "name_covered"][:] = of_name
        column[both][:] = np.minimum(of_mention, of_name)
    marks = {word for word in wanted if _is_mark(word)}
    column["same_numbers"][:] = [marks == {word for word in each if _is_mark(word)} for each in found]
    last = key_words(text)[-1]
    column["same_last"][:] = [each[-1] == last for each in found]


def _of_mention(
    table: NDArray[np.float64],
    weights: NDArray[np.float64],
    flat: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The part of a mention's weight that each name covers; (names,)."""
    best: NDArray[np.float64] = weights @ np.maximum.reduceat(table[:, flat], starts, axis=1)
    covered: NDArray[np.float64] = best / weights.sum()
    return covered


def _is_mark(word: str) -> bool:
    """Whether a word is a number or a single letter, as in *type 2* and *hepatitis b*."""
    return word.isdigit() or (len(word) == 1 and word.isalpha())
