"""Loss and dev F1 by epoch, as a self-contained SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.train.checkpoint import EpochRow

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 320, 48, 32, 40


def curve_svg(history: Sequence[EpochRow], name: str) -> str:
    """The curves of a run; F1 is the mean strict dev F1, loss is scaled to its highest value."""
    highest = max((row.loss for row in history), default=1.0) or 1.0
    score = _line([row.dev_mean for row in history])
    loss = _line([row.loss / highest for row in history])
    ticks = "".join(_tick(value / 5) for value in range(6))
    best = max(history, key=lambda row: row.dev_mean, default=None)
    title = f"{name}: best dev F1 {best.dev_mean:.4f} in epoch {best.epoch + 1}" if best else name
    safe = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="20" font-size="14">{safe}</text>{ticks}'
        f'<polyline points="{score}" fill="none" stroke="#0b62a4" stroke-width="2"/>'
        f'<polyline points="{loss}" fill="none" stroke="#c0392b" stroke-width="2" stroke-dasharray="5 4"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" fill="#0b62a4">dev strict F1</text>'
        f'<text x="{_LEFT + 110}" y="{_HEIGHT - 8}" fill="#c0392b">training loss / {highest:.3g}</text>'
        f'<text x="{_WIDTH - 16}" y="{_HEIGHT - 8}" text-anchor="end">epochs: {len(history)}</text></svg>\n'
    )


def _line(values: Sequence[float]) -> str:
    step = (_WIDTH - _LEFT - 16) / max(1, len(values) - 1)
    return " ".join(f"{_LEFT + i * step:.1f},{_height(value):.1f}" for i, value in enumerate(values))


def _height(value: float) -> float:
    return _HEIGHT - _BOTTOM - value * (_HEIGHT - _BOTTOM - _TOP)


def _tick(value: float) -> str:
    y = _height(value)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
    )
