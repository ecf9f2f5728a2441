"""Bodies of requests: read within limits of size and time, decoded strictly."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import ClientDisconnect

from medspan.errors import did_you_mean
from medspan.serve.problems import GONE, HttpError
from medspan.serve.schema import Given, as_document
from medspan.serve.told import told

if TYPE_CHECKING:
    from starlette.requests import Request

    from medspan.serve.settings import Limits
    from medspan.types import Document

JSON, LINES = "application/json", "application/x-ndjson"
_SECONDS = 30.0
_BYTE = re.compile(r"\((byte \d+)\)$")

T = TypeVar("T")


def media_type(request: Request, *known: str) -> str:
    """The media type of a body.

    Raises:
        HttpError: 415 where it is none of those known, or is packed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in known:
        raise HttpError(415, f"Content-Type: must be {' or '.join(known)}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "Content-Encoding: send the body unpacked")
    return kind


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        HttpError: 413 where it is too large, 408 where it does not come, `GONE` where nobody waits any more.
    """
    too_large = HttpError(413, f"a body has {limits.body_bytes:,} bytes at most here; send several requests")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body_bytes:
        raise too_large
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > limits.body_bytes:
                    raise too_large
                pieces.append(piece)
    except TimeoutError:
        raise HttpError(408, f"the body did not come within {_SECONDS:.0f} s") from None
    except ClientDisconnect:
        raise HttpError(GONE, "whoever asked is gone") from None
    return b"".join(pieces)


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | str, where: str = "") -> T:
    """A struct from JSON.

    Raises:
        HttpError: 400 where it is not JSON, 422 where it is not of this form; the message names keys we know.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise HttpError(422, where + told(error, decoder.type)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else _malformed(str(error))
        raise HttpError(400, f"{where}the body is not JSON in UTF-8: {problem}") from None


def _malformed(message: str) -> str:
    """That it is no JSON, and where, as msgspec counts it; nothing else of its message."""
    if "truncated" in message:
        return "it is cut off"
    found = _BYTE.search(message)
    return f"malformed at {found[1]}" if found else "malformed"


def query_of(request: Request, *known: str) -> dict[str, str]:
    """The query parameters, each once.

    Raises:
        HttpError: 422 if one is unknown or stands twice.
    """
    items = request.query_params.multi_items()
    for name, _ in items:
        if name not in known:
            hint = did_you_mean(name, known) if known else "known: none"
            raise HttpError(422, f"a query parameter is unknown; {hint}")
    if len({name for name, _ in items}) != len(items):
        raise HttpError(422, "a query parameter stands twice")
    return dict(items)


_GIVEN = msgspec.json.Decoder(Given)


def lines_of(body: bytes) -> list[Document]:
    """The documents of a body in NDJSON.

    Raises:
        HttpError: 400 or 422, naming the line.
    """
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    return [
        as_document(decoded(_GIVEN, line, f"line {number}: "), place)
        for place, (number, line) in enumerate(lines)
    ]


def check_documents(documents: list[Document], limits: Limits, *, is_json: bool) -> None:
    """Refuse what is too much for one request.

    Raises:
        HttpError: 413.
    """
    if is_json and len(documents) > limits.documents:
        raise HttpError(
            413, f"a request has {limits.documents:,} documents at most here; send NDJSON or several requests"
        )
    for place, document in enumerate(documents):
        if len(document.text) > limits.characters:
            raise HttpError(
                413,
                f"documents[{place}]: a document has {limits.characters:,} characters at most here; split it",
            )
