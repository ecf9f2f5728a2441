"""What the routes of a project take: bodies as strict structs, and query parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from medspan.errors import DataError, UsageError
from medspan.formats.jsonl import from_json
from medspan.project.annotations import check_annotator
from medspan.project.structs import Mark, Start
from medspan.text.utf16 import from_utf16

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.types import Document

Offsets = Literal["codepoint", "utf16"]
_KEYS = {"id", "text", "entities", "relations", "sentences", "sections", "meta"}
_Known = TypeVar("_Known", bound=str)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body; a field nobody knows is an error."""


class LabelsBody(_Strict, frozen=True):
    """Of ``PATCH /v1/project``."""

    labels: tuple[str, ...]


class DocumentsBody(_Strict, frozen=True):
    """Of ``POST /v1/project/documents``."""

    documents: tuple[dict[str, Any], ...]
    split: Literal["sentences", "documents"] = "sentences"


class SaveBody(_Strict, frozen=True):
    """Of ``PUT /v1/project/documents/ID``."""

    entities: tuple[Mark, ...]
    state: Literal["open", "done", "skipped"]
    revision: Annotated[int, Meta(ge=0)]


class TrainBody(_Strict, frozen=True):
    """Of ``POST /v1/project/train``."""

    annotator: str | None = None
    minutes: float = 10.0
    start: Start = "model"


def offsets_of(query: dict[str, str]) -> Offsets:
    """The unit of offsets of a request and its answer.

    Raises:
        UsageError: if there is no such unit.
    """
    return one_of("offsets", query.get("offsets", "codepoint"), ("codepoint", "utf16"))


def annotator_of(query: dict[str, str]) -> str:
    """Who annotates.

    Raises:
        UsageError: if the request does not say.
    """
    if "annotator" not in query:
        raise UsageError("annotator: say who annotates, with ?annotator=NAME")
    check_annotator(query["annotator"])
    return query["annotator"]


def one_of(name: str, value: str, allowed: tuple[_Known, ...]) -> _Known:
    """A value of a query parameter that has few.

    Raises:
        UsageError: if it is none of them.
    """
    for each in allowed:
        if value == each:
            return each
    raise UsageError(f"{name}: must be one of {', '.join(allowed)}")


def number_of(name: str, value: str, least: int, most: int) -> int:
    """A whole number of a query parameter or a path.

    Raises:
        UsageError: if it is none, or outside the bounds.
    """
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    if not is_number or not least <= int(value) <= most:
        raise UsageError(f"{name}: must be a number from {least} to {most}")
    return int(value)


def document_of(value: dict[str, Any], place: int, unit: Offsets) -> Document:
    """A document of a body; its offsets may count UTF-16 code units.

    Raises:
        UsageError: if it has a key that no document has.
        DataError: if the value does not describe a document.
    """
    if not value.keys() <= _KEYS:
        raise UsageError(f"documents[{place}]: has an unknown key; known: {', '.join(sorted(_KEYS))}")
    text = value.get("text")
    if unit == "utf16" and isinstance(text, str):
        move = from_utf16(text)
        value = {name: _moved(part, move) if name == "entities" else part for name, part in value.items()}
        value.pop("sentences", None)
        value.pop("sections", None)
    try:
        return from_json(value, f"document {place + 1}")
    except DataError:  # its message may name what stands in the document
        raise DataError(
            f"documents[{place}]: not a document, or its offsets do not fit its text; see docs/formats.md"
        ) from None


def _moved(entities: object, move: Callable[[int], int]) -> object:
    """Entities with other offsets; what is malformed is left to be refused."""
    if not isinstance(entities, list):
        return entities
    return [
        {
            name: move(part)
            if name in ("start", "end") and isinstance(part, int)
            else [[move(place) for place in span] for span in part]
            if name == "spans" and _is_spans(part)
            else part
            for name, part in entity.items()
        }
        if isinstance(entity, dict)
        else entity
        for entity in entities
    ]


def _is_spans(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(span, list) and all(isinstance(place, int) for place in span) for span in value
    )
