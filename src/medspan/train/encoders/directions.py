"""Stacks of one-directional LSTMs.

The directions stay apart until a head joins them, so a left-to-right language model on the forward half
never sees the right context.

One-directional layers over padded rows, reversed by index, are also what torch's CPU kernels are fastest at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.train.dropout import Dropout

if TYPE_CHECKING:
    from medspan.train.graph import Graph


class Directions(nn.Module):
    """(words, batch, width) → a list of (words, batch, 2 x hidden) tensors, one a layer.

    From the second layer on, a layer's input is added to its output (residual).

    Args:
        width: width of the input.
        hidden: width of each direction.
        layers: how many.
        dropout: share of each layer's inputs dropped in training.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width] + [hidden] * (layers - 1)
        self.forward_layers = nn.ModuleList(nn.LSTM(w, hidden) for w in widths)
        self.backward_layers = nn.ModuleList(nn.LSTM(w, hidden) for w in widths)
        self.dropout = Dropout(dropout)
        self.width = 2 * hidden
        for layer in [*self.forward_layers, *self.backward_layers]:
            _start(layer)

    def forward(self, states: Tensor, lengths: Tensor) -> list[Tensor]:
        """One tensor a layer, float (words, batch, 2 x hidden): the forward half, then the backward half.

        Args:
            states: float (words, batch, width).
            lengths: int64 (batch,), words of each row.
        """
        flip = flip_index(lengths, len(states))
        ahead = self.dropout(states)
        back = ahead.gather(0, flip[:, :, None].expand_as(ahead))
        levels: list[Tensor] = []
        for depth, (forward, backward) in enumerate(
            zip(self.forward_layers, self.backward_layers, strict=True)
        ):
            if depth:
                ahead = ahead + forward(self.dropout(ahead))[0]
                back = back + backward(self.dropout(back))[0]
            else:
                ahead, back = forward(ahead)[0], backward(back)[0]
            levels.append(torch.cat([ahead, back.gather(0, flip[:, :, None].expand_as(back))], 2))
        return levels

    def input_weights(self) -> Tensor:
        """What the first layers multiply their input with, forward above backward: (8 x hidden, width)."""
        layers = self.forward_layers[0], self.backward_layers[0]
        return torch.cat([layer.get_parameter("weight_ih_l0").detach() for layer in layers])

    def set_input_weights(self, weights: Tensor) -> None:
        """Replace the weights `input_weights` gives by others, (8 x hidden, another width)."""
        halves = weights.chunk(2)
        for layers, half in zip((self.forward_layers, self.backward_layers), halves, strict=True):
            old: nn.LSTM = layers[0]  # type: ignore[assignment]
            new = nn.LSTM(half.shape[1], old.hidden_size)
            kept = {name: value for name, value in old.state_dict().items() if name != "weight_ih_l0"}
            new.load_state_dict({**kept, "weight_ih_l0": half})
            layers[0] = new.to(half.device).train(old.training)

    def to_graph(self, graph: Graph, states: str, lengths: str, *, prefix: str = "") -> list[str]:
        """The same as ONNX nodes; names of the levels. ``prefix`` sets its weights apart from another's."""
        ahead, back = states, states
        levels = []
        for depth, (forward, backward) in enumerate(
            zip(self.forward_layers, self.backward_layers, strict=True)
        ):
            new_ahead = graph.lstm(f"{prefix}forward.{depth}", forward, ahead, lengths=lengths, reverse=False)  # type: ignore[arg-type]
            new_back = graph.lstm(f"{prefix}backward.{depth}", backward, back, lengths=lengths, reverse=True)  # type: ignore[arg-type]
            ahead = graph.node("Add", new_ahead, ahead) if depth else new_ahead
            back = graph.node("Add", new_back, back) if depth else new_back
            levels.append(graph.node("Concat", ahead, back, axis=2))
        return levels


def flip_index(lengths: Tensor, longest: int) -> Tensor:
    """(words, batch) positions that reverse each row up to its length and leave padding in place."""
    place = torch.arange(longest, device=lengths.device)[:, None]
    return torch.where(place < lengths, lengths - 1 - place, place)


def _start(layer: nn.LSTM) -> None:
    """Orthogonal recurrent weights, and forget gates that start open (Jozefowicz et al. 2015)."""
    hidden = layer.hidden_size
    inputs, recurrent = layer.get_parameter("weight_ih_l0"), layer.get_parameter("weight_hh_l0")
    nn.init.xavier_uniform_(inputs)
    with torch.no_grad():
        for gate in torch.chunk(recurrent, 4):
            nn.init.orthogonal_(gate)
        for name in ("bias_ih_l0", "bias_hh_l0"):
            layer.get_parameter(name).zero_()
        layer.get_parameter("bias_ih_l0")[hidden : 2 * hidden] = 1.0
