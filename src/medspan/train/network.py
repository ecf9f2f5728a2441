"""One shared encoder and any number of named heads: single-task and multi-task learning are one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.errors import ConfigError
from medspan.train.crf import soft_losses
from medspan.train.encoders import build_encoder
from medspan.train.encoders.words import WordFeatures
from medspan.train.heads.tags import TagHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Recipe
    from medspan.features.vocab import Vocab


class Network(nn.Module):
    """Encoder and heads of a recipe.

    Args:
        recipe: names the encoder and the heads.
        vocab: sizes of the tables.

    Raises:
        ConfigError: if a head reads a level the encoder lacks, or has a name torch cannot take.
    """

    def __init__(self, recipe: Recipe, vocab: Vocab) -> None:
        super().__init__()
        self.encoder = build_encoder(recipe.encoder, vocab)
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
        apart, together = _by_kind({self.head(name): tags for name, tags in targets.items()})
        losses = [head.loss(levels, tags, lengths) for head, tags in apart.items()]
        for heads in together:
            emissions, crfs = [head(levels) for head in heads], [head.crf for head in heads]
            losses.append(soft_losses(crfs, emissions, list(heads.values()), lengths))
        total: Tensor = sum(losses[1:], losses[0])
        return total / len(lengths)


_Targets = dict[TagHead, Tensor]


def _by_kind(targets: _Targets) -> tuple[_Targets, list[_Targets]]:
    """Heads that learn by themselves, and groups whose CRFs run as one, which is far quicker.

    Those are the CRF heads with equally many tags that learn from marginals, as all do from a soft sentence.
    """
    is_soft = {head: head.is_joint and tags.is_floating_point() for head, tags in targets.items()}
    counts = sorted({len(head.tags) for head in targets if is_soft[head]})
    groups = [{h: t for h, t in targets.items() if is_soft[h] and len(h.tags) == n} for n in counts]
    return {head: tags for head, tags in targets.items() if not is_soft[head]}, groups
