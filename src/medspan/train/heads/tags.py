"""Tag head: encoder states → emissions of IOBES tags, learnt by a CRF or word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.tags import iobes_tags
from medspan.train.crf import Crf, soft_losses
from medspan.train.dropout import Dropout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from medspan.config import HeadConfig
    from medspan.train.graph import Graph


class TagHead(nn.Module):
    """Linear emissions over the states of words.

    Args:
        config: labels and kind of the head.
        width: width of the states it reads.
        dropout: share of states dropped in training.
    """

    def __init__(self, config: HeadConfig, width: int, dropout: float) -> None:
        super().__init__()
        self.labels = config.labels
        self.begins_as = config.begins_as
        self.tags = tuple(iobes_tags(config.labels))
        self.dropout = Dropout(dropout)
        self.emit = nn.Linear(width, len(self.tags))
        self.crf = Crf(self.tags)
        self.is_joint = config.kind == "crf"

    def forward(self, states: Tensor) -> Tensor:
        """Emissions, float (batch, words, tags)."""
        emissions: Tensor = self.emit(self.dropout(states))
        return emissions

    def loss(self, states: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Loss summed over the batch.

        ``tags`` is int64 (batch, words), or the marginals of a teacher, float (batch, words, tags), 0 where
        padded.
        """
        emissions = self(states)
        if tags.is_floating_point():
            if self.is_joint:
                return soft_losses([self.crf], [emissions], [tags], lengths)
            expected: Tensor = (emissions.float().log_softmax(2) * tags).sum()
            return -expected
        if self.is_joint:
            return self.crf.loss(emissions, tags, lengths)
        inside = torch.arange(tags.shape[1], device=tags.device) < lengths[:, None]
        targets = torch.where(inside, tags, -100)
        return nn.functional.cross_entropy(
            emissions.float().flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"
        )

    def decoder_parts(self) -> dict[str, NDArray[np.float32]]:
        """Transitions (tags, tags), start and end (tags,) of a CRF; nothing for softmax."""
        if not self.is_joint:
            return {}
        return {
            name: getattr(self.crf, name).detach().float().cpu().numpy()
            for name in ("transitions", "start", "end")
        }

    def to_graph(self, graph: Graph, name: str, states: str) -> None:
        """Write the output ``emissions.<name>``."""
        emissions = graph.linear(f"{name}.emit", self.emit, states)
        graph.output(f"emissions.{name}", emissions, ("batch", "words", len(self.tags)))
