"""What a plot shows, apart from how `pages.plots` draws it. Scores are shares, drawn as percent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Mark(NamedTuple):
    """A figure with its interval, and the figures of each seed where there are several."""

    mean: float
    low: float | None = None
    high: float | None = None
    seeds: Sequence[float] = ()


class Series(NamedTuple):
    """Marks of one kind, one a group; None where there is none."""

    name: str
    colour: str
    marks: Sequence[Mark | None]


class Level(NamedTuple):
    """A height to compare with."""

    name: str
    height: float


class Points(NamedTuple):
    """Groups beside each other, in each a mark of every series."""

    groups: Sequence[str]
    series: Sequence[Series]
    y: str
    levels: Sequence[Level] = ()


class Line(NamedTuple):
    """A curve, with a band where lows and highs are given."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    is_marked: bool = True


class Panel(NamedTuple):
    """Curves over the same axes."""

    title: str
    lines: Sequence[Line]
    levels: Sequence[Level] = ()
    floor: float | None = None
    """What is lower is cut off."""


class Curves(NamedTuple):
    """Panels with the same kind of axes; ``ticks`` makes the x axis logarithmic, with names there only."""

    panels: Sequence[Panel]
    x: str
    y: str
    ticks: Sequence[float] = ()
