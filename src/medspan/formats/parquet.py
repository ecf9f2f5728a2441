"""Parquet: a document a row, streamed by batches of rows; needs the extra ``arrow``.

Columns as in notes: ``text`` (or ``ReadOptions.text_column``), ``id`` (text or whole numbers; where the
column or its value is absent, the file's stem and the number of the row). Other columns of texts, numbers
and truth values go to ``meta`` as they are, dates, times and decimals as text; nulls are left out, and so
are columns of bytes, lists and structures, but for ``entities``: a list of structures with ``label``,
``start`` and ``end`` (code points, half-open), and maybe ``id``, ``score``, ``attributes`` and ``concepts``,
as `medspan.spark.annotate` writes it. Only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from medspan.errors import AnnotationError, FormatError, UsageError
from medspan.formats import files
from medspan.formats.columns import NAME_ID, NAME_TEXT, find_columns
from medspan.formats.packing import packing_of
from medspan.formats.parquet_rows import modules, opened
from medspan.formats.protocol import ReadOptions, reject, too_long
from medspan.types import Attribute, Concept, Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTENSIONS = (".parquet",)
ENTITIES = "entities"
_NEEDED = {"label", "start", "end"}
# Rows held at a time: texts of 5 MB, the longest notes there are, then take 160 MB.
_BATCH_ROWS = 32
_BUFFER = 1 << 20  # bytes of a column read at a time; without it a whole row group would be


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a Parquet file, or of a folder of them and its subfolders.

    Raises:
        FormatError: where a file is damaged, lacks a column, or a text is null, not UTF-8 or too long; a
            row is the unit that is rejected.
        MissingExtraError: if pyarrow is not installed.
        UsageError: if there is nothing to read, or it is standard input.
    """
    if path == files.STANDARD:
        raise UsageError("Parquet cannot be read from standard input; name a file")
    return files.documents_below(path, EXTENSIONS, options, _read_file)


class _Columns(NamedTuple):
    """The names of the columns of text, id, entities and meta."""

    text: str
    id: str | None
    entities: str | None
    others: list[str]


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    if packing_of(file.name):
        raise FormatError(file, None, "a packed Parquet file cannot be read", "unpack it first")
    with opened(file, buffer=_BUFFER) as table:
        columns = _columns(table.schema_arrow, file, options)
        named = (columns.text, columns.id, columns.entities, *columns.others)
        wanted = [name for name in named if name is not None]
        first = 1
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=wanted, use_threads=False):
            yield from _of_batch(batch, columns, _Place(file, stem, first), options)
            first += batch.num_rows


class _Place(NamedTuple):
    """Where a batch of rows comes from; ``first`` is the number of its first row."""

    file: Path
    stem: str
    first: int

    def error(self, row: int, problem: str, remedy: str) -> FormatError:
        """An error at a row of the batch."""
        return FormatError(self.file, None, f"row {self.first + row}: {problem}", remedy)


def _columns(schema: Any, file: Path, options: ReadOptions) -> _Columns:  # noqa: ANN401 - of an extra
    text, identity = find_columns(schema.names, options, file, None)
    if not _is_of(schema.types[text], _TEXTS):
        problem = f"the column {schema.names[text]!r} does not hold texts"
        raise FormatError(file, None, problem, NAME_TEXT)
    if identity is not None and not _is_of(schema.types[identity], (*_TEXTS, "integer")):
        problem = f"the column {schema.names[identity]!r} holds neither texts nor whole numbers"
        raise FormatError(file, None, problem, NAME_ID)
    others = [
        name
        for place, (name, kind) in enumerate(zip(schema.names, schema.types, strict=True))
        if place not in {text, identity} and _is_of(kind, (*_PLAIN, *_AS_TEXT))
    ]
    entities = ENTITIES if ENTITIES in schema.names and _holds_entities(schema.field(ENTITIES).type) else None
    return _Columns(
        schema.names[text], None if identity is None else schema.names[identity], entities, others
    )


# Names of predicates of pyarrow.types. Old writers mark texts as bytes.
_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
_PLAIN = ("string", "large_string", "string_view", "boolean", "integer", "floating")
_AS_TEXT = ("date", "time", "timestamp", "decimal")


def _is_of(kind: Any, names: tuple[str, ...]) -> bool:  # noqa: ANN401 - of an extra
    """Whether an Arrow type, or that of a dictionary's values, is one of these."""
    arrow, _ = modules("reading Parquet")
    kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
    predicates = (getattr(arrow.types, f"is_{name}", None) for name in names)
    return any(predicate(kind) for predicate in predicates if predicate is not None)


