"""Reads the bundles that ``fhir`` writes: their texts and, from our extensions, all else.

Of a bundle by others the text of its first DocumentReference is read, and no entity: what other programs
say of spans, if anything, they say in extensions of their own.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

import msgspec

from medspan.errors import AnnotationError, FormatError
from medspan.formats import files
from medspan.formats.fhir_parts import CONCEPT, DOCUMENT, MENTION, RELATION, SECTION, URL
from medspan.formats.fhir_table import table_of
from medspan.formats.jsonl_parts import MalformedError
from medspan.formats.protocol import ReadOptions, reject, unless_too_long
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

EXTENSIONS = (".fhir.ndjson",)
PATIENT = "patient"
"""The key of a document's meta that names the patient."""
PATIENT_URL = URL + PATIENT

_REMEDY = "read what medspan wrote, a bundle a line"
_AnyStruct = TypeVar("_AnyStruct", bound=msgspec.Struct)


class _Coding(msgspec.Struct, frozen=True):
    """A code, and what a Coding cannot say."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    extension: list[_Extension] = []


class _Extension(msgspec.Struct, frozen=True, rename="camel"):
    """An extension with the values we write; others are passed over."""

    url: str = ""
    extension: list[_Extension] = []
    value_string: str | None = None
    value_base64_binary: str | None = None
    value_unsigned_int: int | None = None
    value_decimal: float | None = None
    value_coding: _Coding | None = None


class _Identifier(msgspec.Struct, frozen=True):
    """The identifier of a patient."""

    value: str | None = None
    extension: list[_Extension] = []


class _Reference(msgspec.Struct, frozen=True):
    """A reference to a patient."""

    reference: str | None = None
    identifier: _Identifier = _Identifier()


class _Attachment(msgspec.Struct, frozen=True):
    """Text, if it is there."""

    data: str | None = None
    size: int | None = None


class _Content(msgspec.Struct, frozen=True):
    """Holds an attachment."""

    attachment: _Attachment


class _Source(msgspec.Struct, frozen=True):
    """A DocumentReference."""

    content: list[_Content]
    extension: list[_Extension] = []
    subject: _Reference = _Reference()


class _Extended(msgspec.Struct, frozen=True):
    """Anything with extensions."""

    extension: list[_Extension] = []


class _Statement(msgspec.Struct, frozen=True):
    """A MedicationStatement."""

    extension: list[_Extension] = []
    dosage: list[_Extended] = []


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    """What kind of resource one is."""

    resource_type: str = ""


class _Entry(msgspec.Struct, frozen=True):
    """A resource, not yet looked at."""

    resource: msgspec.Raw = msgspec.Raw(b"{}")


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    """A bundle of resources."""

    resource_type: str
    entry: list[_Entry] = []


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a file of bundles, of a folder of them and its subfolders, or of standard input.

    Raises:
        FormatError: where a line is malformed, holds no text, or too long a one; a line is the unit that is
            rejected.
        UsageError: if there is nothing to read.
    """
    return files.documents_below(path, EXTENSIONS, options, _read_file)


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    place = files.name_of(file)
    for number, line in enumerate(files.read_lines(file, options), 1):
        if not line.strip():
            continue
        try:
            document = _document(line.encode(), f"{stem}-{number}")
        except (MalformedError, AnnotationError) as error:
            problem = error.problem if isinstance(error, MalformedError) else str(error)
            remedy = error.remedy if isinstance(error, MalformedError) else _REMEDY
            reject(options, FormatError(place, number, problem, remedy), line)
        else:
            yield from unless_too_long(document, options, place, number)


def _decode(data: bytes | msgspec.Raw, kind: type[_AnyStruct]) -> _AnyStruct:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        problem = f"not a FHIR bundle as it should be ({error})"
        raise MalformedError(
            problem if isinstance(error, msgspec.DecodeError) else "nested too deeply", _REMEDY
        ) from None


