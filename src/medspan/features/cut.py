"""Documents → units: the runs of words a model sees at once. One rule for training and inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from medspan.features.forms import BLANK
from medspan.text.sentences import split_sentences
from medspan.text.tokenize import is_blank, pieces, tokenize
from medspan.text.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from medspan.tags import Chunk
    from medspan.types import Document, Entity

    Ints = NDArray[np.int64]

Offsets = tuple[int, int]
STRETCH = 100_000
"""Characters of a document whose words stand in memory at once, unless a sentence is longer."""


class Unit(NamedTuple):
    """A sentence, or a window of a long one.

    ``words`` are offsets into the document's text; ``owned`` is the half-open range of positions in
    ``words`` this unit decides on: every word of a document is owned by exactly one unit.
    """

    document: int
    words: Sequence[Offsets]
    owned: tuple[int, int]

    def forms(self, text: str) -> list[str]:
        """The words as they stand in the document's text."""
        return [text[start:end] for start, end in self.words]

    def glued(self, text: str) -> list[bool]:
        """Which words follow another without a blank between them."""
        return [start > 0 and not is_blank(text[start - 1]) for start, _ in self.words]


class Units(NamedTuple):
    """Units of some documents as arrays, all int64: the same as `Unit`, without an object a word.

    starts, ends: (words,) offsets into the text of the word's document; rows: (words,) of a `FormTable`.
    document: (units,); first, stop: (units,) which words a unit holds; owned_first, owned_stop: (units,)
    which of them it decides on.
    """

    starts: Ints
    ends: Ints
    rows: Ints
    document: Ints
    first: Ints
    stop: Ints
    owned_first: Ints
    owned_stop: Ints

    @property
    def lengths(self) -> Ints:
        """Words of each unit: int64 (units,)."""
        return self.stop - self.first

    def unit(self, index: int) -> Unit:
        """One unit with its words as objects."""
        first, stop = int(self.first[index]), int(self.stop[index])
        words = list(zip(self.starts[first:stop].tolist(), self.ends[first:stop].tolist(), strict=True))
        owned = (int(self.owned_first[index]) - first, int(self.owned_stop[index]) - first)
        return Unit(int(self.document[index]), words, owned)


class RowTable(Protocol):
    """What `read_units` asks of a table of words, such as `medspan.features.forms.FormTable`."""

    def rows(self, pieces: Sequence[str], /) -> Ints:
        """The row of each piece, ``BLANK`` where it is a blank: int64 (pieces,)."""
        ...

    def trim(self) -> None:
        """Forget what need not be kept; rows given out may be void afterwards."""


def cut(document: Document, *, index: int = 0, size: int = 200, overlap: int = 40) -> Iterator[Unit]:
    """Cut one document into units of at most ``size`` words; sentences the document marks are kept."""
    words = tokenize(document.text)
    starts = np.array([start for start, _ in words], np.int64)
    for first, stop, owned_first, owned_stop in _ranges(starts, _borders(document), size, overlap).tolist():
        yield Unit(index, words[first:stop], (owned_first - first, owned_stop - first))


def read_units(
    documents: Sequence[Document], table: RowTable, *, size: int, overlap: int, most_words: int
) -> Iterator[Units]:
    """The units of some documents, about ``most_words`` words at a time.

    Rows of the table are only good until the next turn: between turns it may forget.
    """
    held: list[Units] = []
    words = 0
    for index, document in enumerate(documents):
        borders = _borders(document)
        for first, stop in _stretches(document.text, borders):
            found = _read(document.text, first, stop, borders, table=table, window=(size, overlap))
            held.append(found._replace(document=np.full(len(found.first), index)))
            words += len(found.starts)
            if words >= most_words:
                yield _joined(held)
                held, words = [], 0
                table.trim()
    if words:
        yield _joined(held)
        table.trim()


def _read(
    text: str, first: int, stop: int, borders: Ints, *, table: RowTable, window: tuple[int, int]
) -> Units:
    """The units of one stretch."""
    found = pieces(text, first, stop)
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    rows = table.rows(found)
    ends = np.cumsum(lengths) + first
    is_word = rows != BLANK
    ends, lengths = ends[is_word], lengths[is_word]
    starts = ends - lengths
    ranges = _ranges(starts, borders, *window)
    return Units(starts, ends, rows[is_word], ranges[:, 0], *ranges.T)


def _joined(parts: Sequence[Units]) -> Units:
    """Units of several stretches, their positions of words moved to where the words now stand."""
    sizes = np.cumsum([0, *(len(part.starts) for part in parts)])
    moved = [
        part._replace(
            **{name: getattr(part, name) + offset for name in ("first", "stop", "owned_first", "owned_stop")}
        )
        for part, offset in zip(parts, sizes.tolist(), strict=False)
    ]
    return Units(*(np.concatenate(arrays) for arrays in zip(*moved, strict=True)))


def _borders(document: Document) -> Ints:
    """Where sentences begin and end, ascending; words outside every sentence then stand apart too."""
    marked = [(span.start, span.end) for span in document.sentences]
    return np.unique(np.array(marked or split_sentences(document.text), np.int64).reshape(-1))


def _stretches(text: str, borders: Ints) -> Iterator[Offsets]:
    """Parts of a text of about `STRETCH` characters that tile it, cut at sentence ends before a blank."""
    first = 0
    while len(text) - first > STRETCH:
        at = int(np.searchsorted(borders, first + STRETCH))
        while at < len(borders) and not (borders[at] < len(text) and is_blank(text[borders[at]])):
            at += 1
        if at == len(borders):
            break
        yield first, int(borders[at])
        first = int(borders[at])
    yield first, len(text)


def _ranges(starts: Ints, borders: Ints, size: int, overlap: int) -> Ints:
    """Units over words that begin at ``starts``: int64 (units, 4), from column ``first`` on as in `Units`."""
    if not len(starts):
        return np.zeros((0, 4), np.int64)
    edges = np.unique(np.concatenate([[0], np.searchsorted(starts, borders), [len(starts)]]))
    first, stop = edges[:-1], edges[1:]
    plain = np.stack([first, stop, first, stop], axis=1)
    if not (stop - first > size).any():
        return plain
    rows: list[tuple[int, int, int, int]] = []
    for begin, end, _, _ in plain.tolist():
        if end - begin <= size:
            rows.append((begin, end, begin, end))
            continue
        for window in windows(end - begin, size=size, overlap=overlap):
            seen = (window.first, window.stop, window.owned_first, window.owned_stop)
            rows.append((begin + seen[0], begin + seen[1], begin + seen[2], begin + seen[3]))
    return np.array(rows, np.int64)


def unit_chunks(document: Document, unit: Unit, labels: Iterable[str]) -> list[Chunk]:
    """Gold spans of some labels that begin and end on words of a unit, as chunks of its words."""
    wanted = frozenset(labels)
    first, last = unit.words[0][0], unit.words[-1][1]
    inside = [e for e in document.entities if e.label in wanted and first <= e.start and e.end <= last]
    if not inside:
        return []
    starts = {start: i for i, (start, _) in enumerate(unit.words)}
    stops = {end: i + 1 for i, (_, end) in enumerate(unit.words)}
    return sorted(
        {
            _chunk(e, starts, stops)
            for e in inside
            if e.start in starts and e.end in stops and not e.is_discontinuous
        }
    )


def _chunk(entity: Entity, starts: dict[int, int], stops: dict[int, int]) -> Chunk:
    return starts[entity.start], stops[entity.end], entity.label
