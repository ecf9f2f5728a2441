"""The plots of the HTML report as inline SVG: bars of F1, and the reliability of confidences."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from medspan.report.rows import count, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.metrics import Bin, Calibration
    from medspan.report.structs import Bucket

_LEFT, _TOP = 44, 14  # room for the axis, in user units of the drawing
_HEIGHT = 220
_BAR, _GAP = 46, 22
_SIDE = 260
_COUNTS = 46  # height of the strip of counts below the reliability plot


def f1_bars(buckets: Sequence[Bucket], *, label: str) -> str:
    """A bar of strict F1 for each bucket, with its number of gold mentions below.

    Args:
        buckets: from left to right.
        label: says what the buckets are, for those who hear the page.
    """
    width = _LEFT + len(buckets) * (_BAR + _GAP) + _GAP
    bars = [_bar(bucket, _LEFT + _GAP + place * (_BAR + _GAP)) for place, bucket in enumerate(buckets)]
    spoken = ", ".join(f"{bucket.name}: {percent(bucket.score.f1)}" for bucket in buckets)
    return _drawing(width, _TOP + _HEIGHT + 40, f"{label}: {spoken}", [*_levels(width, _HEIGHT), *bars])


def reliability(calibration: Calibration) -> str:
    """Share of correct predictions against their score, bin by bin, and how many there are in each."""
    width, height = _LEFT + _SIDE + 14, _TOP + _SIDE + _COUNTS + 58
    most = max(row.count for row in calibration.bins)
    diagonal = (
        f'<line x1="{_LEFT}" y1="{_TOP + _SIDE}" x2="{_LEFT + _SIDE}" y2="{_TOP}" '
        'stroke="#57606a" stroke-dasharray="5 4"/>'
    )
    filled = [row for row in calibration.bins if row.count]
    line = " ".join(f"{_x(row.mean_score)},{_y(row.precision)}" for row in filled)
    parts = [
        *_levels(width - 14, _SIDE),
        *(_reliability_bar(row) for row in filled),
        diagonal,
        f'<polyline points="{line}" fill="none" stroke="#0b5cad" stroke-width="2"/>',
        *(
            f'<circle cx="{_x(row.mean_score)}" cy="{_y(row.precision)}" r="4" fill="#0b5cad"/>'
            for row in filled
        ),
        *(_count_bar(row, most) for row in calibration.bins),
        *_score_axis(),
    ]
    spoken = f"Reliability: expected calibration error {percent(calibration.expected_error)}"
    return _drawing(width, height, spoken, parts)


def _drawing(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    said = escape(label)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}"><title>{said}</title>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, shown: str, *, anchor: str = "middle", kind: str = "") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{escape(shown)}</text>'


def _levels(width: int, height: int) -> list[str]:
    """Faint lines at 0, 25, 50, 75 and 100 % with their numbers."""
    parts = []
    for level in range(0, 101, 25):
        y = _TOP + height * (1 - level / 100)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{width}" y2="{y:.1f}" stroke="#d8dee4"/>')
        parts.append(_text(_LEFT - 8, y + 4, str(level), anchor="end", kind="soft"))
    return parts


def _bar(bucket: Bucket, x: int) -> str:
    tall = _HEIGHT * bucket.score.f1
    top = _TOP + _HEIGHT - tall
    middle = x + _BAR / 2
    is_empty = not bucket.score.support and not bucket.score.predicted
    value = "" if is_empty else f"{100 * bucket.score.f1:.1f}"
    return (
        f'<rect x="{x}" y="{top:.1f}" width="{_BAR}" height="{tall:.1f}" fill="#b6d4f5" stroke="#0b5cad"/>'
        + _text(middle, top - 4, value)
        + _text(middle, _TOP + _HEIGHT + 17, bucket.name)
        + _text(middle, _TOP + _HEIGHT + 33, count(bucket.score.support), kind="soft")
    )


def _x(score: float) -> str:
    return f"{_LEFT + _SIDE * score:.1f}"


def _y(share: float) -> str:
    return f"{_TOP + _SIDE * (1 - share):.1f}"


def _reliability_bar(row: Bin) -> str:
    return (
        f'<rect x="{_x(row.low)}" y="{_y(row.precision)}" width="{_SIDE * (row.high - row.low):.1f}" '
        f'height="{_SIDE * row.precision:.1f}" fill="#b6d4f5" stroke="#fff"/>'
    )


def _count_bar(row: Bin, most: int) -> str:
    tall = (_COUNTS - 6) * row.count / most
    bottom = _TOP + _SIDE + _COUNTS
    return (
        f'<rect x="{_x(row.low)}" y="{bottom - tall:.1f}" width="{_SIDE * (row.high - row.low):.1f}" '
        f'height="{tall:.1f}" fill="#afb8c1" stroke="#fff"><title>{count(row.count)}</title></rect>'
    )


def _score_axis() -> list[str]:
    y = _TOP + _SIDE + _COUNTS
    ticks = [
        _text(_LEFT + _SIDE * level / 100, y + 17, str(level), kind="soft") for level in range(0, 101, 25)
    ]
    return [
        f'<line x1="{_LEFT}" y1="{y}" x2="{_LEFT + _SIDE}" y2="{y}" stroke="#57606a"/>',
        *ticks,
        _text(_LEFT + _SIDE / 2, y + 36, "score (%); below the plot: number of predictions", kind="soft"),
    ]
