"""A note and the lines of its ``.entries`` file as a document, and back."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from medspan.errors import FormatError
from medspan.formats.i2b2_entries import (
    DEFAULT_PASSAGE,
    FIELDS,
    MEDICATION,
    PASSAGE,
    PASSAGES,
    Entry,
    TokenGrid,
    entries_of,
)
from medspan.formats.protocol import Losses, count_unheld
from medspan.types import Attribute, Document, Entity, Relation, Span

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = r"[0-9]{1,9}:[0-9]{1,9}"
_PIECE = rf"{_PLACE}\s+{_PLACE}"
_PLACES = re.compile(rf"{_PIECE}(?:\s*,\s*{_PIECE})*")
_ABSENT = 'nm"'
_NEXT = dict(zip(FIELDS, [*[*FIELDS][1:], "ln"], strict=True))
_NUMBERS = re.compile(r"[0-9]+")
_JOINT = " ... "
_EXAMPLE = (
    'write it like m="aspirin" 1:4 1:4||do="nm"||mo="nm"||f="daily" 1:5 1:5||du="nm"||r="nm"||ln="list"'
)
_COUNT = "count lines from 1 and tokens, which blanks separate, from 0"


def parse(text: str, entries: str, *, identity: str, path: Path) -> Document:
    """The document of a note and its entries.

    Args:
        text: the note as it is.
        entries: the file of entries.
        identity: the document's id.
        path: the file of entries, for messages.

    Raises:
        FormatError: naming the first line that is wrong.
    """
    parser = _Parser(text, path)
    for number, line in enumerate(entries.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            parser.take(line.strip(), number)
    return Document(identity, text, tuple(parser.entities), tuple(parser.relations))


class _Parser:
    """What the lines of one file have said so far."""

    def __init__(self, text: str, path: Path) -> None:
        self.entities: list[Entity] = []
        self.relations: list[Relation] = []
        self._text = text
        self._path = path
        self._grid = TokenGrid(text)
        self._known: dict[tuple[str, tuple[Span, ...]], str] = {}

    def take(self, line: str, number: int) -> None:
        """Add the entity, or entities, and relations of one line."""
        rest, medication = line, ""
        for key, label in FIELDS.items():
            written, places, rest = self._field(rest, key, number)
            if not places:
                if key == "m":
                    raise self._error(number, "an entry without a medication", "name it, or remove the line")
                continue
            spans = self._spans(written, places, number)
            if key == "m":
                medication = self._new(label, spans)
                continue
            field = self._known.get((label, spans)) or self._new(label, spans)
            self._known[label, spans] = field
            relation = Relation(f"R{len(self.relations) + 1}", label, medication, field)
            self.relations.append(relation)
        self._passage(rest, medication, number)

    def _error(self, number: int, problem: str, remedy: str) -> FormatError:
        return FormatError(self._path, number, problem, remedy)

    def _field(self, rest: str, key: str, number: int) -> tuple[str, list[int], str]:
        """A field's mention, its numbers (four a piece; none where it is not mentioned), and what follows."""
        opening, border = f'{key}="', f'||{_NEXT[key]}="'
        if not rest.startswith(opening):
            raise self._error(number, f"field {key!r} is not where it should be", _EXAMPLE)
        # The writer spells no double quotes, so no mention holds the border.
        own, found, _ = rest.partition(border)
        if not found:
            raise self._error(number, f"field {_NEXT[key]!r} is not where it should be", _EXAMPLE)
        own, following = own.removeprefix(opening).rstrip(), rest[len(own) + 2 :]
        if own == _ABSENT:
            return "", [], following
        written, quote, places = own.rpartition('"')
        if not quote or not _PLACES.fullmatch(places.strip()):
            raise self._error(number, f"field {key!r} has no quoted text with places after it", _EXAMPLE)
        return written, [int(digits) for digits in _NUMBERS.findall(places)], following

    def _spans(self, written: str, places: list[int], number: int) -> tuple[Span, ...]:
        """The characters of a mention; pieces come back in the order of the text."""
        parts = written.split(_JOINT)
        whole = [self._piece(places[at : at + 4], number) for at in range(0, len(places), 4)]
        if len(parts) == len(whole):
            found = [narrowed(self._text, span, part) for span, part in zip(whole, parts, strict=True)]
        else:
            found = whole
        if _letters(written) != _letters(_JOINT.join(spelled(self._text, span) for span in found)):
            raise self._error(number, "a mention is not what stands at its place", _COUNT)
        spans = tuple(sorted(found))
        if any(left.overlaps(right) for left, right in pairwise(spans)):
            raise self._error(number, "pieces of a mention overlap", "give each token once")
        return spans

    def _piece(self, numbers: list[int], number: int) -> Span:
        line, token, last_line, last_token = numbers
        first, last = self._grid.position(line, token), self._grid.position(last_line, last_token)
        if first is None or last is None:
            missing = f"{line}:{token}" if first is None else f"{last_line}:{last_token}"
            raise self._error(number, f"the note has no token {missing}", _COUNT)
        if last < first:
            raise self._error(
                number, f"{line}:{token} {last_line}:{last_token} ends before it begins", "swap the places"
            )
        return Span(*self._grid.offsets(first, last))

    def _new(self, label: str, spans: tuple[Span, ...]) -> str:
        identity = f"T{len(self.entities) + 1}"
        self.entities.append(Entity(identity, label, spans))
        return identity

    def _passage(self, rest: str, medication: str, number: int) -> None:
        value = rest.strip().removeprefix('ln="').removesuffix('"')
        if value not in PASSAGES or rest.strip() != f'ln="{value}"':
            raise self._error(
                number, "the entry does not end with its kind of passage", f"{_EXAMPLE}, or narrative"
            )
        place = int(medication.removeprefix("T")) - 1
        entity = self.entities[place]
        self.entities[place] = Entity(
            entity.id, entity.label, entity.spans, None, (Attribute(PASSAGE, value),)
        )


