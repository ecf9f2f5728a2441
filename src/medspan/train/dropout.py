"""Dropout whose mask costs a byte of randomness an element.

torch draws a whole random number for each element of a mask, which took a sixth of a training step on a CPU
(benchmarks/training_speed.py). Here 64 random bits make eight elements; the rate is rounded to 1/256.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEVELS = 256
_LOWEST = -(2**63)


class Dropout(nn.Module):
    """Zeroes elements in training and scales the others up, so that the mean stays (Srivastava et al. 2014).

    Args:
        rate: share of elements dropped, 0 to 1; rounded to a multiple of 1/256.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.level = min(round(rate * _LEVELS), _LEVELS - 1)
        self.p = self.level / _LEVELS  # where transformers looks for the rate

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape; unchanged outside training."""
        if not self.training or self.level == 0:
            return states
        words = torch.empty((states.numel() + 7) // 8, dtype=torch.int64, device=states.device)
        noise = words.random_(_LOWEST, None).view(torch.uint8)[: states.numel()].view(states.shape)
        kept = (noise >= self.level).to(states.dtype)
        return states * kept.mul_(_LEVELS / (_LEVELS - self.level))
