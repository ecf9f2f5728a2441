"""Fits a log-linear model over features that are strings, with numpy.

An example allows one label or several: a corpus that only says "not absent" allows all others, and the loss
is that of their sum, minus the logarithm of their summed probability.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Example(NamedTuple):
    """An entity: its features, the labels it may have, and how much it counts."""

    features: list[str]
    labels: frozenset[str]
    weight: float = 1.0


class Settings(NamedTuple):
    """How to fit.

    Attributes:
        epochs: passes over the examples.
        learning_rate: of AdaGrad (Duchi et al. 2011).
        decay: L2 penalty on the weights, for each example.
        min_count: features in fewer examples are left out.
        smallest: features none of whose weights is larger are left out.
        batch: examples of a step.
        seed: of their order.
    """

    epochs: int = 12
    learning_rate: float = 0.1
    decay: float = 1e-4
    min_count: int = 3
    smallest: float = 0.1
    batch: int = 64
    seed: int = 0


_DEFAULT = Settings()


def fit(
    examples: Sequence[Example], labels: Sequence[str], settings: Settings = _DEFAULT
) -> dict[str, list[float]]:
    """The weights of each feature, one for each label, rounded to two digits.

    Args:
        examples: what to learn from.
        labels: all labels, in the order of the weights.
        settings: how to fit.
    """
    counts = Counter(name for example in examples for name in set(example.features))
    names = sorted(name for name, count in counts.items() if count >= settings.min_count)
    index = {name: place for place, name in enumerate(names)}
    rows = [np.array([index[n] for n in e.features if n in index], dtype=np.int32) for e in examples]
    allowed = np.array([[label in e.labels for label in labels] for e in examples])
    counted = np.array([e.weight for e in examples])
    weights = np.zeros((len(names), len(labels)))
    squares = np.full_like(weights, 1e-6)
    chance = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        order = chance.permutation(len(rows))
        for begin in range(0, len(order), settings.batch):
            chosen = order[begin : begin + settings.batch]
            _step(weights, squares, [rows[i] for i in chosen], allowed[chosen], counted[chosen], settings)
    kept = np.abs(weights).max(axis=1) >= settings.smallest
    return {name: np.round(weights[i], 2).tolist() for i, name in enumerate(names) if kept[i]}


def _step(  # noqa: PLR0917 - arrays that belong together
    weights: NDArray[np.float64],
    squares: NDArray[np.float64],
    rows: list[NDArray[np.int32]],
    allowed: NDArray[np.bool_],
    counted: NDArray[np.float64],
    settings: Settings,
) -> None:
    """One step of AdaGrad on a batch, in place."""
    flat = np.concatenate(rows)
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    sums = np.zeros(allowed.shape)
    np.add.at(sums, owner, weights[flat])
    chances = np.exp(sums - sums.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    kept = np.where(allowed, chances, 0.0)
    target = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    slope = (chances - target) * counted[:, None]
    touched, place = np.unique(flat, return_inverse=True)
    gradient = settings.decay * len(rows) * weights[touched]
    np.add.at(gradient, place, slope[owner])
    squares[touched] += gradient**2
    weights[touched] -= settings.learning_rate * gradient / np.sqrt(squares[touched])
