"""Documents → their sentences as documents of their own, and a random choice among many in flat memory."""

from __future__ import annotations

import hashlib
import heapq
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from medspan.corpora.leaks import sentence_key
from medspan.text.sentences import split_sentences
from medspan.types import Document, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.types import Entity

Item = TypeVar("Item")


def sentences(documents: Iterable[Document]) -> Iterator[Document]:
    """Each sentence as a document, in order, with the entities that stand wholly in it.

    Sentences a document marks are kept; others are found. The id says where a sentence comes from
    (``note-1:120-188``), as does ``meta["sentence"]``; other values of ``meta`` belong to the whole document
    and stay behind.
    """
    for document in documents:
        marked = [(span.start, span.end) for span in document.sentences]
        for start, end in marked or split_sentences(document.text):
            yield _sentence(document, start, end)


def _sentence(document: Document, start: int, end: int) -> Document:
    inside = [e for e in document.entities if start <= e.start and e.end <= end]
    return Document(
        f"{document.id}:{start}-{end}",
        document.text[start:end],
        entities=tuple(_moved(entity, -start) for entity in inside),
        sentences=(Span(0, end - start),),
        meta={"sentence": {"document": document.id, "start": start, "end": end}},
    )


def _moved(entity: Entity, by: int) -> Entity:
    spans = tuple(Span(span.start + by, span.end + by) for span in entity.spans)
    return msgspec.structs.replace(entity, spans=spans)


def text_key(text: str) -> int:
    """What equal sentences share: a number of their letters and digits without case; 0 without any."""
    return sentence_key(text, shortest=0) or 0


class Sample(Generic[Item]):
    """A random choice of at most ``size`` of any number of items, one for each text.

    The order of the items does not matter: those with the lowest of the numbers that seed and text give are
    kept (bottom-k sampling), so the same texts give the same choice.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._seed = size, seed
        self._heap: list[tuple[int, int, Item]] = []  # lowest first: the number's negative, arrival, item
        self._held: set[int] = set()
        self._count = 0

    def add(self, text: str, item: Item) -> None:
        """Offer an item."""
        digest = hashlib.blake2b(f"{self._seed}:{text_key(text)}".encode(), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        if number in self._held or self._size < 1:
            return
        self._count += 1
        entry = (-number, self._count, item)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            self._held.discard(-heapq.heapreplace(self._heap, entry)[0])
        else:
            return
        self._held.add(number)

    def items(self, most: int | None = None) -> list[Item]:
        """What was chosen, or at random ``most`` of it, in order of arrival."""
        kept = sorted(self._heap, key=lambda entry: -entry[0])[:most]
        return [item for _, _, item in sorted(kept, key=lambda entry: entry[1])]
