"""Messages between a job and its workers: msgspec structs, length-prefixed, over stdin and stdout."""

from __future__ import annotations

import struct
from typing import IO, Literal

import msgspec

_LENGTH = struct.Struct("<Q")

Goal = Literal["part", "lines", "documents", "probe"]


class DeidSetup(msgspec.Struct, frozen=True):
    """What a worker de-identifies with: the policy as msgpack, the key, and the inputs of the job, in order.

    The key goes through the pipe only; it is in no file and on no command line.
    """

    policy: bytes
    key: bytes
    inputs: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the key."""
        return "DeidSetup(...)"


class Setup(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker: the model, and where parts go.

    ``model``, ``device``, ``threads``, ``batch_words``, ``labels`` and ``min_score`` are those of
    `medspan.load`, ``stages`` those of `medspan.pipeline.with_stages`. ``folder`` and
    ``suffix`` (``.jsonl`` or ``.jsonl.gz`` ...) say where part files go; None where none are written.
    With ``deid`` the documents are de-identified, by patterns alone where ``model`` is empty. ``more`` is for
    workers of other kinds, which read it.
    """

    model: str
    device: str = "auto"
    threads: int = 1
    labels: tuple[str, ...] | None = None
    min_score: float = 0.0
    folder: str | None = None
    suffix: str = ".jsonl"
    batch_words: int | None = None
    stages: tuple[str, ...] = ()
    deid: DeidSetup | None = None
    more: bytes = b""


class ErrorRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A unit of the input that has no annotations, and why; never its text.

    ``place`` is its place in the whole input, documents and rejected units counted from 0.
    """

    part: int
    place: int
    reason: str
    id: str | None = None
    path: str | None = None
    line: int | None = None


class Task(msgspec.Struct, frozen=True, tag=True):
    """Some documents to annotate.

    Args:
        goal: ``part`` writes a part file; ``lines`` and ``documents`` send the result back as JSON lines or
            as documents; ``probe`` only tries.
        part: number of the part.
        digest: SHA-256 of the part's input, for its row; empty where no part file is written.
        documents: each a `Document` as msgpack.
        places: of each document, its place in the whole input.
        errors: rows of the part's units that are already known to be bad.
        is_alone: whether each document is annotated by itself.
        order: what to do, where workers can do several things; they read it.
    """

    goal: Goal
    part: int
    digest: str
    documents: list[msgspec.Raw]
    places: list[int]
    errors: list[ErrorRow] = []
    is_alone: bool = False
    order: bytes = b""


class PartRow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A finished part, as the manifest keeps it.

    ``documents``, ``characters`` and ``entities`` count what stands in the file, ``errors`` the rows of
    ``part-NNNNN.errors.jsonl`` (absent where there are none); ``input`` is the digest of what was read for
    the part and ``input_bytes`` its size. ``changed`` counts what was de-identified, by label.
    """

    part: int
    file: str
    sha256: str
    bytes: int
    documents: int
    characters: int
    entities: int
    input: str
    input_bytes: int
    errors: int = 0
    errors_file: str | None = None
    errors_sha256: str | None = None
    changed: dict[str, int] = {}


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker has its model."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """A part file is on the disk."""

    row: PartRow


class Found(msgspec.Struct, frozen=True, tag=True):
    """Annotated documents: JSON lines, or msgpack of a list of documents; ``errors`` of all others."""

    data: bytes
    errors: list[ErrorRow]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot do it, and no other could: a broken model, a full disk.

    ``is_usage`` is true where the caller asked for what cannot be done.
    """

    message: str
    is_usage: bool = False


Request = Setup | Task
Reply = Ready | Done | Found | Failed

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def send(stream: IO[bytes], message: Request | Reply) -> None:
    """Write one message.

    Raises:
        OSError: if the other side is gone.
    """
    data = _ENCODER.encode(message)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive_request(stream: IO[bytes]) -> Request | None:
    """The next message to a worker; None at the end of the stream."""
    data = _receive(stream)
    return None if data is None else _REQUESTS.decode(data)


def receive_reply(stream: IO[bytes]) -> Reply | None:
    """The next message of a worker; None where it is gone."""
    data = _receive(stream)
    return None if data is None else _REPLIES.decode(data)


def _receive(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None
