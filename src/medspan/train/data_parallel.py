"""The processes of one run, by `torch.distributed`: gloo between CPUs, nccl between GPUs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from medspan.train.replicas import Alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn


@contextmanager
def joined(device: str) -> Iterator[Replicas]:
    """The processes that `torchrun` or `TorchDistributor` started with this one, while they work together.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield Replicas(torch.device(device))
    finally:
        dist.destroy_process_group()


class Replicas(Alone):
    """The processes of the default group of `torch.distributed`, which must have been made.

    Args:
        device: where tensors travel: ``cpu`` with gloo, ``cuda`` with nccl.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._device = device

    def gather(self, data: bytes) -> list[bytes]:
        """What each process gives, by rank, in every process."""
        own = (
            torch.frombuffer(bytearray(data), dtype=torch.uint8)
            if data
            else torch.zeros(0, dtype=torch.uint8)
        )
        return [part.cpu().numpy().tobytes() for part in self._gather_rows(own.to(self._device))]

    def _gather_rows(self, own: Tensor) -> list[Tensor]:
        """Tensors that differ in their first dimension alone."""
        sizes = [torch.zeros(1, dtype=torch.int64, device=self._device) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor([len(own)], dtype=torch.int64, device=self._device))
        counts = [int(size) for size in sizes]
        padded = own.new_zeros((max(counts), *own.shape[1:]))
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        return [part[:count] for part, count in zip(parts, counts, strict=True)]

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the mean of all processes' gradients in the place of each one's own.

        A head that no process learnt from keeps no gradient, as in a run of one process.
        """
        sparse = [p for p in parameters if p.grad is not None and p.grad.is_sparse]
        known = {id(p) for p in sparse}
        dense = [p for p in parameters if id(p) not in known]
        self._average_dense(dense)
        for parameter in sparse:
            self._average_sparse(parameter)

    def _average_dense(self, parameters: Sequence[nn.Parameter]) -> None:
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=self._device)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        total = torch.cat([present, *(grad.reshape(-1).float() for grad in grads)])
        dist.all_reduce(total)
        counts, place = total[: len(parameters)].tolist(), len(parameters)
        for parameter, grad, count in zip(parameters, grads, counts, strict=True):
            if count:
                mean = total[place : place + grad.numel()] / self.size
                parameter.grad = mean.reshape(grad.shape).to(grad.dtype)
            place += grad.numel()

    def _average_sparse(self, parameter: nn.Parameter) -> None:
        grad = parameter.grad.coalesce()  # type: ignore[union-attr]
        rows = self._gather_rows(grad.indices().T.contiguous())
        values = self._gather_rows(grad.values())
        parameter.grad = torch.sparse_coo_tensor(
            torch.cat(rows).T, torch.cat(values) / self.size, parameter.shape, check_invariants=False
        ).coalesce()

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Put the first process' values into the tensors of all."""
        for tensor in tensors:
            dist.broadcast(tensor, src=0)
