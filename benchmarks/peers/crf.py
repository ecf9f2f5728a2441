"""A linear-chain CRF over the usual word features, through python-crfsuite."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pycrfsuite
from peers import splitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peers.systems import Found, Peer, Text

MODEL = "model.crfsuite"
REACH = 2  # neighbours on each side
FORMS = 200_000  # word forms whose features are kept
_RUNS = re.compile(r"(.)\1+")


def shape(word: str) -> str:
    """Its characters as classes: X upper, x lower, 0 digit, others as they are."""
    return "".join("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word)


@lru_cache(maxsize=FORMS)
def own_features(word: str) -> list[str]:
    """Features of a word by itself."""
    lower, form = word.lower(), shape(word)
    short = _RUNS.sub(r"\1", form)
    found = ["bias", f"w={word}", f"l={lower}", f"s={form}", f"r={short}"]
    found += [f"p{n}={lower[:n]}" for n in range(1, 5) if len(lower) >= n]
    found += [f"e{n}={lower[-n:]}" for n in range(1, 5) if len(lower) >= n]
    if word.isupper():
        found.append("upper")
    if word.istitle():
        found.append("title")
    if word.isdigit():
        found.append("digit")
    return found


@lru_cache(maxsize=FORMS * 2 * REACH)
def neighbour_features(word: str, offset: int) -> list[str]:
    """Features of a word as a neighbour ``offset`` words away."""
    lower, form = word.lower(), _RUNS.sub(r"\1", shape(word))
    return [f"{offset}l={lower}", f"{offset}r={form}", f"{offset}e={lower[-3:]}"]


def features(words: Sequence[str]) -> list[list[str]]:
    """Feature names of each word of a sentence."""
    last = len(words) - 1
    rows = []
    for place, word in enumerate(words):
        row = list(own_features(word))
        for offset in (-2, -1, 1, 2):
            other = place + offset
            row += neighbour_features(words[other], offset) if 0 <= other <= last else (f"{offset}edge",)
        if place:
            row.append(f"b={words[place - 1].lower()}|{word.lower()}")
        if place < last:
            row.append(f"f={word.lower()}|{words[place + 1].lower()}")
        rows.append(row)
    return rows


def open_tagger(model: str) -> pycrfsuite.Tagger:
    """The tagger of a folder."""
    tagger = pycrfsuite.Tagger()
    tagger.open(str(Path(model) / MODEL))
    return tagger


def load(model: str, threads: int) -> Peer:
    """The tagger of a folder; CRFsuite tags with one thread."""
    del threads
    tagger = open_tagger(model)

    def annotate(documents: Iterable[Text]) -> Iterator[Found]:
        for identity, text in documents:
            found = []
            for words in splitting.sentence_words(text):
                tags = tagger.tag(features([text[start:end] for start, end in words]))
                found += splitting.entities(tags, words)
            yield identity, found

    return annotate


def tag_words(model: str, rows: list[list[str]]) -> list[list[str]]:
    """IOB2 tags of sentences that are words already."""
    tagger = open_tagger(model)
    return [tagger.tag(features(words)) for words in rows]
