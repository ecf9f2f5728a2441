"""The page: files of the package, read once, sent with what lets a browser keep them."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from medspan.serve.problems import HttpError

if TYPE_CHECKING:
    from starlette.requests import Request

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
INDEX = "index.html"


class _Asset(NamedTuple):
    data: bytes
    kind: str
    tag: str


class Page:
    """The files of the page, by name; what is not of a known kind is not sent."""

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        for file in files("medspan.serve").joinpath("web").iterdir():
            kind = _TYPES.get("." + file.name.rpartition(".")[2])
            if kind and file.is_file():
                data = file.read_bytes()
                tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
                self._assets[file.name] = _Asset(data, kind, tag)

    async def index(self, request: Request) -> Response:
        """GET /."""
        return self._sent(request, INDEX)

    async def asset(self, request: Request) -> Response:
        """GET /assets/NAME."""
        return self._sent(request, request.path_params["name"])

    def _sent(self, request: Request, name: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise HttpError(404, "there is no such file of the page")
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.data, headers={**headers, "Content-Type": asset.kind})
