"""Parts of a training split: its sentences, some at random, and the recipe that learns from a part."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import msgspec
from facts import numbered

from medspan.corpora import load
from medspan.weak.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.config import Recipe
    from medspan.types import Document

MOST_EPOCHS = 4
"""Times the recipe's epochs that a small set gets at most."""


def pool_of(corpus: str) -> list[Document]:
    """The sentences of the training split with their gold mentions, under ids that are unique."""
    return list(sentences(numbered(load(corpus, "train"))))


def draw(pool: Sequence[Document], count: int, seed: int, *more: object) -> list[Document]:
    """Some sentences at random."""
    return Random(f"{seed}-{more}").sample(list(pool), min(count, len(pool)))  # noqa: S311 - no secret


def subset_recipe(recipe: Recipe, source: str, share: float, seed: int, beside: Path) -> Recipe:
    """The recipe on a part of its corpus: as many more epochs as the root of the share is smaller.

    A fixed rule, the same for whatever is compared: it is steps that teach, and small sets have few.

    Args:
        recipe: of one corpus.
        source: the file that takes the place of the training split.
        share: of the training sentences that are in it.
        seed: of the training.
        beside: folder that a relative path in ``transfer.from`` starts from.
    """
    ((name, corpus),) = recipe.corpora.items()
    more = min(MOST_EPOCHS, 1 / math.sqrt(share))
    epochs, patience = (round(more * count) for count in (recipe.train.epochs, recipe.train.patience))
    start = recipe.transfer
    if start is not None and (beside / start.source).exists():
        start = msgspec.structs.replace(start, source=str((beside / start.source).resolve()))
    return msgspec.structs.replace(
        recipe,
        corpora={name: msgspec.structs.replace(corpus, train=source)},
        train=msgspec.structs.replace(recipe.train, seed=seed, epochs=epochs, patience=patience),
        transfer=start,
    )


def amount_needed(curve: Sequence[tuple[float, float]], f1: float) -> float | None:
    """Where a curve of (amount, F1) first reaches an F1, straight between its points; None if nowhere."""
    before: tuple[float, float] | None = None
    for count, value in curve:
        if value >= f1:
            if before is None or value == before[1]:
                return count
            return before[0] + (count - before[0]) * (f1 - before[1]) / (value - before[1])
        before = (count, value)
    return None