def spelled(text: str, span: Span) -> str:
    """A mention as entries spell it: lower case, blanks single, no double quotes."""
    return " ".join(text[span.start : span.end].split()).lower().replace('"', "'")


def _letters(surface: str) -> str:
    return "".join(filter(str.isalnum, surface.lower()))


def narrowed(text: str, span: Span, written: str) -> Span:
    """Whole tokens without the marks at their ends that the written mention lacks.

    Args:
        text: the note.
        span: whole tokens of it.
        written: how the mention is spelled.

    Returns:
        The same span where the marks are others than those written, or nothing but marks stands there.
    """
    surface = text[span.start : span.end].lower().replace('"', "'")
    if len(surface) != span.end - span.start or not _letters(surface) or not _letters(written):
        return span
    lead, trail = _edges(surface)
    written_lead, written_trail = _edges(written.lower())
    start, end = span.start, span.end
    if lead.endswith(written_lead):
        start += len(lead) - len(written_lead)
    if trail.startswith(written_trail):
        end -= len(trail) - len(written_trail)
    return Span(start, end)


def _edges(surface: str) -> tuple[str, str]:
    """What stands before the first letter or digit, and after the last."""
    places = [place for place, character in enumerate(surface) if character.isalnum()]
    return surface[: places[0]], surface[places[-1] + 1 :]


def entry_lines(document: Document, losses: Losses) -> list[str]:
    """The lines of a document's file of entries."""
    count_unheld(document, losses, frozenset({"relations", "attributes", "meta"}))
    losses.add("meta values", len(document.meta.keys() - {"conll"}))
    entries = entries_of(document)
    writer = _Writer(document)
    lines = [writer.line(entry) for entry in entries]
    _count(document, entries, losses)
    losses.add("spans off word borders", len(writer.widened))
    return [f"{line}\n" for line in lines if line]


def _count(document: Document, entries: list[Entry], losses: Losses) -> None:
    """Count what no entry names."""
    named = {entity.id for entry in entries for entity in entry.fields.values()}
    losses.add("entities", len(document.entities) - len(named))
    tails = {entity.id: entity.label for entity in document.entities}
    labels = [(tails[item.head], tails[item.tail], item.label) for item in document.relations]
    held = sum(head == MEDICATION and tail == label for head, tail, label in labels)
    losses.add("relations", len(labels) - held)
    for entity in document.entities:
        kept = entity.label == MEDICATION and any(item.name == PASSAGE for item in entity.attributes)
        losses.add("attributes", len(entity.attributes) - kept)


class _Writer:
    """Spells the entries of one document; ``widened`` holds ids of mentions that are not whole tokens."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._grid = TokenGrid(document.text)
        self.widened: set[str] = set()

    def line(self, entry: Entry) -> str:
        """One entry; empty where its medication is nothing but blanks."""
        fields = {key: self._field(entry.fields.get(label)) for key, label in FIELDS.items()}
        if fields["m"] == '"nm"':
            return ""
        written = [f"{key}={value}" for key, value in fields.items()]
        return "||".join([*written, f'ln="{entry.passage or DEFAULT_PASSAGE}"'])

    def _field(self, entity: Entity | None) -> str:
        pieces = self._grid.pieces(entity.spans) if entity else ()
        if entity is None or not pieces:
            if entity:
                self.widened.add(entity.id)
            return '"nm"'
        whole = tuple(Span(*self._grid.offsets(*piece)) for piece in pieces)
        mention = self._mention(entity, whole)
        places = ",".join(f"{self._grid.place(first)} {self._grid.place(last)}" for first, last in pieces)
        return f'"{mention}" {places}'

    def _mention(self, entity: Entity, whole: tuple[Span, ...]) -> str:
        """The mention's own spelling where it reads back the same, else that of its whole tokens."""
        for spans in (entity.spans, whole):
            parts = [spelled(self._text, span) for span in spans]
            if len(parts) == len(whole) and len(_JOINT.join(parts).split(_JOINT)) == len(parts):
                back = [narrowed(self._text, span, part) for span, part in zip(whole, parts, strict=True)]
                if tuple(back) == entity.spans and all(
                    _letters(part) == _letters(spelled(self._text, span))
                    for part, span in zip(parts, back, strict=True)
                ):
                    return _JOINT.join(parts)
        if whole != entity.spans:
            self.widened.add(entity.id)
        return _JOINT.join(spelled(self._text, span) for span in whole)
