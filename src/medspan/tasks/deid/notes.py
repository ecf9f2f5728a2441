"""Synthetic notes with every label of de-identification: own templates, filled with names and numbers.

Templates (data/notes.toml) and names (`medspan.tasks.deid.notes_names`) are split: what the part
``test`` is made of stands in no text of the part ``train``, conditions, drugs and the like aside, which are
no one's names.
"""

from __future__ import annotations

import random
import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from medspan.tasks.deid.notes_names import is_of
from medspan.tasks.deid.notes_slots import Cast, Piece, Slots
from medspan.tasks.deid.terms import data_text
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.tasks.deid.notes_names import Names, Part

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_LOWERED, _UPPERED = 0.05, 0.03
_KINDS = ("note", "query", "general", "log")
_WEIGHTS = (0.2, 0.25, 0.45, 0.1)
_MOST_GENERAL = 3
_SPLIT_LISTS = ("known_facility", "saints", "company")


class Templates(NamedTuple):
    """Templates of a part by group, and the lists that fill what is no one's."""

    groups: dict[str, list[str]]
    lists: dict[str, list[str]]


@cache
def templates(part: Part) -> Templates:
    """The templates of a part."""
    raw: dict[str, Any] = tomllib.loads(data_text("notes.toml"))
    lists = {name: [item.strip() for item in text.split(";")] for name, text in raw["lists"].items()}
    lists |= raw["forms"]
    for name in _SPLIT_LISTS:
        lists[name] = [item for item in lists[name] if is_of(part, item)]
    return Templates(raw[part], {name: [item for item in items if item] for name, items in lists.items()})


class NoteWriter:
    """Writes notes; the same seed, the same notes.

    Args:
        part: whose templates are used.
        names: whose names; of the same part.
        world: names of other countries, for texts that are no notes; ``names`` where None.
        seed: of every choice.
    """

    def __init__(self, part: Part, names: Names, *, world: Names | None = None, seed: int = 13) -> None:
        self._random = random.Random(seed)  # noqa: S311 - invented notes, no secrets
        self._templates = templates(part)
        self._names, self._world = names, world or names
        self._part = part

    def documents(self, count: int) -> Iterator[Document]:
        """Some documents, numbered."""
        for number in range(count):
            yield self.document(f"{self._part}-{number:05}")

    def document(self, name: str) -> Document:
        """A note, query, log line or plain sentences."""
        groups = self._templates.groups
        known = [
            (kind, weight)
            for kind, weight in zip(_KINDS, _WEIGHTS, strict=True)
            if kind == "note" or kind in groups
        ]
        kind = self._random.choices([each for each, _ in known], [weight for _, weight in known])[0]
        chosen = self._note() if kind == "note" else self._some(kind, 1 if kind == "query" else _MOST_GENERAL)
        names = self._names if kind == "note" and self._random.random() < 0.7 else self._world  # noqa: PLR2004 - a share
        return self.filled(name, chosen, names, separator="\n\n" if kind == "note" else "\n")

    def snippet(self, groups: Sequence[str]) -> tuple[list[Piece], Cast]:
        """The pieces of one template of some groups, to be put into another text."""
        slots = self._slots(self._names)
        return self._pieces(self._some(self._random.choice(groups), 1)[0], slots), slots.cast

    def slots(self) -> Slots:
        """Slots with a cast of people of their own."""
        return self._slots(self._names)

    def filled(self, name: str, chosen: Sequence[str], names: Names, *, separator: str) -> Document:
        """Templates as one document with its entities."""
        slots = self._slots(names)
        pieces: list[Piece] = []
        for number, template in enumerate(chosen):
            pieces += [Piece(separator)] if number else []
            pieces += self._pieces(template, slots)
        return as_document(name, self._noisy(pieces))

    def _slots(self, names: Names) -> Slots:
        return Slots(self._random, names, self._world, self._templates.lists)

    def _note(self) -> list[str]:
        groups, choose = self._templates.groups, self._random
        body = choose.sample(groups["body"], choose.randint(2, min(5, len(groups["body"]))))
        return [
            choose.choice(groups["header"]),
            choose.choice(groups["hpi"]),
            *body,
            choose.choice(groups["plan"]),
            choose.choice(groups["sign"]),
        ]

    def _some(self, group: str, most: int) -> list[str]:
        return [
            self._random.choice(self._templates.groups[group]) for _ in range(self._random.randint(1, most))
        ]

    def _pieces(self, template: str, slots: Slots) -> list[Piece]:
        while match := _CHOICE.search(template):
            template = (
                template[: match.start()] + self._random.choice(match[1].split("|")) + template[match.end() :]
            )
        pieces: list[Piece] = []
        place = 0
        for match in _SLOT.finditer(template):
            pieces.append(Piece(template[place : match.start()]))
            pieces += slots.fill(match[1])
            place = match.end()
        return [*pieces, Piece(template[place:])]

    def _noisy(self, pieces: list[Piece]) -> list[Piece]:
        drawn = self._random.random()
        if drawn < _LOWERED:
            return [piece._replace(text=_same_length(piece.text, piece.text.lower())) for piece in pieces]
        if drawn < _LOWERED + _UPPERED:
            return [piece._replace(text=_same_length(piece.text, piece.text.upper())) for piece in pieces]
        return pieces


def _same_length(text: str, changed: str) -> str:
    return changed if len(changed) == len(text) else text


def as_document(name: str, pieces: Sequence[Piece]) -> Document:
    """Pieces one after another, those with a label as entities."""
    entities: list[Entity] = []
    length = 0
    for piece in pieces:
        if piece.label and piece.text:
            entities.append(
                Entity(f"T{len(entities) + 1}", piece.label, (Span(length, length + len(piece.text)),))
            )
        length += len(piece.text)
    return Document(name, "".join(piece.text for piece in pieces), tuple(entities))
