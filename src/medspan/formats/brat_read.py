"""A text and the lines of its ``.ann`` file as a document."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import AnnotationError, FormatError
from medspan.formats.brat_lines import (
    DEFAULT_ROLES,
    LINE_ID,
    NOTE,
    Kept,
    Line,
    Note,
    flat,
    parse_note,
    references,
    split_line,
)
from medspan.formats.surface import SURFACE_REMEDY, joined, surface_problem
from medspan.types import Attribute, Concept, Document, Entity, Relation, Span

if TYPE_CHECKING:
    from pathlib import Path

_RELATION = re.compile(r"(\S+) ([^\s:]+):(\S+) ([^\s:]+):(\S+)")
_SHAPES = {
    "T": (re.compile(r"\S+ [0-9]{1,15} [0-9]{1,15}(;[0-9]{1,15} [0-9]{1,15})*"), "T1<tab>Label 0 5<tab>text"),
    "R": (re.compile(r"\S+( [^\s:]+:\S+)+"), "R1<tab>Label Arg1:T1 Arg2:T2"),
    "E": (re.compile(r"[^\s:]+:\S+( [^\s:]+:\S+)*"), "E1<tab>Label:T1 Role:T2"),
    "A": (re.compile(r"\S+ \S+( .+)?"), "A1<tab>Name T1 value"),
    "N": (re.compile(r"\S+ \S+ [^\s:]+:.+"), "N1<tab>Reference T1 MESH:D003924<tab>name"),
    "*": (re.compile(r"\S+( \S+)+"), "*<tab>Equiv T1 T2"),
}
_LINE_ENDS = (
    "the text has CRLF line ends; if its offsets count them as one character, convert the text to LF; else "
)


def parse(text: str, annotations: str, *, identity: str, path: Path) -> Document:
    """The document of a pair of files.

    Args:
        text: the ``.txt`` file as it is.
        annotations: the ``.ann`` file.
        identity: the document's id.
        path: the ``.ann`` file, for messages.

    Raises:
        FormatError: naming the first line that is wrong.
    """
    lines = annotations.removeprefix("\ufeff").split("\n")
    return _Parser(text, path).document(identity, [line.removesuffix("\r") for line in lines])


class _Parser:
    """What one file's lines have said so far."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path
        self._entities: dict[str, Entity] = {}
        self._relations: list[Relation] = []
        self._names: dict[str, str] = {}
        self._notes: dict[str, Note] = {}
        self._kept = Kept()

    def document(self, identity: str, raw: list[str]) -> Document:
        """The document that all lines make."""
        lines = [self._line(text, number) for number, text in enumerate(raw, 1) if text.strip()]
        defined = self._check_references(lines)
        lines = [line for line in lines if not self._take_note(line, defined)]
        for kind, take in (("T", self._entity), ("A", self._attribute), ("N", self._concept)):
            for line in lines:
                if line.kind == kind:
                    take(line)
        for line in lines:
            if line.kind == "R":
                self._relation(line)
        # Kept lines stay in the order of the file, whatever their kinds.
        order = {line.raw: line.number for line in reversed(lines)}
        self._kept.lines += [line.raw for line in lines if line.kind in "E*#"]
        self._kept.lines.sort(key=order.__getitem__)
        self._forget_plain_ids()
        brat: dict[str, Any] = msgspec.to_builtins(self._kept)
        try:
            return Document(
                identity,
                self._text,
                tuple(self._entities.values()),
                tuple(self._relations),
                meta={"brat": brat} if brat else {},
            )
        except AnnotationError as error:
            raise self._error(None, str(error), "correct the annotation file") from error

    def _error(self, number: int | None, problem: str, remedy: str) -> FormatError:
        return FormatError(self._path, number, problem, remedy)

    def _line(self, raw: str, number: int) -> Line:
        line = split_line(raw, number)
        if not LINE_ID.fullmatch(line.id):
            raise self._error(
                number, "the line does not begin with an id and a tab", "begin with T, R, E, A, M, N, * or #"
            )
        shape, example = _SHAPES.get(line.kind, (None, ""))
        if shape and not shape.fullmatch(line.data):
            raise self._error(number, f"malformed line {line.id!r}", f"write it like {example}")
        if line.kind == "T" and line.tail is None:
            raise self._error(
                number, f"{line.id!r} has no third column", "spell out the mention after a second tab"
            )
        return line

    def _check_references(self, lines: list[Line]) -> set[str]:
        first: dict[str, int] = {}
        for line in lines:
            if line.id in first and line.kind not in "*#":
                raise self._error(
                    line.number,
                    f"id {line.id!r} stands already on line {first[line.id]}",
                    "give each line its own id",
                )
            first.setdefault(line.id, line.number)
        for line in lines:
            missing = [name for name in references(line) if name not in first]
            if missing:
                raise self._error(
                    line.number,
                    f"{line.id!r} names {missing[0]!r}, which is not in this file",
                    "add it or remove the line",
                )
        return first.keys() - {"*"}

    def _take_note(self, line: Line, defined: set[str]) -> bool:
        """Whether the line is a note of ours, which then is used up."""
        kind, _, target = line.data.partition(" ")
        if line.kind != "#" or kind != NOTE or target not in defined or target in self._notes:
            return False
        note = parse_note(line.tail or "")
        if note is None:
            raise self._error(
                line.number,
                f"the {NOTE} note {line.id!r} is not as medspan writes it",
                "give notes of your own another type",
            )
        self._notes[target] = note
        return True

    def _entity(self, line: Line) -> None:
        label, offsets = line.data.split(" ", 1)
        note = self._notes.get(line.id, Note())
        self._names[line.id] = note.meant("id", line.id)
        try:
            spans = sorted(Span(*map(int, pair.split(" "))) for pair in offsets.split(";"))
            entity = Entity(self._names[line.id], note.meant("label", label), tuple(spans), note.score)
        except AnnotationError as error:
            raise self._error(line.number, str(error), "correct the offsets") from error
        if entity.end > len(self._text):
            problem = f"{line.id!r} ends at {entity.end}, past the text ({len(self._text)} characters)"
            raise self._error(line.number, problem, self._offset_remedy())
        problem = self._surface_problem(line, entity)
        if problem:
            raise self._error(line.number, problem, self._offset_remedy())
        self._entities[line.id] = entity

    def _surface_problem(self, line: Line, entity: Entity) -> str:
        surface = line.tail or ""
        if flat(surface) == flat(joined(entity, self._text)):
            return ""
        return surface_problem(surface, entity, self._text) or ""

    def _offset_remedy(self) -> str:
        return (_LINE_ENDS if "\r\n" in self._text else "") + SURFACE_REMEDY

    def _attribute(self, line: Line) -> None:
        name, target, *rest = line.data.split(" ", 2)
        entity, note = self._entities.get(target), self._notes.get(line.id, Note())
        name, value = note.meant("name", name), note.meant("value", rest[0] if rest else "true")
        if entity is None or any(name == attribute.name for attribute in entity.attributes):
            self._kept.lines.append(line.raw)
            return
        attribute = Attribute(name, value, note.score)
        self._entities[target] = msgspec.structs.replace(entity, attributes=(*entity.attributes, attribute))
        self._keep_id(entity.id, "A", name, line.id)

    def _concept(self, line: Line) -> None:
        kind, target, reference = line.data.split(" ", 2)
        entity, note = self._entities.get(target), self._notes.get(line.id, Note())
        if entity is None or kind != "Reference":
            self._kept.lines.append(line.raw)
            return
        written = line.tail or ""
        name = None if written == "" else note.meant("name", written)
        identity = note.meant("concept", reference.removeprefix("_:"))
        concept = Concept(identity, name, note.score)
        self._entities[target] = msgspec.structs.replace(entity, concepts=(*entity.concepts, concept))
        self._keep_id(entity.id, "N", identity, line.id)

    def _relation(self, line: Line) -> None:
        found = _RELATION.fullmatch(line.data)
        ends = [found.group(3), found.group(5)] if found else []
        if found is None or not self._entities.keys() >= set(ends):
            self._kept.lines.append(line.raw)
            return
        note = self._notes.get(line.id, Note())
        identity, label = note.meant("id", line.id), note.meant("label", found.group(1))
        head, tail = (self._names[end] for end in ends)
        self._relations.append(Relation(identity, label, head, tail, note.score))
        roles = [found.group(2), found.group(4)]
        if roles != DEFAULT_ROLES:
            self._kept.roles[identity] = roles

    def _keep_id(self, entity: str, kind: str, name: str, identity: str) -> None:
        self._kept.ids.setdefault(entity, {}).setdefault(kind, {}).setdefault(name, []).append(identity)

    def _forget_plain_ids(self) -> None:
        """Ids that the writer would give anyway need not be kept."""
        if any(line[:1] in "AMN" for line in self._kept.lines):
            return
        kept = copy.deepcopy(self._kept)
        entities = self._entities.values()
        given = [kept.take_id(e.id, "A", attribute.name) for e in entities for attribute in e.attributes]
        named = [kept.take_id(e.id, "N", concept.id) for e in entities for concept in e.concepts]
        plain = [*(f"A{n + 1}" for n in range(len(given))), *(f"N{n + 1}" for n in range(len(named)))]
        if given + named == plain:
            self._kept.ids = {}
