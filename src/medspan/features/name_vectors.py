"""Embeddings of names: the sum of learned vectors of their hashed features, at length one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENCODER_BUCKETS: Final = 1 << 17
_SMALLEST: Final = 1e-6


def embed(encoder: NDArray[np.float16], features: NDArray[np.integer]) -> NDArray[np.float32]:
    """The embedding of one name.

    Args:
        encoder: float16 (buckets, width), buckets a power of two.
        features: integers (features,) of `name_features`.

    Returns:
        float32 (width,), of length one, or zeros where there is no feature.
    """
    total = encoder[features & (len(encoder) - 1)].astype(np.float32).sum(axis=0)
    unit: NDArray[np.float32] = total / max(float(np.sqrt(total @ total)), _SMALLEST)
    return unit


def embed_all(
    encoder: NDArray[np.float16], features: NDArray[np.integer], starts: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The embeddings of many names, as `features_of` gives them; float32 (names, width)."""
    rows = [embed(encoder, features[first:last]) for first, last in pairwise(starts)]
    return np.stack(rows) if rows else np.zeros((0, encoder.shape[1]), dtype=np.float32)
