"""Documents whose words are tagged, for comparing our scores with scorers of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.tags import decode
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Sequence


def document_of(name: str, tags: Sequence[str]) -> Document:
    """A document of one-letter words, one a tag, with the entities the tags mark."""
    entities = tuple(
        Entity(f"T{number}", label, (Span(2 * first, 2 * stop - 1),))
        for number, (first, stop, label) in enumerate(decode(tags))
    )
    return Document(name, " ".join("w" * len(tags)), entities)


def documents_of(sequences: Sequence[Sequence[str]]) -> list[Document]:
    """A document a sequence of tags."""
    return [document_of(str(number), tags) for number, tags in enumerate(sequences)]
