"""Medication entries by rule: which dosage, mode, frequency, duration and reason belong to which medication.

A field goes to the medication of its sentence (each item of a list is a sentence) that is nearest by words,
after the usual order of prescriptions: name, dosage, mode, frequency, duration, reason. A medication behind
its field counts as farther, a clause border or another medication between them too, so that in ``aspirin 81
mg daily and ibuprofen 400 mg`` the ``400 mg`` is of ibuprofen. One reason may have several medications: all
that are nearest to it. A medication with several dosages, frequencies or durations, as in a taper, becomes as
many entries.

The rules come from the form of prescriptions and were adjusted on generated notes of the training templates;
``benchmarks/medication.py`` measures them on others and on PHEE.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from medspan.formats.i2b2_entries import FIELDS, MEDICATION, PASSAGE
from medspan.text.sentences import split_sentences
from medspan.text.tokenize import tokenize
from medspan.types import Attribute, Document, Entity, Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BEHIND = 3.0  # words that a medication behind its field counts as farther
_CLAUSE = 4.0  # for each border of a clause between them
_BETWEEN = 6.0  # for each medication between them
_FAR_REASON = 4.0  # a reason takes every medication at most so much farther than the nearest one
_BORDER = re.compile(r"[;.]|,|\b(?:and|then|but|while|with|plus|followed)\b", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])\s")
_MOST_OTHER_WORDS = 2  # beside its mentions, in a line of a list
_REASON, _MODE = FIELDS["r"], FIELDS["mo"]
_SHARED = {_REASON, _MODE}
"""Fields that all entries of a medication have, where there is but one."""


class MedicationLinker:
    """Relates medications to their fields and says in what kind of passage they stand.

    Relations that a document had are replaced; an entity that begins a second entry of the same medication is
    added, with the same spans. Nothing depends on other documents.

    Args:
        labels: labels of the entities, where they are not those of ``i2b2_entries.FIELDS``, and the field
            each is; entities of other labels stay as they are.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"relations", PASSAGE})

    def __init__(self, labels: Mapping[str, str] | None = None) -> None:
        self._fields = {label: label for label in FIELDS.values()} if labels is None else dict(labels)

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents with relations, in order."""
        for document in documents:
            yield self._annotate(document)

    def _annotate(self, document: Document) -> Document:
        page = _Page(document, self._fields)
        links = page.links()
        entities: list[Entity] = []
        relations: list[Relation] = []
        numbers, fresh = count(1), _fresh_ids(document)
        for entity in document.entities:
            if self._fields.get(entity.label) != MEDICATION:
                entities.append(entity)
                continue
            marked = _with_passage(entity, page.passage(entity))
            for place, group in enumerate(page.grouped(entity, links.get(entity.id, []))):
                own = marked if not place else msgspec.structs.replace(marked, id=next(fresh))
                entities.append(own)
                relations += [
                    Relation(f"R{next(numbers)}", self._fields[field.label], own.id, field.id, own.score)
                    for field in group
                ]
        return document.replace(entities=tuple(entities), relations=tuple(relations))


def _fresh_ids(document: Document) -> Iterator[str]:
    taken = {entity.id for entity in document.entities}
    return (name for number in count(1) if (name := f"M{number}") not in taken)


def _with_passage(entity: Entity, passage: str) -> Entity:
    others = tuple(item for item in entity.attributes if item.name != PASSAGE)
    return msgspec.structs.replace(entity, attributes=(*others, Attribute(PASSAGE, passage)))


class _Page:
    """One document's mentions, sentences and words."""

    def __init__(self, document: Document, fields: Mapping[str, str]) -> None:
        self._text = document.text
        self._fields = fields
        self._mentions = sorted(
            (entity for entity in document.entities if entity.label in fields), key=lambda e: (e.start, e.end)
        )
        known = [(span.start, span.end) for span in document.sentences]
        self._sentences = sorted(known) or split_sentences(document.text)
        self._firsts = [start for start, _ in self._sentences]
        self._words = [start for start, _ in tokenize(document.text)]

    def links(self) -> dict[str, list[Entity]]:
        """The fields of each medication, by its id, in the order of the text."""
        by_sentence: dict[int, list[Entity]] = {}
        for mention in self._mentions:
            by_sentence.setdefault(self._sentence(mention.start), []).append(mention)
        found: dict[str, list[Entity]] = {}
        for mentions in by_sentence.values():
            medications = [e for e in mentions if self._fields[e.label] == MEDICATION]
            for field in mentions:
                if self._fields[field.label] != MEDICATION:
                    for medication in self._owners(field, medications):
                        found.setdefault(medication.id, []).append(field)
        return found

    def _sentence(self, place: int) -> int:
        return bisect_right(self._firsts, place) - 1

    def _owners(self, field: Entity, medications: Sequence[Entity]) -> list[Entity]:
        """The medications a field belongs to: the nearest, and for a reason all that are nearly as near."""
        if not medications:
            return []
        costs = [self._cost(field, medication, medications) for medication in medications]
        least = min(costs)
        if self._fields[field.label] == _REASON:
            return [m for m, cost in zip(medications, costs, strict=True) if cost <= least + _FAR_REASON]
        return [medications[costs.index(least)]]

    def _cost(self, field: Entity, medication: Entity, medications: Sequence[Entity]) -> float:
        """How far a field is from a medication: words between them, and what makes them less likely one."""
        is_before = medication.start <= field.start
        first, last = (medication, field) if is_before else (field, medication)
        words = bisect_right(self._words, last.start) - bisect_right(self._words, first.end - 1)
        between = self._text[first.end : max(first.end, last.start)]
        others = sum(first.end <= m.start and m.end <= last.start for m in medications)
        borders = sum(1 for _ in _BORDER.finditer(between))
        return words + _CLAUSE * borders + _BETWEEN * others + (0.0 if is_before else _BEHIND)

    def grouped(self, medication: Entity, fields: Sequence[Entity]) -> list[list[Entity]]:
        """The fields of each entry of a medication; one entry, perhaps empty, at least."""
        kinds = [self._fields[field.label] for field in fields]
        shared = [f for f, kind in zip(fields, kinds, strict=True) if kind in _SHARED and kinds.count(kind) == 1]
        groups: list[list[Entity]] = [[]]
        for field in fields:
            if field in shared:
                continue
            kind = self._fields[field.label]
            if any(self._fields[other.label] == kind for other in groups[-1]):
                groups.append([])
            groups[-1].append(field)
        return [sorted([*group, *shared], key=lambda e: (e.start, e.end)) for group in groups]

    def passage(self, medication: Entity) -> str:
        """``list`` for a line that is an item, or has hardly a word beside its mentions; else ``narrative``."""
        start = self._text.rfind("\n", 0, medication.start) + 1
        end = self._text.find("\n", medication.end)
        end = len(self._text) if end < 0 else end
        marker = _ITEM.match(self._text, start, end)
        if marker and not self._text[marker.end() : medication.start].strip():
            return "list"
        inside = [e for e in self._mentions if start <= e.start and e.end <= end]
        is_first = not any(c.isalnum() for c in self._text[start : min(e.start for e in inside)])
        others = [
            place
            for place in self._words[bisect_right(self._words, start - 1) : bisect_right(self._words, end - 1)]
            if self._text[place].isalnum() and not any(e.start <= place < e.end for e in inside)
        ]
        return "list" if is_first and len(others) <= _MOST_OTHER_WORDS else "narrative"
