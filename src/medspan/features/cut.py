"""Documents → units: the runs of words a model sees at once. One function for training and inference."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from medspan.text.sentences import split_sentences
from medspan.text.tokenize import tokenize
from medspan.text.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.types import Document

Offsets = tuple[int, int]


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


def cut(document: Document, *, index: int = 0, size: int = 200, overlap: int = 40) -> Iterator[Unit]:
    """Cut one document into units of at most ``size`` words; sentences the document marks are kept."""
    words = tokenize(document.text)
    for sentence in group_by_sentence(document, words):
        if len(sentence) <= size:
            yield Unit(index, sentence, (0, len(sentence)))
            continue
        for window in windows(len(sentence), size=size, overlap=overlap):
            owned = (window.owned_first - window.first, window.owned_stop - window.first)
            yield Unit(index, sentence[window.first : window.stop], owned)


def group_by_sentence(document: Document, words: Sequence[Offsets]) -> Iterator[Sequence[Offsets]]:
    """Words of each sentence; words outside every marked sentence form groups of their own."""
    marked = [(span.start, span.end) for span in document.sentences]
    borders = sorted({edge for span in marked or split_sentences(document.text) for edge in span})
    starts = [start for start, _ in words]
    first = 0
    for border in borders:
        stop = bisect_left(starts, border, first)
        if stop > first:
            yield words[first:stop]
        first = stop
    if first < len(words):
        yield words[first:]
