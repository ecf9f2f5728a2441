"""Edits of a text, and annotations moved along."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.types import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.types import Entity, Relation, Section


class Edit(NamedTuple):
    """Characters ``[start, end)`` of the original and what stands there afterwards."""

    start: int
    end: int
    text: str


class Rewrite:
    """A text after some edits.

    Args:
        text: the original.
        edits: ascending and disjoint.
    """

    def __init__(self, text: str, edits: Sequence[Edit]) -> None:
        self._edits = tuple(edits)
        self._starts = [edit.start for edit in self._edits]
        pieces: list[str] = []
        self.spans: list[tuple[int, int]] = []
        """Of each edit, where its text stands in the new one (empty where it has none)."""
        place = length = 0
        for edit in self._edits:
            pieces += [text[place : edit.start], edit.text]
            length += edit.start - place
            self.spans.append((length, length + len(edit.text)))
            length += len(edit.text)
            place = edit.end
        self.text = "".join([*pieces, text[place:]])

    def moved(self, offset: int) -> int | None:
        """Where an offset of the original is now; None inside of what was replaced."""
        number = bisect_right(self._starts, offset) - 1
        if number < 0:
            return offset
        edit, (start, end) = self._edits[number], self.spans[number]
        if offset == edit.start:
            return start
        return end + offset - edit.end if offset >= edit.end else None

    def span(self, span: Span) -> Span | None:
        """Where a span is now; None where an end of it lies in what was replaced, or nothing is left."""
        start, end = self.moved(span.start), self.moved(span.end)
        return Span(start, end) if start is not None and end is not None and start < end else None

    def widened(self, span: Span) -> Span | None:
        """Where a sentence or section is now: an end that lies in what was replaced goes to its border."""
        start, end = self._outer(span.start, 0), self._outer(span.end, 1)
        return Span(start, end) if start < end else None

    def _outer(self, offset: int, side: int) -> int:
        moved = self.moved(offset)
        return self.spans[bisect_right(self._starts, offset) - 1][side] if moved is None else moved

    def entities(self, entities: Sequence[Entity]) -> list[Entity]:
        """Entities that no edit touches, or that contain edits whole, at their new places."""
        kept = []
        for entity in entities:
            spans = [self.span(span) for span in entity.spans if not self._is_edit(span)]
            if len(spans) == len(entity.spans) and all(spans):
                kept.append(msgspec.structs.replace(entity, spans=tuple(spans)))
        return kept

    def _is_edit(self, span: Span) -> bool:
        number = bisect_right(self._starts, span.start) - 1
        return number >= 0 and span.end <= self._edits[number].end

    def sections(self, sections: Sequence[Section]) -> tuple[Section, ...]:
        """Sections at their new places."""
        found = ((section, self.widened(section.span)) for section in sections)
        return tuple(msgspec.structs.replace(section, span=span) for section, span in found if span)

    def sentences(self, sentences: Sequence[Span]) -> tuple[Span, ...]:
        """Sentences at their new places."""
        return tuple(span for each in sentences if (span := self.widened(each)))


def relations_of(relations: Sequence[Relation], entities: Sequence[Entity]) -> tuple[Relation, ...]:
    """Relations both of whose ends are still there."""
    ids = {entity.id for entity in entities}
    return tuple(each for each in relations if each.head in ids and each.tail in ids)
