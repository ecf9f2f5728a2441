"""Raw texts of the speed benchmark: a fixed sample of notes and articles, its beginning, shares of it."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEED = 13
LONGEST = 4_000  # characters of a document made from an article's paragraphs
NOTES = "unlabelled/mtsamples.jsonl.gz"
ARTICLES = "unlabelled/pmc-trials.txt.xz"


class Text(NamedTuple):
    """A document, and its number of words by medspan's tokenizer."""

    id: str
    text: str
    words: int


def sample(words: int) -> list[Text]:
    """At least so many words, or all there are: notes and pieces of articles, drawn by a fixed seed.

    As many notes as articles, while there are notes.
    """
    root = Path(os.environ["MEDSPAN_DATA"])
    draw = random.Random(SEED)  # noqa: S311 - a sample, no secret
    groups = [list(read_notes(root / NOTES)), list(read_articles(root / ARTICLES))]
    for group in groups:
        draw.shuffle(group)
    by_turns = (pair for pair in chain.from_iterable(zip_longest(*groups)) if pair is not None)
    chosen = first((Text(name, text, len(tokenize(text))) for name, text in by_turns), words)
    draw.shuffle(chosen)
    return chosen


def first(documents: Iterable[Text], words: int) -> list[Text]:
    """The first documents that hold so many words, or all; of a sample's order, a sample of the sample."""
    chosen: list[Text] = []
    total = 0
    for document in documents:
        if total >= words:
            break
        chosen.append(document)
        total += document.words
    return chosen


def read_notes(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and texts of the notes."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line)
            yield value["id"], value["text"]


def read_articles(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and texts of pieces of the articles."""
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        for number, article in enumerate(stream.read().split("\n\n")):
            for place, piece in enumerate(pieces(article)):
                yield f"pmc-{number}-{place}", piece


def pieces(article: str) -> list[str]:
    """An article as documents of whole paragraphs, up to the longest length where paragraphs allow it."""
    found: list[str] = []
    for paragraph in article.strip("\n").split("\n"):
        if found and len(found[-1]) + 1 + len(paragraph) <= LONGEST:
            found[-1] += "\n" + paragraph
        else:
            found.append(paragraph)
    return [piece for piece in found if piece.strip()]


def deal(documents: Sequence[Text], processes: int) -> list[list[Text]]:
    """Shares of nearly equal characters: longest first, each to the lightest share; order kept inside."""
    loads = [0] * processes
    owner = {}
    for place in sorted(range(len(documents)), key=lambda n: -len(documents[n].text)):
        lightest = loads.index(min(loads))
        owner[place] = lightest
        loads[lightest] += len(documents[place].text)
    return [[d for n, d in enumerate(documents) if owner[n] == share] for share in range(processes)]


def write(documents: Iterable[Text], path: Path) -> None:
    """One JSON object with id and text a line."""
    with path.open("w", encoding="utf-8") as out:
        for document in documents:
            out.write(json.dumps({"id": document.id, "text": document.text}, ensure_ascii=False) + "\n")
