"""Characters only: deep LSTMs over the characters of a sentence, averaged per word (system 0).

Almgren, Pavlov & Mogren 2016 let 3 layers of 128 units a direction predict a class for every character, and
the characters of a word vote. Here a head is linear, and a linear layer of a mean is the mean of the linear
layers: the emissions of a word are the mean of its characters' emissions, which is that vote, taken before
the tags are chosen and not after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.features.batch import TEXT_INPUTS
from medspan.train.encoders.directions import Directions
from medspan.train.encoders.mask import place_to_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import CharBlstm
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph


class CharBlstmEncoder(nn.Module):
    """See `medspan.config.CharBlstm` for the settings; a level is an LSTM layer."""

    inputs = TEXT_INPUTS
    graph_inputs = TEXT_INPUTS

    def __init__(self, config: CharBlstm, vocab: Vocab) -> None:
        super().__init__()
        self.chars = nn.Embedding(vocab.n_characters, config.char_width, padding_idx=0)
        nn.init.uniform_(self.chars.weight, -0.1, 0.1)
        with torch.no_grad():
            self.chars.weight[0] = 0.0
        self.directions = Directions(config.char_width, config.hidden_width, config.layers, config.dropout)
        self.widths = [self.directions.width] * config.layers

    def forward(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a layer: the mean of the states of each word's characters."""
        levels = self.of_characters(batch)
        share = char_share(batch["word_first"], batch["word_stop"], levels[0].shape[1])
        return [torch.bmm(share.to(level.dtype), level) for level in levels]

    def of_characters(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, characters, width) tensor a layer."""
        states = self.chars(batch["text_ids"]).transpose(0, 1)  # (characters, batch, char width)
        levels = self.directions(states, batch["text_lengths"])
        return [level.transpose(0, 1) for level in levels]

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes; one name a layer."""
        states = graph.node("Transpose", graph.lookup("chars", self.chars, "text_ids"), perm=[1, 0, 2])
        share = share_to_graph(graph, "text_ids", "word_first", "word_stop")
        levels = self.directions.to_graph(graph, states, "text_lengths")
        return [
            graph.node("MatMul", share, graph.node("Transpose", level, perm=[1, 0, 2])) for level in levels
        ]


def char_share(first: Tensor, stop: Tensor, characters: int) -> Tensor:
    """Each character's share of each word: float (batch, words, characters), every word's shares sum to 1.

    A product with this matrix is as exact for the last word of a long row as for the first, and what stands
    behind the row counts exactly zero; differences of a running sum would lose digits along the row.

    Args:
        first: int64 (batch, words), the first character of each word.
        stop: int64 (batch, words), one past the last.
        characters: length of the longest row.
    """
    place = torch.arange(characters, device=first.device)
    inside = (place >= first[:, :, None]) & (place < stop[:, :, None])
    return inside / (stop - first)[:, :, None]


def share_to_graph(graph: Graph, text: str, first: str, stop: str) -> str:
    """`char_share` as ONNX nodes, from names of inputs; ``text`` is as long as the longest row."""
    place = place_to_graph(graph, text, axis=1)
    first, stop = (graph.node("Unsqueeze", name, graph.ints(2)) for name in (first, stop))
    inside = graph.node("And", graph.node("GreaterOrEqual", place, first), graph.node("Less", place, stop))
    size = graph.node("Cast", graph.node("Sub", stop, first), to=1)
    return graph.node("Div", graph.node("Cast", inside, to=1), size)
