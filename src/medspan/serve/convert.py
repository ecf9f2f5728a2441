"""The route /v1/convert: annotated documents in another format, as a file."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread
from starlette.responses import Response

from medspan import formats
from medspan.errors import MedspanError, did_you_mean
from medspan.formats.jsonl import from_json
from medspan.serve.bodies import JSON, decoded, media_type, read_body
from medspan.serve.problems import HttpError
from medspan.serve.schema import ConvertRequest

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request

    from medspan.serve.settings import Limits
    from medspan.types import Document

_CONVERT = msgspec.json.Decoder(ConvertRequest)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": JSON,
    ".xml": "text/xml",
    ".zip": "application/zip",
}
_OTHER = "application/octet-stream"
FILE_KINDS = (_OTHER, *sorted({kind.partition(";")[0] for kind in _KINDS.values()}))
"""Media types of what is sent."""
FOLDERS = frozenset({"brat", "i2b2-2009", "hf", "text"})
"""Formats of several files; they come as a zip."""


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
        name, data = await to_thread.run_sync(partial(packed, documents, asked.format))
        kind = _KINDS.get(Path(name).suffix, _OTHER)
        return Response(
            data, headers={"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": kind}
        )


def _document(value: dict[str, Any], place: int) -> Document:
    try:
        return from_json(value, str(place))
    except MedspanError:
        raise HttpError(
            422, f"documents[{place}]: not an annotated document, or its offsets do not fit its text"
        ) from None


def packed(documents: list[Document], name: str) -> tuple[str, bytes]:
    """Documents in a format: the name of a file, and its bytes.

    Raises:
        HttpError: 422 where the format cannot hold them.
    """
    with TemporaryDirectory(prefix="medspan-") as folder:
        path = Path(folder) / ("documents" if name in FOLDERS else f"documents{formats.extension_of(name)}")
        try:
            formats.write(documents, path, name)
        except MedspanError:
            raise HttpError(422, f"{name}: this format cannot hold one of the documents") from None
        if path.is_file():
            return path.name, path.read_bytes()
        return "documents.zip", _zipped(path)


def _zipped(folder: Path) -> bytes:
    """A folder as a zip with the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())
    return buffer.getvalue()
