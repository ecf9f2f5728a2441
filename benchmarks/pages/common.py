"""What the pages share: cells, tables, how a result was made, the names of corpora."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pages.content import Curves, Points

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "-"
WIDTH = 120
MADE_BY = "<!-- Written by benchmarks/results.py from benchmarks/{}; do not edit. -->"


class Plot(NamedTuple):
    """A plot of a page: the file it goes to, what it shows in words, and what it shows."""

    file: str
    alt: str
    content: Points | Curves

    def line(self) -> str:
        """The image on a page."""
        return f"![{self.alt}]({self.file})"


class Page(NamedTuple):
    """A rendered page: its text, its plots, and the answer of its study in one line for the index."""

    text: str
    plots: Sequence[Plot]
    answers: Sequence[str]


def percent(value: float | None) -> str:
    """A share as a percentage with two places."""
    return ABSENT if value is None else f"{100 * value:.2f}"


def points(value: float | None) -> str:
    """A difference of shares in points, with its sign."""
    return ABSENT if value is None else f"{100 * value:+.2f}"


def interval(row: dict[str, Any], form: Callable[[float | None], str] = percent) -> str:
    """The ends of a row's interval."""
    if row.get("low") is None or row.get("high") is None:
        return ABSENT
    return f"{form(row['low'])} to {form(row['high'])}"


def listed(values: Iterable[object]) -> str:
    """Names or numbers in a row."""
    return ", ".join(str(value) for value in values) or ABSENT


def prose(*paragraphs: str) -> list[str]:
    """Paragraphs as lines of at most 120 characters, each with an empty line behind it."""
    found = []
    for paragraph in paragraphs:
        for part in paragraph.split("\n\n"):
            words = " ".join(part.split())
            found += [*textwrap.wrap(words, WIDTH, break_on_hyphens=False, break_long_words=False), ""]
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table with an empty line behind it; nothing without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines, ""]


def missing_lines(missing: Sequence[str]) -> list[str]:
    """What was not run, said plainly."""
    if not missing:
        return ["## Not run", "", "Nothing is missing: every run this page is made for is in it.", ""]
    return ["## Not run", "", *(f"- {line}" for line in missing), ""]


def how_lines(rows: Sequence[dict[str, Any]], result: str) -> list[str]:
    """Commands, seeds, dates, hardware and versions of some runs."""
    if not rows:
        return []
    commands = dict.fromkeys(row["command"] for row in rows)
    dates = sorted({row["date"] for row in rows})
    seeds = sorted({row["seed"] for row in rows if row.get("seed") is not None})
    machines = dict.fromkeys(
        f"{row['hardware']['cpu']}, {row['hardware']['cores']} shared cores, {row['hardware']['system']}"
        for row in rows
    )
    versions = dict.fromkeys(
        ", ".join(f"{name} {version}" for name, version in row["versions"].items()) for row in rows
    )
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return [
        "## How it was made",
        "",
        "```sh",
        *commands,
        "python benchmarks/results.py",
        "```",
        "",
        f"- Every run and every figure: `benchmarks/{result}`",
        f"- {len(rows)} results, {when}; seeds: {listed(seeds) if seeds else 'none, nothing is drawn'}",
        *(f"- {name}" for name in machines),
        *(f"- {name}" for name in versions),
        "",
    ]


def page_text(title: str, result: str, lines: Iterable[str]) -> str:
    """A whole page."""
    body = "\n".join([MADE_BY.format(result), "", f"# {title}", "", *lines])
    return body.rstrip("\n") + "\n"


def corpus_names(folder: Path = ROOT / "recipes") -> dict[str, str]:
    """What the corpora of the transfer recipes are called, by their short names."""
    found = {}
    for path in sorted(folder.glob("transfer-*.toml")):
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= {name: corpus["source"].rpartition("/")[2] for name, corpus in recipe["corpora"].items()}
    return found


def agreed(seeds: Sequence[int]) -> str:
    """How many seeds a figure is of."""
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
