"""The rows and phrases that Markdown, HTML and the terminal table share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.metrics import Calibration, Interval, MatchScore, Score
    from medspan.report.structs import Bucket, Report

NOTHING = "\N{EN DASH}"
SUMMARY_HEADER = ("score", "precision", "recall", "F1", "95 % interval of F1", "gold")
SCORE_HEADER = ("precision", "recall", "F1", "95 % interval", "TP", "FP", "FN", "gold")
BUCKET_HEADER = (*SCORE_HEADER[:3], *SCORE_HEADER[4:])
MATCH_HEADER = (
    "score",
    "precision",
    "recall",
    "F1",
    "correct",
    "incorrect",
    "partial",
    "missing",
    "spurious",
)
FATES_HEADER = (
    *("label", "correct", "other label", "left border", "right border", "both borders", "inner border"),
    *("label + border", "missed", "invented"),
)

CALIBRATION_HEADER = ("score", "predictions", "mean score", "correct")


def percent(share: float) -> str:
    """``0.8341`` → ``"83.41"``."""
    return f"{100 * share:.2f}"


def count(number: int) -> str:
    """``1234`` → ``"1,234"``."""
    return f"{number:,}"


def interval(found: Interval | None) -> str:
    """``"81.20 to 85.63"``, or a dash where there is none."""
    return NOTHING if found is None else f"{percent(found.low)} to {percent(found.high)}"


def subtitle(report: Report) -> str:
    """What was scored on what, in one line."""
    what = " on ".join(name for name in (report.model, report.corpus) if name)
    plural = "" if report.counted.documents == 1 else "s"
    size = (
        f"{count(report.counted.documents)} document{plural}, {count(report.counted.words)} words, "
        f"{count(report.counted.gold)} gold and {count(report.counted.predicted)} predicted mentions"
    )
    return f"{what}: {size}" if what else size


def summary_rows(report: Report) -> list[tuple[str, ...]]:
    """One row a kind of score: name, precision, recall, F1, interval of F1, support."""
    gold = count(report.counted.gold)

    def row(name: str, score: Score | MatchScore) -> tuple[str, ...]:
        return (name, percent(score.precision), percent(score.recall), percent(score.f1))

    macro = report.macro
    macro_cells = (percent(macro.precision), percent(macro.recall), percent(macro.f1))
    return [
        (*row("strict micro", report.micro), interval(report.intervals.f1), gold),
        ("strict macro", *macro_cells, interval(report.intervals.macro_f1), gold),
        (*row("exact", report.exact), NOTHING, gold),
        (*row("partial", report.partial), NOTHING, gold),
        (*row("type", report.type_only), NOTHING, gold),
        (*row("token-micro", report.token_micro), NOTHING, f"{count(report.token_micro.support)} words"),
    ]


def explain_scores(report: Report) -> str:
    """What each row of the summary means, and how the intervals were made."""
    settings = report.settings
    drawn = f"Intervals: {count(settings.resamples)} bootstrap draws of documents, seed {settings.seed}. "
    has_intervals = report.intervals.f1 is not None
    return (
        "strict: same label and same spans (comparable with conlleval and seqeval); macro: mean over "
        f"{report.macro.labels} labels. exact: same spans, any label. partial: an overlap counts one half, "
        "any label. type: same label and some overlap. token-micro: tags word by word, B and I told apart, "
        "without O; some published figures use this protocol, and it must not be compared with a strict "
        f"score. {drawn if has_intervals else ''}All figures are percentages."
    )


def score_cells(score: Score) -> tuple[str, ...]:
    """Precision, recall, F1, TP, FP, FN, support."""
    shares = (percent(score.precision), percent(score.recall), percent(score.f1))
    return (*shares, count(score.tp), count(score.fp), count(score.fn), count(score.support))


def label_rows(report: Report) -> list[tuple[str, ...]]:
    """One row a label: label, precision, recall, F1, interval, TP, FP, FN, support."""
    rows = []
    for item in report.labels:
        precision, recall, f1, *counts = score_cells(item.score)
        rows.append((item.label, precision, recall, f1, interval(item.f1_interval), *counts))
    return rows


def bucket_rows(buckets: Iterable[Bucket]) -> list[tuple[str, ...]]:
    """One row a group of mentions: its name, and what ``BUCKET_HEADER`` names."""
    return [(bucket.name, *score_cells(bucket.score)) for bucket in buckets]


def fate_rows(report: Report) -> list[tuple[str, ...]]:
    """One row a label, under ``FATES_HEADER``."""
    return [(row.label, *map(count, row.fates())) for row in report.label_errors]


def calibration_rows(found: Calibration) -> list[tuple[str, ...]]:
    """One row a range of scores that some prediction is in, under ``CALIBRATION_HEADER``."""
    return [
        (
            f"{row.low:.1f} to {row.high:.1f}",
            count(row.count),
            percent(row.mean_score),
            percent(row.precision),
        )
        for row in found.bins
        if row.count
    ]


def match_rows(report: Report) -> list[tuple[str, ...]]:
    """One row a score of SemEval-2013: name, precision, recall, F1 and the five counts."""
    rows = []
    for name, score in (("exact", report.exact), ("partial", report.partial), ("type", report.type_only)):
        shares = (percent(score.precision), percent(score.recall), percent(score.f1))
        numbers = (score.correct, score.incorrect, score.partial, score.missing, score.spurious)
        rows.append((name, *shares, *map(count, numbers)))
    return rows
