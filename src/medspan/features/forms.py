"""The table of distinct words: what depends on a word's form alone is computed once and kept.

A row of the table is a form. Row 0 is padding. The table is bounded: when it is full, the half that was met
least often is forgotten, which costs little, as most forms of a text stand in it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from medspan.text.normalize import word_shape_class
from medspan.text.tokenize import is_blank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from medspan.features.pieces import Pieces
    from medspan.features.vocab import Vocab

    Ints = NDArray[np.int64]

PADDING = 0
BLANK = -1
FORM_BLOCK = 64
"""Forms whose states are computed at once. Always as many, padded to as many characters: then the numbers of
a form cannot depend on the forms beside it, nor on which texts came before."""
_LARGEST_TABLE = 1 << 15
_FIRST_SIZE = 1 << 12
_LONGEST_KEY = 100  # characters: words are shorter, and strange text must not fill memory with keys
_ARRAYS = (
    *("word_ids", "case_ids", "char_ids", "char_lengths", "piece_ids", "piece_counts"),
    *("_states", "_uses"),
)
GLUE = "\ufeff"
"""Begins the key of a word that follows another without a blank, where its pieces tell; it is a blank, which
no word begins with."""


class FormStates(Protocol):
    """The part of a model that sees a word without its neighbours."""

    width: int

    def states(self, arrays: Mapping[str, Ints]) -> NDArray[np.float32]:
        """``word_ids``, ``char_ids`` and ``case_ids`` (forms, ...) → float32 (forms, width)."""
        ...


class FormTable:
    """Words → rows, and arrays that hold what is known of each row.

    Args:
        vocab: the vocabulary of the model.
        max_chars: characters kept of a word; of longer ones the first and last halves of this number.
        network: computes the states of forms; None where nobody asks for them.
        pieces: cuts forms into word pieces; None where nobody asks for them.
    """

    def __init__(
        self,
        vocab: Vocab,
        *,
        max_chars: int,
        network: FormStates | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.vocab, self.max_chars = vocab, max_chars
        self._network, self._pieces = network, pieces
        self._tells_blanks = pieces is not None and bool(pieces.layout.mark)
        self._rows = _Rows(self._add)
        self._size = 1
        self._computed = 1
        self._uses = np.zeros(_FIRST_SIZE, np.int64)
        self.word_ids = np.zeros(_FIRST_SIZE, np.int64)
        self.case_ids = np.zeros(_FIRST_SIZE, np.int64)
        self.char_lengths = np.zeros(_FIRST_SIZE, np.int64)
        self.char_ids = np.zeros((_FIRST_SIZE, self.max_chars), np.int32)
        self.piece_ids = np.zeros((_FIRST_SIZE, pieces.layout.word_pieces if pieces else 0), np.int32)
        self.piece_counts = np.zeros(_FIRST_SIZE, np.int64)
        width = network.width if network else 0
        self._states = np.zeros((_FIRST_SIZE, width), np.float32)

    def trim(self) -> None:
        """Forget the rarer half of the forms if there are too many; rows given out are void afterwards."""
        if max(len(self._rows), self._size) <= _LARGEST_TABLE:
            return
        if self._network:
            self.states()  # so that what is kept has them
        often = np.argsort(-self._uses[1 : self._size], kind="stable")[: _LARGEST_TABLE // 2] + 1
        kept = np.sort(often)
        place = np.zeros(self._size, np.int64)
        place[kept] = np.arange(1, len(kept) + 1)
        rows = _Rows(self._add)
        rows.update((form, int(place[row])) for form, row in self._rows.items() if row > 0 and place[row])
        self._rows = rows
        for name in _ARRAYS:
            array = getattr(self, name)
            array[1 : len(kept) + 1] = array[kept]
            array[len(kept) + 1 :] = 0
        self._size = len(kept) + 1
        self._computed = self._size
        self._uses //= 2  # what was frequent long ago counts less

    def rows(self, pieces: Sequence[str]) -> Ints:
        """The row of each piece of a text, ``BLANK`` where it is a blank: int64 (pieces,)."""
        return self._look_up(_glued(pieces) if self._tells_blanks else pieces)

    def word_rows(self, forms: Sequence[str], glued: Sequence[bool] | None = None) -> Ints:
        """The row of each word, int64 (words,); ``glued``: which follow another without a blank."""
        if self._tells_blanks and glued:
            forms = [GLUE + form if joined else form for form, joined in zip(forms, glued, strict=True)]
        return self._look_up(forms)

    def _look_up(self, pieces: Sequence[str]) -> Ints:
        rows = np.fromiter(map(self._rows.__getitem__, pieces), np.int64, len(pieces))
        np.add.at(self._uses, rows[rows > 0], 1)
        return rows

    def states(self) -> NDArray[np.float32]:
        """States of all rows, float32 (rows, width), zeros for padding; those missing are computed."""
        network = self._network
        if network is None:
            raise TypeError("this table was made without a network")
        while self._computed < self._size:
            first = self._computed
            stop = min(first + FORM_BLOCK, self._size)
            block = {
                "word_ids": np.zeros(FORM_BLOCK, np.int64),
                "case_ids": np.zeros(FORM_BLOCK, np.int64),
                "char_ids": np.zeros((FORM_BLOCK, self.max_chars), np.int64),
            }
            for name, array in block.items():
                array[: stop - first] = getattr(self, name)[first:stop]
            self._states[first:stop] = network.states(block)[: stop - first]
            self._computed = stop
        return self._states

    def _add(self, piece: str) -> int:
        is_glued = self._tells_blanks and piece[:1] == GLUE and not is_blank(piece[-1])
        if is_glued:
            piece = piece[1:]
        elif piece and is_blank(piece[0]):
            return BLANK
        row = self._size
        if row == len(self.word_ids):
            self._grow()
        characters = shorten(piece, self.max_chars)
        self.word_ids[row] = self.vocab.word_id(piece)
        self.case_ids[row] = word_shape_class(piece)
        self.char_ids[row, : len(characters)] = [self.vocab.char_id(c) for c in characters]
        self.char_lengths[row] = len(characters)
        if self._pieces is not None:
            ids = self._pieces.ids(piece, is_glued=is_glued)
            self.piece_ids[row, : len(ids)] = ids
            self.piece_counts[row] = len(ids)
        self._size += 1
        return row

    def _grow(self) -> None:
        for name in _ARRAYS:
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros_like(array)]))


class _Rows(dict[str, int]):
    """Piece → row; a piece nobody asked for before is added, and remembered unless it is very long."""

    __slots__ = ("_add",)

    def __init__(self, add: _Add) -> None:
        super().__init__()
        self._add = add

    def __missing__(self, piece: str) -> int:
        row = self._add(piece)
        if len(piece) <= _LONGEST_KEY:
            self[piece] = row
        return row


class _Add(Protocol):
    def __call__(self, piece: str, /) -> int: ...


def _glued(pieces: Sequence[str]) -> list[str]:
    """Keys of the pieces of a text: words that follow a word begin with `GLUE`."""
    found, follows_word = [], False
    for piece in pieces:
        is_word = not is_blank(piece[0])
        found.append(GLUE + piece if is_word and follows_word else piece)
        follows_word = is_word
    return found


def shorten(form: str, size: int) -> str:
    """The first and last halves of a word longer than ``size`` characters."""
    if len(form) <= size:
        return form
    head = size - size // 2
    return form[:head] + form[len(form) - size // 2 :]
