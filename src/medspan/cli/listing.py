"""A document with its entities, coloured, for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from medspan.formats.asserted import unusual

if TYPE_CHECKING:
    from rich.console import Console

    from medspan.types import Document, Entity

COLOURS = ("red", "blue", "green", "magenta", "cyan", "yellow")
_FIXED = {
    "Disease": "red",
    "Chemical": "blue",
    "Gene": "magenta",
    "Species": "green",
    "Anatomy": "yellow",
    "Cell": "cyan",
}


def colour_of(label: str) -> str:
    """The same colour for the same label everywhere."""
    return _FIXED.get(label) or COLOURS[sum(label.encode()) % len(COLOURS)]


def show_document(console: Console, document: Document) -> None:
    """Print a heading, the text with its mentions marked, and how many of each label were found."""
    console.rule(Text(document.id, style="bold"), align="left", style="dim")
    console.print(marked_text(document), soft_wrap=True)
    counts = Counter(entity.label for entity in document.entities)
    summary = Text()
    for label, count in counts.most_common():
        summary.append(f" {label} {count} ", style=f"bold {colour_of(label)}")
    console.print(summary if counts else Text(" no entities", style="dim"))
    console.print()


def marked_text(document: Document) -> Text:
    """The text; each outermost mention is followed by its label, so that it reads without colours too."""
    text = Text()
    position = 0
    for entity in outermost(document):
        text.append(document.text[position : entity.start])
        colour = colour_of(entity.label)
        text.append(document.text[entity.start : entity.end], style=f"bold underline {colour}")
        text.append(f"[{', '.join([entity.label, *unusual(entity)])}]", style=f"dim {colour}")
        position = entity.end
    text.append(document.text[position:])
    return text


def outermost(document: Document) -> list[Entity]:
    """Entities in text order, without those that overlap a longer or earlier one."""
    kept: list[Entity] = []
    for entity in sorted(document.entities, key=lambda e: (e.start, -e.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
    return kept
