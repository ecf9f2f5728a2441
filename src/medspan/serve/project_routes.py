"""The routes of a project, ``/v1/project/...``: documents to annotate, annotators, training.

Everything that waits (SQLite, models, files) runs in a thread of its own. Errors are medspan's own, with no
text of a document; `status_of` says which answer each stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from anyio import to_thread
from starlette.responses import Response
from starlette.routing import Route

from medspan.errors import DataError, MedspanError, UsageError
from medspan.project.agreement import agreement
from medspan.project.exporting import export
from medspan.project.structs import (
    Agreement,
    ConflictError,
    Mark,
    NotFoundError,
    Run,
    Saved,
    Summary,
    to_json,
)
from medspan.project.suggesting import rate
from medspan.project.training import Order, begin_training
from medspan.serve.bodies import JSON, decoded, media_type, query_of, read_body
from medspan.serve.project_bodies import (
    DocumentsBody,
    LabelsBody,
    Offsets,
    SaveBody,
    TrainBody,
    annotator_of,
    document_of,
    number_of,
    offsets_of,
    one_of,
)
from medspan.text.utf16 import from_utf16, to_utf16

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request

    from medspan.project import Project
    from medspan.project.documents import Order as Ordering
    from medspan.project.documents import Wanted
    from medspan.serve.settings import Limits

_MOST_LISTED = 1000
_LABELS = msgspec.json.Decoder(LabelsBody)
_DOCUMENTS = msgspec.json.Decoder(DocumentsBody)
_SAVE = msgspec.json.Decoder(SaveBody)
_TRAIN = msgspec.json.Decoder(TrainBody)
_Body = TypeVar("_Body", bound=msgspec.Struct)


class Services(Protocol):
    """What the routes ask of the app."""

    def default_model(self) -> tuple[str, Path]:
        """Name and folder of the model that stands before a run of the project was accepted."""
        ...

    def add_model(self, name: str, folder: Path) -> None:
        """Offer a model by name, also to requests that name none; one of the same name is replaced."""
        ...


def status_of(error: MedspanError) -> int:
    """The HTTP status of an error that a route of the project raised."""
    kinds: list[tuple[type[MedspanError], int]] = [
        (NotFoundError, 404),
        (ConflictError, 409),
        (UsageError, 422),
        (DataError, 422),
    ]
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def project_routes(project: Project, services: Services, limits: Limits) -> list[Route]:
    """Routes of a project; models of its runs that were accepted are offered at once.

    Args:
        project: open, and closed by the caller in the end.
        services: of the app.
        limits: of requests.
    """
    for run in project.runs.all():
        if run.accepted:
            services.add_model(project.runs.model_name(run.number), project.runs.model_folder(run.number))
    if present := project.model():
        services.add_model(*present)
    site = _Site(project, services, limits)
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

    def __init__(self, project: Project, services: Services, limits: Limits) -> None:
        self._project, self._services, self._limits = project, services, limits

    async def _body(self, request: Request, decoder: msgspec.json.Decoder[_Body]) -> _Body:
        """The body of a request.

        Raises:
            HttpError: if it is too large or not of this form.
        """
        media_type(request, JSON)
        return decoded(decoder, await read_body(request, self._limits))

    def _model(self) -> tuple[str, Path]:
        """Name and folder of the present model."""
        return self._project.model() or self._services.default_model()

    async def summary(self, request: Request) -> Response:
        """``GET /v1/project``."""
        query_of(request)
        return _answer(await _apart(self._summary))

    def _summary(self) -> Summary:
        return self._project.summary(self._services.default_model()[0])

    async def set_labels(self, request: Request) -> Response:
        """``PATCH /v1/project``."""
        query_of(request)
        body = await self._body(request, _LABELS)

        def work() -> Summary:
            self._project.set_labels(body.labels)
            return self._summary()

        return _answer(await _apart(work))

    async def add_documents(self, request: Request) -> Response:
        """``POST /v1/project/documents``."""
        unit = offsets_of(query_of(request, "offsets"))
        body = await self._body(request, _DOCUMENTS)

        def work() -> dict[str, int]:
            documents = [document_of(value, place, unit) for place, value in enumerate(body.documents)]
            added = self._project.documents.add(documents, body.split)
            if self._project.documents.unrated():
                rate(self._project, *self._model())
            return {"added": added.added, "known": added.known}

        return _answer(await _apart(work))

    async def list_documents(self, request: Request) -> Response:
        """``GET /v1/project/documents``."""
        query = query_of(request, "annotator", "state", "order", "limit", "offset", "offsets")
        wanted: Wanted = one_of("state", query.get("state", "all"), ("open", "done", "skipped", "all"))
        ordering: Ordering = one_of("order", query.get("order", "suggested"), ("suggested", "given"))
        limit = number_of("limit", query.get("limit", "50"), 1, _MOST_LISTED)
        offset = number_of("offset", query.get("offset", "0"), 0, 2**53)
        annotator = annotator_of(query) if "annotator" in query else ""
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
        query = query_of(request, "annotator", "offsets")
        unit, annotator, identity = offsets_of(query), annotator_of(query), request.path_params["id"]
        return _saved(await _apart(lambda: work(identity, annotator)), unit)

    async def save_document(self, request: Request) -> Response:
        """``PUT /v1/project/documents/ID``."""
        query = query_of(request, "annotator", "offsets")
        unit, annotator, identity = offsets_of(query), annotator_of(query), request.path_params["id"]
        body = await self._body(request, _SAVE)

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
        unit = offsets_of(query_of(request, "offsets"))

        def work() -> Agreement:
            found = agreement(self._project)
            return _in_utf16(found, self._project) if unit == "utf16" else found

        return _answer(await _apart(work))

    async def export(self, request: Request) -> Response:
        """``GET /v1/project/export``."""
        query = query_of(request, "format", "annotator", "offsets")
        if offsets_of(query) != "codepoint":
            raise UsageError("offsets: files count in code points; leave it out")
        wanted, annotator = query.get("format", "jsonl"), query.get("annotator")
        whose = None if annotator in (None, "", "all") else annotator
        file = await _apart(lambda: export(self._project, wanted, whose))
        quoted = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in file.name)
        headers = {"Content-Disposition": f'attachment; filename="{quoted}"'}
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def suggest(self, request: Request) -> Response:
        """``POST /v1/project/suggest``."""
        query_of(request)
        return _answer({"rated": await _apart(lambda: rate(self._project, *self._model()))})

    async def train(self, request: Request) -> Response:
        """``POST /v1/project/train``."""
        query_of(request)
        body = await self._body(request, _TRAIN)

        def work() -> Run:
            model = self._model()[1]
            return begin_training(self._project, Order(model, body.annotator, body.minutes, body.start))

        return _answer(await _apart(work), 201)

    async def last_run(self, request: Request) -> Response:
        """``GET /v1/project/train``."""
        query_of(request)
        run = await _apart(self._project.runs.last)
        if run is None:
            raise NotFoundError("nothing was trained in this project yet")
        return _answer(run)

    async def stop(self, request: Request) -> Response:
        """``POST /v1/project/train/stop``."""
        query_of(request)
        return _answer(await _apart(self._project.runs.stop))

    async def accept(self, request: Request) -> Response:
        """``POST /v1/project/runs/N/accept``."""
        query_of(request)
        number = number_of("run", request.path_params["number"], 1, 2**53)

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


def _same(offset: int) -> int:
    return offset
