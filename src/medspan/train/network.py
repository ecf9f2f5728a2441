"""One shared encoder, layers of entity types, and any number of named heads: one module for every task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medspan.errors import ConfigError
from medspan.train.crf import soft_losses
from medspan.train.encoded import EncodedNetwork
from medspan.train.groups import Group
from medspan.train.heads.tags import TagHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from medspan.config import Recipe
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph
    from medspan.train.hub import HubModel

_Targets = dict[str, Tensor]


class Network(EncodedNetwork):
    """Encoder and heads of a recipe.

    Args:
        recipe: names the encoder and the heads.
        vocab: sizes of the tables.
        hub: the public encoder a ``transformer`` starts from.

    Raises:
        ConfigError: if a head reads a level the encoder lacks, or has a name torch cannot take.
    """

    def __init__(self, recipe: Recipe, vocab: Vocab, hub: HubModel | None = None) -> None:
        super().__init__(recipe.encoder, vocab, hub)
        widths = self.widths
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
        self._reads = {name: (head.level, head.group) for name, head in recipe.heads.items()}
        self.groups = nn.ModuleDict()
        for name, group in recipe.groups.items():
            if hasattr(self.groups, name):
                raise ConfigError(f"groups.{name}: torch keeps this name for itself; choose another")
            level = next(head.level for head in recipe.heads.values() if head.group == name)
            self.groups[name] = Group(group, widths[level], recipe.train.head_dropout)

    def head(self, name: str) -> TagHead:
        """A head by name."""
        head = self.heads[name]
        if not isinstance(head, TagHead):
            raise TypeError(f"head {name!r} is no tag head")
        return head

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Emissions of every head, float (batch, words, tags)."""
        states = self._states(self.encoder(batch), self.heads)
        return {name: head(states[name]) for name, head in self.heads.items()}

    def loss(self, batch: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Loss per row over the heads with targets: a head learns only from corpora that annotate it.

        Args:
            batch: arrays of `medspan.features.batch` as tensors.
            targets: by head the tags, int64 (batch, words), or the marginals of a teacher, float (batch,
                words, tags); 0 where padded.
        """
        states = self._states(self.encoder(batch), targets)
        lengths = batch["lengths"]
        apart, together = self._by_kind(targets)
        losses = [self.head(name).loss(states[name], tags, lengths) for name, tags in apart.items()]
        for alike in together:
            emissions = [self.head(name)(states[name]) for name in alike]
            crfs = [self.head(name).crf for name in alike]
            losses.append(soft_losses(crfs, emissions, list(alike.values()), lengths))
        total: Tensor = sum(losses[1:], losses[0])
        return total / len(lengths)

    def _by_kind(self, targets: Mapping[str, Tensor]) -> tuple[_Targets, list[_Targets]]:
        """Targets of heads that learn by themselves, and groups whose CRFs run as one, which is far quicker.

        Those are the CRF heads with equally many tags that learn from marginals, as all do from a soft
        sentence.
        """
        soft = {n: t for n, t in targets.items() if self.head(n).is_joint and t.is_floating_point()}
        counts = sorted({len(self.head(name).tags) for name in soft})
        groups = [{n: t for n, t in soft.items() if len(self.head(n).tags) == count} for count in counts]
        return {name: tags for name, tags in targets.items() if name not in soft}, groups

    def _states(self, levels: Sequence[Tensor], heads: Iterable[str]) -> dict[str, Tensor]:
        """What each of some heads reads: a level of the encoder, through the layer of its entity type."""
        of_group: dict[str, Tensor] = {}
        states = {}
        for name in heads:
            level, group = self._reads[name]
            if group is None:
                states[name] = levels[level]
                continue
            if group not in of_group:
                of_group[group] = self.groups[group](levels[level])
            states[name] = of_group[group]
        return states

    def to_graph(self, graph: Graph, heads: Iterable[str]) -> list[str]:
        """Encoder, the layers of entity types that some heads read, and these heads, as nodes.

        Returns the names of the encoder's levels.
        """
        levels: list[str] = self.encoder.to_graph(graph)  # type: ignore[operator]
        of_group: dict[str, str] = {}
        for name in heads:
            level, group = self._reads[name]
            states = levels[level]
            if group is not None:
                if group not in of_group:
                    of_group[group] = self.groups[group].to_graph(graph, f"groups.{group}", states)  # type: ignore[operator]
                states = of_group[group]
            self.head(name).to_graph(graph, name, states)
        return levels
