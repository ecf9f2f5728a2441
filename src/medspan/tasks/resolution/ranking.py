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


class Ranked(NamedTuple):
    """Concepts of one look-up, best first, each with its probability; numbers of the index."""

    concepts: tuple[int, ...]
    scores: tuple[float, ...]
    is_exact: bool


def weight_vector(ranking: Ranking) -> NDArray[np.float64]:
    """The weights in the order of the features; (features,)."""
    return np.asarray([ranking.weights.get(name, 0.0) for name in FEATURES])


class Scored(NamedTuple):
    """Concepts, best first: ``concepts`` int32, ``scores`` float64, (concepts,); the lead of the first."""

    concepts: NDArray[np.int32]
    scores: NDArray[np.float64]
    lead: float


def by_concept(index: Index, evidence: Evidence, weights: NDArray[np.float64]) -> Scored:
    """The score of each concept: that of its best name. Names met exactly go first.

    The lead is that over the next concept; of one met exactly, over the next that is. So neither the first
    concept nor its lead depends on whether further names were looked for.

    Args:
        index: the evidence is of.
        evidence: at least one candidate.
        weights: float64 (features,).
    """
    at = [FEATURES.index("plain"), FEATURES.index("bag")]
    is_met: NDArray[np.bool_] = np.any(evidence.table[:, at] > 0, axis=1)
    scores = evidence.table @ weights
    order = np.lexsort((evidence.names, -scores, ~is_met))
    concepts = index.concept[evidence.names[order]]
    _, first = np.unique(concepts, return_index=True)
    first.sort()
    best, rivals = scores[order][first], is_met[order][first] == is_met[order][0]
    rival = best[rivals][1:2]
    lead = min(float(best[0] - rival[0]), MOST_LEAD) if len(rival) else MOST_LEAD
    return Scored(concepts[first], best, lead)


def rank(index: Index, evidence: Evidence, ranking: Ranking, most: int) -> Ranked:
    """The best concepts of a look-up with their probabilities."""
    if not len(evidence.names):
        return Ranked((), (), is_exact=False)
    concepts, scores, lead = by_concept(index, evidence, weight_vector(ranking))
    best = chance(float(scores[0]), lead, ranking.exact if evidence.is_exact else ranking.near)
    rest = np.exp(np.minimum(scores[1:] - scores[0], 0.0))
    rest = rest / max(float(rest.sum()), 1.0) * (1.0 - best)
    found = (best, *(min(float(score), best) for score in rest[: most - 1]))
    return Ranked(tuple(int(concept) for concept in concepts[:most]), found, evidence.is_exact)


def chance(score: float, lead: float, curve: tuple[float, float, float]) -> float:
    """The probability that the best candidate is right, by its score and lead."""
    of_score, of_lead, constant = curve
    return 1.0 / (1.0 + math.exp(-max(min(of_score * score + of_lead * lead + constant, 30.0), -30.0)))
