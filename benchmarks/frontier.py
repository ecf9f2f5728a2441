"""Draws strict F1 against words/s from speed.json: docs/frontier.svg and docs/frontier.png.

    python benchmarks/frontier.py                    # the SVG; the PNG too where Pillow is installed
    PEERS/bin/python benchmarks/frontier.py          # the peers' environment has it

Filled: speed and F1 measured in this run. Hollow circle: speed measured here on random weights of a shape, F1
published for a model of that shape. Hollow diamond: both published, on other machines. Ticks on the lower
edge: speed measured, no F1. The line joins what nothing timed here beats in both; it is dashed where an end
has a published F1. Needs no medspan.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).resolve()
WIDTH, HEIGHT = 900, 580
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 52, 128
OURS, PEER, SOFT, FAINT = "#0b5cad", "#b35900", "#57606a", "#d8dee4"
MEASURED, MIXED, PUBLISHED = "measured", "mixed", "published"
SCALE = 2  # pixels of the PNG for a unit of the drawing
LINE_HEIGHT = 15
STEP = 0.02  # between levels of F1
NEAREST = 4  # units from a point's height to the base line of its name
FAR = 4  # a unit further away costs as much as covering this many square units


class Point(NamedTuple):
    """A system: words/s, strict F1 as a share, its interval where known, and where both come from."""

    name: str
    speed: float
    f1: float
    low: float | None
    high: float | None
    kind: str


class Line(NamedTuple):
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1
    is_dashed: bool = False


class Mark(NamedTuple):
    """A circle or a diamond."""

    x: float
    y: float
    colour: str
    is_filled: bool
    is_diamond: bool = False


class Words(NamedTuple):
    """A line of text; y is its base line, anchor start, middle or end."""

    x: float
    y: float
    text: str
    colour: str
    anchor: str = "start"
    size: int = 12


Part = Line | Mark | Words
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def points(result: Mapping[str, Any]) -> list[Point]:
    """The systems that have both a speed and an F1."""
    rows, found = result["systems"], []
    for name, row in rows.items():
        if row.get("f1"):
            f1 = row["f1"]
            found.append(Point(name, row["words_per_second"], f1["f1"], f1["low"], f1["high"], MEASURED))
    for row in result["published"]:
        timed = rows.get(row.get("timed_as", ""))
        if row["f1"] and timed:
            name = f"{row['system']} (timed: {row['timed_as']} shape)"
            found.append(Point(name, timed["words_per_second"], row["f1"], None, None, MIXED))
        if row["f1"] and row["words_per_second"]:
            found.append(Point(row["system"], row["words_per_second"], row["f1"], None, None, PUBLISHED))
    return found


def speed_only(result: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Names and words/s of systems timed here for which there is no F1, slowest first."""
    timed_as = {row.get("timed_as") for row in result["published"] if row["f1"]}
    rows = result["systems"].items()
    bare = [(name, row["words_per_second"]) for name, row in rows if not row.get("f1")]
    return sorted((pair for pair in bare if pair[0] not in timed_as), key=lambda pair: pair[1])


def frontier(found: Sequence[Point]) -> list[Point]:
    """Points timed here that no other one beats in speed and F1 at once, fastest first."""
    best: list[Point] = []
    timed = [point for point in found if point.kind != PUBLISHED]
    for point in sorted(timed, key=lambda p: (-p.speed, -p.f1)):
        if not best or point.f1 > best[-1].f1:
            best.append(point)
    return best


