"""The layer of an entity type, which heads of several corpora share above the encoder (Chai et al. 2022).

A bottleneck with a residual path (Houlsby et al. 2019) that begins as the identity: at the start of a run a
head sees what it would see without one, so that weights copied into encoder and heads go on to fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.train.dropout import Dropout

if TYPE_CHECKING:
    from medspan.config import GroupConfig
    from medspan.train.graph import Graph


class Group(nn.Module):
    """``states + up(relu(down(states)))``.

    Args:
        config: width of the bottleneck.
        width: width of the encoder level it reads, and of what it gives.
        dropout: share of states dropped in training.
    """

    def __init__(self, config: GroupConfig, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.down = nn.Linear(width, config.width)
        self.up = nn.Linear(config.width, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: Tensor) -> Tensor:
        """States of the type, float (batch, words, width)."""
        changed: Tensor = states + self.up(self.down(self.dropout(states)).relu())
        return changed

    def to_graph(self, graph: Graph, name: str, states: str) -> str:
        """The same as nodes; the name of what they give."""
        narrow = graph.node("Relu", graph.linear(f"{name}.down", self.down, states))
        return graph.node("Add", states, graph.linear(f"{name}.up", self.up, narrow))
