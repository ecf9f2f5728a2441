"""NCBI-disease as sentences of gold words, and medspan's scorer for tags on them.

Peers that are trained get the corpus' own words and sentences at test time too: their more favourable
setting.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sentences

sys.path.append(str(Path(__file__).resolve().parents[1]))

from facts import figures, numbered

import medspan
from medspan.corpora import load
from medspan.types import Entity, Span

if TYPE_CHECKING:
    from medspan.types import Document

SOURCE = "ner/NCBI-disease"


class Sentence(NamedTuple):
    """A sentence: number of its document, offsets of its words, words, gold IOB2 tags."""

    document: int
    places: sentences.Words
    words: list[str]
    tags: list[str]


@lru_cache
def documents(split: str) -> list[Document]:
    """The documents of a split, numbered."""
    return numbered(load(SOURCE, split))


@lru_cache
def tagged(split: str) -> list[Sentence]:
    """The sentences of a split."""
    return [
        _sentence(number, document, span)
        for number, document in enumerate(documents(split))
        for span in document.sentences
    ]


def words(split: str) -> list[list[str]]:
    """The words of each sentence of a split."""
    return [sentence.words for sentence in tagged(split)]


def _sentence(number: int, document: Document, span: Span) -> Sentence:
    """Words stand between single blanks in a text that was rebuilt from words."""
    places, start = [], span.start
    for word in document.text[span.start : span.end].split(" "):
        places.append((start, start + len(word)))
        start += len(word) + 1
    begins = {e.start: e for e in document.entities}
    tags, current = [], None
    for first, last in places:
        current = begins.get(first, current)
        is_inside = current is not None and current.start <= first and last <= current.end
        tags.append("O" if current is None or not is_inside else _tag(current, first))
    texts = [document.text[first:last] for first, last in places]
    return Sentence(number, places, texts, tags)


def _tag(entity: Entity, first: int) -> str:
    return f"{'B' if first == entity.start else 'I'}-{entity.label}"


def score(split: str, tags: list[list[str]]) -> dict[str, Any]:
    """Strict scores, and their interval over documents, of IOB2 tags for the sentences of a split."""
    gold = documents(split)
    found: list[list[Entity]] = [[] for _ in gold]
    for sentence, predicted in zip(tagged(split), tags, strict=True):
        mentions = found[sentence.document]
        for start, end, label in sentences.entities(predicted, sentence.places):
            mentions.append(Entity(f"T{len(mentions) + 1}", label, (Span(start, end),)))
    predictions = [d.replace(entities=tuple(e)) for d, e in zip(gold, found, strict=True)]
    return figures(medspan.evaluate(gold, predictions))
