"""The route /v1/convert: annotated documents in another format, as a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread
from starlette.responses import Response

from medspan import formats
from medspan.errors import MedspanError, did_you_mean
from medspan.formats.handout import handout
from medspan.formats.jsonl import from_json
from medspan.formats.protocol import WriteOptions
from medspan.serve.bodies import JSON, decoded, media_type, read_body
from medspan.serve.problems import HttpError
from medspan.serve.schema import ConvertRequest

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request

    from medspan.serve.settings import Limits
    from medspan.types import Document

_CONVERT = msgspec.json.Decoder(ConvertRequest)
_STEM = "documents"


def known_formats() -> list[str]:
    """What documents can be converted to."""
    return sorted(formats.WRITERS)


class Converter:
    """Handler of the route.

    Args:
        limits: of requests.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def convert(self, request: Request) -> Response:
        """POST /v1/convert."""
        media_type(request, JSON)
        asked = decoded(_CONVERT, await read_body(request, self._limits))
        if asked.format not in formats.WRITERS:
            raise HttpError(422, f"format: no such format; {did_you_mean(asked.format, formats.WRITERS)}")
        documents = [_document(value, place) for place, value in enumerate(asked.documents)]
        options = WriteOptions(model=asked.model)
        try:
            file = await to_thread.run_sync(partial(handout, documents, asked.format, _STEM, options))
        except MedspanError as error:
            if isinstance(error.__cause__, OSError):
                raise HttpError(507, "the service cannot write the file; free some of its disk") from None
            raise HttpError(422, f"{asked.format}: this format cannot hold one of the documents") from None
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.content, headers={**headers, "Content-Type": file.media_type})


def _document(value: dict[str, Any], place: int) -> Document:
    try:
        return from_json(value, str(place))
    except MedspanError:
        raise HttpError(
            422, f"documents[{place}]: not an annotated document, or its offsets do not fit its text"
        ) from None