def _document(line: bytes, identity: str) -> Document:
    bundle = _decode(line, _Bundle)
    if bundle.resource_type != "Bundle":
        raise MalformedError("the resource is no Bundle", _REMEDY)
    sources: list[_Source] = []
    mentions: dict[str, tuple[int, Entity]] = {}
    relations: list[Relation] = []
    for entry in bundle.entry:
        kind = _decode(entry.resource, _Head).resource_type
        if kind == "DocumentReference":
            sources.append(_decode(entry.resource, _Source))
            continue
        whole = _decode(entry.resource, _Statement if kind == "MedicationStatement" else _Extended)
        parts = [whole, *getattr(whole, "dosage", ())]
        found = [extension for part in parts for extension in part.extension]
        mentions |= {each.id: (place, each) for place, each in map(_mention, _named(found, MENTION))}
        relations += map(_relation, _named(found, RELATION))
    if not sources:
        raise MalformedError("the bundle has no DocumentReference", _REMEDY)
    entities = (each for _, each in sorted(mentions.values(), key=lambda pair: pair[0]))
    return _assembled(sources[0], identity, tuple(entities), tuple(relations))


def _assembled(
    source: _Source, identity: str, entities: tuple[Entity, ...], relations: tuple[Relation, ...]
) -> Document:
    sections = (
        Section(_text(each.extension, "label"), _spans(each.extension)[0])
        for each in _named(source.extension, SECTION)
    )
    is_ours = any(each.url == DOCUMENT for each in source.extension)
    patient = _patient(source.subject)
    return Document(
        _text(source.extension, DOCUMENT) if is_ours else identity,
        _text_of(source),
        entities,
        relations,
        sections=tuple(sections),
        meta={PATIENT: patient} if patient else {},
    )


def _text_of(source: _Source) -> str:
    attachment = source.content[0].attachment if source.content else _Attachment()
    if attachment.data is None and attachment.size != 0:
        raise MalformedError("the bundle holds no text", "write it with its text (source_text)")
    try:
        return base64.b64decode(attachment.data or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise MalformedError("the attachment is no UTF-8 text in base64", _REMEDY) from None


def _patient(subject: _Reference) -> str:
    identifier = subject.identifier
    return subject.reference or identifier.value or _text(identifier.extension, PATIENT_URL)


def _named(extensions: Sequence[_Extension], url: str) -> Iterator[_Extension]:
    return (each for each in extensions if each.url == url)


def _text(extensions: Sequence[_Extension], url: str) -> str:
    """The opposite of `fhir_parts.exact`."""
    for each in _named(extensions, url):
        if each.value_string is not None:
            return each.value_string
        try:
            return base64.b64decode(each.value_base64_binary or "", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise MalformedError(f"{url}: no UTF-8 text in base64", _REMEDY) from None
    return ""


def _number(extensions: Sequence[_Extension], url: str) -> int:
    values = (each.value_unsigned_int for each in _named(extensions, url))
    found = next((value for value in values if value is not None), None)
    if found is None:
        raise MalformedError(f"an extension lacks its {url}", _REMEDY)
    return found


def _score(extensions: Sequence[_Extension]) -> float | None:
    return next((each.value_decimal for each in _named(extensions, "score")), None)


def _spans(extensions: Sequence[_Extension]) -> tuple[Span, ...]:
    parts = (each.extension for each in _named(extensions, "span"))
    found = tuple(Span(_number(each, "start"), _number(each, "end")) for each in parts)
    if not found:
        raise MalformedError("an extension lacks its span", _REMEDY)
    return found


def _mention(extension: _Extension) -> tuple[int, Entity]:
    """The place of an entity and the entity."""
    parts = extension.extension
    codings = (each.value_coding or _Coding() for each in _named(parts, "concept"))
    entity = Entity(
        _text(parts, "id"),
        _text(parts, "label"),
        _spans(parts),
        _score(parts),
        tuple(_attribute(each.extension) for each in _named(parts, "attribute")),
        tuple(map(_concept, codings)),
    )
    return _number(parts, "place"), entity


def _attribute(parts: Sequence[_Extension]) -> Attribute:
    return Attribute(_text(parts, "name"), _text(parts, "value"), _score(parts))


def _concept(coding: _Coding) -> Concept:
    more = [part for each in _named(coding.extension, CONCEPT) for part in each.extension]
    said = table_of().id_of(coding.system, coding.code) if coding.code else ""
    return Concept(
        _text(more, "id") or said,
        _text(more, "name") or coding.display,
        _score(more),
    )


def _relation(extension: _Extension) -> Relation:
    parts = extension.extension
    head, tail = _text(parts, "head"), _text(parts, "tail")
    return Relation(_text(parts, "id"), _text(parts, "label"), head, tail, _score(parts))
