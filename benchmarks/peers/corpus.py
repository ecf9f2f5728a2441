"""NCBI-disease as sentences of gold words, and medspan's scorer for tags on them.

Peers that are trained get the corpus' own words and sentences at test time too: their more favourable
setting.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from facts import figures, numbered
from peers import splitting

import medspan
from medspan.corpora import load
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from peers.systems import Peer

SOURCE, RAW_SOURCE = "ner/NCBI-disease", "standoff/ncbi-disease"
LABEL = "Disease"
KINDS = dict.fromkeys(("SpecificDisease", "DiseaseClass", "Modifier", "CompositeMention"), LABEL)


class Sentence(NamedTuple):
    """A sentence: number of its document, offsets of its words, words, gold IOB2 tags."""

    document: int
    places: splitting.Words
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
    found: list[list[tuple[int, int, str]]] = [[] for _ in gold]
    for sentence, predicted in zip(tagged(split), tags, strict=True):
        found[sentence.document] += splitting.entities(predicted, sentence.places)
    predictions = [d.replace(entities=as_entities(e)) for d, e in zip(gold, found, strict=True)]
    return figures(medspan.evaluate(gold, predictions, labels=(LABEL,)))


def score_raw(split: str, peer: Peer) -> dict[str, Any]:
    """The same for a system that annotates raw texts."""
    gold = numbered(load(RAW_SOURCE, split))
    texts = {document.id: document.text for document in gold}
    found = [Document(name, texts[name], as_entities(rows)) for name, rows in peer(iter(texts.items()))]
    return figures(medspan.evaluate(gold, found, labels=(LABEL,), label_map=KINDS))


def as_entities(rows: list[tuple[int, int, str]]) -> tuple[Entity, ...]:
    """Start, end and label of each, as entities."""
    return tuple(Entity(f"T{n}", label, (Span(s, e),)) for n, (s, e, label) in enumerate(rows, 1))
