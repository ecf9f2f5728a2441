"""The routes that work on documents: /v1/annotate and /v1/deidentify."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response, StreamingResponse

from medspan.jobs.annotating import reason_of
from medspan.serve.bodies import (
    JSON,
    LINES,
    check_documents,
    decoded,
    lines_of,
    media_type,
    query_of,
    read_body,
)
from medspan.serve.orders import pack
from medspan.serve.problems import HttpError
from medspan.serve.queue import as_error
from medspan.serve.schema import AnnotateRequest, DeidentifyRequest
from medspan.serve.told import told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request

    from medspan.serve.metrics import Metrics
    from medspan.serve.offers import Offers
    from medspan.serve.orders import Order
    from medspan.serve.queue import Answer, Queue
    from medspan.serve.settings import Limits
    from medspan.types import Document

_ANNOTATE = msgspec.json.Decoder(AnnotateRequest)
_DEIDENTIFY = msgspec.json.Decoder(DeidentifyRequest)
_LISTS = ("stages", "labels")
_OPTIONS = ("model", "min_score", "offsets", *_LISTS)
_ENCODER = msgspec.json.Encoder()


class _Asked:
    """A request that was understood: documents, what to do with them, and what stands beside the answers."""

    def __init__(self, documents: list[Document], order: Order, beside: Mapping[str, str]) -> None:
        self.documents, self.order, self.beside = documents, order, beside


class Texts:
    """Handlers of the routes.

    Args:
        queue: where documents go.
        offers: what can be asked for.
        limits: of requests.
        metrics: counts documents.
    """

    def __init__(self, queue: Queue, offers: Offers, limits: Limits, metrics: Metrics) -> None:
        self._queue, self._offers, self._limits, self._metrics = queue, offers, limits, metrics

    async def annotate(self, request: Request) -> Response:
        """POST /v1/annotate."""
        return await self._answer(request, self._to_annotate)

    async def deidentify(self, request: Request) -> Response:
        """POST /v1/deidentify."""
        return await self._answer(request, self._to_deidentify)

    def _to_annotate(self, request: Request, body: bytes, documents: list[Document] | None) -> _Asked:
        query = query_of(request, "echo", *(() if documents is None else _OPTIONS))
        echo = {"true": True, "false": False}.get(query.pop("echo", "true"))
        if echo is None:
            raise HttpError(422, "echo: must be true or false")
        asked = decoded(_ANNOTATE, body) if documents is None else _from_query(AnnotateRequest, query)
        order, name = self._offers.annotate(asked, echo=echo)
        found = asked.given() if documents is None else documents
        return _Asked(found, order, {"model": name, "offsets": asked.offsets})

    def _to_deidentify(self, request: Request, body: bytes, documents: list[Document] | None) -> _Asked:
        query = query_of(request, *(() if documents is None else ("policy", "offsets")))
        asked = decoded(_DEIDENTIFY, body) if documents is None else _from_query(DeidentifyRequest, query)
        order, name = self._offers.deidentify(asked)
        found = asked.given() if documents is None else documents
        return _Asked(found, order, {"policy": name, "offsets": asked.offsets})

    async def _answer(
        self, request: Request, understand: Callable[[Request, bytes, list[Document] | None], _Asked]
    ) -> Response:
        is_json = media_type(request, JSON, LINES) == JSON
        body = await read_body(request, self._limits)
        asked = understand(request, body, None if is_json else lines_of(body))
        check_documents(asked.documents, self._limits, is_json=is_json)
        route = request.scope["route"].path
        characters = sum(len(document.text) for document in asked.documents)
        self._metrics.documents.labels(route).inc(len(asked.documents))
        self._metrics.characters.labels(route).inc(characters)
        request.state.facts = {"documents": len(asked.documents), "characters": characters}
        answers = self._queue.answers(pack(asked.order), asked.documents)
        if LINES in request.headers.get("accept", "") or not is_json:
            return await self._streamed(asked, answers, route)
        return await self._whole(asked, answers, route)

    async def _whole(self, asked: _Asked, answers: AsyncIterator[Answer], route: str) -> Response:
        """All answers in one JSON object."""
        lines: list[bytes] = []
        errors: list[msgspec.Raw] = []
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for place, answer in _numbered(answers):
                    if answer.line:
                        lines.append(answer.line[:-1])
                    else:
                        errors.append(as_error(asked.documents[place].id, place, answer))
        except TimeoutError:
            raise HttpError(
                504,
                f"it took more than {self._limits.seconds:.0f} s; send fewer or shorter documents, or NDJSON",
            ) from None
        self._metrics.document_errors.labels(route).inc(len(errors))
        rest = _ENCODER.encode({**asked.beside, "errors": errors})
        return Response(b'{"documents":[' + b",".join(lines) + b"]," + rest[1:], media_type=JSON)

    async def _streamed(self, asked: _Asked, answers: AsyncIterator[Answer], route: str) -> Response:
        """An answer a line, each sent when it is there."""
        first = await anext(answers, None)  # a queue that is full is told before the stream begins

        async def stream() -> AsyncIterator[bytes]:
            place = -1
            try:
                if first is not None:
                    place = 0
                    yield self._line(asked, 0, first, route)
                while True:
                    async with asyncio.timeout(self._limits.seconds):
                        answer = await anext(answers, None)
                    if answer is None:
                        return
                    place += 1
                    yield self._line(asked, place, answer, route)
            except Exception as error:  # noqa: BLE001 - the answer was begun; its end says what went wrong
                reason = "it took too long" if isinstance(error, TimeoutError) else reason_of(error)
                row = {"place": place + 1, "reason": reason, "is_last": True}
                yield _ENCODER.encode({"error": row}) + b"\n"

        return StreamingResponse(stream(), media_type=LINES)

    def _line(self, asked: _Asked, place: int, answer: Answer, route: str) -> bytes:
        if answer.line:
            return answer.line
        self._metrics.document_errors.labels(route).inc()
        return b'{"error":' + bytes(as_error(asked.documents[place].id, place, answer)) + b"}\n"


async def _numbered(answers: AsyncIterator[Answer]) -> AsyncIterator[tuple[int, Answer]]:
    place = 0
    async for answer in answers:
        yield place, answer
        place += 1


def _from_query(kind: type[Any], query: dict[str, str]) -> Any:  # noqa: ANN401 - one of two structs
    """A request of NDJSON, whose options are query parameters, as one in JSON would be."""
    lists = {name: [part for part in query[name].split(",") if part] for name in _LISTS if name in query}
    try:
        return msgspec.convert({**query, **lists, "text": ""}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise HttpError(422, f"query: {told(error, kind)}") from None
