"""JSONL: a document a line; holds everything a document has.

An entity is ``{"id", "label", "start", "end", "spans", "text", "score", "attributes", "concepts"}``:
``spans`` only where it is discontinuous, ``text`` for the human eye (and checked when read). Keys whose
value would be empty are left out. ``attributes`` maps names to values, ``attribute_scores`` names to scores.

Also read: entities without ids (they become T1, T2, …), ``parts`` for ``spans``, a list of concept
``ids``, ``type`` for ``label``, relations between concepts of the whole document (``head_id``,
``tail_id``: kept in ``meta["concept_relations"]``); unknown keys are kept in ``meta``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import AnnotationError, FormatError
from medspan.formats import files
from medspan.formats.jsonl_parts import MalformedError, build_document
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, reject, unless_too_long

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document, Entity, Relation

__all__ = ["EXTENSIONS", "as_json", "from_json", "read", "write"]

EXTENSIONS = (".jsonl", ".ndjson")
_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a JSONL file, of a folder of them and its subfolders, or of standard input.

    Raises:
        FormatError: where a line is malformed or too long; a line is the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    return files.documents_below(path, EXTENSIONS, options, _read_file)


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    place = files.name_of(file)
    for number, raw in enumerate(files.read_lines(file, options), 1):
        line = raw.removeprefix("\ufeff") if number == 1 else raw
        if not line.strip():
            continue
        try:
            document = _read_line(line, f"{stem}-{number}")
        except MalformedError as error:
            reject(options, FormatError(place, number, error.problem, error.remedy), raw)
        else:
            yield from unless_too_long(document, options, place, number)


def _read_line(line: str, identity: str) -> Document:
    try:
        value = _DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        problem = f"not JSON ({error})" if isinstance(error, msgspec.DecodeError) else "nested too deeply"
        raise MalformedError(problem, "write one JSON object on each line") from error
    return from_json(value, identity)


def from_json(value: object, identity: str) -> Document:
    """A document from its JSON value; ``identity`` is its id where it names none.

    Raises:
        DataError: if the value does not describe a document.
    """
    try:
        return build_document(value, identity)
    except AnnotationError as error:
        raise MalformedError(str(error), "correct the annotation or leave it out") from error
    except OverflowError as error:  # an offset, a score or a value
        raise MalformedError("it holds a number of more than 64 bits", "write a smaller one") from error


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one document a line; nothing is lost.

    Raises:
        AnnotationError: if a document's meta holds something that is not JSON.
        UsageError: if the file cannot be written.
    """
    del options  # none concerns this format
    with files.writing(path) as handle:
        for document in documents:
            try:
                line = _ENCODER.encode(as_json(document)).decode()
            except (TypeError, ValueError, RecursionError) as error:
                if isinstance(error, UnicodeEncodeError):
                    raise
                raise AnnotationError(
                    f"document {document.id!r}: meta holds a value that is not JSON; keep only text, "
                    "numbers, true, false, null, lists and objects there"
                ) from error
            handle.write(line + "\n")
    return Losses()


def as_json(document: Document) -> dict[str, Any]:
    """A document as JSON values; empty parts are left out, entities always stand there."""
    value: dict[str, Any] = {
        "id": document.id,
        "text": document.text,
        "entities": [_entity_json(entity, document) for entity in document.entities],
    }
    optional = {
        "relations": [_relation_json(relation) for relation in document.relations],
        "sentences": [[span.start, span.end] for span in document.sentences],
        "sections": [
            {"label": section.label, "start": section.span.start, "end": section.span.end}
            for section in document.sections
        ],
        "meta": document.meta,
    }
    return value | {name: part for name, part in optional.items() if part}


def _entity_json(entity: Entity, document: Document) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": entity.id,
        "label": entity.label,
        "start": entity.start,
        "end": entity.end,
    }
    if entity.is_discontinuous:
        value["spans"] = [[span.start, span.end] for span in entity.spans]
    value["text"] = document.text_of(entity)
    if entity.score is not None:
        value["score"] = entity.score
    if entity.attributes:
        value["attributes"] = {attribute.name: attribute.value for attribute in entity.attributes}
        scores = {item.name: item.score for item in entity.attributes if item.score is not None}
        if scores:
            value["attribute_scores"] = scores
    if entity.concepts:
        value["concepts"] = list(entity.concepts)
    return value


def _relation_json(relation: Relation) -> dict[str, Any]:
    return (
        msgspec.structs.asdict(relation)
        if relation.score is not None
        else {
            "id": relation.id,
            "label": relation.label,
            "head": relation.head,
            "tail": relation.tail,
        }
    )
