"""Units → arrays, the same in training and inference.

The arrays of a batch, by name (a model's spec lists those its graph takes):

    word_ids     int64 (forms,)            id of each distinct form's normal form
    char_ids     int64 (forms, chars)      its characters, padded with 0
    case_ids     int64 (forms,)            its shape class
    form_index   int64 (batch, words)      which form stands at each place; 0 where padded
    word_states  float32 (batch, words, width) what the form network makes of each word; 0 where padded
    lengths      int64 (batch,)            words of each row
    text_ids     int64 (batch, characters) the row as characters, words joined by one blank
    word_first   int64 (batch, words)      first character of each word in ``text_ids``; 0 where padded
    word_stop    int64 (batch, words)      one past its last character; 1 where padded
    text_lengths int64 (batch,)            characters of each row

``word_states`` stands for the first four where a model was exported in two parts: its numbers come from the
table of forms, so a word is looked at once, however often it stands in the text. Arrays of word pieces are
listed in features/pieces.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medspan.features.forms import PADDING, FormTable
from medspan.features.pieces import piece_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medspan.features.forms import FormStates
    from medspan.features.pieces import Pieces
    from medspan.features.vocab import Vocab

    Ints = NDArray[np.int64]
    Arrays = dict[str, NDArray[Any]]

FORM_INPUTS = ("word_ids", "char_ids", "case_ids")
WORD_INPUTS = (*FORM_INPUTS, "form_index", "lengths")
STATE_INPUTS = ("word_states", "lengths")
TEXT_INPUTS = ("text_ids", "word_first", "word_stop", "text_lengths", "lengths")


class Featurizer:
    """Turns words into the arrays of a batch.

    Args:
        vocab: the vocabulary of the model.
        inputs: names of the arrays wanted.
        max_chars: characters kept of a word; of longer ones the first and last halves of this number.
        network: the form network of the model; only where ``word_states`` is wanted.
        pieces: cuts words into pieces; only where ``piece_ids`` is wanted.
    """

    def __init__(
        self,
        vocab: Vocab,
        inputs: Sequence[str],
        *,
        max_chars: int,
        network: FormStates | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.vocab = vocab
        self.inputs = frozenset(inputs)
        self.max_chars = max_chars
        self.table = FormTable(vocab, max_chars=max_chars, network=network, pieces=pieces)
        self._network, self._pieces = network, pieces
        self._blank = vocab.char_id(" ")

    def with_empty_table(self) -> Featurizer:
        """The same for other text: makes the same arrays, and begins a table of its own."""
        return Featurizer(
            self.vocab,
            sorted(self.inputs),
            max_chars=self.max_chars,
            network=self._network,
            pieces=self._pieces,
        )

    def encode(self, forms: Sequence[str], glued: Sequence[bool] | None = None) -> Ints:
        """Rows of some words in the table, adding those it does not hold yet; shape (words,).

        Args:
            forms: words as they stand in the text.
            glued: which of them follow another without a blank; none where None.
        """
        return self.table.word_rows(forms, glued)

    def arrays(self, rows: Sequence[Ints]) -> Arrays:
        """The arrays of a batch of encoded units, each of shape (words,)."""
        lengths = np.array([len(row) for row in rows], np.int64)
        return self.padded_arrays(_padded(rows, lengths), lengths)

    def padded_arrays(self, rows: Ints, lengths: Ints) -> Arrays:
        """The arrays of a batch of encoded units (batch, words), `PADDING` behind each one's length."""
        batch: Arrays = {"lengths": lengths}
        if "form_index" in self.inputs:
            batch.update(self._word_arrays(rows, lengths))
        if "word_states" in self.inputs:
            batch["word_states"] = np.take(self.table.states(), rows, axis=0)
        if "text_ids" in self.inputs:
            batch.update(self._text_arrays(rows, lengths))
        if self._pieces is not None and "piece_ids" in self.inputs:
            table = self.table
            batch.update(
                piece_arrays(table.piece_ids, table.piece_counts, rows, lengths, layout=self._pieces.layout)
            )
        return batch

    def _word_arrays(self, rows: Ints, lengths: Ints) -> Arrays:
        inside = np.arange(rows.shape[1]) < lengths[:, None]
        distinct, inverse = np.unique(rows[inside], return_inverse=True)
        index = np.zeros(rows.shape, np.int64)
        index[inside] = inverse
        longest = int(self.table.char_lengths[distinct].max())
        return {
            "word_ids": self.table.word_ids[distinct],
            "case_ids": self.table.case_ids[distinct],
            "char_ids": self.table.char_ids[distinct, :longest].astype(np.int64),
            "form_index": index,
        }

    def _text_arrays(self, rows: Ints, lengths: Ints) -> Arrays:
        ragged = [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
        texts = [self._characters(row) for row in ragged]
        sizes = np.array([len(text) for text, _ in texts], np.int64)
        text_ids = np.zeros((len(rows), int(sizes.max())), np.int64)
        first = np.zeros(rows.shape, np.int64)
        stop = np.ones_like(first)
        for i, (text, starts) in enumerate(texts):
            text_ids[i, : len(text)] = text
            first[i, : len(starts)] = starts
            stop[i, : len(starts)] = starts + self.table.char_lengths[ragged[i]]
        return {"text_ids": text_ids, "word_first": first, "word_stop": stop, "text_lengths": sizes}

    def _characters(self, row: Ints) -> tuple[Ints, Ints]:
        """Characters of a row with a blank between words, and where each word starts."""
        sizes = self.table.char_lengths[row]
        table = np.full((len(row), self.max_chars + 1), self._blank, np.int64)
        table[:, :-1] = self.table.char_ids[row]
        table[np.arange(len(row)), sizes] = self._blank
        kept = np.arange(self.max_chars + 1) <= sizes[:, None]
        return table[kept][:-1], np.concatenate([[0], np.cumsum(sizes + 1)[:-1]])


def _padded(rows: Sequence[Ints], lengths: Ints) -> Ints:
    padded = np.full((len(rows), int(lengths.max())), PADDING, np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return padded


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
