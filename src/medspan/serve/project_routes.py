"""The routes of a project, ``/v1/project/...``: documents to annotate, annotators, training.

Everything that waits (SQLite, models, files) runs in a thread of its own. Errors are medspan's own, with no
text of a document; `status_of` says which answer each stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

import msgspec
from anyio import to_thread
from msgspec import Meta
from starlette.responses import Response
from starlette.routing import Route

from medspan.errors import DataError, MedspanError, UsageError, did_you_mean
from medspan.formats.jsonl import from_json
from medspan.project.agreement import agreement
from medspan.project.annotations import check_annotator
from medspan.project.exporting import export
from medspan.project.structs import (
    Agreement,
    ConflictError,
    Mark,
    NotFoundError,
    Run,
    Saved,
    Start,
    Summary,
    to_json,
)
from medspan.project.suggesting import rate
from medspan.project.training import Order, begin_training
from medspan.text.utf16 import from_utf16, to_utf16

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request

    from medspan.project import Project
    from medspan.project.documents import Order as Ordering
    from medspan.project.documents import Wanted
    from medspan.types import Document

Offsets = Literal["codepoint", "utf16"]
_MOST_BYTES = 64 << 20
_MOST_LISTED = 1000
_Body = TypeVar("_Body", bound=msgspec.Struct)
_Known = TypeVar("_Known", bound=str)


class Services(Protocol):
    """What the routes ask of the app."""

    def default_model(self) -> tuple[str, Path]:
        """Name and folder of the model that stands before a run of the project was accepted."""
        ...

    def add_model(self, name: str, folder: Path) -> None:
        """Offer a model by name; one of the same name is replaced."""
        ...


class MediaTypeError(UsageError):
    """The body is of another media type than the route takes."""


class TooLargeError(UsageError):
    """The body is larger than the route takes."""


class BodyError(UsageError):
    """The body is no JSON."""


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


def status_of(error: MedspanError) -> int:
    """The HTTP status of an error that a route of the project raised."""
    kinds: list[tuple[type[MedspanError], int]] = [
        (NotFoundError, 404),
        (ConflictError, 409),
        (MediaTypeError, 415),
        (TooLargeError, 413),
        (BodyError, 400),
        (UsageError, 422),
        (DataError, 422),
    ]
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def project_routes(project: Project, services: Services) -> list[Route]:
    """Routes of a project; models of its runs that were accepted are offered at once.

    Args:
        project: open, and closed by the caller in the end.
        services: of the app.
    """
    for run in project.runs.all():
        if run.accepted:
            services.add_model(project.runs.model_name(run.number), project.runs.model_folder(run.number))
    site = _Site(project, services)
    document = "/v1/project/documents/{id}"
    return [
        Route("/v1/project", site.summary, methods=["GET"]),
        Route("/v1/project", site.set_labels, methods=["PATCH"]),
        Route("/v1/project/documents", site.add_documents, methods=["POST"]),
        Route("/v1/project/documents", site.list_documents, methods=["GET"]),
        Route(document, site.get_document, methods=["GET"]),
        Route(document, site.save_document, methods=["PUT"]),
        Route(f"{document}/undo", site.undo, methods=["POST"]),
        Route(f"{document}/redo", site.redo, methods=["POST"]),
        Route("/v1/project/agreement", site.agreement, methods=["GET"]),
        Route("/v1/project/export", site.export, methods=["GET"]),
        Route("/v1/project/suggest", site.suggest, methods=["POST"]),
        Route("/v1/project/train", site.train, methods=["POST"]),
        Route("/v1/project/train", site.last_run, methods=["GET"]),
        Route("/v1/project/train/stop", site.stop, methods=["POST"]),
        Route("/v1/project/runs/{number}/accept", site.accept, methods=["POST"]),
    ]


class _Site:
    """The endpoints of one project."""

    def __init__(self, project: Project, services: Services) -> None:
        self._project, self._services = project, services

    def _model(self) -> tuple[str, Path]:
        """Name and folder of the present model."""
        return self._project.model() or self._services.default_model()

    async def summary(self, request: Request) -> Response:
        """``GET /v1/project``."""
        _query(request)
        return _answer(await _apart(self._summary))

    def _summary(self) -> Summary:
        return self._project.summary(self._services.default_model()[0])

    async def set_labels(self, request: Request) -> Response:
        """``PATCH /v1/project``."""
        _query(request)
        body = await _body(request, LabelsBody)

        def work() -> Summary:
            self._project.set_labels(body.labels)
            return self._summary()

        return _answer(await _apart(work))

    async def add_documents(self, request: Request) -> Response:
        """``POST /v1/project/documents``."""
        unit = _offsets(_query(request, "offsets"))
        body = await _body(request, DocumentsBody)

        def work() -> dict[str, int]:
            documents = [_document(value, place, unit) for place, value in enumerate(body.documents)]
            added = self._project.documents.add(documents, body.split)
            if self._project.documents.unrated():
                rate(self._project, *self._model())
            return {"added": added.added, "known": added.known}

        return _answer(await _apart(work))

    async def list_documents(self, request: Request) -> Response:
        """``GET /v1/project/documents``."""
        query = _query(request, "annotator", "state", "order", "limit", "offset", "offsets")
        wanted: Wanted = _one_of("state", query.get("state", "all"), ("open", "done", "skipped", "all"))
        ordering: Ordering = _one_of("order", query.get("order", "suggested"), ("suggested", "given"))
        limit = _number("limit", query.get("limit", "50"), 1, _MOST_LISTED)
        offset = _number("offset", query.get("offset", "0"), 0, 2**53)
        annotator = _annotator(query) if "annotator" in query else ""
        page = self._project.documents.page
        return _answer(
            await _apart(lambda: page(annotator, wanted=wanted, order=ordering, limit=limit, offset=offset))
        )

    async def get_document(self, request: Request) -> Response:
        """``GET /v1/project/documents/ID``."""
        return await self._of_document(request, self._project.annotations.get)

    async def undo(self, request: Request) -> Response:
        """``POST /v1/project/documents/ID/undo``."""
        return await self._of_document(request, self._project.annotations.undo)

    async def redo(self, request: Request) -> Response:
        """``POST /v1/project/documents/ID/redo``."""
        return await self._of_document(request, self._project.annotations.redo)

    async def _of_document(self, request: Request, work: Callable[[str, str], Saved]) -> Response:
        query = _query(request, "annotator", "offsets")
        unit, annotator, identity = _offsets(query), _annotator(query), request.path_params["id"]
        return _saved(await _apart(lambda: work(identity, annotator)), unit)

    async def save_document(self, request: Request) -> Response:
        """``PUT /v1/project/documents/ID``."""
        query = _query(request, "annotator", "offsets")
        unit, annotator, identity = _offsets(query), _annotator(query), request.path_params["id"]
        body = await _body(request, SaveBody)

        def work() -> Saved:
            text = self._project.documents.get(identity).text
            move = from_utf16(text) if unit == "utf16" else _same
            marks = [Mark(move(mark.start), move(mark.end), mark.label) for mark in body.entities]
            return self._project.annotations.save(
                identity, annotator, marks=marks, state=body.state, revision=body.revision
            )

        return _saved(await _apart(work), unit)

    async def agreement(self, request: Request) -> Response:
        """``GET /v1/project/agreement``."""
        unit = _offsets(_query(request, "offsets"))

        def work() -> Agreement:
            found = agreement(self._project)
            return _in_utf16(found, self._project) if unit == "utf16" else found

        return _answer(await _apart(work))

    async def export(self, request: Request) -> Response:
        """``GET /v1/project/export``."""
        query = _query(request, "format", "annotator", "offsets")
        if _offsets(query) != "codepoint":
            raise UsageError("offsets: files count in code points; leave it out")
        wanted, annotator = query.get("format", "jsonl"), query.get("annotator")
        whose = None if annotator in (None, "", "all") else annotator
        file = await _apart(lambda: export(self._project, wanted, whose))
        quoted = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in file.name)
        headers = {"Content-Disposition": f'attachment; filename="{quoted}"'}
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def suggest(self, request: Request) -> Response:
        """``POST /v1/project/suggest``."""
        _query(request)
        return _answer({"rated": await _apart(lambda: rate(self._project, *self._model()))})

    async def train(self, request: Request) -> Response:
        """``POST /v1/project/train``."""
        _query(request)
        body = await _body(request, TrainBody, empty=TrainBody())

        def work() -> Run:
            model = self._model()[1]
            return begin_training(self._project, Order(model, body.annotator, body.minutes, body.start))

        return _answer(await _apart(work), 201)

    async def last_run(self, request: Request) -> Response:
        """``GET /v1/project/train``."""
        _query(request)
        run = await _apart(self._project.runs.last)
        if run is None:
            raise NotFoundError("nothing was trained in this project yet")
        return _answer(run)

    async def stop(self, request: Request) -> Response:
        """``POST /v1/project/train/stop``."""
        _query(request)
        return _answer(await _apart(self._project.runs.stop))

    async def accept(self, request: Request) -> Response:
        """``POST /v1/project/runs/N/accept``."""
        _query(request)
        number = _number("run", request.path_params["number"], 1, 2**53)

        def work() -> Run:
            self._project.accept(number)
            self._services.add_model(*self._model())
            rate(self._project, *self._model())
            return self._project.runs.get(number)

        return _answer(await _apart(work))


_Result = TypeVar("_Result")


def _apart(work: Callable[[], _Result]) -> Awaitable[_Result]:
    """Run what waits in a thread."""
    return to_thread.run_sync(work)


def _answer(value: object, status: int = 200) -> Response:
    return Response(to_json(value), status, media_type="application/json")


def _saved(saved: Saved, unit: Offsets) -> Response:
    if unit == "utf16":
        move = to_utf16(saved.text)
        marks = tuple(
            msgspec.structs.replace(m, start=move(m.start), end=move(m.end)) for m in saved.entities
        )
        saved = msgspec.structs.replace(saved, entities=marks)
    return _answer(saved)


def _in_utf16(found: Agreement, project: Project) -> Agreement:
    moves = {str(row.number): to_utf16(row.text) for row in project.documents.all()}
    moved = tuple(
        msgspec.structs.replace(each, start=moves[each.id](each.start), end=moves[each.id](each.end))
        for each in found.disagreements
    )
    return msgspec.structs.replace(found, disagreements=moved)


async def _body(request: Request, kind: type[_Body], *, empty: _Body | None = None) -> _Body:
    """The body as a struct.

    Raises:
        MediaTypeError, TooLargeError, BodyError: as their names say.
        UsageError: if it is JSON and not what the route takes; the message holds no value of it.
    """
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BYTES:
            raise TooLargeError(f"the body is larger than {_MOST_BYTES:,} bytes; send less at a time")
    if not data and empty is not None:
        return empty
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise MediaTypeError("Content-Type: must be application/json")
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BodyError("the body is not valid JSON") from None
    try:
        return msgspec.convert(raw, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"the body is not what this route takes: {_plain(error)}") from None


def _plain(error: Exception) -> str:
    """What is wrong with a body, without values of it: msgspec quotes unknown ones."""
    message = str(error)
    if message.startswith("Object contains unknown field"):
        return "it holds an unknown field"
    if message.startswith("Invalid enum value"):
        return f"a value is none of those allowed{message[message.rfind(' - at') :]}"
    return message


def _query(request: Request, *known: str) -> dict[str, str]:
    """The query parameters, each once.

    Raises:
        UsageError: if one is unknown or stands twice.
    """
    items = request.query_params.multi_items()
    for name, _ in items:
        if name not in known:
            raise UsageError(
                f"a query parameter is unknown; {did_you_mean(name, known) if known else 'known: none'}"
            )
    if len({name for name, _ in items}) != len(items):
        raise UsageError("a query parameter stands twice")
    return dict(items)


def _offsets(query: dict[str, str]) -> Offsets:
    return _one_of("offsets", query.get("offsets", "codepoint"), ("codepoint", "utf16"))


def _annotator(query: dict[str, str]) -> str:
    if "annotator" not in query:
        raise UsageError("annotator: say who annotates, with ?annotator=NAME")
    check_annotator(query["annotator"])
    return query["annotator"]


def _one_of(name: str, value: str, allowed: tuple[_Known, ...]) -> _Known:
    for each in allowed:
        if value == each:
            return each
    raise UsageError(f"{name}: must be one of {', '.join(allowed)}")


def _number(name: str, value: str, least: int, most: int) -> int:
    if (
        not value.isascii()
        or not value.isdigit()
        or len(value) > len(str(most))
        or not least <= int(value) <= most
    ):
        raise UsageError(f"{name}: must be a number from {least} to {most}")
    return int(value)


def _document(value: dict[str, Any], place: int, unit: Offsets) -> Document:
    """A document of a body; its offsets may count UTF-16 code units.

    Raises:
        DataError: if the value does not describe a document.
    """
    text = value.get("text")
    if unit == "utf16" and isinstance(text, str):
        move = from_utf16(text)
        value = {name: _moved(part, move) if name == "entities" else part for name, part in value.items()}
        value.pop("sentences", None)
        value.pop("sections", None)
    return from_json(value, f"document {place + 1}")


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


def _same(offset: int) -> int:
    return offset
