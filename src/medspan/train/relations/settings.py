"""What a recipe for relations may say beside encoder, corpora and how to optimise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from medspan.config import Count, HeadConfig, NonNegativeFloat, Positive, Rate, Recipe, Strict
from medspan.errors import ConfigError
from medspan.features.views import ViewSpec
from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from pathlib import Path


class RelationsConfig(Strict, frozen=True):
    """The head of a relation model, and the pairs it learns from."""

    labels: tuple[str, ...]
    """Labels of relations that are learnt."""
    views: ViewSpec
    """Which entities are paired, and what is seen of them."""
    kind: Literal["pairs", "pointers"] = "pairs"
    """Classify each pair, or emit the tails of a head one by one, as pointers to mentions."""
    negatives: bool = True
    """Whether two mentions may be unrelated; a corpus without such pairs teaches only which relation."""
    kept_negatives: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Share of the unrelated pairs that is drawn for an epoch."""
    none_weight: NonNegativeFloat = 1.0
    """Weight of the loss of an unrelated pair."""
    upper: bool = True
    """Whether an LSTM reads the words of a pair before they are pooled; a transformer can do without."""
    width: Positive = 128
    """Width of words in the upper layer; of the decoder's states where the head points."""
    hidden_width: Positive = 96
    """Width of each direction of the upper layer."""
    dropout: Rate = 0.3
    """Share of the upper layer's inputs dropped."""
    folds: Count = 0
    """Parts the training documents are cut into by their ids, one of which selects the checkpoint in place of
    the dev split; 0 takes the dev split."""
    fold: Count = 0
    """Which part that is, from 0."""


class RelationRecipe(Recipe, frozen=True, kw_only=True):
    """A whole training run of a relation model: a recipe with ``[relations]`` in place of heads."""

    relations: RelationsConfig
    heads: dict[str, HeadConfig] = msgspec.field(default_factory=dict)


def is_relation_recipe(path: Path) -> bool:
    """Whether a recipe asks for a relation model.

    Raises:
        ConfigError: if there is no such file or it is not TOML.
    """
    return "relations" in read_toml(path)


def load_relation_recipe(path: Path) -> RelationRecipe:
    """Read and check a recipe with ``[relations]``.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    return parse_relation_recipe(read_toml(path), str(path))


def parse_relation_recipe(raw: dict[str, Any], where: str) -> RelationRecipe:
    """Check a recipe that is already a dict; ``where`` names it in errors.

    Raises:
        ConfigError: naming the key, and what is allowed there.
    """
    recipe = convert(raw, RelationRecipe, where)
    relations = recipe.relations
    if recipe.heads or recipe.groups or recipe.distil:
        raise ConfigError(f"{where}: a recipe with [relations] has no [heads], [groups] or [distil]")
    if not relations.labels or len(set(relations.labels)) != len(relations.labels) or "" in relations.labels:
        raise ConfigError(f"{where}: relations.labels: give at least one label, none twice or empty")
    if relations.folds == 1 or (relations.folds and relations.fold >= relations.folds):
        raise ConfigError(f"{where}: relations.fold: must be below relations.folds, which is 0 or at least 2")
    if relations.kind == "pointers" and not relations.negatives:
        raise ConfigError(f"{where}: relations.negatives: a head that points stops by itself; leave it out")
    if relations.kind == "pointers" and relations.views.marked:
        raise ConfigError(f"{where}: relations.views.marked: marks one pair; a head that points reads many")
    for name, corpus in recipe.corpora.items():
        if corpus.labels is not None:
            raise ConfigError(
                f"{where}: corpora.{name}.labels: rename what is seen with relations.views.shown instead"
            )
    if not recipe.corpora:
        raise ConfigError(f"{where}: corpora: give at least one corpus")
    return recipe


def with_relations(recipe: RelationRecipe, **changes: Any) -> RelationRecipe:  # noqa: ANN401 - as the fields
    """A copy with some settings of ``[relations]`` changed."""
    return msgspec.structs.replace(recipe, relations=msgspec.structs.replace(recipe.relations, **changes))
