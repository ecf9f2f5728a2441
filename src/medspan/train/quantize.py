"""Word tables in eight bits: each row is whole numbers from -127 to 127 times a scale of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LARGEST = 127


def quantize_rows(table: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest table in eight bits; what was quantised before stays as it is.

    Args:
        table: float (rows, width).

    Returns:
        int8 (rows, width), and float16 (rows, 1) scales, which are never zero.
    """
    scales = (table.abs().amax(1, keepdim=True) / LARGEST).half()
    smallest = torch.tensor(np.finfo(np.float16).tiny, dtype=torch.float16)
    scales = scales.clamp(min=smallest)
    whole = (table / scales.float()).round().clamp(-LARGEST, LARGEST)
    return whole.to(torch.int8), scales


def quantized(table: Tensor) -> Tensor:
    """The table that `quantize_rows` stands for, float (rows, width)."""
    whole, scales = quantize_rows(table)
    return whole.float() * scales.float()
