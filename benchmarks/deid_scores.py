"""Scores of de-identification: what of the gold is covered, and what else.

An entity is *found* where every word of it (letters and digits; titles, degrees and words like *in* and *of*
aside) is covered by something found, whatever its label: what is redacted is redacted. *touched* is where a
character of it is; *words* is the share of all its words. Over-redaction is the share of words outside every
gold entity that are covered, wholly or in part.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medspan.types import Document

# Words inside of gold entities that identify no one: titles, degrees, and what joins names of places.
UNCOUNTED = frozenset(
    ["dr", "mr", "mrs", "ms", "miss", "mx", "prof", "md", "rn", "np", "in", "of", "at", "the", "and"]
)
FEWEST = 10

Spans = list[tuple[int, int]]


class Tally(NamedTuple):
    """Counts of a class."""

    entities: int = 0
    found: int = 0
    touched: int = 0
    words: int = 0
    words_found: int = 0

    def plus(self, other: Tally) -> Tally:
        """The sum."""
        return Tally(*(a + b for a, b in zip(self, other, strict=True)))


def score(
    gold: Sequence[Document],
    found: Sequence[Spans],
    classes: Mapping[str, str],
    ignored: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Recall by class, and over-redaction.

    Args:
        gold: documents with entities.
        found: of each document the spans that a system would change.
        classes: labels of the gold → classes; labels in neither count as text that is no identifier.
        ignored: labels whose words count on neither side.
    """
    tallies: dict[str, Tally] = {}
    outside = over = 0
    for document, spans in zip(gold, found, strict=True):
        covered = _covered(document.text, spans)
        words = [word for word in tokenize(document.text) if document.text[word[0]].isalnum()]
        for entity in document.entities:
            if entity.label in classes:
                inside = [word for word in words if entity.start < word[1] and word[0] < entity.end]
                name = classes[entity.label]
                tallies[name] = tallies.get(name, Tally()).plus(_tally(document.text, inside, covered))
        marked = [(e.start, e.end) for e in document.entities if e.label in classes or e.label in ignored]
        free = [word for word in words if not any(s < word[1] and word[0] < e for s, e in marked)]
        outside += len(free)
        over += sum(any(covered[start:end]) for start, end in free)
    return {
        "classes": {name: _figures(tally) for name, tally in sorted(tallies.items())},
        "over_redaction": round(over / outside, 4) if outside else None,
        "words_outside": outside,
        "words_redacted_outside": over,
    }


def _covered(text: str, spans: Spans) -> list[bool]:
    covered = [False] * len(text)
    for start, end in spans:
        covered[start:end] = [True] * (end - start)
    return covered


def _tally(text: str, words: Sequence[tuple[int, int]], covered: Sequence[bool]) -> Tally:
    """Of one entity; a title, or a word such as *in*, counts nowhere."""
    counted = [word for word in words if text[word[0] : word[1]].lower() not in UNCOUNTED] or list(words)
    found = sum(all(covered[start:end]) for start, end in counted)
    touched = any(any(covered[start:end]) for start, end in counted)
    return Tally(1, int(found == len(counted)), int(touched), len(counted), found)


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def _figures(tally: Tally) -> dict[str, Any]:
    low, high = wilson(tally.found, tally.entities)
    return {
        "entities": tally.entities,
        "recall": round(tally.found / tally.entities, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "touched": round(tally.touched / tally.entities, 4),
        "word_recall": round(tally.words_found / max(tally.words, 1), 4),
        "counts": tally.entities >= FEWEST,
    }
