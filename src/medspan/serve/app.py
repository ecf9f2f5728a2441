"""The application: routes, what they need, and what begins and ends with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.routing import Route

from medspan import __version__
from medspan.errors import MedspanError
from medspan.jobs.pool import COMMAND, Pool
from medspan.jobs.wire import Setup
from medspan.model.session import available_cores
from medspan.project import Project
from medspan.project.structs import ConflictError
from medspan.serve import openapi
from medspan.serve.bodies import JSON
from medspan.serve.convert import Converter, known_formats
from medspan.serve.guard import Guard, now, to_stderr
from medspan.serve.keys import KeyFile
from medspan.serve.metrics import Metrics
from medspan.serve.offers import Offers
from medspan.serve.orders import pack
from medspan.serve.problems import HttpError, problem_response
from medspan.serve.project_routes import project_routes, status_of
from medspan.serve.queue import Queue
from medspan.serve.schema import LimitsAnswer, ModelsAnswer, StatusAnswer
from medspan.serve.static import Page
from medspan.serve.texts import Texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, ExceptionHandler

    from medspan.serve.settings import Settings

WORKER = "medspan.serve.worker"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Service:
    """A service: `app` is its ASGI application.

    Args:
        settings: what to serve.
        log: writes a line a request; standard error otherwise.

    Raises:
        MedspanError: if a model, stage, policy or key file is not there or broken.
    """

    def __init__(self, settings: Settings, log: Callable[[str], None] = to_stderr) -> None:
        self.settings = settings
        self.failure: MedspanError | None = None
        """Why it could not start."""
        self.offers = Offers(settings)
        self._project = _project_of(settings, self.offers)
        self.metrics = Metrics()
        workers = settings.workers or available_cores()
        setup = Setup(model="", more=msgspec.msgpack.encode(self.offers.offer))
        self._pool = Pool(setup, workers, command=worker_command(WORKER), seconds=settings.limits.seconds)
        self.queue = Queue(self._pool, workers, settings.limits.waiting, self.metrics)
        keys = None if settings.keys is None else KeyFile(settings.keys, partial(_tell, log))
        self._has_keys = keys is not None
        hosts = None
        if settings.is_local or settings.hosts:
            hosts = frozenset({*_LOCAL_NAMES, settings.host.lower(), *map(str.lower, settings.hosts)})
        self.app: ASGIApp = Guard(self._starlette(), self.metrics, keys=keys, hosts=hosts, log=log)

    def _starlette(self) -> Starlette:
        texts = Texts(self.queue, self.offers, self.settings.limits, self.metrics)
        page = Page()
        routes = [
            Route("/v1/annotate", texts.annotate, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/convert", Converter(self.settings.limits).convert, methods=["POST"]),
            Route("/healthz", self._health, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/assets/{name}", page.asset, methods=["GET"]),
            Route("/", page.index, methods=["GET"]),
        ]
        if self._project is not None:
            routes += project_routes(self._project, _Services(self.offers), self.settings.limits)
        if self.offers.policies:
            routes.insert(1, Route("/v1/deidentify", texts.deidentify, methods=["POST"]))
        app = _App(routes=routes, lifespan=self._lifespan)
        app.router.redirect_slashes = False
        return app

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            await self._start()
            yield
        finally:
            await self.queue.stop()
            if self._project is not None:
                self._project.close()

    async def _start(self) -> None:
        try:
            await self.queue.start([pack(order) for order in self.offers.first_orders()])
        except MedspanError as error:
            self.failure = error
            raise

    async def _models(self, _request: Request) -> Response:
        limits = self.settings.limits
        return _json(
            ModelsAnswer(
                list(self.offers.models.values()),
                self.offers.default,
                list(self.offers.stages),
                list(self.offers.policies),
                known_formats(),
                self._project is not None,
                LimitsAnswer(limits.body_bytes, limits.documents, limits.characters),
                __version__,
            )
        )

    async def _health(self, _request: Request) -> Response:
        return _json(StatusAnswer("ok"))

    async def _ready(self, _request: Request) -> Response:
        if self.queue.is_running:
            return _json(StatusAnswer("ready"))
        return _json(StatusAnswer("not ready"), 503)

    async def _metrics(self, _request: Request) -> Response:
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _openapi(self, _request: Request) -> Response:
        has_project = self._project is not None  # whose models join the others as they are accepted
        found = openapi.document(self.offers, has_keys=self._has_keys, has_project=has_project)
        return Response(msgspec.json.encode(found), media_type=JSON)


class _App(Starlette):
    """Starlette without its outermost layer, which answers a bug in plain text; `Guard` does that instead."""

    def build_middleware_stack(self) -> ASGIApp:
        """The router, with the answers for errors that routes raise on purpose."""
        return ExceptionMiddleware(self.router, handlers=PROBLEMS)


class _Services:
    """What routes of a project ask of the app."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._first = offers.default

    def default_model(self) -> tuple[str, Path]:
        """Name and folder of the model that stands before a run of the project was accepted."""
        return self._first, self._offers.folder(self._first)

    def add_model(self, name: str, folder: Path) -> None:
        """Offer a model by name, also to requests that name none; one of the same name is replaced."""
        self._offers.add(folder, name)
        self._offers.default = name


def _project_of(settings: Settings, offers: Offers) -> Project | None:
    """The project of a service, opened; a new one has the labels of the model."""
    if settings.project is None:
        return None
    return Project(settings.project, labels=offers.models[offers.default].labels)


def worker_command(module: str) -> tuple[str, ...]:
    """How a worker process of a module is started."""
    return (*COMMAND[:-1], module)


def _tell(log: Callable[[str], None], problem: str) -> None:
    log(msgspec.json.encode({"time": now(), "error": problem}).decode())


def _json(answer: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type=JSON)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)  # noqa: S101 - for the type checker
    return problem_response(error, request.state.request_id)


def _methods(request: Request) -> list[str]:
    """The methods of a path, which may be of several routes."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    path = request.scope["path"]
    return sorted(
        {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    )


async def _problem_of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, MedspanError)  # noqa: S101 - for the type checker
    revision = error.revision if isinstance(error, ConflictError) else None
    return problem_response(HttpError(status_of(error), str(error)), request.state.request_id, revision)


async def _problem_of_starlette(request: Request, error: Exception) -> Response:
    """404 and 405, which say nothing of the path that was asked for."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    headers = {"Allow": ", ".join(_methods(request))} if error.status_code == 405 else {}  # noqa: PLR2004 - HTTP
    told = {404: "there is nothing here; see /openapi.json", 405: "this method is not for this path"}
    return problem_response(
        HttpError(error.status_code, told.get(error.status_code, "this cannot be done"), headers),
        request.state.request_id,
    )


PROBLEMS: dict[Any, ExceptionHandler] = {
    HttpError: _problem,
    HTTPException: _problem_of_starlette,
    MedspanError: _problem_of_ours,
}
"""The answers for errors that a route raises."""
