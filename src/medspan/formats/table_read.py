"""The reader of tables; ``table`` describes the format."""

from __future__ import annotations

import csv
import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import AnnotationError, DataError, FormatError
from medspan.formats import files
from medspan.formats.columns import allow_long_fields
from medspan.formats.protocol import ReadOptions, reject
from medspan.formats.surface import SURFACE_REMEDY, surface_problem
from medspan.types import Attribute, Concept, Document, Entity, Relation, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENSIONS = (".tsv", ".csv")
COLUMNS = (
    *("document", "id", "label", "start", "end", "spans", "text", "score"),
    *("concepts", "attributes", "relations"),
)
TEXT_COLUMN = "document_text"
_NEEDED = ("document", "label", "start", "end")
_ALIASES = {"doc": "document", "doc_id": "document", "document_id": "document", "type": "label"}
_SPANS = re.compile(r"[0-9]+-[0-9]+(;[0-9]+-[0-9]+)*")
_ITEMS = re.compile(r"((?:[^|\\]|\\.)*)(?:\||$)", re.DOTALL)
_PAIR = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)
_MARK = re.compile(r"\\(.)", re.DOTALL)

Row = dict[str, str]
Numbered = tuple[int, Row]


class _MalformedError(DataError):
    """What is wrong with a row or a document, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


class _Table(msgspec.Struct):
    """A table being read: where messages and rejected rows go."""

    path: Path
    options: ReadOptions

    def reject(self, line: int, error: _MalformedError, unit: object) -> None:
        """Hand a row (or the first row of a document) over."""
        place = files.name_of(self.path)
        written = msgspec.json.encode(unit).decode()
        reject(self.options, FormatError(place, line, error.problem, error.remedy), written)


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a table, of a folder of tables, or of standard input, in order of first appearance.

    Raises:
        FormatError: where a row is malformed or a document's text is missing; a row, or a document, is
            the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    for file in files.input_files(path, EXTENSIONS):
        table = _Table(file, options)
        grouped: dict[str, list[Numbered]] = {}
        for line, row in _rows(table):
            grouped.setdefault(row["document"], []).append((line, row))
        for identity, rows in grouped.items():
            yield from _document(table, identity, rows)


def _rows(table: _Table) -> list[Numbered]:
    """The rows with the line each begins on; the header names the columns."""
    allow_long_fields()
    return list(_parsed(table))


def _parsed(table: _Table) -> Iterator[Numbered]:
    lines = files.read_lines(table.path, table.options)
    header = next(lines, "").removeprefix("\ufeff").rstrip("\r\n")
    delimiter = max("\t,;", key=header.count)
    columns = [name.strip().strip('"').lower() for name in header.split(delimiter)]
    columns = [_ALIASES.get(name, name) for name in columns]
    if not _has_columns(table, columns):
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 2
    try:
        for cells in reader:
            if cells:
                yield from _checked(table, line, cells, columns)
            line = reader.line_num + 2
    except csv.Error as error:
        problem = _MalformedError(
            f"the quotes of the table are broken ({error})", "put a quote twice inside quotes"
        )
        table.reject(line, problem, None)


def _has_columns(table: _Table, columns: list[str]) -> bool:
    missing = [name for name in _NEEDED if name not in columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if missing:
        problem = f"the header names no column {', '.join(missing)}"
        table.reject(1, _MalformedError(problem, _header_remedy(table, columns)), columns)
    elif twice:
        table.reject(1, _MalformedError("the header names a column twice", "give each its own name"), columns)
    return not (missing or twice)


def _header_remedy(table: _Table, columns: list[str]) -> str:
    """What to do about a header that lacks columns; one of documents is for another reader."""
    of_entities = {"label", "start", "end", "spans"}
    if table.options.text_column.lower() in columns and not of_entities & set(columns):
        return "where each row is a document, name the format notes (--from notes)"
    return f"name the columns in the first line: {', '.join(COLUMNS)}"


def _checked(table: _Table, line: int, cells: list[str], columns: list[str]) -> Iterator[Numbered]:
    if len(cells) == len(columns):
        yield line, dict(zip(columns, cells, strict=True))
        return
    problem = f"{len(cells)} cells where the header names {len(columns)} columns"
    table.reject(line, _MalformedError(problem, "quote cells that hold the delimiter"), cells)


def _document(table: _Table, identity: str, rows: list[Numbered]) -> Iterator[Document]:
    first_line = rows[0][0]
    taken = {row.get("id", "") for _, row in rows}
    fresh = (f"T{number}" for number in count(1) if f"T{number}" not in taken)
    entities: list[Entity] = []
    extra: dict[str, dict[str, str]] = {}
    links: list[tuple[str, str, str]] = []
    try:
        text = _text(table, identity, rows)
        for line, row in rows:
            if not (row["label"] or row["start"]):
                continue  # only a text
            entity = _checked_entity(table, (line, row), row.get("id") or next(fresh), text)
            if entity:
                entities.append(entity)
                extra |= _unknown(row, entity)
                pairs = _pairs(row, "relations", "a relation names no mention", "label=id")
                links += [(label, entity.id, tail) for label, tail in pairs]
        meta: dict[str, Any] = {"entity_extra": extra} if extra else {}
        lost = taken - {entity.id for entity in entities}  # a rejected row takes relations to it along
        kept = (link for link in links if link[2] not in lost)
        relations = (Relation(f"R{number}", *link) for number, link in enumerate(kept, 1))
        document = Document(identity, text, tuple(entities), tuple(relations), meta=meta)
    except _MalformedError as error:
        table.reject(first_line, error, [row for _, row in rows])
    except AnnotationError as error:
        table.reject(first_line, _MalformedError(str(error), "correct the rows"), [row for _, row in rows])
    else:
        yield document


def _unknown(row: Row, entity: Entity) -> dict[str, Row]:
    """The cells of other columns, by entity."""
    known = (*COLUMNS, TEXT_COLUMN)
    unknown = {name: value for name, value in row.items() if value and name not in known}
    return {entity.id: unknown} if unknown else {}


def _text(table: _Table, identity: str, rows: list[Numbered]) -> str:
    """The text of a document, from its rows or from the file beside the table."""
    given = next((row[TEXT_COLUMN] for _, row in rows if row.get(TEXT_COLUMN)), None)
    if given is not None or TEXT_COLUMN in rows[0][1]:
        return given or ""
    name = f"{files.file_name(identity)}.txt"
    beside = table.path.with_name(name)
    if table.path == files.STANDARD or not beside.is_file():
        raise _MalformedError(
            f"the text of document {identity!r} is missing",
            f"add a column {TEXT_COLUMN}, or put {name} beside the table",
        )
    return files.read_text(beside)


def _checked_entity(table: _Table, numbered: Numbered, identity: str, text: str) -> Entity | None:
    """The entity of a row, or None where the row was rejected."""
    line, row = numbered
    try:
        return _entity(row, identity, text)
    except _MalformedError as error:
        table.reject(line, error, row)
    except AnnotationError as error:
        table.reject(line, _MalformedError(str(error), "correct the row or leave it out"), row)
    return None


def _entity(row: Row, identity: str, text: str) -> Entity:
    spans = _spans(row)
    if spans[-1].end > len(text):
        raise _MalformedError(
            f"entity {identity!r} ends at {spans[-1].end}, past the text ({len(text)} characters)",
            SURFACE_REMEDY,
        )
    concepts = tuple(Concept(_unmarked(item)) for item in _items(row.get("concepts", "")))
    entity = Entity(identity, row["label"], spans, _score(row), _attributes(row), concepts)
    problem = surface_problem(row["text"], entity, text) if row.get("text") else None
    if problem:
        raise _MalformedError(problem, SURFACE_REMEDY)
    return entity


def _spans(row: Row) -> tuple[Span, ...]:
    written = row.get("spans") or f"{row['start']}-{row['end']}"
    if not _SPANS.fullmatch(written):
        raise _MalformedError(
            "start, end or spans are not whole numbers", "write e.g. 12 and 15, and 12-15;20-24 in spans"
        )
    pairs = [part.split("-") for part in written.split(";")]
    spans = tuple(sorted(Span(int(start), int(end)) for start, end in pairs))
    if (row["start"], row["end"]) != (str(spans[0].start), str(spans[-1].end)):
        raise _MalformedError("start and end are not those of spans", "make them agree")
    return spans


def _score(row: Row) -> float | None:
    if not row.get("score"):
        return None
    try:
        return float(row["score"])
    except ValueError:
        raise _MalformedError("the score is not a number", "write e.g. 0.93, or leave it empty") from None


def _items(cell: str) -> list[str]:
    return [item for item in _ITEMS.findall(cell) if item]


def _attributes(row: Row) -> tuple[Attribute, ...]:
    pairs = _pairs(row, "attributes", "an attribute has no value", "name=value")
    return tuple(Attribute(name, value) for name, value in pairs)


def _pairs(row: Row, column: str, problem: str, form: str) -> list[tuple[str, str]]:
    """The pairs of a cell: ``form``, with ``|`` between several."""
    pairs = [_PAIR.fullmatch(item) for item in _items(row.get(column, ""))]
    if not all(pairs):
        raise _MalformedError(problem, f"write {form}, with | between several")
    return [(_unmarked(pair.group(1)), _unmarked(pair.group(2))) for pair in pairs if pair]


def _unmarked(value: str) -> str:
    return _MARK.sub(r"\1", value)
