"""Units → arrays. What depends on a word's form alone is computed once per form and kept in a table.

The arrays of a batch, by name (a model's spec lists those its graph takes):

    word_ids     int64 (forms,)            id of each distinct form's normal form
    char_ids     int64 (forms, chars)      its characters, padded with 0
    case_ids     int64 (forms,)            its shape class
    form_index   int64 (batch, words)      which form stands at each place; 0 where padded
    lengths      int64 (batch,)            words of each row
    text_ids     int64 (batch, characters) the row as characters, words joined by one blank
    word_first   int64 (batch, words)      first character of each word in ``text_ids``; 0 where padded
    word_stop    int64 (batch, words)      one past its last character; 1 where padded
    text_lengths int64 (batch,)            characters of each row
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medspan.text.normalize import word_shape_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medspan.features.vocab import Vocab

WORD_INPUTS = ("word_ids", "char_ids", "case_ids", "form_index", "lengths")
TEXT_INPUTS = ("text_ids", "word_first", "word_stop", "text_lengths", "lengths")
_LARGEST_TABLE = 200_000


class Featurizer:
    """Turns words into the arrays of a batch.

    Args:
        vocab: the vocabulary of the model.
        inputs: names of the arrays wanted.
        max_chars: characters kept of a word; of longer ones the first and last halves of this number.
    """

    def __init__(self, vocab: Vocab, inputs: Sequence[str], *, max_chars: int) -> None:
        self.vocab = vocab
        self.inputs = frozenset(inputs)
        self.max_chars = max_chars
        self._blank = vocab.char_id(" ")
        self._clear()

    def _clear(self) -> None:
        self._forms: dict[str, int] = {}
        self._word_ids = np.zeros(1024, np.int64)
        self._case_ids = np.zeros(1024, np.int64)
        self._char_ids = np.zeros((1024, self.max_chars), np.int64)
        self._char_lengths = np.zeros(1024, np.int64)

    def encode(self, forms: Sequence[str]) -> NDArray[np.int64]:
        """Positions of some forms in the table, adding those it does not hold yet; shape (words,)."""
        known = self._forms
        for form in forms:
            if form not in known:
                self._add(form)
        return np.fromiter((known[form] for form in forms), np.int64, len(forms))

    def trim(self) -> None:
        """Forget all forms if there are too many; positions given out before are void afterwards."""
        if len(self._forms) > _LARGEST_TABLE:
            self._clear()

    def _add(self, form: str) -> None:
        row = len(self._forms)
        if row == len(self._word_ids):
            self._grow()
        characters = shorten(form, self.max_chars)
        self._forms[form] = row
        self._word_ids[row] = self.vocab.word_id(form)
        self._case_ids[row] = word_shape_class(form)
        self._char_ids[row, : len(characters)] = [self.vocab.char_id(c) for c in characters]
        self._char_lengths[row] = len(characters)

    def _grow(self) -> None:
        for name in ("_word_ids", "_case_ids", "_char_ids", "_char_lengths"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros_like(array)]))

    def arrays(self, rows: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """The arrays of a batch of encoded rows, each of shape (words,)."""
        lengths = np.array([len(row) for row in rows], np.int64)
        batch = {"lengths": lengths}
        if "form_index" in self.inputs:
            batch.update(self._word_arrays(rows, lengths))
        if "text_ids" in self.inputs:
            batch.update(self._text_arrays(rows, lengths))
        return batch

    def _word_arrays(
        self, rows: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int64]]:
        distinct, inverse = np.unique(np.concatenate(rows), return_inverse=True)
        index = np.zeros((len(rows), int(lengths.max())), np.int64)
        index[np.arange(index.shape[1]) < lengths[:, None]] = inverse
        longest = int(self._char_lengths[distinct].max())
        return {
            "word_ids": self._word_ids[distinct],
            "case_ids": self._case_ids[distinct],
            "char_ids": self._char_ids[distinct, :longest],
            "form_index": index,
        }

    def _text_arrays(
        self, rows: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int64]]:
        texts = [self._characters(row) for row in rows]
        sizes = np.array([len(text) for text, _ in texts], np.int64)
        text_ids = np.zeros((len(rows), int(sizes.max())), np.int64)
        first = np.zeros((len(rows), int(lengths.max())), np.int64)
        stop = np.ones_like(first)
        for i, (text, starts) in enumerate(texts):
            text_ids[i, : len(text)] = text
            first[i, : len(starts)] = starts
            stop[i, : len(starts)] = starts + self._char_lengths[rows[i]]
        return {"text_ids": text_ids, "word_first": first, "word_stop": stop, "text_lengths": sizes}

    def _characters(self, row: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Characters of a row with a blank between words, and where each word starts."""
        sizes = self._char_lengths[row]
        table = np.full((len(row), self.max_chars + 1), self._blank, np.int64)
        table[:, :-1] = self._char_ids[row]
        table[np.arange(len(row)), sizes] = self._blank
        kept = np.arange(self.max_chars + 1) <= sizes[:, None]
        return table[kept][:-1], np.concatenate([[0], np.cumsum(sizes + 1)[:-1]])


def shorten(form: str, size: int) -> str:
    """The first and last halves of a word longer than ``size`` characters."""
    if len(form) <= size:
        return form
    head = size - size // 2
    return form[:head] + form[len(form) - size // 2 :]


def group_by_words(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions grouped so that rows x longest row stays within ``budget`` padded words.

    Rows are taken in order of length, so padding is small; a row longer than the budget stands alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    group: list[int] = []
    for i in order:
        if group and (len(group) + 1) * lengths[i] > budget:
            yield group
            group = []
        group.append(i)
    if group:
        yield group
