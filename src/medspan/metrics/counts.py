"""Counts and the precision, recall and F1 that follow from them.

A quotient whose denominator is 0 is 0, as in conlleval and in seqeval with ``zero_division=0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


def ratio(part: float, whole: float) -> float:
    """``part / whole``, and 0 where there is nothing to divide by."""
    return part / whole if whole else 0.0


def f1_of(precision: float, recall: float) -> float:
    """The harmonic mean of precision and recall; 0 where both are 0."""
    return ratio(2 * precision * recall, precision + recall)


class Score(msgspec.Struct, frozen=True):
    """Precision, recall and F1 with the counts they come from; ``support`` is the number of gold mentions."""

    precision: float
    recall: float
    f1: float
    tp: int
    fp: int
    fn: int
    support: int

    @classmethod
    def of(cls, tp: int, fp: int, fn: int) -> Score:
        """The score of true positives, false positives and false negatives."""
        precision, recall = ratio(tp, tp + fp), ratio(tp, tp + fn)
        return cls(precision, recall, f1_of(precision, recall), tp, fp, fn, tp + fn)

    @property
    def predicted(self) -> int:
        """The number of predicted mentions."""
        return self.tp + self.fp

    def __add__(self, other: Score) -> Score:
        return Score.of(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


class MatchScore(msgspec.Struct, frozen=True):
    """A score of SemEval-2013 task 9.1 with its five counts.

    ``precision = (correct + partial / 2) / (correct + incorrect + partial + spurious)`` and
    ``recall = (correct + partial / 2) / (correct + incorrect + partial + missing)``.
    """

    precision: float
    recall: float
    f1: float
    correct: int
    incorrect: int
    partial: int
    missing: int
    spurious: int

    @classmethod
    def of(
        cls, correct: int, incorrect: int, partial: int, *, missing: int = 0, spurious: int = 0
    ) -> MatchScore:
        """The score of the five counts."""
        hits = correct + partial / 2
        aligned = correct + incorrect + partial
        precision, recall = ratio(hits, aligned + spurious), ratio(hits, aligned + missing)
        f1 = f1_of(precision, recall)
        return cls(precision, recall, f1, correct, incorrect, partial, missing, spurious)

    def __add__(self, other: MatchScore) -> MatchScore:
        return MatchScore.of(
            self.correct + other.correct,
            self.incorrect + other.incorrect,
            self.partial + other.partial,
            missing=self.missing + other.missing,
            spurious=self.spurious + other.spurious,
        )


class MacroScore(msgspec.Struct, frozen=True):
    """Unweighted means over ``labels`` labels; F1 is the mean of the labels' F1, as in seqeval."""

    precision: float
    recall: float
    f1: float
    labels: int


def macro(scores: Iterable[Score]) -> MacroScore:
    """The mean over labels that stand in gold or prediction; all 0 where there is none."""
    seen = [score for score in scores if score.tp + score.fp + score.fn]
    return MacroScore(
        precision=ratio(sum(score.precision for score in seen), len(seen)),
        recall=ratio(sum(score.recall for score in seen), len(seen)),
        f1=ratio(sum(score.f1 for score in seen), len(seen)),
        labels=len(seen),
    )
