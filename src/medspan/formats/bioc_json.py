"""BioC JSON: a collection as one JSON value. What stands where: see ``medspan.formats.bioc``.

Also read: one document by itself, a list of documents, PubTator3's ``{"PubTator3": [...]}``, and a value
a line (JSON lines).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import FormatError
from medspan.formats import files
from medspan.formats.bioc import Annotation, Link, Passage, Record
from medspan.formats.bioc_read import document_of
from medspan.formats.bioc_write import record_of
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

__all__ = ["EXTENSIONS", "read", "write"]

EXTENSIONS = (".json",)
_LISTS = ("documents", "PubTator3")
_REMEDY = 'write a BioC collection: {"source": …, "date": …, "key": …, "infons": {}, "documents": [...]}'


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a BioC JSON file, of a folder of them, or of standard input; a file is read whole.

    Raises:
        FormatError: where the file or a document is malformed; a document is the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    for file in files.input_files(path, EXTENSIONS):
        name = files.name_of(file)
        for number, value in enumerate(_values(file, options), 1):
            try:
                document = document_of(_record(value, name, number), name)
            except FormatError as error:
                reject(options, error, json.dumps(value))
            else:
                yield document


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write documents as one collection; nothing is lost.

    Raises:
        UsageError: if the file cannot be written.
    """
    head = {"bioctype": "BioCCollection", "source": options.title, "date": "", "key": "", "version": "1.0"}
    with files.writing(path) as handle:
        opening = json.dumps({**head, "infons": {}, "documents": []}).removesuffix("]}")
        handle.write(opening)
        for number, document in enumerate(documents):
            handle.write(",\n" if number else "\n")
            handle.write(_dumps(_value(record_of(document))))
        handle.write("\n]}\n")
    return Losses()


def _dumps(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() or _has_utf8(text) else json.dumps(value)


def _has_utf8(text: str) -> bool:
    """Whether no half of a surrogate pair stands there, which only an escape can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(record: Record) -> dict[str, Any]:
    """A record with every key that strict readers expect."""
    return {
        "bioctype": "BioCDocument",
        "id": record.id,
        "infons": record.infons or {},
        "passages": [_passage_value(passage) for passage in record.passages],
        **_attached(record.annotations, record.relations),
    }


def _passage_value(passage: Passage) -> dict[str, Any]:
    return {
        "bioctype": "BioCPassage",
        "offset": passage.offset,
        "infons": passage.infons or {},
        "text": passage.text or "",
        "sentences": [],
        **_attached(passage.annotations, passage.relations),
    }


def _attached(annotations: list[Annotation], links: list[Link]) -> dict[str, Any]:
    common = {"id": "", "infons": {}}
    return {
        "annotations": [
            {**common, "text": "", "locations": [], **msgspec.to_builtins(annotation)}
            for annotation in annotations
        ],
        "relations": [{**common, "nodes": [], **msgspec.to_builtins(link)} for link in links],
    }


def _values(file: Path, options: ReadOptions) -> Iterator[Any]:
    """The documents of a file as JSON values."""
    name = files.name_of(file)
    try:
        text = files.read_text(file).removeprefix("\ufeff")
    except FormatError as error:
        reject(options, error, "")
        return
    try:
        yield from _documents(json.loads(text))
    except RecursionError:
        reject(options, FormatError(name, None, "nested too deeply", _REMEDY), text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data" or not text.strip():
            reject(options, FormatError(name, error.lineno, f"not JSON ({error.msg})", _REMEDY), text)
            return
        yield from _lines(text, name, options)
    except ValueError:  # a number of more digits than Python reads
        reject(options, FormatError(name, None, "not JSON (a number is too long)", _REMEDY), text)


def _lines(text: str, name: str, options: ReadOptions) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                kind = error.msg if isinstance(error, json.JSONDecodeError) else "too deep or too long"
                reject(options, FormatError(name, number, f"not JSON ({kind})", _REMEDY), line)
            else:
                yield from _documents(value)


def _documents(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        for item in value:
            yield from _documents(item)
        return
    for key in _LISTS:
        if isinstance(value, dict) and isinstance(value.get(key), list):
            yield from value[key]
            return
    yield value


def _record(value: Any, name: str, number: int) -> Record:  # noqa: ANN401 - any JSON value
    identity = value.get("id") if isinstance(value, dict) else None
    place = f"document number {number}" if identity is None else f"document {identity!r}"
    if not isinstance(value, dict) or not isinstance(value.get("passages"), list):
        raise FormatError(name, None, f"{place} has no list of passages", _REMEDY)
    try:
        return msgspec.convert(value, Record)
    except msgspec.ValidationError as error:
        raise FormatError(name, None, f"{place}: {error}", "correct that value") from error
