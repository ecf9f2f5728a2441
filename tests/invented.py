"""An invented terminology, and documents about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.tasks.resolution.build import IndexBuilder
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.terms import Kind, Name
from medspan.types import Concept, Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

CONCEPTS = {
    "X:1": ("Grey fever", "ash fever", "febris grisea"),
    "X:2": ("Neoplasms, Lung", "lung cancer", "tumour of the lung"),
    "X:3": ("Neoplasms, Kidney", "kidney cancer", "renal tumour"),
    "X:4": ("Cold", "common cold"),
    "X:5": ("Lung cold", "cold lung disease"),
    "X:6": ("zelvorin type 2", "zelvorin II"),
    "X:7": ("zelvorin type 1",),
}


def names() -> list[Name]:
    """Every name, the first of a concept preferred."""
    return [
        Name(concept, name, Kind.SYNONYM if place else Kind.PREFERRED)
        for concept, found in CONCEPTS.items()
        for place, name in enumerate(found)
    ]


def make_index(folder: Path, more: tuple[Name, ...] = ()) -> Index:
    """An index of the invented terminology."""
    builder = IndexBuilder()
    builder.add_all([*names(), *more])
    builder.write(folder, [])
    return Index(folder)


def document(text: str, *mentions: str, label: str = "Problem", ids: tuple[str, ...] = ()) -> Document:
    """A document with the first place of each mention annotated."""
    entities = []
    for number, mention in enumerate(mentions, 1):
        start = text.index(mention)
        concepts = (Concept(ids[number - 1]),) if ids and ids[number - 1] else ()
        span = Span(start, start + len(mention))
        entities.append(Entity(f"T{number}", label, (span,), concepts=concepts))
    return Document("d", text, tuple(entities))
