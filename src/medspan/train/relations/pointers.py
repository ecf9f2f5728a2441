"""Head that points: from a head mention it emits tails one by one, each with a label, then stops.

Attention encoder-decoder (system 1: Gligic et al. 2020) whose outputs are pointers to mentions (Vinyals et
al. 2015). The words of the sentence, with the labels of their mentions and where the head stands, go through
an upper LSTM in both directions; the decoder is an LSTM with attention over them (Bahdanau et al. 2015). It
learns with the right history (teacher forcing); `medspan.model.pointing` decodes greedily.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medspan.features.pairs import HEAD, HEAD_INPUTS
from medspan.model.pointing import Pointing
from medspan.train.dropout import Dropout
from medspan.train.encoders.directions import Directions
from medspan.train.relations.pairs import PlacedWords, pooled, pooled_to_graph, table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.train.graph import Graph
    from medspan.train.relations.settings import RelationsConfig

_FAR = -1e9
_NOTHING = -100
"""Target of a step behind the last one, as of torch's cross-entropy."""


class PointerHead(nn.Module):
    """Encoder side and decoder of a head that points.

    Args:
        config: widths and views.
        width: width of the encoder's states.
        labels: how many labels a relation can have.
    """

    inputs = HEAD_INPUTS

    def __init__(self, config: RelationsConfig, width: int, labels: int) -> None:
        super().__init__()
        kinds = len(config.views.mention_labels)
        self.words = PlacedWords(width, config, table_rows(config.views.reach, kinds, with_tail=False))
        self.upper = Directions(config.width, config.hidden_width, 1, config.dropout)
        self.memory = nn.Linear(self.upper.width, config.width)
        self.mention = nn.Linear(2 * self.upper.width, config.width)
        self.kinds = nn.Embedding(kinds + 1, config.width)
        self.start = nn.Linear(self.upper.width, config.width)
        self.dropout = Dropout(config.dropout)
        self.cell = nn.LSTMCell(2 * config.width, config.width)
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.mix = nn.Linear(2 * config.width, config.width)
        self.stop = nn.Linear(config.width, 1, bias=False)
        self.roles = nn.Linear(2 * config.width, labels)
        self.role_vectors = nn.Embedding(labels + 1, config.width)
        for table in (self.kinds, self.role_vectors):
            nn.init.normal_(table.weight, 0.0, 0.1)

    def forward(self, states: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the decoder reads.

        ``memory`` (heads, places, width), ``mentions`` (heads, mentions, width) and ``start`` (heads, width).
        """
        words = self.words(states, batch)
        upper = self.upper(words, batch["pair_lengths"])[-1].transpose(0, 1)
        rows = torch.arange(len(upper), device=upper.device)[:, None]
        ends = torch.cat([upper[rows, batch["mention_first"]], upper[rows, batch["mention_last"]]], 2)
        return {
            "memory": self.memory(upper),
            "mentions": torch.tanh(self.mention(ends) + self.kinds(batch["mention_kinds"])),
            "start": self.start(pooled(upper, batch["segments"], range(HEAD, HEAD + 1))),
        }

    def loss(self, states: Tensor, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy of a step, of where it points and of the label there.

        ``targets["tails"]`` and ``targets["roles"]`` are int64 (heads, steps), -100 behind the last; the
        tail of the last step is the number of mentions, which stops.
        """
        seen = self(states, batch)
        memory, mentions = self.dropout(seen["memory"]), self.dropout(seen["mentions"])
        start = seen["start"]
        tails, roles = targets["tails"], targets["roles"]
        inside = torch.arange(memory.shape[1], device=memory.device) < batch["pair_lengths"][:, None]
        free = batch["mention_kinds"] > 0
        rows = torch.arange(len(start), device=start.device)
        hidden, cell = torch.tanh(start), torch.zeros_like(start)
        begin = self.role_vectors.weight[-1].expand_as(start)
        given = torch.cat([start, begin], 1)
        losses = []
        for step in range(tails.shape[1]):
            hidden, cell = self.cell(given, (hidden, cell))
            mixed = self.dropout(self._mixed(hidden, memory, inside))
            scores = self._scores(mixed, mentions, free)
            losses.append(_cross_entropy(scores, tails[:, step]))
            chosen = tails[:, step].clamp(0, mentions.shape[1] - 1)
            target = mentions[rows, chosen]
            losses.append(_cross_entropy(self._roles(mixed, target), roles[:, step]))
            given = torch.cat([target, self.role_vectors(roles[:, step].clamp(min=0))], 1)
            taken = (roles[:, step] >= 0)[:, None] & (
                torch.arange(free.shape[1], device=free.device) == chosen[:, None]
            )
            free = free & ~taken
        total: Tensor = torch.stack(losses).sum() / (tails != _NOTHING).sum()
        return total

    def _mixed(self, hidden: Tensor, memory: Tensor, inside: Tensor) -> Tensor:
        looks = torch.einsum("rpw,rw->rp", memory, self.query(hidden)).masked_fill(~inside, _FAR)
        context = torch.einsum("rp,rpw->rw", looks.softmax(1), memory)
        return torch.tanh(self.mix(torch.cat([hidden, context], 1)))

    def _scores(self, mixed: Tensor, mentions: Tensor, free: Tensor) -> Tensor:
        scores = torch.einsum("rmw,rw->rm", mentions, mixed).masked_fill(~free, _FAR)
        return torch.cat([scores, self.stop(mixed)], 1)

    def _roles(self, mixed: Tensor, target: Tensor) -> Tensor:
        found: Tensor = self.roles(torch.cat([mixed * target, target], 1))
        return found

    def pointing(self) -> Pointing:
        """The weights of the decoder, for `medspan.model.pointing`."""
        parts = {
            "input": self.cell.weight_ih.t(),
            "recurrent": self.cell.weight_hh.t(),
            "bias": self.cell.bias_ih + self.cell.bias_hh,
            "query": self.query.weight.t(),
            "mix": self.mix.weight.t(),
            "mix_bias": self.mix.bias,
            "stop": self.stop.weight[0],
            "roles": self.roles.weight.t(),
            "roles_bias": self.roles.bias,
            "role_vectors": self.role_vectors.weight,
        }
        return Pointing(**{name: t.detach().float().cpu().contiguous().numpy() for name, t in parts.items()})

    def to_graph(self, graph: Graph, states: str) -> None:
        """Write the outputs ``memory``, ``mentions`` and ``start``."""
        words = self.words.to_graph(graph, states)
        upper = self.upper.to_graph(graph, words, "pair_lengths", prefix="upper.")[-1]
        upper = graph.node("Transpose", upper, perm=[1, 0, 2])
        width = self.memory.out_features
        graph.output(
            "memory", graph.linear("relations.memory", self.memory, upper), ("pairs", "places", width)
        )
        ends = graph.node(
            "Concat",
            *(
                graph.node("GatherND", upper, graph.node("Unsqueeze", name, graph.ints(2)), batch_dims=1)
                for name in ("mention_first", "mention_last")
            ),
            axis=2,
        )
        mentions = graph.node(
            "Add",
            graph.linear("relations.mention", self.mention, ends),
            graph.lookup("relations.kinds", self.kinds, "mention_kinds"),
        )
        graph.output("mentions", graph.node("Tanh", mentions), ("pairs", "mentions", width))
        head = pooled_to_graph(graph, upper, range(HEAD, HEAD + 1))
        graph.output("start", graph.linear("relations.start", self.start, head), ("pairs", width))


def _cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(scores, targets, ignore_index=_NOTHING, reduction="sum")
