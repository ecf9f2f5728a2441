"""One shared encoder and any number of named heads: single-task and multi-task learning are one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.errors import ConfigError
from medspan.features.pieces import Pieces
from medspan.train.encoders import build_encoder
from medspan.train.encoders.words import WordFeatures
from medspan.train.heads.tags import TagHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Recipe
    from medspan.features.vocab import Vocab
    from medspan.train.hub import HubModel


class Network(nn.Module):
    """Encoder and heads of a recipe.

    Args:
        recipe: names the encoder and the heads.
        vocab: sizes of the tables.
        hub: the public encoder a ``transformer`` starts from.

    Raises:
        ConfigError: if a head reads a level the encoder lacks, or has a name torch cannot take.
    """

    def __init__(self, recipe: Recipe, vocab: Vocab, hub: HubModel | None = None) -> None:
        super().__init__()
        self.encoder = build_encoder(recipe.encoder, vocab, hub)
        widths: list[int] = self.encoder.widths  # type: ignore[assignment]
        self.heads = nn.ModuleDict()
        for name, head in recipe.heads.items():
            if hasattr(self.heads, name):
                raise ConfigError(f"heads.{name}: torch keeps this name for itself; choose another")
            if not -len(widths) <= head.level < len(widths):
                raise ConfigError(
                    f"heads.{name}.level: is {head.level}; this encoder has levels 0 to {len(widths) - 1}, "
                    "and -1 is the last"
                )
            self.heads[name] = TagHead(head, widths[head.level], recipe.train.head_dropout)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arrays the encoder takes."""
        names: tuple[str, ...] = self.encoder.inputs  # type: ignore[assignment]
        return names

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """Names of the arrays the exported graph takes."""
        names: tuple[str, ...] = self.encoder.graph_inputs  # type: ignore[assignment]
        return names

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

    def head(self, name: str) -> TagHead:
        """A head by name."""
        head = self.heads[name]
        if not isinstance(head, TagHead):
            raise TypeError(f"head {name!r} is no tag head")
        return head

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Emissions of every head, float (batch, words, tags)."""
        levels = self.encoder(batch)
        return {name: head(levels) for name, head in self.heads.items()}

    def loss(self, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Loss per row over the heads with targets: a head learns only from corpora that annotate it."""
        levels = self.encoder(batch)
        lengths = batch["lengths"]
        losses = [self.heads[name].loss(levels, tags, lengths) for name, tags in targets.items()]  # type: ignore[operator]
        total: Tensor = sum(losses[1:], losses[0])
        return total / len(lengths)
