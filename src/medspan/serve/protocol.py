"""HTTP/1.1 as uvicorn speaks it, where a client that does not go on is not waited for without end.

The time for a body is with `medspan.serve.bodies`; here is what no route sees: headers that do not come or do
not end, the rest of a body that was refused, and answers that nobody takes (CWE-400, "slowloris").
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from medspan.serve.problems import MEDIA_TYPE, HttpError, problem_response

if TYPE_CHECKING:
    import asyncio

_MALFORMED = "this is not a request of HTTP/1.1"


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    receive_seconds = 30.0
    """For headers from their first byte (the first ones: from the connection), and for the rest of a body
    that was answered before its end."""
    send_seconds = 300.0
    """For a client to take some of its answer."""
    header_bytes = 64 * 2**10

    _receiving: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None
    _is_in_headers = _is_in_message = False
    _bytes_of_headers = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """A client has come."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._expect_no_more()
        self._stop_sending()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        super().data_received(data)
        if self._is_in_headers:
            self._bytes_of_headers += len(data)
            if self._bytes_of_headers > self.header_bytes:
                told = f"headers have {self.header_bytes:,} bytes at most here; documents go into the body"
                self._refuse(HttpError(431, told))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._is_in_headers = self._is_in_message = True
        self._bytes_of_headers = 0
        if self._receiving is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """A body may follow, for which the route has its own time."""
        self._is_in_headers = False
        self._expect_no_more()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._is_in_message = False
        self._expect_no_more()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The route is done; what still comes of the body is thrown away."""
        super().on_response_complete()
        if self._is_in_message and not self._is_in_headers and not self.transport.is_closing():
            self._expect()

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        super().pause_writing()
        self._sending = self._sending or self.loop.call_later(self.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken some."""
        self._stop_sending()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, like every error with problem details."""
        del msg
        self._refuse(HttpError(400, _MALFORMED))

    def _expect(self) -> None:
        self._receiving = self.loop.call_later(self.receive_seconds, self._give_up)

    def _expect_no_more(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect()  # the request before these headers still gets its answer
        elif self._is_in_headers:
            self._refuse(HttpError(408, f"the headers did not come within {self.receive_seconds:.0f} s"))
        else:
            self.transport.close()

    def _refuse(self, error: HttpError) -> None:
        """Answer without a route, and end the connection."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # in the middle of an answer there is no place for another
            return
        request_id = secrets.token_hex(8)
        body = bytes(problem_response(error, request_id).body)
        head = (
            STATUS_LINE[error.status],
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n".encode(),
            f"x-request-id: {request_id}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n".encode(),
        )
        self.transport.write(b"".join((*head, body)))
        self.transport.close()
