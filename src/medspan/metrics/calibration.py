"""Can the confidences be believed? Expected calibration error and the bins of a reliability plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from medspan.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

BINS = 10


class Bin(msgspec.Struct, frozen=True):
    """Predictions with ``low <= score < high`` (the last bin holds 1 too).

    ``mean_score`` and ``precision`` (the share that is strictly correct) are 0 in an empty bin.
    """

    low: float
    high: float
    count: int
    mean_score: float
    precision: float


class Calibration(msgspec.Struct, frozen=True):
    """How far the scores of predicted mentions are from their chance to be strictly correct.

    ``expected_error`` is the mean over predictions of ``|precision - mean score|`` of their bin (Naeini et
    al. 2015, equal-width bins); ``brier`` the mean squared error of the score. Only predicted mentions are
    looked at: a missed one has no score.
    """

    expected_error: float
    brier: float
    scored: int
    unscored: int
    bins: tuple[Bin, ...]


def calibrate(
    scores: Sequence[float | None], correct: Sequence[bool], *, bins: int = BINS
) -> Calibration | None:
    """Compare scores with whether the predictions are right.

    Args:
        scores: one a prediction, in 0..1; None where the predictor gave none.
        correct: whether each prediction is strictly correct.
        bins: number of equal-width bins.

    Returns:
        None where no prediction has a score.

    Raises:
        DataError: if a score lies outside 0..1.
    """
    known = [(score, right) for score, right in zip(scores, correct, strict=True) if score is not None]
    if not known:
        return None
    outside = sum(not 0 <= score <= 1 for score, _ in known)
    if outside:
        raise DataError(
            f"{outside} of {len(known)} scores of predicted entities lie outside 0..1; "
            "a score must be a probability, or be left out"
        )
    members: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for score, right in known:
        members[min(int(score * bins), bins - 1)].append((score, right))
    table = tuple(_bin(position, bins, inside) for position, inside in enumerate(members))
    return Calibration(
        expected_error=sum(row.count * abs(row.precision - row.mean_score) for row in table) / len(known),
        brier=sum((score - right) ** 2 for score, right in known) / len(known),
        scored=len(known),
        unscored=len(scores) - len(known),
        bins=table,
    )


def _bin(position: int, bins: int, inside: Sequence[tuple[float, bool]]) -> Bin:
    size = len(inside) or 1
    return Bin(
        low=position / bins,
        high=(position + 1) / bins,
        count=len(inside),
        mean_score=sum(score for score, _ in inside) / size,
        precision=sum(right for _, right in inside) / size,
    )
