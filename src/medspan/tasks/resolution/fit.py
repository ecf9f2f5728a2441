"""Fits a ranking to annotated mentions: how candidates are scored, then what scores are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from medspan.tasks.resolution.ranking import Ranker, chance
from medspan.tasks.resolution.scoring import Candidates, fit_scoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medspan.tasks.resolution.evidence import Evidence
    from medspan.tasks.resolution.spec import Ranking

FOLDS: Final = 4
_NEWTON_STEPS: Final = 50
_CURVE_DECAY: Final = 1e-2


class Example(NamedTuple):
    """A mention: its candidates, which of them are right, how often it came, and a document it is of."""

    evidence: Evidence
    is_right: NDArray[np.bool_]
    weight: float
    document: str


def fit_weights(examples: Sequence[Example], start: Ranking) -> Ranking:
    """A ranking with the scores learnt from mentions; what cannot be learnt stays as in ``start``.

    Where a name is met exactly, only such names compete, as they do when mentions are resolved.
    """
    met: list[Candidates] = []
    near: list[Candidates] = []
    for example in examples:
        is_met = example.evidence.is_met
        rows = is_met if example.evidence.is_exact else ~is_met
        part = met if example.evidence.is_exact else near
        part.append(Candidates(example.evidence.table[rows], example.is_right[rows], example.weight))
    return msgspec.structs.replace(
        start, met=fit_scoring(met) or start.met, near=fit_scoring(near) or start.near
    )


class Point(NamedTuple):
    """The best candidate of a mention: its score and lead, whether it is right, whether anything could be."""

    score: float
    lead: float
    is_right: bool
    could_be: bool
    is_exact: bool
    weight: float


def points_of(examples: Sequence[Example], ranking: Ranking) -> list[Point]:
    """The best candidate of each mention that has one."""
    ranker, found = Ranker(ranking), []
    for evidence, is_right, weight, _ in examples:
        if not len(evidence.concepts):
            continue
        concepts, scores, lead = ranker.scored(evidence)
        right = set(evidence.concepts[is_right].tolist())
        found.append(
            Point(float(scores[0]), lead, int(concepts[0]) in right, bool(right), evidence.is_exact, weight)
        )
    return found


def fit_curve(points: Sequence[Point]) -> tuple[float, float, float]:
    """A logistic curve from score and lead to the chance of being right, by Newton's method."""
    if not points:
        return 0.0, 0.0, 0.0
    values = np.asarray([(point.score, point.lead, 1.0) for point in points])
    right = np.asarray([point.is_right for point in points], dtype=float)
    weight = np.asarray([point.weight for point in points])
    curve = np.zeros(3)
    for _ in range(_NEWTON_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(values @ curve, -30, 30)))
        slope = values.T @ (weight * (likely - right)) + _CURVE_DECAY * curve
        bend = (values * (weight * likely * (1 - likely))[:, None]).T @ values + _CURVE_DECAY * np.eye(3)
        curve = curve - np.linalg.solve(bend, slope)
    of_score, of_lead, constant = (round(float(value), 4) for value in curve)
    return of_score, of_lead, constant


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
    return chance(point.score, point.lead, ranking.met_curve if point.is_exact else ranking.near_curve)


def calibrated(ranking: Ranking, points: Sequence[Point]) -> Ranking:
    """A ranking whose scores are worth what mentions show that it, or one alike, was not fitted to."""
    ranking = msgspec.structs.replace(
        ranking,
        met_curve=fit_curve([point for point in points if point.is_exact]),
        near_curve=fit_curve([point for point in points if not point.is_exact]),
        none_below=0.0,
    )
    return msgspec.structs.replace(ranking, none_below=fit_none(points, ranking))


def folds_of(documents: Sequence[str]) -> dict[str, int]:
    """Documents, each with its fold."""
    return {document: place % FOLDS for place, document in enumerate(sorted(set(documents)))}


def fit_ranking(
    held_out: Sequence[Example], own: Sequence[Example], start: Ranking, learnt_from: tuple[str, ...] = ()
) -> tuple[Ranking, float]:
    """A ranking fitted to mentions, and the share right of held-out ones, cross-validated.

    What scores are worth is learnt from mentions of documents that the scores were not learnt from.

    Args:
        held_out: mentions that are no names of the index.
        own: mentions of which the index has names; with the candidates they would have without it.
        start: the ranking where nothing can be learnt.
        learnt_from: names of the corpora.
    """
    folds = folds_of([example.document for example in held_out])
    points = []
    for fold in sorted(set(folds.values())):
        others = [example for example in held_out if folds[example.document] != fold]
        ranking = fit_weights([*others, *own], start)
        points += points_of([each for each in held_out if folds[each.document] == fold], ranking)
    ranking = calibrated(fit_weights([*held_out, *own], start), points)
    ranking = msgspec.structs.replace(ranking, learnt_from=learnt_from)
    total = sum(example.weight for example in held_out)
    return ranking, sum(point.weight for point in points if point.is_right) / total