class Axes:
    """From words/s and F1 to places in the drawing."""

    def __init__(self, found: Sequence[Point], speeds: Sequence[float]) -> None:
        every = [point.speed for point in found] + list(speeds)
        levels = [level for p in found for level in (p.low or p.f1, p.high or p.f1)]
        self.decades = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
        self.levels = math.floor(min(levels) / STEP), math.ceil(max(levels) / STEP)

    def x(self, speed: float) -> float:
        """Place of words/s."""
        first, last = self.decades
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(speed) - first) / (last - first)

    def y(self, f1: float) -> float:
        """Place of an F1."""
        first, last = self.levels
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (f1 / STEP - first) / (last - first)

    def drawn(self) -> list[Part]:
        """Levels and decades with their numbers."""
        parts: list[Part] = []
        for decade in range(self.decades[0], self.decades[1] + 1):
            x = self.x(10**decade)
            parts.append(Line(x, TOP, x, HEIGHT - BOTTOM, FAINT))
            parts.append(Words(x, HEIGHT - BOTTOM + 18, f"{10**decade:,}", SOFT, "middle"))
        for level in range(self.levels[0], self.levels[1] + 1):
            y = self.y(level * STEP)
            parts.append(Line(LEFT, y, WIDTH - RIGHT, y, FAINT))
            parts.append(Words(LEFT - 8, y + 4, f"{100 * level * STEP:.0f}", SOFT, "end"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(Words(middle, HEIGHT - BOTTOM + 38, "words per second (log scale)", SOFT, "middle"))
        parts.append(Words(LEFT - 8, TOP - 12, "strict F1 (%)", SOFT, "middle"))
        return parts


def drawing(result: Mapping[str, Any]) -> list[Part]:
    """The whole plot."""
    found, bare = points(result), speed_only(result)
    axes = Axes(found, [speed for _, speed in bare])
    parts: list[Part] = [Words(WIDTH / 2, 22, title(result), "#1f2328", "middle", 14), *axes.drawn()]
    best = frontier(found)
    for a, b in pairwise(best):
        is_dashed = MIXED in {a.kind, b.kind}
        parts.append(Line(axes.x(a.speed), axes.y(a.f1), axes.x(b.speed), axes.y(b.f1), SOFT, 1.5, is_dashed))
    for point in found:
        parts += _point(point, axes)
    parts += _labels(found, axes)
    for place, (name, speed) in enumerate(bare):
        x, edge = axes.x(speed), HEIGHT - BOTTOM
        parts.append(Line(x, edge - 9, x, edge, PEER, 2))
        parts.append(Words(x, edge - 13 - LINE_HEIGHT * (place % 2), f"{name} (no F1)", PEER, "middle", 11))
    return parts + _legend()


def title(result: Mapping[str, Any]) -> str:
    """What was measured where."""
    settings, machine = result["settings"], result["hardware"]
    return (
        f"F1 on NCBI-disease and speed from raw text to JSONL; processes: {settings['processes']}, threads "
        f"of each: {settings['threads']}; {machine['cpu']}, {result['date']}"
    )


def _colour(point: Point) -> str:
    if point.name.startswith("medspan"):
        return OURS
    return SOFT if point.kind == PUBLISHED else PEER


def _point(point: Point, axes: Axes) -> list[Part]:
    x, y, colour = axes.x(point.speed), axes.y(point.f1), _colour(point)
    parts: list[Part] = []
    if point.low and point.high:
        parts.append(Line(x, axes.y(point.low), x, axes.y(point.high), colour))
    return [*parts, Mark(x, y, colour, point.kind == MEASURED, point.kind == PUBLISHED)]


def _labels(found: Sequence[Point], axes: Axes) -> list[Words]:
    """Names beside their points, each where it covers least: other names, marks, intervals, the border."""
    taken: list[Box] = []
    for point in found:
        x, y = axes.x(point.speed), axes.y(point.f1)
        taken.append((x - 6, y - 6, x + 6, y + 6))
        if point.low and point.high:
            taken.append((x - 1, axes.y(point.high), x + 1, axes.y(point.low)))
    placed: list[Words] = []
    for point in sorted(found, key=lambda p: -p.f1):
        level = axes.y(point.f1) + NEAREST
        costs = {
            label: _covers(_box(label), taken) + FAR * abs(label.y - level) for label in _places(point, axes)
        }
        placed.append(min(costs, key=lambda label: costs[label]))
        taken.append(_box(placed[-1]))
    return placed


def _places(point: Point, axes: Axes) -> list[Words]:
    """Where a name may stand, best first."""
    x, y, colour = axes.x(point.speed), axes.y(point.f1), _colour(point)
    sides = [(x + 11, "start"), (x - 11, "end")]
    return [
        Words(place, y + down, point.name, colour, anchor)
        for down in (NEAREST, -8, 16, -22, 30, -36, 44)
        for place, anchor in sides
    ]


def _covers(box: Box, taken: Sequence[Box]) -> float:
    """How much of other things a name covers; what leaves the plot counts most."""
    left, top, right, bottom = box
    outside = max(0.0, LEFT - left) + max(0.0, right - WIDTH)
    shared = 0.0
    for x1, y1, x2, y2 in taken:
        shared += max(0.0, min(right, x2) - max(left, x1)) * max(0.0, min(bottom, y2) - max(top, y1))
    return shared + 100 * outside


def _box(label: Words) -> Box:
    width = 6.4 * len(label.text)
    left = label.x - (width if label.anchor == "end" else 0)
    return left, label.y - 10, left + width, label.y + 3


def _legend() -> list[Part]:
    rows = (
        (True, False, "speed and F1 measured in this run, with the 95 % interval of F1"),
        (False, False, "speed measured here on random weights of that shape, F1 published"),
        (False, True, "speed and F1 published, of other machines and other models: for orientation"),
    )
    parts: list[Part] = []
    for place, (is_filled, is_diamond, text) in enumerate(rows):
        y = HEIGHT - 58 + place * 20
        parts.append(Mark(LEFT + 6, y - 4, SOFT, is_filled, is_diamond))
        parts.append(Words(LEFT + 20, y, text, SOFT))
    return parts


def as_svg(parts: Sequence[Part], label: str) -> str:
    """The drawing as SVG."""
    said = escape(label)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" width="{WIDTH}" '
        f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"><title>{said}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        + "\n".join(_svg(part) for part in parts)
        + "\n</svg>\n"
    )


def _svg(part: Part) -> str:
    if isinstance(part, Line):
        dash = ' stroke-dasharray="6 5"' if part.is_dashed else ""
        return (
            f'<line x1="{part.x1:.1f}" y1="{part.y1:.1f}" x2="{part.x2:.1f}" y2="{part.y2:.1f}" '
            f'stroke="{part.colour}" stroke-width="{part.width}"{dash}/>'
        )
    if isinstance(part, Mark):
        style = f'fill="{part.colour if part.is_filled else "#fff"}" stroke="{part.colour}" stroke-width="2"'
        if part.is_diamond:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in diamond(part))
            return f'<polygon points="{corners}" {style}/>'
        return f'<circle cx="{part.x:.1f}" cy="{part.y:.1f}" r="5" {style}/>'
    return (
        f'<text x="{part.x:.1f}" y="{part.y:.1f}" text-anchor="{part.anchor}" font-size="{part.size}" '
        f'fill="{part.colour}" stroke="white" stroke-width="2" paint-order="stroke">'
        f"{escape(part.text)}</text>"
    )


