"""Bodies of requests and answers: strict structs, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from medspan.serve.orders import Offsets
from medspan.serve.problems import HttpError
from medspan.tasks.deid.labels import LABELS
from medspan.types import Document

DEFAULT_ID = "text"

Action = Literal["redact", "mask", "hash", "surrogate", "generalise", "keep"]
_Identity = Annotated[str, Meta(max_length=1024, description="Comes back with the answer; never in a log.")]
_Text = Annotated[str, Meta(description="The text, exactly as offsets shall point into it.")]


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename=None):
    """A document to work on."""

    text: _Text
    id: _Identity | None = None
    meta: Annotated[dict[str, Any], Meta(description="Comes back unread.")] = {}


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    text: _Text | UnsetType = UNSET
    documents: Annotated[list[Given], Meta(description="Many, instead of text.")] | UnsetType = UNSET
    offsets: Annotated[Offsets, Meta(description="The unit of all offsets in the answer.")] = "codepoint"

    def given(self) -> list[Document]:
        """The documents of the request.

        Raises:
            HttpError: 422 unless it has either a text or documents.
        """
        if self.text is not UNSET and self.documents is UNSET:
            return [Document(DEFAULT_ID, self.text)]
        if self.text is UNSET and self.documents is not UNSET:
            return [as_document(each, place) for place, each in enumerate(self.documents)]
        raise HttpError(422, 'give either "text" or "documents"')


class AnnotateRequest(_Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to annotate, and how."""

    model: Annotated[str, Meta(description="A name of /v1/models, or the first.")] | None = None
    stages: Annotated[list[str], Meta(description="Stages of /v1/models; all of them otherwise.")] | None = (
        None
    )
    labels: Annotated[list[str], Meta(description="Labels to keep; all otherwise.")] | None = None
    min_score: Annotated[float, Meta(ge=0, le=1, description="Drop entities below this confidence.")] = 0.0


class DeidentifyRequest(_Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to take identifiers out of, and what becomes of them."""

    policy: Annotated[str, Meta(description="A policy of /v1/models, or the first.")] | None = None
    actions: Annotated[
        dict[str, Action], Meta(description=f"What becomes of some labels instead: {', '.join(LABELS)}.")
    ] = {}


class ConvertRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Annotated documents, with offsets in code points, and the format they are wanted in."""

    documents: list[dict[str, Any]]
    format: Annotated[str, Meta(description="A format of /v1/models.")]
    model: Annotated[str, Meta(description="What found the entities, for formats that tell.")] | None = None


class EntityAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mention; ``spans`` only where it is discontinuous."""

    id: str
    label: str
    start: Annotated[int, Meta(ge=0)]
    end: Annotated[int, Meta(ge=1)]
    text: str
    spans: list[tuple[int, int]] = []
    score: float | None = None
    attributes: dict[str, str] = {}
    attribute_scores: dict[str, float] = {}
    concepts: list[dict[str, Any]] = []


class RelationAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pair of entities, by their ids."""

    id: str
    label: str
    head: str
    tail: str
    score: float | None = None


class SectionAnswer(msgspec.Struct, frozen=True):
    """A titled part of a document."""

    label: str
    start: Annotated[int, Meta(ge=0)]
    end: Annotated[int, Meta(ge=1)]


class DocumentAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An annotated document; what is empty is left out."""

    id: str
    text: str | UnsetType = UNSET
    entities: list[EntityAnswer]
    relations: list[RelationAnswer] = []
    sentences: list[tuple[int, int]] = []
    sections: list[SectionAnswer] = []
    meta: dict[str, Any] = {}


class ChangeAnswer(msgspec.Struct, frozen=True):
    """Where something was changed: in the text that was given, and in the new one."""

    label: str
    start: int
    end: int
    new_start: int
    new_end: int


class DeidentifiedAnswer(DocumentAnswer, frozen=True, kw_only=True, omit_defaults=True):
    """A document without what identifies people; its entities are the marks in the new text."""

    changes: list[ChangeAnswer] | UnsetType = UNSET


class FailedDocument(msgspec.Struct, frozen=True):
    """A document without an answer, and why; the others go on."""

    id: str
    place: int
    reason: str


class AnnotateAnswer(msgspec.Struct, frozen=True):
    """The documents in the order they came in, but for those that failed."""

    documents: list[DocumentAnswer]
    model: str
    offsets: Offsets
    errors: list[FailedDocument]


class DeidentifyAnswer(msgspec.Struct, frozen=True):
    """The documents in the order they came in, but for those that failed."""

    documents: list[DeidentifiedAnswer]
    policy: str
    offsets: Offsets
    errors: list[FailedDocument]


class ModelAnswer(msgspec.Struct, frozen=True):
    """A model that can be asked for."""

    name: str
    labels: list[str]
    description: str
    licence: str
    language: str


class LimitsAnswer(msgspec.Struct, frozen=True):
    """The largest requests: bytes of a body, documents of a JSON request, characters of a document."""

    body_bytes: int
    documents: int
    characters: int


class ModelsAnswer(msgspec.Struct, frozen=True):
    """What this service offers."""

    models: list[ModelAnswer]
    default: str
    stages: list[str]
    policies: list[str]
    formats: list[str]
    project: bool
    limits: LimitsAnswer
    version: str


class StatusAnswer(msgspec.Struct, frozen=True):
    """Whether the service is there."""

    status: str


def as_document(given: Given, place: int) -> Document:
    """A document of a request; without an id it is numbered."""
    return Document(str(place) if given.id is None else given.id, given.text, meta=given.meta)
