"""Learns to score candidates: the features, and a few hidden units that cross them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.tasks.resolution.evidence import FEATURES
from medspan.tasks.resolution.spec import Scoring, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNITS: Final = 16
_SEEDS: Final = (0, 1, 2)
_STEPS: Final = 300
_RATE: Final = 0.02
_DECAY: Final = 1e-3
_BETAS: Final = (0.9, 0.999)
_DIGITS: Final = 5


class Candidates(NamedTuple):
    """Candidates of one mention: ``table`` (rows, features), which are right (rows,), how often it came."""

    table: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    weight: float


class _Batch(NamedTuple):
    """All candidates in one table, features at mean 0 and deviation 1."""

    table: NDArray[np.float64]
    right: NDArray[np.float64]
    owner: NDArray[np.int64]
    starts: NDArray[np.int64]
    weight: NDArray[np.float64]


_Weights = list["NDArray[np.float64]"]


def fit_scoring(mentions: Sequence[Candidates]) -> Scoring | None:
    """Weights that make the right candidates of mentions likely among all of them.

    The loss is minus the log of the probability, by a softmax over the candidates, that falls on right ones
    (the marginal likelihood of Sung et al. 2020, BioSyn), and a decay. A mention that came often weighs as
    the root of how often. Several networks from other random weights are averaged.

    Args:
        mentions: those of which every candidate is right, or none, teach nothing.

    Returns:
        None where no mention teaches anything.
    """
    mentions = [each for each in mentions if each.is_right.any() and not each.is_right.all()]
    if not mentions:
        return None
    table = np.concatenate([each.table for each in mentions])
    mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-2)
    sizes = np.asarray([len(each.table) for each in mentions])
    weight = np.sqrt([each.weight for each in mentions])
    batch = _Batch(
        (table - mean) / scale,
        np.concatenate([each.is_right for each in mentions]).astype(np.float64),
        np.repeat(np.arange(len(mentions)), sizes),
        np.concatenate(([0], np.cumsum(sizes)[:-1])),
        weight / weight.sum(),
    )
    return _joined([_learnt(batch, seed) for seed in _SEEDS], mean, scale)


def _learnt(batch: _Batch, seed: int) -> _Weights:
    """One network, by Adam (Kingma & Ba 2015): weights into units, constants, out of units, and straight."""
    random = np.random.default_rng(seed)
    width = batch.table.shape[1]
    weights = [
        random.normal(0, 0.5 / np.sqrt(width), (width, UNITS)),
        np.zeros(UNITS),
        random.normal(0, 0.1, UNITS),
        np.zeros(width),
    ]
    means = [np.zeros_like(each) for each in weights]
    squares = [np.zeros_like(each) for each in weights]
    for step in range(1, _STEPS + 1):
        rate = _RATE * (1 - step / _STEPS)
        for place, gradient in enumerate(_gradients(batch, weights)):
            means[place] = _BETAS[0] * means[place] + (1 - _BETAS[0]) * gradient
            squares[place] = _BETAS[1] * squares[place] + (1 - _BETAS[1]) * gradient**2
            length = np.sqrt(squares[place] / (1 - _BETAS[1] ** step)) + 1e-9
            weights[place] = weights[place] - rate * means[place] / (1 - _BETAS[0] ** step) / length
    return weights


def _gradients(batch: _Batch, weights: _Weights) -> _Weights:
    into, constants, out, straight = weights
    units = np.tanh(batch.table @ into + constants)
    scores = batch.table @ straight + units @ out
    exponent = np.exp(scores - np.maximum.reduceat(scores, batch.starts)[batch.owner])
    all_of = np.add.reduceat(exponent, batch.starts)
    right_of = np.maximum(np.add.reduceat(exponent * batch.right, batch.starts), 1e-12)
    share = exponent / all_of[batch.owner] - exponent * batch.right / right_of[batch.owner]
    slope = share * batch.weight[batch.owner]
    bend = slope[:, None] * out * (1 - units**2)
    return [
        batch.table.T @ bend + _DECAY * into,
        bend.sum(axis=0),
        units.T @ slope + _DECAY * out,
        batch.table.T @ slope + _DECAY * straight,
    ]


def _joined(networks: Sequence[_Weights], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> Scoring:
    """Networks as one, which takes features as they are."""
    share = 1 / len(networks)
    units = []
    for into, constants, out, _ in networks:
        for place in range(UNITS):
            raw = into[:, place] / scale
            units.append(Unit(_named(raw), _short(constants[place] - raw @ mean), _short(out[place] * share)))
    straight = sum(network[3] for network in networks) * share / scale
    return Scoring(_named(np.asarray(straight)), tuple(units))


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: _short(value) for name, value in zip(FEATURES, values, strict=True)}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
