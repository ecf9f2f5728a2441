"""Invented discharge notes with medication entries, in the form of the i2b2 2009 challenge.

For tests, demonstrations and dry runs: templates and values are our own (``discharge.json``), no patient and
no line of the challenge is in them. A score on them says that a program runs, not how well it reads notes of
a hospital; it is never to stand beside scores on real text.

Notes have lists of medications and narrative with hard line breaks, tapers (two entries of one mention),
reasons that several medications share, discontinuous frequencies, and what must not be found: allergies,
medications that were not given or that relatives take, laboratory values. Notes of the split ``test`` are
made of templates that no other note has, and of names a third of which stand in no other note.
"""

from __future__ import annotations

import random
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import UsageError, did_you_mean
from medspan.formats.i2b2_entries import FIELDS, MEDICATION, PASSAGE
from medspan.types import Attribute, Document, Entity, Relation, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

SPLITS = ("train", "dev", "test")
_SLOT = re.compile(r"\{(\?)?([a-z]+)(\d*)(?:=([^}]*))?\}")
_STOPS = {".", ",", ";", ":", ")"}
_WIDTH = 72  # characters of a line of narrative, as such notes are wrapped
_VALUES = {"do": "doses", "mo": "modes", "f": "frequencies", "r": "reasons"}
_SPACED, _WITH_ALLERGIES, _WITH_RESULTS = 0.5, 0.8, 0.5  # shares of notes
_OFTEN = 0.6  # how often an optional slot is filled
_MARKS = ("{}. ", "{}. ", "{}) ", "- ", "")


class _Word(msgspec.Struct):
    """A word of a note; ``slot`` is the mention it is part of, ``part`` the piece of it."""

    text: str
    slot: tuple[str, str] | None = None
    part: int = 0


def discharge_notes(split: str, count: int, *, seed: int = 13) -> Iterator[Document]:
    """Invented notes with their entries, as the format ``i2b2-2009`` would read them.

    Args:
        split: ``train``, ``dev`` (other draws of its templates) or ``test`` (other templates, new names).
        count: how many.
        seed: the same seed gives the same notes, whatever the count.

    Raises:
        UsageError: if there is no such split.
    """
    if split not in SPLITS:
        raise UsageError(f"unknown split {split!r}; {did_you_mean(split, SPLITS)}")
    for number in range(1, count + 1):
        draw = random.Random(f"{seed}:{split}:{number}")  # noqa: S311 - made-up notes, no secrets
        yield _Note(f"invented-{split}-{number}", split, draw).document()


@cache
def _material() -> dict[str, Any]:
    text = resources.files("medspan.corpora").joinpath("discharge.json").read_bytes()
    material: dict[str, Any] = msgspec.json.decode(text)
    return material


