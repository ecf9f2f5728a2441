"""Fits a ranking to annotated mentions: weights of the evidence, then what scores are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from medspan.tasks.resolution.evidence import FEATURES, evidence_of
from medspan.tasks.resolution.ranking import by_concept, chance
from medspan.tasks.resolution.spec import Ranking

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from medspan.tasks.resolution.evidence import Evidence
    from medspan.tasks.resolution.index import Index

_STEPS: Final = 400
_RATE: Final = 0.1
_DECAY: Final = 1e-3
_BETAS: Final = (0.9, 0.999)
_NEWTON_STEPS: Final = 50
_CURVE_DECAY: Final = 1e-2


class Example(NamedTuple):
    """A mention: its candidates, which of them are right, and how often it came."""

    evidence: Evidence
    is_right: NDArray[np.bool_]
    weight: float


def example_of(index: Index, text: str, ids: Collection[str], weight: float = 1.0) -> Example:
    """The candidates of an annotated mention; ``ids`` are those of the concepts that count as right."""
    evidence = evidence_of(index, text, only_exact=False)
    concepts = index.concept[evidence.names]
    right = {int(c) for c in np.unique(concepts) if index.ids[int(c)] in ids}
    return Example(evidence, np.asarray([int(c) in right for c in concepts], dtype=bool), weight)


def fit_weights(examples: Sequence[Example], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that make the right names of mentions likely among all their candidates.

    The loss is minus the log of the probability, by a softmax over the candidates, that falls on names of
    right concepts (the marginal likelihood of Sung et al. 2020, BioSyn), plus a decay towards ``start``.

    Args:
        examples: mentions without a right candidate teach nothing and are left out.
        start: float64 (features,).
    """
    table, owner, right, weight = _joined([e for e in examples if e.is_right.any() and not e.is_right.all()])
    if not len(table):
        return start
    scale = np.maximum(table.std(axis=0), 1e-3)
    moved = np.zeros_like(start)
    first, second = np.zeros_like(start), np.zeros_like(start)
    for step in range(1, _STEPS + 1):
        gradient = _gradient(table, owner, right, weight, start + moved / scale) / scale + _DECAY * moved
        first = _BETAS[0] * first + (1 - _BETAS[0]) * gradient
        second = _BETAS[1] * second + (1 - _BETAS[1]) * gradient**2
        rate = _RATE * (1 - step / _STEPS)
        moved -= rate * (first / (1 - _BETAS[0] ** step)) / (np.sqrt(second / (1 - _BETAS[1] ** step)) + 1e-8)
    found: NDArray[np.float64] = start + moved / scale
    return found


def _joined(
    examples: Sequence[Example],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """All candidates in one table, the example each belongs to, whether it is right, weights of examples.

    Where a name is met exactly, only such names compete: that is how they are ranked.
    """
    at = [FEATURES.index("plain"), FEATURES.index("bag")]
    tables, rights = [], []
    for example in examples:
        is_met = example.evidence.table[:, at].any(axis=1)
        kept = is_met if (is_met & example.is_right).any() and not example.is_right[is_met].all() else ~is_met
        if not (kept & example.is_right).any():
            kept = np.ones_like(is_met)
        tables.append(example.evidence.table[kept])
        rights.append(example.is_right[kept])
    if not tables:
        return np.zeros((0, len(FEATURES))), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0)
    owner = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    weights = np.asarray([example.weight for example in examples])
    return np.concatenate(tables), owner, np.concatenate(rights), weights / weights.sum()


def _gradient(
    table: NDArray[np.float64],
    owner: NDArray[np.int64],
    right: NDArray[np.bool_],
    weight: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    scores = table @ weights
    top = np.full(len(weight), -np.inf)
    np.maximum.at(top, owner, scores)
    exponent = np.exp(scores - top[owner])
    all_of = np.bincount(owner, exponent, minlength=len(weight))
    right_of = np.bincount(owner, exponent * right, minlength=len(weight))
    share = exponent / all_of[owner] - exponent * right / np.maximum(right_of, 1e-12)[owner]
    gradient: NDArray[np.float64] = table.T @ (share * weight[owner])
    return gradient


class Point(NamedTuple):
    """The best candidate of a mention: its score and lead, whether it is right, whether anything could be."""

    score: float
    lead: float
    is_right: bool
    could_be: bool
    is_exact: bool
    weight: float


def fit_curve(points: Sequence[Point]) -> tuple[float, float, float]:
    """A logistic curve from score and lead to the chance of being right, by Newton's method."""
    if not points:
        return 0.0, 0.0, 0.0
    values = np.asarray([(point.score, point.lead, 1.0) for point in points])
    right = np.asarray([point.is_right for point in points], dtype=float)
    weight = np.asarray([point.weight for point in points])
    curve = np.zeros(3)
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(values @ curve, -30, 30)))
        slope = values.T @ (weight * (chance - right)) + _CURVE_DECAY * curve
        bend = (values * (weight * chance * (1 - chance))[:, None]).T @ values + _CURVE_DECAY * np.eye(3)
        curve = curve - np.linalg.solve(bend, slope)
    of_score, of_lead, constant = (round(float(value), 4) for value in curve)
    return of_score, of_lead, constant


def points_of(index: Index, examples: Sequence[Example], weights: NDArray[np.float64]) -> list[Point]:
    """The best candidate of each mention that has one."""
    found = []
    for example in examples:
        if not len(example.evidence.names):
            continue
        concepts, scores, lead = by_concept(index, example.evidence, weights)
        right = set(index.concept[example.evidence.names[example.is_right]].tolist())
        is_exact = example.evidence.is_exact
        is_right = int(concepts[0]) in right
        found.append(Point(float(scores[0]), lead, is_right, bool(right), is_exact, example.weight))
    return found


def fit_none(points: Sequence[Point], ranking: Ranking) -> float:
    """The probability below which no concept is given: that with which most mentions are answered rightly.

    Right is the right concept, or none where no candidate is right; of equal ones the lowest threshold.
    """
    rated = sorted((chance_of(point, ranking), point) for point in points)
    gain, best, threshold = 0.0, 0.0, 0.0
    for likely, point in rated:
        gain += point.weight * (0 if point.could_be and not point.is_right else -1 if point.is_right else 1)
        if gain > best:
            best, threshold = gain, likely
    return round(min(threshold + 1e-4, 1.0), 4) if best else 0.0


def chance_of(point: Point, ranking: Ranking) -> float:
    """The probability that a candidate is right."""
    return chance(point.score, point.lead, ranking.exact if point.is_exact else ranking.near)


def fit_ranking(
    index: Index, examples: Sequence[Example], start: Ranking, learnt_from: tuple[str, ...] = ()
) -> tuple[Ranking, float]:
    """A ranking fitted to mentions of one index, and the share of them it gets right.

    Scores are calibrated on the same mentions: the weights are few, so little is lost by that.
    """
    begin = np.asarray([start.weights.get(name, 0.0) for name in FEATURES])
    weights = np.round(fit_weights(examples, begin), 4)
    points = points_of(index, examples, weights)
    ranking = Ranking(
        {name: float(value) for name, value in zip(FEATURES, weights, strict=True)},
        fit_curve([point for point in points if point.is_exact]),
        fit_curve([point for point in points if not point.is_exact]),
        0.0,
        learnt_from,
    )
    ranking = msgspec.structs.replace(ranking, none_below=fit_none(points, ranking))
    total = sum(example.weight for example in examples)
    return ranking, sum(point.weight for point in points if point.is_right) / total
