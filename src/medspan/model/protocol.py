"""The seam between a network and everything around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class Scorer(Protocol):
    """A forward pass: the ONNX graph of a model folder, or the network that is being trained."""

    def score(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Emissions of each head by its name, float32 (batch, words, tags); ``arrays``: features/batch.py."""
        ...
