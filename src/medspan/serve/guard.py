"""What stands before every route: who may ask, how much, how long; and what is counted and logged.

A plain ASGI middleware. The log gets a line a request with the route's template, status and time: never the
path as it came, a header, an id or text.
"""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.jobs.annotating import reason_of
from medspan.serve.problems import HttpError, problem_response

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from medspan.serve.keys import KeyFile
    from medspan.serve.metrics import Metrics

OPEN_ROUTES = frozenset({"/", "/healthz", "/readyz", "/openapi.json", "/assets/{name}"})
_PROBED = frozenset({"/healthz", "/readyz"})
"""Told under any name: those who look whether the service lives call it by its address."""
_UNMATCHED = "other"
_BUG = "this is a bug in medspan; please report it with the request id"
_READING = frozenset({"GET", "HEAD"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_NO_STORE = (b"cache-control", b"no-store")


class Guard:
    """Checks requests before the app sees them, and sees to it that each gets one well-formed answer.

    Args:
        app: what answers.
        metrics: counts requests.
        keys: who may ask; None for anyone who can reach the service.
        hosts: names by which it may be called; any where None. On a loopback address this keeps pages of
            other sites out, whose names can be made to point here (DNS rebinding).
        log: writes a line a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        keys: KeyFile | None = None,
        hosts: frozenset[str] | None = None,
        log: Callable[[str], None],
    ) -> None:
        self._app, self._metrics, self._keys, self._hosts = app, metrics, keys, hosts
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        turn = _Turn(scope, send)
        scope["state"] = {**scope.get("state", {}), "request_id": turn.request_id}
        try:
            self._check(turn, scope)
            await self._app(scope, receive, turn.send)
        except HttpError as error:
            await turn.refuse(error, scope, receive)
        except Exception as error:  # noqa: BLE001 - a bug of ours; a traceback might show document text
            turn.note = reason_of(error)
            await turn.refuse(HttpError(500, _BUG), scope, receive)
        finally:
            self._count(turn, scope)

    def _check(self, turn: _Turn, scope: Scope) -> None:
        headers = dict(scope["headers"])
        host = _name(headers.get(b"host", b"").decode("latin-1"))
        if self._hosts is not None and host not in self._hosts and scope["path"] not in _PROBED:
            raise HttpError(421, "this service is not called so; start it with --allow-host to call it so")
        if scope["method"] not in _READING and _is_from_elsewhere(headers):
            raise HttpError(403, "a page of another site may not ask this service")
        path = scope["path"]
        if self._keys is None or path in OPEN_ROUTES or path.startswith("/assets/"):
            return
        kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        turn.caller = self._keys.name_of(key.strip()) if kind.lower() == "bearer" else None
        if turn.caller is None:
            raise HttpError(401, "give a key: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})

    def _count(self, turn: _Turn, scope: Scope) -> None:
        route = scope.get("route")
        path = getattr(route, "path", _UNMATCHED) if turn.status not in {404, 401, 421} else _UNMATCHED
        method = scope["method"] if scope["method"] in _METHODS else _UNMATCHED
        seconds = time.perf_counter() - turn.began
        self._metrics.requests.labels(path, method, str(turn.status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        facts: dict[str, Any] = {
            "time": now(),
            "request_id": turn.request_id,
            "method": method,
            "route": path,
            "status": turn.status,
            "ms": round(1000 * seconds, 1),
            **scope["state"].get("facts", {}),
        }
        if turn.caller:
            facts["caller"] = turn.caller
        if turn.note:
            facts["error"] = turn.note
        self._log(msgspec.json.encode(facts).decode())


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Turn:
    """One request on its way to one answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.began = time.perf_counter()
        self.request_id = secrets.token_hex(8)
        self.status = 0
        self.caller: str | None = None
        self.note = ""

    async def send(self, message: Message) -> None:
        """Pass a message on, with the headers every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._headers(message)}
        await self._send(message)

    def _headers(self, message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
        own = list(message.get("headers", ()))
        named = {name.lower() for name, _ in own}
        added = [*SECURITY, (b"x-request-id", self.request_id.encode()), _NO_STORE]
        return own + [(name, value) for name, value in added if name not in named]

    async def refuse(self, error: HttpError, scope: Scope, receive: Receive) -> None:
        """Answer with an error, unless an answer has been begun: then the connection breaks, as it must."""
        if self.status:
            self.note = self.note or error.detail
            raise ConnectionAbortedError("the answer was begun and cannot be completed")
        await problem_response(error, self.request_id)(scope, receive, self.send)


def _name(host: str) -> str:
    """A ``Host`` header without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_from_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser sends this for a page of another site."""
    if headers.get(b"sec-fetch-site", b"none") in {b"cross-site", b"same-site"}:
        return True
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host", b"")


def now() -> str:
    """The time, as the log has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def to_stderr(line: str) -> None:
    """Write a line of the log."""
    sys.stderr.write(line + "\n")
