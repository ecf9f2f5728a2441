"""Errors over HTTP: problem details (RFC 9457) that never hold text of a document."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

GONE = 499
"""Stands in the log for a request whose client left before it was answered (as of nginx); nobody gets it."""
MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    revision: int | None = None


class HttpError(Exception):
    """A request that cannot be done.

    Args:
        status: the HTTP status.
        detail: what is wrong and what to do, without text of a document.
        headers: for the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def busy(seconds: float) -> HttpError:
    """The service has too much to do; ``seconds`` is when there should be room."""
    wait = str(max(1, math.ceil(seconds)))
    return HttpError(429, f"too many documents wait already; try again in {wait} s", {"Retry-After": wait})


def problem_response(error: HttpError, request_id: str, revision: int | None = None) -> Response:
    """The answer for an error; with the present revision of a document that was changed in the meantime."""
    title = "Client Closed Request" if error.status == GONE else HTTPStatus(error.status).phrase
    problem = Problem(
        type="about:blank",
        title=title,
        status=error.status,
        detail=error.detail,
        request_id=request_id,
        revision=revision,
    )
    return Response(msgspec.json.encode(problem), error.status, error.headers, MEDIA_TYPE)
