"""Residual dilated convolutions over words (after Strubell et al. 2017; residual as He et al. 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.features.batch import STATE_INPUTS, WORD_INPUTS
from medspan.train.dropout import Dropout
from medspan.train.encoders.mask import mask_to_graph, word_mask
from medspan.train.encoders.words import WordFeatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Cnn
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph

_KERNEL = 3


class CnnEncoder(nn.Module):
    """See `medspan.config.Cnn` for the settings; a level is a convolution."""

    inputs = WORD_INPUTS
    graph_inputs = STATE_INPUTS

    def __init__(self, config: Cnn, vocab: Vocab) -> None:
        super().__init__()
        self.features = WordFeatures(config, vocab)
        width = config.hidden_width
        self.widths = [width] * len(config.dilations)
        self.dilations = config.dilations
        self.enter = nn.Linear(self.features.width, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, _KERNEL, dilation=step, padding=step) for step in config.dilations
        )
        self.dropout = Dropout(config.dropout)
        nn.init.xavier_uniform_(self.enter.weight)
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a layer.

        What stands behind a row is zeroed before every convolution: a layer's own output there is not zero,
        and would reach the row's last words through the next layer.
        """
        states = self.enter(self.dropout(self.features(batch))).transpose(1, 2)  # (batch, width, words)
        inside = word_mask(batch["lengths"], states.shape[2]).transpose(1, 2)
        levels = []
        for layer in self.layers:
            states = states + torch.relu(layer(self.dropout(states * inside)))
            levels.append(states.transpose(1, 2))
        return levels

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes; one name a layer."""
        features = "word_states"
        inside = graph.node("Transpose", mask_to_graph(graph, features, "lengths"), perm=[0, 2, 1])
        states = graph.node("Transpose", graph.linear("enter", self.enter, features), perm=[0, 2, 1])
        levels = []
        for depth, (layer, step) in enumerate(zip(self.layers, self.dilations, strict=True)):
            found = graph.node(
                "Conv",
                graph.node("Mul", states, inside),
                graph.weight(f"layers.{depth}", layer.weight),  # type: ignore[arg-type]
                graph.weight(f"layers.{depth}.bias", layer.bias),  # type: ignore[arg-type]
                dilations=[step],
                pads=[step, step],
            )
            states = graph.node("Add", states, graph.node("Relu", found))
            levels.append(graph.node("Transpose", states, perm=[0, 2, 1]))
        return levels