def diamond(mark: Mark) -> list[tuple[float, float]]:
    """Its corners."""
    return [(mark.x, mark.y - 6), (mark.x + 6, mark.y), (mark.x, mark.y + 6), (mark.x - 6, mark.y)]


def write_png(parts: Sequence[Part], path: Path) -> None:
    """The drawing as PNG, by Pillow.

    Raises:
        ImportError: if Pillow is not installed.
    """
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only the PNG needs it

    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "#fff")
    pen = ImageDraw.Draw(image)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for part in parts:
        if isinstance(part, Line):
            for start, end in dashes(part):
                pen.line(_scaled(start, end), fill=part.colour, width=round(part.width * SCALE))
        elif isinstance(part, Mark):
            fill = part.colour if part.is_filled else "#fff"
            if part.is_diamond:
                pen.polygon(_scaled(*diamond(part)), fill=fill, outline=part.colour, width=2 * SCALE)
            else:
                box = _scaled((part.x - 5, part.y - 5), (part.x + 5, part.y + 5))
                pen.ellipse(box, fill=fill, outline=part.colour, width=2 * SCALE)
        else:
            font = ImageFont.load_default(part.size * SCALE)
            place = (part.x * SCALE, part.y * SCALE)
            pen.text(
                place,
                part.text,
                fill=part.colour,
                font=font,
                anchor=anchors[part.anchor],
                stroke_width=2,
                stroke_fill="white",
            )
    image.save(path, optimize=True)


def dashes(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The strokes of a line: itself, or pieces of 6 with gaps of 5."""
    if not line.is_dashed:
        return [((line.x1, line.y1), (line.x2, line.y2))]
    length = math.hypot(line.x2 - line.x1, line.y2 - line.y1)
    across, down = (line.x2 - line.x1) / length, (line.y2 - line.y1) / length

    def at(place: float) -> tuple[float, float]:
        return line.x1 + across * place, line.y1 + down * place

    return [(at(place), at(min(place + 6, length))) for place in range(0, math.ceil(length), 11)]


def _scaled(*corners: tuple[float, float]) -> list[tuple[float, float]]:
    return [(x * SCALE, y * SCALE) for x, y in corners]


def main() -> int:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", nargs="?", type=Path, default=HERE.with_name("speed.json"))
    parser.add_argument("-o", "--output", type=Path, default=HERE.parents[1] / "docs" / "frontier.svg")
    options = parser.parse_args()
    result = json.loads(options.result.read_text(encoding="utf-8"))
    parts = drawing(result)
    options.output.write_text(as_svg(parts, title(result)), encoding="utf-8")
    try:
        write_png(parts, options.output.with_suffix(".png"))
    except ImportError:
        print("no PNG: Pillow is not installed here (the peers' environment has it)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
