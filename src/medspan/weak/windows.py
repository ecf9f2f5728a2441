"""Windows of text around labelled mentions, and windows without any: training data as system 0 makes it.

Almgren, Pavlov and Mogren (2016) match terms in raw text and cut, for each match, several windows of 60
characters whose place around the match is random. Words at the borders of a window are cut, and so are
mentions, which stay annotated as far as they stand in it.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import UsageError
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class WindowRules(msgspec.Struct, frozen=True):
    """How windows are cut.

    Raises:
        UsageError: unless ``length`` and ``placements`` are positive and ``negatives`` is not negative.
    """

    length: int = 60
    """Characters of a window."""
    placements: int = 3
    """Windows for each mention, at different places around it."""
    negatives: float = 0.5
    """Windows without a mention, for each window with one."""
    seed: int = 13
    """Of the random places."""

    def __post_init__(self) -> None:
        if self.length < 1 or self.placements < 1 or self.negatives < 0:
            raise UsageError("windows: give a length and placements of 1 or more, and negatives of 0 or more")


def cut_windows(documents: Iterable[Document], rules: WindowRules) -> Iterator[Document]:
    """Windows of annotated documents as documents of their own, in order and in flat memory.

    A document shorter than a window is one window; a mention longer than a window has none around it. The
    same documents in the same order, under the same rules, give the same windows. A document that lacks room
    for its negative windows leaves them to the next.
    """
    owed = 0.0
    for document in documents:
        starts = _starts_around(document, rules)
        owed += rules.negatives * len(starts)
        between = _starts_between(document, rules, int(owed))
        owed -= len(between)
        for start in sorted({*starts, *between}):
            yield _window(document, start, min(start + rules.length, len(document.text)))


def _draw(document: Document, rules: WindowRules, *more: object) -> Random:
    """A source of chance that depends on the seed, the document and the purpose alone."""
    name = "\0".join(map(str, (rules.seed, document.id, document.text, *more)))
    return Random(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())  # noqa: S311 - no secret


def _starts_around(document: Document, rules: WindowRules) -> list[int]:
    """Where windows that hold a whole mention begin."""
    found: set[int] = set()
    for entity in document.entities:
        first = max(0, entity.end - rules.length)
        last = max(0, min(entity.start, len(document.text) - rules.length))
        if first > last:  # the mention is longer than a window
            continue
        places = range(first, last + 1)
        draw = _draw(document, rules, entity.start, entity.end)
        found.update(draw.sample(places, min(rules.placements, len(places))))
    return sorted(found)


def _starts_between(document: Document, rules: WindowRules, count: int) -> list[int]:
    """Where windows without any part of a mention begin: at most ``count``, none overlapping another."""
    if count < 1:
        return []
    draw = _draw(document, rules, "between")
    rooms: list[int] = []
    edge = 0
    spans = sorted(span for entity in document.entities for span in entity.spans)
    for start, end in [*((span.start, span.end) for span in spans), (len(document.text),) * 2]:
        rooms += range(edge, start - rules.length + 1, rules.length)
        edge = max(edge, end)
    chosen = draw.sample(rooms, min(count, len(rooms)))
    is_blank = [document.text[start : start + rules.length].isspace() for start in chosen]
    return [start for start, blank in zip(chosen, is_blank, strict=True) if not blank]


def _window(document: Document, start: int, end: int) -> Document:
    """A part of a document, with the parts of its mentions that stand in it."""
    entities: list[Entity] = []
    for entity in document.entities:
        spans = tuple(
            Span(max(span.start, start) - start, min(span.end, end) - start)
            for span in entity.spans
            if span.start < end and span.end > start
        )
        if spans:
            entities.append(
                Entity(
                    f"T{len(entities) + 1}",
                    entity.label,
                    spans,
                    entity.score,
                    entity.attributes,
                    entity.concepts,
                )
            )
    meta = {**document.meta, "window": {"document": document.id, "start": start, "end": end}}
    return Document(f"{document.id}:{start}-{end}", document.text[start:end], tuple(entities), meta=meta)