class _Note:
    """One note while it is written: its text so far, and its entities and relations."""

    def __init__(self, identity: str, split: str, draw: random.Random) -> None:
        self._identity = identity
        self._draw = draw
        self._is_test = split == "test"
        self._templates = _material()["templates"]["test" if self._is_test else "train"]
        self._is_spaced = draw.random() < _SPACED
        self._mark = draw.choice(_MARKS)
        self._lines: list[str] = []
        self._size = 0
        self._entities: list[Entity] = []
        self._relations: list[Relation] = []

    def document(self) -> Document:
        """The whole note."""
        self._line(f"ADMISSION DATE : {self._date()} DISCHARGE DATE : {self._date()}")
        self._narrative("history", plain=2, told=2, others=1)
        if self._draw.random() < _WITH_ALLERGIES:
            self._narrative("allergies", plain=0, told=0, others=1)
        self._list("admission", self._draw.randint(2, 6))
        if self._draw.random() < _WITH_RESULTS:
            self._narrative("results", plain=1, told=0, others=1)
        self._narrative("course", plain=3, told=4, others=2)
        self._list("discharge", self._draw.randint(3, 8))
        text = "".join(self._lines)
        return Document(self._identity, text, tuple(self._entities), tuple(self._relations))

    def _date(self) -> str:
        return f"{self._draw.randint(1, 12)}/{self._draw.randint(1, 28)}/{self._draw.randint(2001, 2009)}"

    def _line(self, line: str) -> None:
        self._lines.append(line + "\n")
        self._size += len(line) + 1

    def _heading(self, section: str) -> None:
        self._line(self._draw.choice(_material()["headings"][section]))

    def _narrative(self, section: str, *, plain: int, told: int, others: int) -> None:
        """A section of sentences in any order: plain ones, told entries, and what must not be found."""
        self._heading(section)
        kinds = ["plain"] * plain + ["narrative"] * told + ["distractor"] * others
        self._draw.shuffle(kinds)
        words: list[_Word] = []
        for place, kind in enumerate(kinds):
            words += self._sentence(
                self._draw.choice(self._templates[kind]), f"{section}{place}", is_told=True
            )
        self._flow(words, "narrative")

    def _list(self, section: str, size: int) -> None:
        self._heading(section)
        for number in range(1, size + 1):
            template = self._draw.choice(self._templates["list"])
            mark = _Word(self._mark.format(number).strip())
            item = self._sentence(template, f"{section}{number}", is_told=False)
            self._flow([mark, *item] if mark.text else item, "list")

    def _sentence(self, template: str, name: str, *, is_told: bool) -> list[_Word]:
        """The words of a template with its slots filled; ``name`` tells its mentions from those of others."""
        classes: dict[str, dict[str, list[str]]] = {}
        words: list[_Word] = []
        parts: dict[tuple[str, str], int] = {}
        for chunk in re.split(r" (?![^{]*\})", template):
            slot = _SLOT.fullmatch(chunk)
            if slot is None:
                words.append(_Word(chunk))
                continue
            optional, key, entries, literal = slot.groups()
            if optional and self._draw.random() > _OFTEN:
                continue
            value = literal or self._value(key, classes, entries)
            mention = (key, f"{name}:{entries}") if key in FIELDS else None
            part = 0
            if mention is not None:
                part = parts[mention] = parts.get(mention, -1) + 1
            words += [_Word(text, mention, part) for text in value.split()]
        if words and is_told:
            words[0].text = words[0].text[:1].upper() + words[0].text[1:]
        return words

    def _value(self, key: str, classes: dict[str, dict[str, list[str]]], entries: str) -> str:
        if key == "n":
            return str(self._draw.randint(35, 88))
        if key == "du":
            return str(self._draw.choice(_material()["durations"]))
        if key == "x":
            return self._name(self._draw.choice(_material()["classes"]))
        for entry in entries:
            if entry not in classes:  # what one mention serves is of one class
                same = classes.get(entries[0])
                classes[entry] = same or self._draw.choice(_material()["classes"])
        chosen = classes[entries[0]]
        return self._name(chosen) if key == "m" else self._draw.choice(chosen[_VALUES[key]])

    def _name(self, chosen: dict[str, list[str]]) -> str:
        names = chosen["names"]
        known = len(names) - len(names) // 3
        return self._draw.choice(names if self._is_test else names[:known])

    def _flow(self, words: list[_Word], passage: str) -> None:
        """Write words as lines of at most the width, and note where the mentions are."""
        line = ""
        spans: dict[tuple[str, str], dict[int, Span]] = {}
        for word in words:
            glue = "" if not line or (word.text in _STOPS and not self._is_spaced) else " "
            if line and glue and len(line) + 1 + len(word.text) > _WIDTH:
                self._line(line)
                line, glue = "", ""
            start = self._size + len(line) + len(glue)
            line += glue + word.text
            if word.slot is not None:
                pieces = spans.setdefault(word.slot, {})
                first = pieces[word.part].start if word.part in pieces else start
                pieces[word.part] = Span(first, start + len(word.text))
        if line:
            self._line(line)
        self._add({slot: tuple(pieces.values()) for slot, pieces in spans.items()}, passage)

    def _add(self, mentions: dict[tuple[str, str], tuple[Span, ...]], passage: str) -> None:
        """Entities and relations of the entries of some lines, in the order in which entries are read."""
        entries: dict[tuple[str, str], dict[str, tuple[Span, ...]]] = {}
        for (key, name), spans in mentions.items():
            sentence, _, numbers = name.rpartition(":")
            for number in numbers:
                entries.setdefault((sentence, number), {})[key] = spans
        known: dict[tuple[str, tuple[Span, ...]], str] = {}
        for fields in sorted(entries.values(), key=lambda entry: entry["m"]):
            medication = self._entity(MEDICATION, fields["m"], (Attribute(PASSAGE, passage),))
            for key, label in FIELDS.items():
                if key == "m" or key not in fields:
                    continue
                place = (label, fields[key])
                known[place] = known.get(place) or self._entity(label, fields[key])
                identity = f"R{len(self._relations) + 1}"
                self._relations.append(Relation(identity, label, medication, known[place]))

    def _entity(self, label: str, spans: tuple[Span, ...], attributes: tuple[Attribute, ...] = ()) -> str:
        identity = f"T{len(self._entities) + 1}"
        self._entities.append(Entity(identity, label, spans, None, attributes))
        return identity
