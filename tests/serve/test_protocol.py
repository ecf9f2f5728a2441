"""Clients that do not go on: headers that stop or do not end, refused bodies without end, answers nobody takes."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from medspan.serve.protocol import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEGABYTE = b"x" * 2**20
_GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
_LARGE = _GET.replace(b"/ ", b"/large ")


class _Short(PatientProtocol):
    receive_seconds, send_seconds, header_bytes = 0.3, 0.3, 2000


async def _app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answers at once, without reading the body."""
    assert scope["type"] == "http"
    is_large = scope["path"] == "/large"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64 * is_large):
        await send({"type": "http.response.body", "body": _MEGABYTE, "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(_app, port=0, http=_Short, lifespan="off", log_config=None, timeout_keep_alive=30)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running
    running.should_exit = True
    thread.join()


@pytest.fixture
def connection(server: uvicorn.Server) -> Iterator[socket.socket]:
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as found:
        found.settimeout(30)
        yield found


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the service ends the connection."""
    pieces = []
    try:
        while piece := connection.recv(2**16):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def problem(answer: bytes) -> dict[str, Any]:
    """The problem details of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found = json.loads(body)
    assert f"x-request-id: {found['request_id']}".encode() in head
    return found


def test_a_client_that_says_nothing_is_hung_up_on(connection: socket.socket) -> None:
    assert until_closed(connection) == b""


def test_headers_that_stop_are_refused(connection: socket.socket) -> None:
    connection.sendall(_GET[:-2])
    assert problem(until_closed(connection))["status"] == 408


def sends_until_refused(connection: socket.socket, piece: bytes) -> None:
    """Send again and again until the service ends the connection."""
    for _ in range(1000):
        connection.sendall(piece)
        time.sleep(0.02)


def test_headers_that_drip_are_refused(connection: socket.socket) -> None:
    connection.sendall(_GET[:-2])
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        sends_until_refused(connection, b"a: b\r\n")


def test_headers_of_the_next_request_have_the_same_time(connection: socket.socket) -> None:
    connection.sendall(_GET + b"GET ")
    answer = until_closed(connection)
    first, _, second = answer.partition(b"done\r\n0\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert problem(second)["status"] == 408


def test_a_connection_at_rest_is_kept(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(_GET)
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += connection.recv(2**16)
        time.sleep(2 * _Short.receive_seconds)


@pytest.mark.parametrize("sent", [_GET[:-2] + b"a: " + b"b" * 3000, b"GET /" + b"a" * 3000])
def test_headers_without_end_are_refused(connection: socket.socket, sent: bytes) -> None:
    connection.sendall(sent)
    assert problem(until_closed(connection))["status"] == 431


def test_what_is_no_request_is_refused_with_problem_details(connection: socket.socket) -> None:
    connection.sendall(b"a secret of a patient\r\n\r\n")
    found = problem(until_closed(connection))
    assert found["status"] == 400
    assert "secret" not in json.dumps(found)


def test_the_rest_of_an_answered_body_is_not_read_for_ever(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        sends_until_refused(connection, b"1\r\nx\r\n")


def test_an_answer_that_nobody_takes_is_given_up(server: uvicorn.Server, connection: socket.socket) -> None:
    connection.sendall(_LARGE)
    connection.recv(1)  # the route has begun
    ends = time.monotonic() + 20
    while server.server_state.tasks and time.monotonic() < ends:
        time.sleep(0.05)
    assert not server.server_state.tasks
    assert len(until_closed(connection)) < 64 * len(_MEGABYTE)


def test_a_large_answer_that_is_taken_comes_whole(connection: socket.socket) -> None:
    connection.sendall(_LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = until_closed(connection)
    assert answer.endswith(b"done\r\n0\r\n\r\n")
    assert len(answer) > 64 * len(_MEGABYTE)
