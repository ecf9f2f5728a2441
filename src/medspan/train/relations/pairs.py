"""Pair head: the encoder's states around two mentions → what the pair is.

The encoder reads a sentence once. For each pair an upper LSTM in both directions reads the states of the
words near it, to which are added where each word stands to either mention, which mention it belongs to and
what labels other mentions have (position vectors: Zeng et al. 2014). What it says is pooled by segment, the
largest of before, head, between, tail and after (piecewise pooling: Zeng et al. 2015). Without the upper LSTM
the placed words themselves are pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.features.pairs import PAIR_INPUTS, SEGMENTS
from medspan.train.dropout import Dropout
from medspan.train.encoders.directions import Directions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.train.graph import Graph
    from medspan.train.relations.settings import RelationsConfig

_LIFT = 2.0
"""What is added before the largest is taken: states of an LSTM, or of tanh, lie in -1 to 1, so words outside
a segment, which become 0, are never the largest, and an empty segment pools to -2."""


class PlacedWords(nn.Module):
    """States of sentences → for each pair its words with where they stand: (places, pairs, width).

    Args:
        width: width of the encoder's states.
        config: gives the width of the result.
        tables: rows of the vectors of each array that are added: name → rows.
    """

    def __init__(self, width: int, config: RelationsConfig, tables: Mapping[str, int]) -> None:
        super().__init__()
        self.project = nn.Linear(width, config.width)
        self.tables = nn.ModuleDict({name: nn.Embedding(rows, config.width) for name, rows in tables.items()})
        for table in self.tables.values():
            nn.init.normal_(table.weight, 0.0, 0.1)  # type: ignore[arg-type]

    def forward(self, states: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """``states`` (batch, words, width of the encoder)."""
        words = self.project(states).flatten(0, 1)[batch["pair_words"]]
        for name, table in self.tables.items():
            words = words + table(batch[name])
        return torch.tanh(words).transpose(0, 1)

    def to_graph(self, graph: Graph, states: str) -> str:
        """The same as ONNX nodes."""
        flat = graph.node(
            "Reshape",
            graph.linear("relations.project", self.project, states),
            graph.ints(-1, self.project.out_features),
        )
        words = graph.node("Gather", flat, "pair_words", axis=0)
        for name, table in self.tables.items():
            words = graph.node("Add", words, graph.lookup(f"relations.{name}", table, name))  # type: ignore[arg-type]
        return graph.node("Transpose", graph.node("Tanh", words), perm=[1, 0, 2])


def table_rows(reach: int, mention_labels: int, *, with_tail: bool) -> dict[str, int]:
    """Rows of the tables `PlacedWords` adds."""
    places = {"head_place": 2 * reach + 1, **({"tail_place": 2 * reach + 1} if with_tail else {})}
    return {"segments": len(SEGMENTS), "mention_labels": mention_labels + 1, **places}


def pooled(states: Tensor, segments: Tensor, wanted: range) -> Tensor:
    """The largest states of some segments, side by side.

    Args:
        states: float (pairs, places, width), each in -1 to 1.
        segments: int64 (pairs, places).
        wanted: which segments.
    """
    lifted = states + _LIFT
    return torch.cat([(lifted * (segments == k)[:, :, None]).amax(1) - _LIFT for k in wanted], 1)


def pooled_to_graph(graph: Graph, states: str, wanted: range) -> str:
    """`pooled` as ONNX nodes."""
    lift = graph.constant(torch.tensor(_LIFT).numpy())
    lifted = graph.node("Add", states, lift)
    parts = []
    for k in wanted:
        mask = graph.node("Cast", graph.node("Equal", "segments", graph.ints(k)), to=1)
        masked = graph.node("Mul", lifted, graph.node("Unsqueeze", mask, graph.ints(2)))
        parts.append(graph.node("Sub", graph.node("ReduceMax", masked, axes=[1], keepdims=0), lift))
    return graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


class PairHead(nn.Module):
    """Scores of what each pair is.

    Args:
        config: widths, views and how an unrelated pair counts.
        width: width of the encoder's states.
        classes: what a pair can be.
    """

    inputs = PAIR_INPUTS

    def __init__(self, config: RelationsConfig, width: int, classes: int) -> None:
        super().__init__()
        rows = table_rows(config.views.reach, len(config.views.mention_labels), with_tail=True)
        self.words = PlacedWords(width, config, rows)
        self.upper = (
            Directions(config.width, config.hidden_width, 1, config.dropout) if config.upper else None
        )
        self.wanted = range(1, len(SEGMENTS))
        seen = self.upper.width if self.upper else config.width
        self.join = nn.Linear(len(self.wanted) * seen, config.width)
        self.dropout = Dropout(config.dropout)
        self.score = nn.Linear(config.width, classes)
        self.none_weight = config.none_weight if config.negatives else 1.0

    def forward(self, states: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``scores`` (pairs, classes)."""
        words = self.words(states, batch)
        if self.upper is not None:
            words = self.upper(words, batch["pair_lengths"])[-1]
        seen = self.dropout(pooled(words.transpose(0, 1), batch["segments"], self.wanted))
        return {"scores": self.score(self.dropout(torch.relu(self.join(seen))))}

    def loss(self, states: Tensor, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy; ``targets["classes"]`` is int64 (pairs,)."""
        scores = self(states, batch)["scores"]
        weights = torch.ones(scores.shape[1], device=scores.device)
        weights[0] = self.none_weight
        return nn.functional.cross_entropy(scores, targets["classes"], weight=weights)

    def to_graph(self, graph: Graph, states: str) -> None:
        """Write the output ``scores``."""
        words = self.words.to_graph(graph, states)
        if self.upper is not None:
            words = self.upper.to_graph(graph, words, "pair_lengths", prefix="upper.")[-1]
        seen = pooled_to_graph(graph, graph.node("Transpose", words, perm=[1, 0, 2]), self.wanted)
        joined = graph.node("Relu", graph.linear("relations.join", self.join, seen))
        scores = graph.linear("relations.score", self.score, joined)
        graph.output("scores", scores, ("pairs", self.score.out_features))
