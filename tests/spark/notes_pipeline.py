"""Functions that workers find by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.types import Attribute, Concept, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.ner import EntityRecognizer
    from medspan.types import Document


class Everything:
    """Adds every layer there is, and fails on a word."""

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities", "relations", "sections"})

    def __init__(self, recognizer: EntityRecognizer) -> None:
        self._recognizer = recognizer

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in self._recognizer.annotate(documents):
            if "EXPLODE" in document.text:
                raise ValueError(document.text)
            yield self._filled(document)

    @staticmethod
    def _filled(document: Document) -> Document:
        if not document.entities:
            return document
        extras = {
            "attributes": (Attribute("assertion", "absent", 0.5),),
            "concepts": (Concept("OMOP:42", "a name"),),
        }
        entities = tuple(_replace(entity, **extras) for entity in document.entities)
        first, last = entities[0], entities[-1]
        return document.replace(
            entities=entities,
            relations=(Relation("R1", "of", first.id, last.id, 0.25),),
            sections=(Section("history", Span(0, len(document.text))),),
        )


def _replace(entity: object, **changes: object) -> object:
    import msgspec  # noqa: PLC0415 - only here

    return msgspec.structs.replace(entity, **changes)


def everything(recognizer: EntityRecognizer) -> Everything:
    return Everything(recognizer)
