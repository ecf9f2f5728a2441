"""What a word looks like by itself: its vector, a CNN over its characters, its case.

Computed once per distinct form of a batch. The character CNN follows Ma & Hovy 2016, case vectors Chiu &
Nichols 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.text.normalize import SHAPE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import WordFeatureConfig
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph

Arrays = "Mapping[str, Tensor]"
BYTE = 8
"""Bits of a word table `medspan.train.quantize` has rounded."""


class WordFeatures(nn.Module):
    """Arrays of a batch → (batch, words, width) without context.

    Args:
        config: any encoder that has word, character and case features.
        vocab: gives the sizes of the tables.
    """

    def __init__(self, config: WordFeatureConfig, vocab: Vocab) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab.n_words, config.word_width, padding_idx=0, sparse=True)
        self.chars = nn.Embedding(vocab.n_characters, config.char_width, padding_idx=0)
        self.case = nn.Embedding(len(SHAPE_CLASSES), config.case_width)
        self.filters = nn.ModuleList(
            nn.Conv1d(config.char_width, config.char_filters, size) for size in config.char_windows
        )
        self.project: nn.Linear | None = None  # see train/compress.py
        self.word_bits = 16  # of the exported table
        self.width = config.word_width + config.char_filters * len(config.char_windows) + config.case_width
        self._start()

    def _start(self) -> None:
        """Small uniform vectors; padding stays zero."""
        for table in (self.words, self.chars, self.case):
            nn.init.uniform_(table.weight, -0.1, 0.1)
        with torch.no_grad():
            self.words.weight[0] = 0.0
            self.chars.weight[0] = 0.0

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """(batch, words, width); the last rows of short sentences hold the batch's first form."""
        return self.of_forms(batch)[batch["form_index"]]

    def of_forms(self, batch: Mapping[str, Tensor]) -> Tensor:
        """(forms, width): what each distinct word looks like."""
        parts = [
            self.words(batch["word_ids"]),
            *self._spelling(batch["char_ids"]),
            self.case(batch["case_ids"]),
        ]
        states = torch.cat(parts, 1)
        return states if self.project is None else self.project(states)

    def narrow(self, projection: Tensor) -> None:
        """Give ``features @ projection.T`` from now on; ``projection`` is float (narrow width, width)."""
        self.project = linear_of(projection)
        self.width = len(projection)

    def _spelling(self, char_ids: Tensor) -> list[Tensor]:
        """The largest response of each filter over a word's characters: (forms, filters of all widths).

        Filters of all widths run as one convolution of the widest, the narrow ones with zeros around them:
        twice as fast as one call a width.
        """
        sides = [_padding(filters.kernel_size[0]) for filters in self.filters]  # type: ignore[index, arg-type]
        left, right = max(side[0] for side in sides), max(side[1] for side in sides)
        weights = torch.cat(
            [
                nn.functional.pad(filters.get_parameter("weight"), (left - before, right - after))
                for filters, (before, after) in zip(self.filters, sides, strict=True)
            ]
        )
        bias = torch.cat([filters.get_parameter("bias") for filters in self.filters])
        vectors = nn.functional.pad(self.chars(char_ids).transpose(1, 2), (left, right))
        response = torch.relu(nn.functional.conv1d(vectors, weights, bias))
        return [(response * (char_ids != 0)[:, None, :]).amax(2)]

    def to_graph(self, graph: Graph) -> str:
        """`of_forms` as ONNX nodes; returns the output's name."""
        look_up = graph.byte_lookup if self.word_bits == BYTE else graph.lookup
        parts = [look_up("words", self.words, "word_ids")]
        vectors = graph.node("Transpose", graph.lookup("chars", self.chars, "char_ids"), perm=[0, 2, 1])
        inside = graph.node("Not", graph.node("Equal", "char_ids", graph.ints(0)))
        inside = graph.node("Unsqueeze", graph.node("Cast", inside, to=1), graph.ints(1))
        for size, filters in enumerate(self.filters):
            kernel = filters.kernel_size[0]  # type: ignore[index]
            weights = graph.weight(f"filters.{size}", filters.weight)  # type: ignore[arg-type]
            bias = graph.weight(f"filters.{size}.bias", filters.bias)  # type: ignore[arg-type]
            response = graph.node("Conv", vectors, weights, bias, pads=list(_padding(kernel)))  # type: ignore[arg-type]
            masked = graph.node("Mul", graph.node("Relu", response), inside)
            parts.append(graph.node("ReduceMax", masked, axes=[2], keepdims=0))
        parts.append(graph.lookup("case", self.case, "case_ids"))
        states = graph.node("Concat", *parts, axis=1)
        if self.project is None:
            return states
        return graph.node("MatMul", states, graph.weight("project", self.project.weight.t()))


def linear_of(weight: Tensor) -> nn.Linear:
    """A linear layer without bias that has these weights, float (width out, width in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def _padding(size: int) -> tuple[int, int]:
    """Zeros before and behind so that a filter gives one response a character."""
    return (size - 1) // 2, size // 2
