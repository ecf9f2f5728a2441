"""Which places of a padded batch hold a word: the rest is zeroed before a layer looks at neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from medspan.train.graph import Graph


def word_mask(lengths: Tensor, words: int) -> Tensor:
    """Bool (batch, words, 1), true up to each row's length; ``lengths`` int64 (batch,)."""
    return (torch.arange(words, device=lengths.device) < lengths[:, None])[:, :, None]


def mask_words(states: Tensor, lengths: Tensor) -> Tensor:
    """``states`` (batch, words, width) with zeros behind each row's length."""
    return states * word_mask(lengths, states.shape[1])


def mask_to_graph(graph: Graph, states: str, lengths: str) -> str:
    """`word_mask` of some states (batch, words, width) as ONNX nodes: float (batch, words, 1)."""
    places = place_to_graph(graph, states, axis=1)
    inside = graph.node("Less", places, graph.node("Unsqueeze", lengths, graph.ints(1)))
    return graph.node("Unsqueeze", graph.node("Cast", inside, to=1), graph.ints(2))


def place_to_graph(graph: Graph, tensor: str, *, axis: int) -> str:
    """0, 1, 2 ... along an axis of a tensor: int64 (length of the axis,)."""
    size = graph.node("Shape", tensor, start=axis, end=axis + 1)
    start, step = graph.constant(np.array(0, np.int64)), graph.constant(np.array(1, np.int64))
    return graph.node("Range", start, graph.node("Squeeze", size), step)
