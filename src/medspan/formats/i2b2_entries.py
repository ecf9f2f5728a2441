"""Medication entries of the i2b2 2009 challenge: their fields, and places as line and token.

A document holds an entry as a ``Medication`` entity and relations from it to its fields; a mention with two
entries is two entities with the same spans. ``list`` or ``narrative`` is its attribute ``passage``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import msgspec

from medspan.types import Entity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.types import Document, Span

MEDICATION = "Medication"
FIELDS = {
    "m": MEDICATION,
    "do": "Dosage",
    "mo": "Mode",
    "f": "Frequency",
    "du": "Duration",
    "r": "Reason",
}
"""Keys of the format, in its order, and the labels of entities (of relations too, ``Medication`` aside)."""
PASSAGE = "passage"
"""Name of the attribute of a ``Medication``: in what kind of passage it stands."""
PASSAGES = ("list", "narrative")
DEFAULT_PASSAGE = "narrative"

_TOKEN = re.compile(r"\S+")

Pieces = tuple[tuple[int, int], ...]
"""First and last token of each piece of a mention, as positions in the whole text; sorted and disjoint."""


class Entry(msgspec.Struct, frozen=True):
    """A medication and its fields; ``passage`` is None where nothing tells it.

    ``fields`` maps labels to entities, ``Medication`` included; what is not mentioned has no key.
    """

    fields: dict[str, Entity]
    passage: str | None = None


class TokenGrid:
    r"""The tokens of a text as the challenge counts them: blanks separate tokens, ``\n`` separates lines."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._lines = [0]
        """Position of the first token of each line."""
        offset = 0
        for line in text.split("\n"):
            for token in _TOKEN.finditer(line):
                self._starts.append(offset + token.start())
                self._ends.append(offset + token.end())
            self._lines.append(len(self._starts))
            offset += len(line) + 1

    def position(self, line: int, token: int) -> int | None:
        """The token at a line (from 1) and place in it (from 0), or None where there is none."""
        if not 1 <= line < len(self._lines):
            return None
        found = self._lines[line - 1] + token
        return found if found < self._lines[line] else None

    def place(self, position: int) -> str:
        """``line:token`` of a token."""
        line = bisect_right(self._lines, position) - 1
        return f"{line + 1}:{position - self._lines[line]}"

    def offsets(self, first: int, last: int) -> tuple[int, int]:
        """Characters from the start of one token to the end of another."""
        return self._starts[first], self._ends[last]

    def pieces(self, spans: Iterable[Span]) -> Pieces:
        """The tokens that share a character with spans; pieces that share a token become one."""
        found: list[tuple[int, int]] = []
        for span in spans:
            first = bisect_right(self._ends, span.start)
            last = bisect_left(self._starts, span.end) - 1
            if last < first:
                continue  # nothing but blanks
            if found and first <= found[-1][1]:
                first, last = found[-1][0], max(last, found[-1][1])
                found.pop()
            found.append((first, last))
        return tuple(found)


def entries_of(document: Document) -> list[Entry]:
    """The entries of a document, in the order of its ``Medication`` entities.

    A medication that is related to several fields of one kind has several entries, as the challenge has it:
    the first has the first of each kind, the second the second; what a kind has only one of, all have.
    """
    entities = {entity.id: entity for entity in document.entities}
    fields: dict[str, dict[str, list[Entity]]] = {}
    known = set(FIELDS.values()) - {MEDICATION}
    for relation in document.relations:
        tail = entities[relation.tail]
        if entities[relation.head].label == MEDICATION and tail.label in known:
            of_head = fields.setdefault(relation.head, {}).setdefault(tail.label, [])
            if tail not in of_head:
                of_head.append(tail)
    entries = []
    for entity in document.entities:
        if entity.label == MEDICATION:
            entries += _entries(entity, fields.get(entity.id, {}))
    return entries


def _entries(medication: Entity, fields: dict[str, list[Entity]]) -> list[Entry]:
    passage = next((item.value for item in medication.attributes if item.name == PASSAGE), None)
    ordered = {label: _sorted(found) for label, found in fields.items()}
    size = max((len(found) for found in ordered.values()), default=1)
    entries = []
    for number in range(size):
        own = {MEDICATION: medication}
        for label, found in ordered.items():
            if len(found) == 1 or number < len(found):
                own[label] = found[0 if len(found) == 1 else number]
        entries.append(Entry(own, passage if passage in PASSAGES else None))
    return entries


def _sorted(found: Sequence[Entity]) -> list[Entity]:
    return sorted(found, key=lambda entity: entity.spans)
