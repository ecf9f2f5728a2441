"""Medication entries by rule: which dosage, mode, frequency, duration and reason belong to which medication.

A field goes to the medication of its sentence (each item of a list is a sentence) that is nearest by words,
other mentions left out, after the usual order of prescriptions: name, dosage, mode, frequency, duration,
reason. A medication behind its field counts as farther, a clause border or another medication between them
too, so that in ``aspirin 81 mg daily and ibuprofen 400 mg`` the ``400 mg`` is of ibuprofen. A reason belongs
to all medications that are listed together with the nearest. A medication with several dosages, frequencies
or durations, as in a taper, becomes as many entries.

The rules come from the form of prescriptions and were adjusted on invented notes of the training templates
and on the train split of PHEE; ``benchmarks/medication.py`` measures them on others.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
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
_NEAREST = 8  # medications on either side of a field that may be its own
_JOINED = re.compile(r"(?:[\s,/+&()-]|\b(?:and|or|plus|with)\b)*", re.IGNORECASE)
"""What may stand, beside their fields, between medications that share a reason."""
_BORDER = re.compile(r"[;.]|,|\b(?:and|then|but|while|with|plus|followed)\b", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])\s")
_MOST_OTHER_WORDS = 2  # beside its mentions, in a line of a list
_LONGEST_ITEM = 200  # characters of such a line without a mark
_REASON, _MODE = FIELDS["r"], FIELDS["mo"]
_SHARED = {_REASON, _MODE}
"""Fields that all entries of a medication have, where there is but one."""


class MedicationLinker:
    """Relates medications to their fields and says in what kind of passage they stand.

    Relations that a document had are replaced; a relation has the label of its field. Nothing depends on
    other documents.

    Args:
        labels: labels of the entities, where they are not those of ``i2b2_entries.FIELDS``, and the field
            each is; entities of other labels stay as they are.
        split: make an entry of each dosage, frequency or duration of a medication: an entity that begins a
            second entry is added, with the same spans. Else all fields are related to the one entity.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"relations", PASSAGE})

    def __init__(self, labels: Mapping[str, str] | None = None, *, split: bool = True) -> None:
        self._split = split
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
            fields = links.get(entity.id, [])
            for place, group in enumerate(page.grouped(fields) if self._split else [fields]):
                own = marked if not place else msgspec.structs.replace(marked, id=next(fresh))
                entities.append(own)
                relations += [
                    Relation(f"R{next(numbers)}", field.label, own.id, field.id, own.score) for field in group
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
        self._starts = [mention.start for mention in self._mentions]
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
        """The medications a field belongs to: the nearest, and for a reason those listed with it."""
        if not medications:
            return []
        place = bisect_right([m.start for m in medications], field.start)
        near = medications[max(0, place - _NEAREST) : place + _NEAREST]
        costs = [self._cost(field, medication, near) for medication in near]
        chosen = costs.index(min(costs))
        if self._fields[field.label] != _REASON:
            return [near[chosen]]
        first = last = chosen
        while first and self._are_joined(near[first - 1], near[first]):
            first -= 1
        while last + 1 < len(near) and self._are_joined(near[last], near[last + 1]):
            last += 1
        return list(near[first : last + 1])

    def _are_joined(self, left: Entity, right: Entity) -> bool:
        """Whether two medications are listed together, with nothing but their fields between them."""
        if any(self._fields[mention.label] == _REASON for mention in self._inside(left, right)):
            return False
        is_item = not self._text[self._line_start(right.start) : right.start].strip()
        return not is_item and bool(_JOINED.fullmatch(self._between(left, right)))

    def _cost(self, field: Entity, medication: Entity, medications: Sequence[Entity]) -> float:
        """How far a field is from a medication: words between them, and what makes them less likely one."""
        is_before = medication.start <= field.start
        first, last = (medication, field) if is_before else (field, medication)
        between = self._between(first, last)
        others = sum(first.end <= m.start and m.end <= last.start for m in medications)
        borders = sum(1 for _ in _BORDER.finditer(between))
        # a list without marks: the next line begins with its own medication
        borders += not is_before and not self._text[self._line_start(last.start) : last.start].strip()
        words = len(between.split())
        return words + _CLAUSE * borders + _BETWEEN * others + (0.0 if is_before else _BEHIND)

    def _line_start(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _inside(self, first: Entity, last: Entity) -> Iterator[Entity]:
        """The mentions that begin between the starts of two."""
        place = bisect_right(self._starts, first.start)
        stop = bisect_left(self._starts, last.start)
        return (self._mentions[number] for number in range(place, stop))

    def _between(self, first: Entity, last: Entity) -> str:
        """What stands between two mentions, other mentions left out."""
        position, rest = first.end, []
        for mention in self._inside(first, last):
            rest.append(self._text[position : max(position, mention.start)])
            position = max(position, mention.end)
        rest.append(self._text[position : max(position, last.start)])
        return " ".join(rest)

    def grouped(self, fields: Sequence[Entity]) -> list[list[Entity]]:
        """The fields of each entry of a medication; one entry, perhaps empty, at least."""
        kinds = [self._fields[field.label] for field in fields]
        shared = [
            f for f, kind in zip(fields, kinds, strict=True) if kind in _SHARED and kinds.count(kind) == 1
        ]
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
        """``list`` for a line that is an item, or of hardly more than mentions; else ``narrative``."""
        start = self._line_start(medication.start)
        end = self._text.find("\n", medication.end)
        end = len(self._text) if end < 0 else end
        marker = _ITEM.match(self._text, start, end)
        if marker and not self._text[marker.end() : medication.start].strip():
            return "list"
        if end - start > _LONGEST_ITEM:
            return "narrative"
        inside = [e for e in self._mentions if start <= e.start and e.end <= end]
        is_first = not any(c.isalnum() for c in self._text[start : min(e.start for e in inside)])
        others = [
            place
            for place in self._words[
                bisect_right(self._words, start - 1) : bisect_right(self._words, end - 1)
            ]
            if self._text[place].isalnum() and not any(e.start <= place < e.end for e in inside)
        ]
        return "list" if is_first and len(others) <= _MOST_OTHER_WORDS else "narrative"
