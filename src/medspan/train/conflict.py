"""Do corpora pull the shared encoder the same way? Cosines of the gradients they give it (Yu et al. 2020)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PREFIX = "encoder."


def conflicts(network: nn.Module, losses: Mapping[str, Callable[[], Tensor]]) -> dict[str, float]:
    """Cosines of the encoder's gradients for every pair of corpora, by ``a|b``; below 0 they conflict.

    Tables of words are left out: two corpora move the rows of other words. Dropout is off, so that nothing
    random is drawn.

    Args:
        network: has no gradients when this begins, and none when it ends.
        losses: by corpus, the loss of a sample of it.
    """
    was_training = network.training
    network.eval()
    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            part.train()  # cuDNN has no backward pass of an LSTM that is not; it has no dropout of its own
    tables = {id(part.weight) for part in network.modules() if isinstance(part, nn.Embedding)}
    shared = [
        p
        for name, p in network.named_parameters()
        if name.startswith(_PREFIX) and p.requires_grad and id(p) not in tables
    ]
    gradients = {}
    for name, loss in losses.items():
        loss().backward()  # type: ignore[no-untyped-call]
        parts = [(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in shared]
        gradients[name] = torch.cat(parts).double()
        network.zero_grad(set_to_none=True)
    network.train(was_training)
    return {f"{a}|{b}": _cosine(gradients[a], gradients[b]) for a, b in combinations(gradients, 2)}


def _cosine(left: Tensor, right: Tensor) -> float:
    return round(float(torch.nn.functional.cosine_similarity(left, right, dim=0)), 4)
