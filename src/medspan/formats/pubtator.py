r"""PubTator: a title line, an abstract line, then entities and relations, tab-separated; blank line between.

::

    6794356|t|Tricuspid valve regurgitation and lithium carbonate toxicity
    6794356|a|A newborn with massive tricuspid regurgitation …
    6794356	0	29	Tricuspid valve regurgitation	Disease	D014262
    6794356	CID	D016651	D003490

Offsets count code points of title + one separator + abstract; the separator reads as a line break. A
text is split at its first line break when written, and is all title where it has none, so it reads back
the same; an empty abstract adds no separator. Further line breaks become blanks (offsets stay, counted
as a loss). A discontinuous mention is written as the range it lies in, a relation between mentions as
one between their first concepts; scores, attributes, sentences and sections are left out: all counted.

Concepts are separated by ``|`` (``;`` and ``,`` are read too; a tmVar name is one concept); ``-`` and
``-1`` mean none. A seventh column names each concept, as composite mentions do. Entities get ids T1, T2,
… in the order of the file; relations go to ``meta["concept_relations"]``, further columns to
``meta["pubtator"]``. Separators inside a name are written ``%XX`` and read back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medspan.errors import AnnotationError, FormatError
from medspan.formats import files
from medspan.formats.protocol import CONCEPT_RELATIONS, Losses, ReadOptions, WriteOptions, reject
from medspan.formats.pubtator_write import CONCEPT, DOCUMENT, FIELD, NAME, TMVAR, block_of, one_column
from medspan.formats.quoting import unquote
from medspan.formats.surface import SURFACE_REMEDY, surface_problem
from medspan.types import Concept, Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["EXTENSIONS", "read", "write"]

EXTENSIONS = (".pubtator",)
_TEXT_LINE = re.compile(r"([^|\t]*)\|([ta])\|(.*)", re.DOTALL)
_SEPARATOR = re.compile(r"[|;,]")
_OFFSET = re.compile("[0-9]{1,15}")
_NO_CONCEPT = {"", "-", "-1"}
_ENTITY_COLUMNS, _RELATION_COLUMNS = 5, 4

Line = tuple[int, str]


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a PubTator file, of a folder of them, or of standard input, one at a time.

    Raises:
        FormatError: where a document is malformed; its block of lines is the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    for file in files.input_files(path, EXTENSIONS):
        for block in _blocks(file):
            try:
                document = _Block(files.name_of(file), block).document()
            except FormatError as error:
                reject(options, error, "".join(f"{line}\n" for _, line in block))
            else:
                yield document


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write documents to one file.

    Raises:
        UsageError: if the file cannot be written.
    """
    del options  # none concerns this format
    losses = Losses()
    with files.writing(path) as handle:
        for document in documents:
            handle.write(block_of(document, losses))
    return losses


def _blocks(file: Path) -> Iterator[list[Line]]:
    """The numbered lines of each document; a title line begins one even without a blank line before it."""
    block: list[Line] = []
    for number, raw in enumerate(files.read_lines(file), 1):
        line = raw.removeprefix("\ufeff") if number == 1 else raw
        line = line.removesuffix("\n").removesuffix("\r")
        found = _TEXT_LINE.fullmatch(line)
        if block and (not line.strip() or (found and found.group(2) == "t")):
            yield block
            block = []
        if line.strip():
            block.append((number, line))
    if block:
        yield block


class _Block:
    """One document's lines, and the error that names one of them."""

    def __init__(self, place: str, lines: list[Line]) -> None:
        self._place = place
        self._lines = lines
        self._id = ""
        self._text = ""
        self._entities: list[Entity] = []
        self._relations: list[dict[str, Any]] = []
        self._columns: dict[str, list[str]] = {}

    def document(self) -> Document:
        """The document.

        Raises:
            FormatError: naming the first line that is wrong.
        """
        for number, line in self._lines[self._read_text() :]:
            if _TEXT_LINE.fullmatch(line):
                raise self._error(number, "a second abstract", "give a document one title and one abstract")
            columns = line.split("\t")
            if columns[0] != self._id:
                raise self._error(
                    number, "the line names another document than the title before it", "separate documents"
                )
            if len(columns) >= _ENTITY_COLUMNS and all(map(_OFFSET.fullmatch, columns[1:3])):
                self._add_entity(number, columns)
            elif len(columns) >= _RELATION_COLUMNS and not _OFFSET.fullmatch(columns[1]):
                self._add_relation(columns)
            else:
                raise self._error(
                    number,
                    f"{len(columns)} columns are neither an entity nor a relation",
                    "write id, start, end, text, type, concepts or id, type, concept, concept, with tabs",
                )
        meta: dict[str, Any] = {CONCEPT_RELATIONS: self._relations} if self._relations else {}
        if self._columns:
            meta["pubtator"] = {"columns": self._columns}
        return Document(unquote(self._id, DOCUMENT), self._text, tuple(self._entities), meta=meta)

    def _error(self, number: int, problem: str, remedy: str) -> FormatError:
        return FormatError(self._place, number, problem, remedy)

    def _read_text(self) -> int:
        """Take title and abstract; returns how many lines they were."""
        number, line = self._lines[0]
        title = _TEXT_LINE.fullmatch(line)
        if title is None or title.group(2) != "t":
            raise self._error(number, "the document does not begin with a title", 'begin with "id|t|title"')
        self._id, self._text = title.group(1), title.group(3)
        found = _TEXT_LINE.fullmatch(self._lines[1][1]) if len(self._lines) > 1 else None
        if found is None:
            return 1
        if found.group(1) != self._id:
            raise self._error(
                self._lines[1][0], "title and abstract have different ids", "give both the document's id"
            )
        if found.group(3):
            self._text += "\n" + found.group(3)
        return 2

    def _add_entity(self, number: int, columns: list[str]) -> None:
        identity = f"T{len(self._entities) + 1}"
        _, start, end, surface, label, *rest = columns
        concepts = _concepts(rest[0]) if rest else ()
        rest = rest[1:]
        names = [name or None for name in rest[0].split("|")] if rest else []
        if names and len(names) == len(concepts):
            concepts = tuple(
                Concept(concept.id, None if name is None else unquote(name, NAME))
                for concept, name in zip(concepts, names, strict=True)
            )
            rest = rest[1:]
        if rest:
            self._columns[identity] = rest
        try:
            spans = (Span(int(start), int(end)),)
            entity = Entity(identity, unquote(label, FIELD), spans, concepts=concepts)
        except AnnotationError as error:
            raise self._error(number, str(error), "correct the offsets or the type") from error
        if entity.end > len(self._text):
            raise self._error(
                number,
                f"the mention ends at {end}, past the text ({len(self._text)} characters)",
                SURFACE_REMEDY,
            )
        mention = self._text[entity.start : entity.end]
        problem = surface_problem(surface, entity, self._text)
        if problem and one_column(surface) != one_column(mention):
            raise self._error(number, problem, SURFACE_REMEDY)
        self._entities.append(entity)

    def _add_relation(self, columns: list[str]) -> None:
        kind, head, tail, *rest = (unquote(column, FIELD) for column in columns[1:])
        relation: dict[str, Any] = {"type": kind, "head_id": head, "tail_id": tail}
        if rest:
            relation["columns"] = rest
        self._relations.append(relation)


def _concepts(column: str) -> tuple[Concept, ...]:
    if column in _NO_CONCEPT:
        return ()
    parts = [column] if TMVAR.match(column) else _SEPARATOR.split(column)
    return tuple(Concept(unquote(part, CONCEPT)) for part in parts if part)
