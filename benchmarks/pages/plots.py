"""Draws with matplotlib: the same bytes for the same figures, text kept as text, colours for all eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pages.content import Points

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from pages.content import Curves, Level, Line, Mark, Panel

# Okabe & Ito 2008: told apart by people with any kind of colour vision; marks differ too.
COLOURS = {
    "black": "#000000",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
}
MARKS = {
    "black": "o",
    "blue": "s",
    "vermilion": "^",
    "green": "D",
    "orange": "v",
    "sky": "P",
    "purple": "X",
}
STROKES = {"blue": "--", "vermilion": "-."}
"""How a line without marks is told apart; solid where nothing is said."""
STYLE: dict[str, Any] = {
    "svg.hashsalt": "medspan",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "legend.fontsize": 10,
}
PERCENT = 100
IN_A_ROW = 4
MOST_LEVEL = 10
"""Groups whose names fit side by side."""
STEP = 0.8
"""Share of a group's width that its marks take."""


def write(content: Points | Curves, path: Path) -> None:
    """Draw into a file: SVG, or what its name says; neither date nor program stands in an SVG."""
    with mpl.rc_context(STYLE):
        figure = points(content) if isinstance(content, Points) else curves(content)
        nothing = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=nothing)


def points(content: Points) -> Figure:
    """Marks with intervals in groups."""
    width = max(6.4, min(11.0, 2.4 + 0.34 * len(content.groups) * (1 + len(content.series))))
    figure = Figure(figsize=(width, 4.6), layout="constrained")
    axes = figure.subplots()
    apart = STEP / len(content.series)
    for number, series in enumerate(content.series):
        name: str | None = series.name
        for group, mark in enumerate(series.marks):
            if mark is not None:
                place = group - STEP / 2 + (number + 0.5) * apart
                _mark(axes, place, mark, series.colour, name)
                name = None  # once in the legend
    for edge in range(1, len(content.groups)):
        axes.axvline(edge - 0.5, color="#eeeeee", zorder=0)
    axes.set_xticks(range(len(content.groups)), content.groups)
    if len(content.groups) > MOST_LEVEL:
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(content.groups) - 0.5)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(content.y)
    _levels(axes, content.levels)
    _legend(figure, [axes])
    return figure


def _mark(axes: Axes, place: float, mark: Mark, colour: str, name: str | None) -> None:
    mean, paint = PERCENT * mark.mean, COLOURS[colour]
    axes.plot([place], [mean], MARKS[colour], color=paint, markersize=7, label=name, zorder=3)
    if mark.low is not None and mark.high is not None:
        ends = [[mean - PERCENT * mark.low], [PERCENT * mark.high - mean]]
        axes.errorbar([place], [mean], yerr=ends, color=paint, capsize=3, linewidth=1.4, zorder=2)
    if len(mark.seeds) > 1:
        heights = [PERCENT * value for value in mark.seeds]
        axes.plot([place + 0.06] * len(heights), heights, ".", color=paint, markersize=5, alpha=0.6)


def curves(content: Curves) -> Figure:
    """Panels of curves, at most two beside each other, and one legend below."""
    count = len(content.panels)
    across = min(count, 2)
    down = -(-count // across)
    figure = Figure(figsize=(4.6 * across if across > 1 else 7.0, 3.5 * down + 0.7), layout="constrained")
    grid: list[Axes] = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for unused in grid[count:]:
        unused.remove()
    for axes, panel in zip(grid, content.panels, strict=False):
        _panel(axes, panel, content)
    _legend(figure, grid[:count])
    return figure


def _panel(axes: Axes, panel: Panel, content: Curves) -> None:
    named: set[str] = set()
    if content.ticks:
        axes.set_xscale("log")
        axes.set_xticks(content.ticks, [f"{tick:g}" for tick in content.ticks])
        axes.minorticks_off()
    for line in panel.lines:
        _line(axes, line, None if line.name in named else line.name)
        named.add(line.name)
    axes.set_title(panel.title)
    axes.set_xlabel(content.x)
    axes.set_ylabel(content.y)
    if panel.floor is not None:
        axes.set_ylim(bottom=PERCENT * panel.floor)
    _levels(axes, panel.levels)


def _line(axes: Axes, line: Line, name: str | None) -> None:
    paint = COLOURS[line.colour]
    heights = [PERCENT * value for value in line.y]
    if line.is_marked:
        axes.plot(line.x, heights, color=paint, marker=MARKS[line.colour], label=name, linewidth=1.5)
    else:
        stroke = STROKES.get(line.colour, "-")
        axes.plot(line.x, heights, color=paint, linestyle=stroke, label=name, linewidth=1.1)
    if line.low:
        ends = ([PERCENT * value for value in side] for side in (line.low, line.high))
        axes.fill_between(line.x, *ends, color=paint, alpha=0.15, linewidth=0)


def _levels(axes: Axes, levels: Sequence[Level]) -> None:
    for number, level in enumerate(levels):
        style = ("--", ":", "-.")[number % 3]
        axes.axhline(
            PERCENT * level.height, color="#555555", linestyle=style, linewidth=1.2, label=level.name
        )


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, below them: in one row where it fits."""
    found = {}
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    figure.legend(
        found.values(),
        found.keys(),
        loc="outside lower center",
        ncols=len(found) if len(found) <= IN_A_ROW else 3,
    )