def _holds_entities(kind: Any) -> bool:  # noqa: ANN401 - of an extra
    """Whether an Arrow type is a list of structures with what an entity cannot do without."""
    arrow, _ = modules("reading Parquet")
    if not (arrow.types.is_list(kind) or arrow.types.is_large_list(kind)):
        return False
    inner = kind.value_type
    return arrow.types.is_struct(inner) and {field.name for field in inner} >= _NEEDED


def _of_batch(batch: Any, columns: _Columns, place: _Place, options: ReadOptions) -> Iterator[Document]:  # noqa: ANN401 - of an extra
    metas = _metas(batch, columns.others)
    texts, ids = _flat(batch, columns.text), _flat(batch, columns.id) if columns.id else None
    annotated = batch.column(columns.entities) if columns.entities else None
    for row, meta in enumerate(metas):
        try:
            text = _text(texts[row], row, place, options.max_chars)
            identity = None if ids is None else _identity(ids[row], row, place)
            name = identity or f"{place.stem}-{place.first + row}"
            records = None if annotated is None else annotated[row].as_py()
            document = Document(name, text, _entities(records), meta=meta)
        except AnnotationError as error:
            reject(options, place.error(row, str(error), "correct the row, or leave it out"), "")
        except FormatError as error:
            reject(options, error, "")
        else:
            yield document


def _entities(records: list[dict[str, Any]] | None) -> tuple[Entity, ...]:
    try:
        return tuple(entity_of(record, number) for number, record in enumerate(records or (), start=1))
    except (TypeError, KeyError):
        raise AnnotationError("an entity lacks its label, start or end") from None


def entity_of(record: dict[str, Any], number: int) -> Entity:
    """The entity of a structure of the column ``entities``; ``number`` names one without an id."""
    return Entity(
        record.get("id") or f"T{number}",
        record["label"],
        (Span(record["start"], record["end"]),),
        record.get("score"),
        tuple(Attribute(**each) for each in record.get("attributes") or ()),
        tuple(Concept(**each) for each in record.get("concepts") or ()),
    )


def _flat(batch: Any, name: str) -> Any:  # noqa: ANN401 - of an extra
    """A column of a batch, values in the place of references to a dictionary."""
    arrow, _ = modules("reading Parquet")
    column = batch.column(name)
    return column.dictionary_decode() if arrow.types.is_dictionary(column.type) else column


def _text(value: Any, row: int, place: _Place, max_chars: int | None) -> str:  # noqa: ANN401 - of an extra
    if not value.is_valid:
        raise place.error(row, "it has no text", "leave the row out, or write an empty text")
    text = _decoded(value, row, place) if _fits(value, max_chars) else None
    if text is None or (max_chars is not None and len(text) > max_chars):
        error = too_long(place.file, None, max_chars)
        raise place.error(row, error.problem, error.remedy)
    return text


def _fits(value: Any, max_chars: int | None) -> bool:  # noqa: ANN401 - of an extra
    longest = files.longest_text(max_chars)
    return longest is None or value.as_buffer().size <= longest


def _decoded(value: Any, row: int, place: _Place) -> str:  # noqa: ANN401 - of an extra
    data: bytes = value.as_buffer().to_pybytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} of its text or id is not UTF-8"
        raise place.error(row, problem, "convert the texts to UTF-8 first") from None


def _identity(value: Any, row: int, place: _Place) -> str | None:  # noqa: ANN401 - of an extra
    if not value.is_valid:
        return None
    return _decoded(value, row, place) if hasattr(value, "as_buffer") else str(value.as_py())


def _metas(batch: Any, names: list[str]) -> list[dict[str, Any]]:  # noqa: ANN401 - of an extra
    """The meta of each row of a batch."""
    lists = [_values(_flat(batch, name)) for name in names]
    return [
        {name: values[row] for name, values in zip(names, lists, strict=True) if values[row] is not None}
        for row in range(batch.num_rows)
    ]


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - of an extra
    """A column's values as JSON has them: dates, times and decimals as texts, times with a zone in UTC."""
    arrow, _ = modules("reading Parquet")
    if not _is_of(column.type, _AS_TEXT):
        values: list[Any] = column.to_pylist()
        return values
    mark = ""
    if arrow.types.is_timestamp(column.type) and column.type.tz is not None:
        column, mark = column.cast(arrow.timestamp(column.type.unit)), "Z"
    return [None if value is None else value + mark for value in column.cast(arrow.string()).to_pylist()]
