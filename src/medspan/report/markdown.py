"""The report as Markdown, and its short form for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.report.rows import (
    BUCKET_HEADER,
    CALIBRATION_HEADER,
    FATES_HEADER,
    MATCH_HEADER,
    SCORE_HEADER,
    SUMMARY_HEADER,
    bucket_rows,
    calibration_rows,
    count,
    explain_scores,
    fate_rows,
    label_rows,
    match_rows,
    percent,
    subtitle,
    summary_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.report.structs import Bucket, ErrorGroup, Report

_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]#|~$&<>"})
_ERRORS_LISTED = 50
_MOST_LABELS_IN_TERMINAL = 30


def render_markdown(report: Report) -> str:
    """Markdown with a table for each part of the report; errors are listed where the report has them."""
    parts = [
        f"# Evaluation\n\n{escape_markdown(subtitle(report))}",
        "\n".join(f"- {escape_markdown(note)}" for note in report.notes),
        f"## Scores\n\n{markdown_table(SUMMARY_HEADER, summary_rows(report))}\n\n{explain_scores(report)}",
        f"## Strict scores per label\n\n{markdown_table(('label', *SCORE_HEADER), label_rows(report))}",
        f"## SemEval-2013 scores\n\n{markdown_table(MATCH_HEADER, match_rows(report))}",
        f"## By length in words\n\n{_bucket_table('words', report.by_length)}",
        _seen(report),
        f"## What became of the mentions\n\n{_fates(report)}",
        _confusions(report),
        _calibration(report),
        _errors(report.errors),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_table(report: Report) -> str:
    """Aligned plain text of the scores, per label and in sum."""
    rows = [("", *SUMMARY_HEADER[1:]), *summary_rows(report)]
    labels = label_rows(report)
    shown = [] if len(labels) < 2 else labels[:_MOST_LABELS_IN_TERMINAL]  # noqa: PLR2004 - one label is the sum
    rows += [(name, p, r, f1, between, support) for name, p, r, f1, between, *_, support in shown]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    if len(labels) > len(shown) > 0:
        lines.append(f"… and {len(labels) - len(shown)} more labels")
    return (
        "\n".join([subtitle(report), "", *(line.rstrip() for line in lines), "", *report.notes]).rstrip()
        + "\n"
    )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are aligned to the right."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    lines = [header, marks, *([escape_markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bucket_table(name: str, buckets: Iterable[Bucket]) -> str:
    return markdown_table((name, *BUCKET_HEADER), bucket_rows(buckets))


def _seen(report: Report) -> str:
    if report.by_seen is None:
        return ""
    return f"## Mentions seen and not seen in training\n\n{_bucket_table('surface', report.by_seen)}"


def _fates(report: Report) -> str:
    return markdown_table(FATES_HEADER, fate_rows(report))


def _confusions(report: Report) -> str:
    if not report.confusions:
        return ""
    rows = [(c.gold, c.predicted, count(c.same_span), count(c.overlapping)) for c in report.confusions]
    header = ("gold", "predicted", "same span", "overlapping")
    return f"## Labels taken for others\n\n{markdown_table(header, rows)}"


def _calibration(report: Report) -> str:
    found = report.calibration
    if found is None:
        return ""
    return (
        f"## Confidence\n\nExpected calibration error {percent(found.expected_error)}, Brier score "
        f"{found.brier:.4f}, over {count(found.scored)} predictions.\n\n"
        + markdown_table(CALIBRATION_HEADER, calibration_rows(found))
    )


def _errors(groups: Sequence[ErrorGroup]) -> str:
    if not groups:
        return ""
    rows = [
        (
            group.surface,
            group.guess,
            group.kind.replace("_", " "),
            group.gold,
            group.predicted,
            count(group.count),
        )
        for group in groups[:_ERRORS_LISTED]
    ]
    header = ("mention", "predicted as", "kind", "gold", "predicted", "count")
    return f"## Most frequent errors\n\n{markdown_table(header, rows)}"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one table cell."""
    return " ".join(text.translate(_SPECIAL).split())
