"""Sentences and words of a text for peers that need them, by medspan's rules; runs of documents; IOB tags."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from medspan.text.sentences import split_sentences
from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peers.systems import Text

CHUNK = 256  # documents whose sentences are sorted together
Words = list[tuple[int, int]]


def chunks(documents: Iterable[Text]) -> Iterator[list[Text]]:
    """Runs of documents."""
    stream = iter(documents)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def sentence_words(text: str) -> Iterator[Words]:
    """Words of each sentence, as offsets into the text."""
    for start, end in split_sentences(text):
        yield [(first + start, last + start) for first, last in tokenize(text[start:end])]


def entities(tags: Sequence[str], words: Words) -> list[tuple[int, int, str]]:
    """Entities of IOB2 tags; an I without its B begins an entity, as conlleval reads it."""
    found: list[tuple[int, int, str]] = []
    before = "O"
    for tag, (start, end) in zip(tags, words, strict=True):
        if tag != "O":
            label = tag[2:]
            if tag[0] == "I" and before[2:] == label:
                found[-1] = (found[-1][0], end, label)
            else:
                found.append((start, end, label))
        before = tag
    return found
