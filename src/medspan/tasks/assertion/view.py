"""A document as assertion sees it: the sentence and the section of an entity."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from medspan.tasks.assertion.rules import Context
from medspan.text.sentences import sentences_at

if TYPE_CHECKING:
    from medspan.tasks.assertion.cues import CueFinder, Status
    from medspan.types import Document, Entity, Section

_NOTHING: frozenset[Status] = frozenset()


class View:
    """One document's sentences and sections.

    Sentences of the document are used; where it has none, those near its entities are found. Words and cues
    of a sentence are found when first asked for.

    Args:
        document: with entities.
        finder: the cues.
    """

    def __init__(self, document: Document, finder: CueFinder) -> None:
        self.document = document
        self._finder = finder
        if document.sentences:
            sentences = sorted((span.start, span.end) for span in document.sentences)
        else:
            places = {entity.start for entity in document.entities} | {e.end - 1 for e in document.entities}
            sentences = sentences_at(document.text, sorted(places))
        self._starts = [start for start, _ in sentences]
        self._ends = [end for _, end in sentences]
        self._sections = sorted(document.sections, key=lambda section: section.span)
        self._section_starts = [section.span.start for section in self._sections]
        self._contexts: dict[tuple[int, int], Context | None] = {}

    def statuses(self, entity: Entity, context: Context | None) -> frozenset[Status]:
        """What the cues of its sentence and its section say of an entity."""
        said = self.of_section(entity)
        hits = context.hits(entity.start, entity.end) if context else ()
        return frozenset([*(hit.status for hit in hits), *said]) if hits or said else _NOTHING

    def of_section(self, entity: Entity) -> tuple[Status, ...]:
        """What the section of an entity says of it."""
        section = self.section(entity)
        return self._finder.sections.get(section.label, ()) if section else ()

    def context(self, entity: Entity) -> Context | None:
        """Words and cues of an entity's sentence; None where no cue in it says anything."""
        start, end = self.sentence(entity)
        if (start, end) not in self._contexts:
            text, finder = self.document.text, self._finder
            context = Context(text, start, end, finder) if finder.may_find(text[start:end]) else None
            self._contexts[start, end] = context if context and context.says_something else None
        return self._contexts[start, end]

    def section(self, entity: Entity) -> Section | None:
        """The section an entity begins in; of several the one that began last."""
        for place in range(bisect_right(self._section_starts, entity.start) - 1, -1, -1):
            if self._sections[place].span.end > entity.start:
                return self._sections[place]
        return None

    def sentence(self, entity: Entity) -> tuple[int, int]:
        """The sentence of an entity, from its section on; of one that goes on in the next, both."""
        first = bisect_right(self._starts, entity.start) - 1
        last = bisect_right(self._starts, entity.end - 1) - 1
        start, end = entity.start, entity.end
        if last >= 0:
            start = min(start, self._starts[max(first, 0)])
            end = max(end, self._ends[last])
        section = self.section(entity)
        return (max(start, section.span.start) if section else start), end
