"""From evidence to ranked concepts: a score each, and the probability that the first is right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from medspan.tasks.resolution.evidence import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medspan.tasks.resolution.evidence import Evidence
    from medspan.tasks.resolution.spec import Ranking, Scoring

MOST_LEAD: Final = 5.0
"""The lead of a candidate that has no rival, or one far behind."""


class Ranked(NamedTuple):
    """Concepts of one look-up, best first, each with its probability; numbers of the index."""

    concepts: tuple[int, ...]
    scores: tuple[float, ...]
    is_exact: bool


class Scored(NamedTuple):
    """Concepts, best first: ``concepts`` int64, ``scores`` float64, (concepts,); the lead of the first."""

    concepts: NDArray[np.int64]
    scores: NDArray[np.float64]
    lead: float


class Scorer:
    """Scores rows of evidence.

    Args:
        scoring: the weights; a feature that has none counts nothing.
    """

    def __init__(self, scoring: Scoring) -> None:
        self._weights = _vector(scoring.weights)
        self._into = (
            np.asarray([_vector(unit.weights) for unit in scoring.hidden]).reshape(-1, len(FEATURES)).T
        )
        self._constants = np.asarray([unit.constant for unit in scoring.hidden])
        self._out = np.asarray([unit.out for unit in scoring.hidden])

    def __call__(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (rows,) of a table (rows, features)."""
        scores: NDArray[np.float64] = table @ self._weights
        if len(self._out):
            scores += np.tanh(table @ self._into + self._constants) @ self._out
        return scores


class Ranker:
    """Ranks candidates.

    Args:
        ranking: of an index.
    """

    def __init__(self, ranking: Ranking) -> None:
        self._met, self._near = Scorer(ranking.met), Scorer(ranking.near)
        self._met_curve, self._near_curve = ranking.met_curve, ranking.near_curve

    def scored(self, evidence: Evidence) -> Scored:
        """All candidates, of which there is at least one. Names met exactly go first.

        The lead is that over the next concept; of one met exactly, over the next that is. So neither the
        first concept nor its lead depends on whether further names were looked for.
        """
        is_met = evidence.is_met
        scores = np.zeros(len(is_met))
        for part, scorer in ((is_met, self._met), (~is_met, self._near)):
            if part.any():
                scores[part] = scorer(evidence.table[part])
        order = np.lexsort((evidence.concepts, -scores, ~is_met))
        best = scores[order]
        has_rival = len(best) > 1 and is_met[order[1]] == is_met[order[0]]
        lead = min(float(best[0] - best[1]), MOST_LEAD) if has_rival else MOST_LEAD
        return Scored(evidence.concepts[order], best, lead)

    def rank(self, evidence: Evidence, most: int) -> Ranked:
        """The best concepts of a look-up with their probabilities."""
        if not len(evidence.concepts):
            return Ranked((), (), is_exact=False)
        concepts, scores, lead = self.scored(evidence)
        best = chance(float(scores[0]), lead, self._met_curve if evidence.is_exact else self._near_curve)
        rest = np.exp(np.minimum(scores[1:] - scores[0], 0.0))
        rest = rest / max(float(rest.sum()), 1.0) * (1.0 - best)
        found = (best, *(min(float(score), best) for score in rest[: most - 1]))
        return Ranked(tuple(int(concept) for concept in concepts[:most]), found, evidence.is_exact)


def chance(score: float, lead: float, curve: tuple[float, float, float]) -> float:
    """The probability that the best candidate is right, by its score and lead."""
    of_score, of_lead, constant = curve
    return 1.0 / (1.0 + math.exp(-max(min(of_score * score + of_lead * lead + constant, 30.0), -30.0)))


def _vector(weights: dict[str, float]) -> NDArray[np.float64]:
    return np.asarray([weights.get(name, 0.0) for name in FEATURES])
