"""The network that is being trained, as a Scorer: arrays in, emissions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from medspan.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from medspan.model.session import Device
    from medspan.train.network import Network
    from medspan.train.relations.network import RelationNetwork


def pick_device(name: Device) -> torch.device:
    """The torch device of a name.

    Raises:
        UsageError: if cuda is asked for and there is none; never a silent fall-back.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {name!r}; known: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "device cuda: torch finds no CUDA GPU; install a CUDA build of torch and its driver, "
            "or use --device cpu"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def to_tensors(arrays: Mapping[str, NDArray[np.int64]], device: torch.device) -> dict[str, torch.Tensor]:
    """Arrays of a batch, of any shape, as tensors on a device."""
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


class TorchScorer:
    """A `medspan.model.protocol.Scorer`, or a `medspan.model.relater.RelationScorer`, over a network.

    It computes without dropout and gradients.
    """

    def __init__(self, network: Network | RelationNetwork) -> None:
        self._network = network

    def score(self, arrays: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
        """Emissions of every head, float32 (batch, words, tags); of relations, what their head says."""
        device = next(self._network.parameters()).device
        was_training = self._network.training
        self._network.eval()
        with torch.inference_mode():
            emissions = self._network(to_tensors(arrays, device))
        self._network.train(was_training)
        return {name: tensor.float().cpu().numpy() for name, tensor in emissions.items()}
