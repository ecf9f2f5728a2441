"""How well predicted mentions agree with gold ones: counts, pairing, word tags, intervals, calibration.

Everything here works on the mentions of one document or on counts; ``medspan.evaluate`` puts it together.
"""

from medspan.metrics.calibration import Bin, Calibration, calibrate
from medspan.metrics.counts import MacroScore, MatchScore, Score, macro
from medspan.metrics.intervals import Interval, StrictIntervals, bootstrap, gain_error, gain_interval
from medspan.metrics.matching import (
    Mention,
    Pair,
    exact_score,
    pair_mentions,
    partial_score,
    strict_counts,
    type_score,
)
from medspan.metrics.words import covered, tag_counts, word_tags

__all__ = [
    "Bin",
    "Calibration",
    "Interval",
    "MacroScore",
    "MatchScore",
    "Mention",
    "Pair",
    "Score",
    "StrictIntervals",
    "bootstrap",
    "calibrate",
    "covered",
    "exact_score",
    "gain_error",
    "gain_interval",
    "macro",
    "pair_mentions",
    "partial_score",
    "strict_counts",
    "tag_counts",
    "type_score",
    "word_tags",
]
