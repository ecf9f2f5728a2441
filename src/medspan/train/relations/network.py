"""Encoder of a tagger and a head for relations: one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.features.pieces import Pieces
from medspan.train.encoders import build_encoder
from medspan.train.encoders.words import WordFeatures
from medspan.train.relations.pairs import PairHead
from medspan.train.relations.pointers import PointerHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph
    from medspan.train.hub import HubModel
    from medspan.train.relations.settings import RelationRecipe


class RelationNetwork(nn.Module):
    """Encoder and head of a recipe; tensors of the encoder are named as in a tagger, so that they transfer.

    Args:
        recipe: names the encoder and the head.
        vocab: sizes of the tables.
        hub: the public encoder a ``transformer`` starts from.
    """

    def __init__(self, recipe: RelationRecipe, vocab: Vocab, hub: HubModel | None = None) -> None:
        super().__init__()
        self.encoder = build_encoder(recipe.encoder, vocab, hub)
        widths: list[int] = self.encoder.widths  # type: ignore[assignment]
        config = recipe.relations
        self.relations: PairHead | PointerHead
        if config.kind == "pairs":
            classes = len(config.labels) + config.negatives
            self.relations = PairHead(config, widths[-1], classes)
        else:
            self.relations = PointerHead(config, widths[-1], len(config.labels))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arrays of words the encoder takes."""
        names: tuple[str, ...] = self.encoder.inputs  # type: ignore[assignment]
        return names

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """Names of the arrays the exported graph takes."""
        names: tuple[str, ...] = self.encoder.graph_inputs  # type: ignore[assignment]
        return (*names, *self.relations.inputs)

    @property
    def features(self) -> WordFeatures | None:
        """The part that sees each distinct word by itself; None in an encoder that reads characters only."""
        found = getattr(self.encoder, "features", None)
        return found if isinstance(found, WordFeatures) else None

    @property
    def pieces(self) -> Pieces | None:
        """What cuts words into pieces; None in an encoder over words or characters."""
        found = getattr(self.encoder, "pieces", None)
        return found if isinstance(found, Pieces) else None

    @property
    def rates(self) -> dict[str, float]:
        """Factors of the learning rate the encoder asks for, by name of parameter; 1 where absent."""
        found: dict[str, float] = getattr(self.encoder, "rates", {})
        return {f"encoder.{name}": rate for name, rate in found.items()}

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the head says of the pairs, or heads, of a batch."""
        found: dict[str, Tensor] = self.relations(self.encoder(batch)[-1], batch)
        return found

    def loss(self, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over the pairs, or steps, of a batch."""
        return self.relations.loss(self.encoder(batch)[-1], batch, targets)

    def to_graph(self, graph: Graph) -> None:
        """Encoder and head as nodes."""
        levels: list[str] = self.encoder.to_graph(graph)  # type: ignore[operator]
        self.relations.to_graph(graph, levels[-1])
