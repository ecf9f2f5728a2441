"""The report as one HTML page: tables, plots, errors in context; no scripts, nothing from outside."""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from medspan.report.plots import f1_bars, reliability
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
    interval,
    label_rows,
    match_rows,
    percent,
    subtitle,
    summary_rows,
)
from medspan.report.style import PAGE, STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.report.structs import Bucket, ErrorGroup, Example, Report

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# kind of error → title, the fields of LabelErrors that count it, explanation
_KINDS = {
    "missed": ("Missed", ("missed",), "Gold mentions without a predicted partner."),
    "invented": ("Invented", ("invented",), "Predictions without a gold partner."),
    "border": (
        "Wrong borders",
        ("left", "right", "both", "inner"),
        "The right label on a span that overlaps the gold one.",
    ),
    "label": ("Wrong label", ("other_label",), "The right span under another label."),
    "label_and_border": (
        "Wrong label and borders",
        ("label_and_border",),
        "Another label on a span that overlaps the gold one.",
    ),
}


def render_html(report: Report) -> str:
    """The page; errors are quoted where the report has them."""
    title = "Evaluation" + (f" of {report.model}" if report.model else "")
    parts = [
        f"<h1>{html_text(title)}</h1><p class=soft>{html_text(subtitle(report))}</p>",
        _cards(report),
        _notes(report.notes),
        html_section("Scores", _summary(report), explain_scores(report)),
        html_section("Strict scores per label", html_table(("label", *SCORE_HEADER), label_rows(report))),
        html_section("By length, and by what was seen in training", _buckets(report)),
        _confidence(report),
        html_section("What became of the mentions", _fates(report)),
        _confusions(report),
        _errors(report),
        html_section("SemEval-2013 counts", html_table(MATCH_HEADER, match_rows(report))),
    ]
    return PAGE.format(title=html_text(title), style=STYLE, body="\n".join(part for part in parts if part))


def html_text(text: str) -> str:
    """Text as HTML shows it; what cannot be printed becomes U+FFFD, so that nothing hides."""
    return escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def html_section(title: str, body: str, explanation: str = "") -> str:
    """A part of a page: heading, HTML, and a line of text below."""
    said = f"<p class=soft>{html_text(explanation)}</p>" if explanation else ""
    return f"<section><h2>{html_text(title)}</h2>{body}{said}</section>"


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, has_lead: bool = False) -> str:
    """A table of text cells; ``has_lead`` sets its first row in bold."""
    head = "".join(f"<th>{html_text(cell)}</th>" for cell in header)
    first, *others = ["".join(f"<td>{html_text(cell)}</td>" for cell in row) for row in rows] or [""]
    lines = "".join(f"<tr>{cells}</tr>" for cells in others)
    body = f"<tbody><tr{' class=lead' if has_lead else ''}>{first}</tr>{lines}</tbody>"
    return f"<div class=wide><table><thead><tr>{head}</tr></thead>{body}</table></div>"


def _cards(report: Report) -> str:
    between = f"95 %: {interval(report.intervals.f1)}" if report.intervals.f1 else "no interval"
    cards = [
        ("card main", "strict micro F1", percent(report.micro.f1), between),
        ("card", "precision", percent(report.micro.precision), f"{count(report.micro.fp)} wrong"),
        ("card", "recall", percent(report.micro.recall), f"{count(report.micro.fn)} not found"),
        ("card", "strict macro F1", percent(report.macro.f1), f"{report.macro.labels} labels"),
    ]
    shown = [
        f'<div class="{kind}"><span>{name}</span><b>{figure}</b><small>{html_text(more)}</small></div>'
        for kind, name, figure, more in cards
    ]
    return f"<div class=cards>{''.join(shown)}</div>"


def _notes(notes: Sequence[str]) -> str:
    listed = "".join(f"<li>{html_text(note)}</li>" for note in notes)
    return f"<ul class=notes>{listed}</ul>" if listed else ""


def _summary(report: Report) -> str:
    return html_table(SUMMARY_HEADER, summary_rows(report), has_lead=True)


