"""A feed-forward network over a word and its neighbours (the window approach of Collobert et al. 2011)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.features.batch import STATE_INPUTS, WORD_INPUTS
from medspan.train.compress import factorize
from medspan.train.dropout import Dropout
from medspan.train.encoders.mask import mask_words
from medspan.train.encoders.words import WordFeatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Window
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph


class WindowEncoder(nn.Module):
    """See `medspan.config.Window` for the settings; a level is a hidden layer."""

    inputs = WORD_INPUTS
    graph_inputs = STATE_INPUTS

    def __init__(self, config: Window, vocab: Vocab) -> None:
        super().__init__()
        self.features = WordFeatures(config, vocab)
        self.reach = config.reach
        self.widths = [config.hidden_width] * config.layers
        seen = (2 * config.reach + 1) * self.features.width
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([seen, *self.widths]))
        self.dropout = Dropout(config.dropout)
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a layer."""
        states = neighbours(mask_words(self.features(batch), batch["lengths"]), self.reach)
        levels = []
        for layer in self.layers:
            states = torch.relu(layer(self.dropout(states)))
            levels.append(states)
        return levels

    def narrow(self, rank: int, moments: Tensor) -> float:
        """Let the first layer read ``rank`` directions of the features; the share of its power that is lost.

        ``moments`` is float64 (width, width); see `medspan.train.compress.factorize`.
        """
        first: nn.Linear = self.layers[0]  # type: ignore[assignment]
        places, width = 2 * self.reach + 1, self.features.width
        by_place = first.weight.detach().reshape(-1, width)
        projection, reduced, share = factorize(by_place, moments, rank)
        self.features.narrow(projection)
        narrow = nn.Linear(places * rank, first.out_features)
        with torch.no_grad():
            narrow.weight.copy_(reduced.reshape(first.out_features, places * rank))
            narrow.bias.copy_(first.bias)
        self.layers[0] = narrow
        return share

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes; one name a layer."""
        states = _neighbours_to_graph(graph, "word_states", self.reach)  # which are zero where padded
        levels = []
        for depth, layer in enumerate(self.layers):
            states = graph.node("Relu", graph.linear(f"layers.{depth}", layer, states))  # type: ignore[arg-type]
            levels.append(states)
        return levels


def neighbours(states: Tensor, reach: int) -> Tensor:
    """Each word beside its ``reach`` neighbours, left to right, zeros behind both ends of the row.

    Takes (batch, words, width), gives (batch, words, (2 x reach + 1) x width).
    """
    words = states.shape[1]
    padded = nn.functional.pad(states, (0, 0, reach, reach))
    return torch.cat([padded[:, shift : shift + words] for shift in range(2 * reach + 1)], 2)


def _neighbours_to_graph(graph: Graph, states: str, reach: int) -> str:
    """`neighbours` as ONNX nodes."""
    padded = graph.node("Pad", states, graph.ints(0, reach, 0, 0, reach, 0))
    words = graph.node("Shape", states, start=1, end=2)
    parts = [
        graph.node(
            "Slice", padded, graph.ints(shift), graph.node("Add", words, graph.ints(shift)), graph.ints(1)
        )
        for shift in range(2 * reach + 1)
    ]
    return graph.node("Concat", *parts, axis=2)
