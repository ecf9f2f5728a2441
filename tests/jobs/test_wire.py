"""Messages: what is sent comes back, and half a message is none."""

from __future__ import annotations

import io

import msgspec
import pytest

from medspan.jobs.wire import (
    Done,
    ErrorRow,
    Failed,
    Found,
    PartRow,
    Ready,
    Setup,
    Task,
    receive_reply,
    receive_request,
    send,
)

ROW = PartRow(
    part=0, file="f", sha256="a", bytes=1, documents=1, characters=1, entities=1, input="b", input_bytes=2
)
ERRORS = [ErrorRow(0, 3, "why", id="n3"), ErrorRow(0, 4, "what", path="a.jsonl", line=7)]
REPLIES = [Ready(), Done(ROW), Found(b"x\n", ERRORS), Failed("no model"), Failed("no label", is_usage=True)]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_replies_come_back(reply: object):
    stream = io.BytesIO()
    send(stream, reply)  # type: ignore[arg-type]
    send(stream, Ready())
    stream.seek(0)
    assert receive_reply(stream) == reply
    assert receive_reply(stream) == Ready()
    assert receive_reply(stream) is None


def test_requests_come_back():
    setup = Setup("model", "cpu", 2, ("Drug",), 0.5, "out", ".jsonl.gz")
    document = msgspec.Raw(msgspec.msgpack.encode({"id": "a", "text": "\0 \U0001f9ec"}))
    task = Task("part", 7, "digest", [document], [3], ERRORS, is_alone=True)
    stream = io.BytesIO()
    send(stream, setup)
    send(stream, task)
    stream.seek(0)
    assert receive_request(stream) == setup
    found = receive_request(stream)
    assert isinstance(found, Task)
    assert (found.places, found.errors, found.is_alone) == ([3], ERRORS, True)
    assert [bytes(raw) for raw in found.documents] == [bytes(document)]


def test_half_a_message_is_none():
    stream = io.BytesIO()
    send(stream, Found(b"x" * 50, []))
    whole = stream.getvalue()
    for length in range(len(whole)):
        assert receive_reply(io.BytesIO(whole[:length])) is None
