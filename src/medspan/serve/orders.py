"""What a worker of the service is told: what there is to serve, and what to do with a batch of documents."""

from __future__ import annotations

from typing import Literal

import msgspec

from medspan.tasks.deid.policy import Policy

Offsets = Literal["codepoint", "utf16"]


class DeidOffer(msgspec.Struct, frozen=True):
    """What the service de-identifies with.

    Args:
        policies: by name.
        key: the secret of hashes, surrogates and moved days, the same in all workers.
        model: folder of the model that finds identifiers; empty for patterns alone.
    """

    policies: dict[str, Policy]
    key: bytes
    model: str

    def __repr__(self) -> str:
        """Without the key."""
        return "DeidOffer(...)"


class Offer(msgspec.Struct, frozen=True):
    """What a worker can be asked for; models come by their folders with each order.

    Args:
        stages: of `medspan.tasks.stages`, with their paths.
        deid: None where nothing is de-identified.
    """

    stages: tuple[str, ...] = ()
    deid: DeidOffer | None = None


class Annotate(msgspec.Struct, frozen=True, tag=True):
    """Find entities, and what follows from them.

    Args:
        model: a model folder.
        stages: names of stages, without their paths.
        labels: those to keep; all where None.
        min_score: entities below this confidence are dropped.
        offsets: the unit of offsets in the answer.
        echo: whether the answer holds the texts.
    """

    model: str
    stages: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    min_score: float = 0.0
    offsets: Offsets = "codepoint"
    echo: bool = True


class Deidentify(msgspec.Struct, frozen=True, tag=True):
    """Take out what identifies people.

    Args:
        policy: the name of one that is offered.
        actions: what becomes of some labels instead.
        offsets: the unit of offsets in the answer.
    """

    policy: str
    actions: dict[str, str] = {}
    offsets: Offsets = "codepoint"


Order = Annotate | Deidentify

_ENCODER = msgspec.msgpack.Encoder(order="sorted")
_DECODER: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def pack(order: Order) -> bytes:
    """The bytes of an order; equal orders have equal bytes."""
    return _ENCODER.encode(order)


def unpack(data: bytes) -> Order:
    """The order of some bytes."""
    return _DECODER.decode(data)
