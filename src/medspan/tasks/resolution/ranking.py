"""From evidence to ranked concepts: a weighted sum, and a calibrated score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.tasks.resolution.evidence import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medspan.tasks.resolution.evidence import Evidence
    from medspan.tasks.resolution.index import Index
    from medspan.tasks.resolution.spec import Ranking

MOST_LEAD: Final = 5.0
"""The lead of a candidate that has no rival, or one far behind."""
_EXACT_FIRST: Final = 1000.0


class Ranked(NamedTuple):
    """Concepts of one look-up, best first, each with its probability; numbers of the index."""

    concepts: tuple[int, ...]
    scores: tuple[float, ...]
    is_exact: bool


def weight_vector(ranking: Ranking) -> NDArray[np.float64]:
    """The weights in the order of the features; (features,)."""
    return np.asarray([ranking.weights.get(name, 0.0) for name in FEATURES])


def by_concept(
    index: Index, evidence: Evidence, weights: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Concepts, best first, and the score of each: that of its best name. Names met exactly go first."""
    at = FEATURES.index("bag"), FEATURES.index("plain")
    is_met = evidence.table[:, at].max(axis=1, initial=0.0)
    scores = evidence.table @ weights
    order = np.lexsort((evidence.names, -scores, -is_met))
    concepts = index.concept[evidence.names[order]]
    _, first = np.unique(concepts, return_index=True)
    first.sort()
    ranked = (scores + _EXACT_FIRST * is_met)[order][first]
    return concepts[first], np.where(ranked > _EXACT_FIRST / 2, ranked - _EXACT_FIRST, ranked)


def lead_of(scores: NDArray[np.float64]) -> float:
    """How far the best score is above the next."""
    return min(float(scores[0] - scores[1]), MOST_LEAD) if len(scores) > 1 else MOST_LEAD


def rank(index: Index, evidence: Evidence, ranking: Ranking, most: int) -> Ranked:
    """The best concepts of a look-up with their probabilities."""
    if not len(evidence.names):
        return Ranked((), (), is_exact=False)
    concepts, scores = by_concept(index, evidence, weight_vector(ranking))
    curve = ranking.exact if evidence.is_exact else ranking.near
    best = chance(float(scores[0]), lead_of(scores), curve)
    rest = np.exp(np.minimum(scores[1:] - scores[0], 0.0))
    rest = rest / max(float(rest.sum()), 1.0) * (1.0 - best)
    found = (best, *(min(float(score), best) for score in rest[: most - 1]))
    return Ranked(tuple(int(concept) for concept in concepts[:most]), found, evidence.is_exact)


def chance(score: float, lead: float, curve: tuple[float, float, float]) -> float:
    """The probability that the best candidate is right, by its score and lead."""
    of_score, of_lead, constant = curve
    return 1.0 / (1.0 + math.exp(-max(min(of_score * score + of_lead * lead + constant, 30.0), -30.0)))