def _buckets(report: Report) -> str:
    bars = f1_bars(report.by_length, label="Strict F1 by length in words")
    said = "Strict F1 by length in words; below each bar its number of gold mentions."
    plot = f"<figure>{bars}<figcaption>{said}</figcaption></figure>"
    parts = [f"<div class=pair>{plot}<div>{_bucket_table('words', report.by_length)}</div></div>"]
    if report.by_seen is not None:
        said = "Seen: the training data marks the same surface (without case) somewhere."
        parts.append(f"{_bucket_table('surface', report.by_seen)}<p class=soft>{said}</p>")
    return "".join(parts)


def _bucket_table(name: str, buckets: Sequence[Bucket]) -> str:
    return html_table((name, *BUCKET_HEADER), bucket_rows(buckets))


def _confidence(report: Report) -> str:
    found = report.calibration
    if found is None:
        return ""
    unscored = f"; {count(found.unscored)} have no score" if found.unscored else ""
    said = (
        f"Expected calibration error {percent(found.expected_error)} % ({len(found.bins)} bins), Brier score "
        f"{found.brier:.4f}, over {count(found.scored)} predictions{unscored}. On the dashed line the scores "
        "are right: of predictions with a score of 80 %, 80 % are strictly correct. Below it the model is "
        "too sure, above it not sure enough."
    )
    table = html_table(CALIBRATION_HEADER, calibration_rows(found))
    plot = f"<figure>{reliability(found)}</figure><div>{table}</div>"
    return html_section("Can the scores be believed?", f"<div class=pair>{plot}</div>", said)


def _fates(report: Report) -> str:
    return html_table(FATES_HEADER, fate_rows(report))


def _confusions(report: Report) -> str:
    if not report.confusions:
        return ""
    rows = [(c.gold, c.predicted, count(c.same_span), count(c.overlapping)) for c in report.confusions]
    return html_section(
        "Labels taken for others", html_table(("gold", "predicted", "same span", "overlapping"), rows)
    )


def _errors(report: Report) -> str:
    if not report.errors:
        return ""
    legend = (
        "<p>Most frequent first. <mark class=g>Gold</mark> has a solid line below, "
        "<mark class=p>predicted</mark> a dashed one, <mark class='g p'>both</mark> a line above and below. "
        f"{count(len(report.errors))} of {count(report.error_groups)} different errors are listed.</p>"
    )
    tables = []
    for kind, (title, fields, explanation) in _KINDS.items():
        groups = [group for group in report.errors if group.kind == kind]
        if groups:
            total = sum(getattr(row, field) for row in report.label_errors for field in fields)
            heading = f"<h3>{title}: {count(total)}</h3><p class=soft>{explanation}</p>"
            tables.append(f"<section>{heading}{_error_table(groups)}</section>")
    return f"<section><h2>Errors in context</h2>{legend}</section>{''.join(tables)}"


def _error_table(groups: Sequence[ErrorGroup]) -> str:
    head = "<th>mention</th><th>label</th><th>count</th><th>in context</th>"
    rows = "".join(_error_row(group) for group in groups)
    return f"<table class=errors><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _error_row(group: ErrorGroup) -> str:
    guess = f"<br><small>predicted:</small> <bdi>{html_text(group.guess)}</bdi>" if group.guess else ""
    labels = " \N{RIGHTWARDS ARROW} ".join(
        dict.fromkeys(label for label in (group.gold, group.predicted) if label)
    )
    first, *others = map(_quote, group.examples)
    more = f"<details><summary>{len(others)} more</summary>{''.join(others)}</details>" if others else ""
    return (
        f"<tr><td><bdi>{html_text(group.surface)}</bdi>{guess}</td><td>{html_text(labels)}</td>"
        f"<td class=number>{count(group.count)}</td><td class=context>{first}{more}</td></tr>"
    )


def _quote(example: Example) -> str:
    """The context with gold and predicted parts marked; where they cross, the text is cut into pieces."""
    text = example.context
    borders = sorted({0, len(text), *(edge for part in (*example.gold, *example.predicted) for edge in part)})
    pieces = []
    for start, end in pairwise(borders):
        sides = (("g", example.gold), ("p", example.predicted))
        kinds = [kind for kind, parts in sides if any(first <= start < stop for first, stop in parts)]
        shown = html_text(text[start:end])
        pieces.append(f'<mark class="{" ".join(kinds)}">{shown}</mark>' if kinds else shown)
    return f"<div class=quote dir=auto>{''.join(pieces)} <small>[{html_text(example.document)}]</small></div>"
