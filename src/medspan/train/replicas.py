"""Several processes that are one run (data parallel): each learns from its share, all take the same steps.

After every step the gradients are averaged, so that the weights are the same everywhere; what is decided
(dev scores, whether time is up) is decided by the first process. Only tensors and msgpack travel. Here is
the run of one process; `medspan.train.data_parallel` has the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

_Value = TypeVar("_Value")


class Alone:
    """A run of one process: nothing to share."""

    rank = 0
    size = 1

    def gather(self, data: bytes) -> list[bytes]:
        """What each process gives, by rank, in every process."""
        return [data]

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the mean of all processes' gradients in the place of each one's own."""

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Put the first process' values into the tensors of all."""

    def first(self, value: _Value, kind: type[_Value]) -> _Value:
        """The first process' value, in every process; anything msgpack can hold."""
        return msgspec.msgpack.decode(self.gather(msgspec.msgpack.encode(value))[0], type=kind)

    def all(self, value: _Value, kind: type[_Value]) -> list[_Value]:
        """The value of each process, by rank."""
        return [
            msgspec.msgpack.decode(data, type=kind) for data in self.gather(msgspec.msgpack.encode(value))
        ]


ALONE = Alone()
