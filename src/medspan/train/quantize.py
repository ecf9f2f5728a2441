"""Matrices in eight bits: each row is whole numbers from -127 to 127 times a scale of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LARGEST = 127
_SMALLEST_MATRIX = 4096


def is_large(tensor: Tensor) -> bool:
    """Whether a tensor of a transformer is worth eight bits: a matrix of some size."""
    return tensor.ndim > 1 and tensor.numel() >= _SMALLEST_MATRIX


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


def pack_bytes(tensors: Mapping[str, Tensor], tables: Collection[str]) -> dict[str, Tensor]:
    """Tensors as they are kept on disk: some tables in eight bits, all else in half precision.

    Args:
        tensors: by name.
        tables: names of those that become ``NAME.bytes`` and ``NAME.scales``.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        kept = tensor.detach().cpu()
        if name in tables:
            found[f"{name}.bytes"], found[f"{name}.scales"] = (
                part.contiguous() for part in quantize_rows(kept.float())
            )
        else:
            found[name] = kept.half().contiguous()
    return found


def unpack_bytes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `pack_bytes`, in single precision.

    Raises:
        KeyError: if a table's scales are missing.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(".bytes"):
            table = name.removesuffix(".bytes")
            found[table] = tensor.float() * tensors[f"{table}.scales"].float()
        elif not name.endswith(".scales"):
            found[name] = tensor.float()
    return found
