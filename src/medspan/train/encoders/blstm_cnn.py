"""Word vectors + character CNN + case features → residual LSTM layers in both directions (system 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.features.batch import STATE_INPUTS, WORD_INPUTS
from medspan.train.compress import factorize
from medspan.train.encoders.directions import Directions
from medspan.train.encoders.words import WordFeatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import BlstmCnn
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph


class BlstmCnnEncoder(nn.Module):
    """See `medspan.config.BlstmCnn` for the settings."""

    inputs = WORD_INPUTS
    graph_inputs = STATE_INPUTS

    def __init__(self, config: BlstmCnn, vocab: Vocab) -> None:
        super().__init__()
        self.features = WordFeatures(config, vocab)
        self.directions = Directions(self.features.width, config.hidden_width, config.layers, config.dropout)
        self.widths = [self.directions.width] * config.layers

    def forward(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a layer."""
        states = self.features(batch).transpose(0, 1)
        return [level.transpose(0, 1) for level in self.directions(states, batch["lengths"])]

    def narrow(self, rank: int, moments: Tensor) -> float:
        """Let the first layer read ``rank`` directions of the features; the share of its power that is lost.

        ``moments`` is float64 (width, width); see `medspan.train.compress.factorize`.
        """
        weights = self.directions.input_weights()
        projection, reduced, share = factorize(weights, moments, rank)
        self.features.narrow(projection)
        self.directions.set_input_weights(reduced)
        return share

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes; one name a layer."""
        states = graph.node("Transpose", "word_states", perm=[1, 0, 2])
        levels = self.directions.to_graph(graph, states, "lengths")
        return [graph.node("Transpose", level, perm=[1, 0, 2]) for level in levels]
