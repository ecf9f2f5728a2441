"""The central types: a document is text plus annotations on its characters.

All are frozen msgspec structs, checked when built, so inner code never re-checks. Offsets are half-open
Unicode code points of the unchanged text. Gold annotations have ``score=None``, predictions a float.
"""

from __future__ import annotations

from typing import Any

import msgspec

from medspan.errors import AnnotationError


class Span(msgspec.Struct, frozen=True, order=True):
    """A half-open range ``[start, end)`` of code points of a document's text.

    Raises:
        AnnotationError: unless ``0 <= start < end``.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise AnnotationError(f"span ({self.start}, {self.end}) is not 0 <= start < end")

    def overlaps(self, other: Span) -> bool:
        """Whether the two ranges share a character."""
        return self.start < other.end and other.start < self.end


class Attribute(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named value on an entity, e.g. ``assertion = absent``."""

    name: str
    value: str
    score: float | None = None


class Concept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A concept of a terminology, e.g. ``MESH:D003924``."""

    id: str
    name: str | None = None
    score: float | None = None


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """A labelled mention; several spans make it discontinuous.

    Raises:
        AnnotationError: if it has no span, spans are unsorted or overlap, the label is empty, or an
            attribute name stands twice.
    """

    id: str
    label: str
    spans: tuple[Span, ...]
    score: float | None = None
    attributes: tuple[Attribute, ...] = ()
    concepts: tuple[Concept, ...] = ()

    def __post_init__(self) -> None:
        if not self.spans:
            raise AnnotationError(f"entity {self.id!r} has no span")
        if not self.label:
            raise AnnotationError(f"entity {self.id!r} has an empty label")
        for left, right in zip(self.spans, self.spans[1:], strict=False):
            if left.end > right.start:
                raise AnnotationError(
                    f"entity {self.id!r}: spans ({left.start}, {left.end}) and ({right.start}, {right.end}) "
                    "are unsorted or overlap"
                )
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) != len(names):
            raise AnnotationError(f"entity {self.id!r} has an attribute name twice")

    @property
    def start(self) -> int:
        """First character of the first span."""
        return self.spans[0].start

    @property
    def end(self) -> int:
        """One past the last character of the last span."""
        return self.spans[-1].end

    @property
    def is_discontinuous(self) -> bool:
        """Whether the mention has more than one span."""
        return len(self.spans) > 1

    def overlaps(self, other: Entity) -> bool:
        """Whether any span of one shares a character with any span of the other."""
        return any(a.overlaps(b) for a in self.spans for b in other.spans)


class Relation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A labelled pair of entities of one document; ``head`` and ``tail`` are entity ids."""

    id: str
    label: str
    head: str
    tail: str
    score: float | None = None


class Section(msgspec.Struct, frozen=True):
    """A titled part of a document, e.g. ``medications``; ``span`` covers heading and body."""

    label: str
    span: Span


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """Text plus annotations on its characters.

    ``sentences`` is empty where nobody marked them. ``meta`` holds JSON values that belong to the
    document but not to its text (source, notes a format carries, what a reader could not place).

    Raises:
        AnnotationError: if an offset lies outside the text, an id stands twice, or a relation names an
            entity that is not there.
    """

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    sentences: tuple[Span, ...] = ()
    sections: tuple[Section, ...] = ()
    meta: dict[str, Any] = {}

    def __post_init__(self) -> None:
        length = len(self.text)
        for entity in self.entities:
            if entity.end > length:
                raise AnnotationError(
                    f"document {self.id!r}: entity {entity.id!r} ends at {entity.end}, past the text "
                    f"({length} characters)"
                )
        for span in (*self.sentences, *(section.span for section in self.sections)):
            if span.end > length:
                raise AnnotationError(
                    f"document {self.id!r}: span ({span.start}, {span.end}) ends past the text "
                    f"({length} characters)"
                )
        self._check_ids()

    def _check_ids(self) -> None:
        ids = {entity.id for entity in self.entities}
        if len(ids) != len(self.entities):
            raise AnnotationError(f"document {self.id!r} has an entity id twice")
        if len({relation.id for relation in self.relations}) != len(self.relations):
            raise AnnotationError(f"document {self.id!r} has a relation id twice")
        for relation in self.relations:
            missing = {relation.head, relation.tail} - ids
            if missing:
                raise AnnotationError(
                    f"document {self.id!r}: relation {relation.id!r} names no entity of this document: "
                    f"{', '.join(sorted(missing))}"
                )

    def replace(self, **changes: Any) -> Document:  # noqa: ANN401 - the fields have different types
        """A copy with some fields changed, checked anew."""
        return msgspec.structs.replace(self, **changes)

    def text_of(self, item: Entity | Span) -> str:
        """The text an entity or span covers; parts of a discontinuous one are joined by a blank."""
        spans = item.spans if isinstance(item, Entity) else (item,)
        return " ".join(self.text[span.start : span.end] for span in spans)
