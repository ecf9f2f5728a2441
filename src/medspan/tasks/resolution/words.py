"""How far the words of a mention and of a name cover one another."""

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
        text: the mention.
        names: candidates.
        column: of each kind of evidence, float64 (names,); filled in.
    """
    wanted = list(dict.fromkeys(key_words(text)))
    if not wanted:
        return
    weights = np.asarray([index.word_weight(word) for word in wanted])
    vectors = np.stack([index.word_vector(word) for word in wanted])
    marks = {word for word in wanted if _is_mark(word)}
    for row, name in enumerate(names):
        found = key_words(name)
        words = list(dict.fromkeys(found))
        if not words:
            continue
        others = np.asarray([index.word_weight(word) for word in words])
        same = np.asarray([[word == other for other in words] for word in wanted], dtype=float)
        like = np.stack([index.word_vector(word) for word in words])
        alike = np.maximum(same, np.maximum(vectors @ like.T, 0.0))
        column["mention_covered"][row] = same.max(axis=1) @ weights / weights.sum()
        column["name_covered"][row] = same.max(axis=0) @ others / others.sum()
        column["like_mention"][row] = alike.max(axis=1) @ weights / weights.sum()
        column["like_name"][row] = alike.max(axis=0) @ others / others.sum()
        column["same_numbers"][row] = marks == {word for word in words if _is_mark(word)}
        column["same_last"][row] = found[-1] == wanted[-1]
    column["covered"][:] = np.minimum(column["mention_covered"], column["name_covered"])
    column["like"][:] = np.minimum(column["like_mention"], column["like_name"])


def _is_mark(word: str) -> bool:
    """Whether a word is a number or a single letter, as in *type 2* and *hepatitis b*."""
    return word.isdigit() or (len(word) == 1 and word.isalpha())
