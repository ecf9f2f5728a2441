"""Encoder of a tagger and a head for relations: one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.train.encoded import EncodedNetwork
from medspan.train.relations.pairs import PairHead
from medspan.train.relations.pointers import PointerHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph
    from medspan.train.hub import HubModel
    from medspan.train.relations.settings import RelationRecipe


class RelationNetwork(EncodedNetwork):
    """Encoder and head of a recipe; tensors of the encoder are named as in a tagger, so that they transfer.

    Args:
        recipe: names the encoder and the head.
        vocab: sizes of the tables.
        hub: the public encoder a ``transformer`` starts from.
    """

    def __init__(self, recipe: RelationRecipe, vocab: Vocab, hub: HubModel | None = None) -> None:
        super().__init__(recipe.encoder, vocab, hub)
        widths, config = self.widths, recipe.relations
        self.relations: PairHead | PointerHead
        if config.kind == "pairs":
            classes = len(config.labels) + config.negatives
            self.relations = PairHead(config, widths[-1], classes)
        else:
            self.relations = PointerHead(config, widths[-1], len(config.labels))

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """Names of the arrays the exported graph takes."""
        return (*super().graph_inputs, *self.relations.inputs)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the head says of the pairs, or heads, of a batch, by the names of the graph's outputs.

        These are ``scores`` (pairs, classes), or ``memory`` (heads, places, width), ``mentions`` (heads,
        mentions, width) and ``start`` (heads, width).
        """
        found: dict[str, Tensor] = self.relations(self.encoder(batch)[-1], batch)
        return found

    def loss(self, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over the pairs, or steps, of a batch, in nats.

        Args:
            batch: arrays of words and of pairs as tensors.
            targets: ``classes``, int64 (pairs,), or ``tails`` and ``roles``, int64 (heads, steps).
        """
        return self.relations.loss(self.encoder(batch)[-1], batch, targets)

    def to_graph(self, graph: Graph) -> None:
        """Encoder and head as nodes."""
        levels: list[str] = self.encoder.to_graph(graph)  # type: ignore[operator]
        self.relations.to_graph(graph, levels[-1])
