"""Runs a service until it is told to stop."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from medspan.errors import MedspanError, UsageError
from medspan.serve.app import Service
from medspan.serve.protocol import PatientProtocol

if TYPE_CHECKING:
    from medspan.serve.settings import Settings

_GRACE = 30
_KEEP_ALIVE = 30
_BACKLOG = 2048
_OTHER_PORT = "choose another --port (0: a free one)"


class _Plain(logging.Filter):
    """Takes tracebacks out of what the server logs: they might show document text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without its exception."""
        record.exc_info = record.exc_text = None
        return True


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; what was accepted is answered before it ends.

    Raises:
        MedspanError: if it cannot start.
    """
    service = Service(settings)
    listening = _listen(settings)
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(_Plain())
    config = uvicorn.Config(
        service.app,
        http=PatientProtocol,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=_KEEP_ALIVE,
        backlog=_BACKLOG,
    )
    server = _Server(config, f"medspan serves http://{host}:{port}")
    # The server raises the signal again once it has ended well; that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server.run(sockets=[listening])
    if not server.started:
        raise service.failure or MedspanError("the service could not start")


class _Server(uvicorn.Server):
    """Says where it serves once it does."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            sys.stderr.write(self._line + "\n")
            sys.stderr.flush()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        is_address = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        remedy = "give an address of this machine as --host" if is_address else _OTHER_PORT
        raise UsageError(
            f"cannot listen at {settings.host}:{settings.port}: {error.strerror}; {remedy}"
        ) from None
    return listening
