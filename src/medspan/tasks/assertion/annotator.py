"""The annotator: gives each entity the attributes ``assertion`` and ``temporality``."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from medspan.tasks.assertion.cues import CueFinder
from medspan.tasks.assertion.rules import Context, assertion_of, temporality_of
from medspan.tasks.phrases import packaged_table
from medspan.text.sentences import split_sentences
from medspan.types import Attribute, Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from medspan.tasks.assertion.cues import Status

ASSERTION = "assertion"
TEMPORALITY = "temporality"


class Assertion:
    """Says of each entity whether it is present, absent, possible, conditional, hypothetical or of someone else.

    That is its attribute ``assertion``; its attribute ``temporality`` is current or historical. Attributes of
    these names that an entity had are replaced, others stay. Where a document has sections, some of them say
    something of all their entities (family history, past history). Sentences a document has are used; others
    are found.

    Args:
        languages: of the tables of cues that come with medspan: ``en``, ``sv``; one at a time is best, as a word
            may be a cue in one and none in the other.
        tables: files of your own, in the same form; a phrase in one of them wins over those before.

    Raises:
        ConfigError: if a table is malformed, or there is none in a language.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"assertion"})

    def __init__(self, *, languages: Sequence[str] = ("en",), tables: Sequence[Path] = ()) -> None:
        self.finder = CueFinder([*(packaged_table("cues", language) for language in languages), *tables])

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Add the attributes to the entities of many documents, in order."""
        return map(self._assert, documents)

    def _assert(self, document: Document) -> Document:
        if not document.entities:
            return document
        view = _View(document, self.finder)
        return document.replace(entities=tuple(view.judged(entity) for entity in document.entities))


class _View:
    """One document's sentences and sections; words and cues of a sentence are found when first asked for."""

    def __init__(self, document: Document, finder: CueFinder) -> None:
        self._document = document
        self._finder = finder
        spans = document.sentences or tuple(Span(*pair) for pair in split_sentences(document.text))
        ordered = sorted(spans)
        self._starts = [span.start for span in ordered]
        self._ends = [span.end for span in ordered]
        self._contexts: dict[tuple[int, int], Context] = {}
        self._sections = [(section.span, finder.sections.get(section.label, ())) for section in document.sections]

    def judged(self, entity: Entity) -> Entity:
        statuses = self._statuses(entity)
        own = (
            Attribute(ASSERTION, assertion_of(statuses)),
            Attribute(TEMPORALITY, temporality_of(statuses)),
        )
        others = tuple(item for item in entity.attributes if item.name not in {ASSERTION, TEMPORALITY})
        return Entity(entity.id, entity.label, entity.spans, entity.score, (*others, *own), entity.concepts)

    def _statuses(self, entity: Entity) -> set[Status]:
        hits = self.context(entity).hits(entity.start, entity.end)
        said = {hit.status for hit in hits}
        for _, statuses in self._around(entity):
            said.update(statuses)
        return said

    def _around(self, entity: Entity) -> list[tuple[Span, tuple[Status, ...]]]:
        """The sections an entity begins in, with what they say of it."""
        return [item for item in self._sections if item[0].start <= entity.start < item[0].end]

    def context(self, entity: Entity) -> Context:
        """The sentence of an entity, no farther than its section begins; of one that goes on in the next, both."""
        first = max(bisect_right(self._starts, entity.start) - 1, 0)
        last = max(bisect_right(self._starts, entity.end - 1) - 1, first)
        start = min(self._starts[first], entity.start) if self._starts else entity.start
        end = max(self._ends[last], entity.end) if self._ends else entity.end
        start = max(start, *(span.start for span, _ in self._around(entity)), 0)
        key = (start, end)
        if key not in self._contexts:
            self._contexts[key] = Context(self._document.text, start, end, self._finder)
        return self._contexts[key]
