"""spaCy's `ner` as it is meant to be run: whole documents through nlp.pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import spacy
from spacy.tokens import Doc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peers.systems import Found, Peer, Text

BATCH = 16  # documents; the fastest of 1, 8, 16, 32, 64, 128, 256 and 1000 on these texts


def load(model: str, threads: int) -> Peer:
    """The pipeline of a folder; spaCy computes with one thread on a CPU."""
    del threads
    nlp = spacy.load(model)

    def annotate(documents: Iterable[Text]) -> Iterator[Found]:
        pairs = ((text, identity) for identity, text in documents)
        for doc, identity in nlp.pipe(pairs, as_tuples=True, batch_size=BATCH):
            yield identity, [(e.start_char, e.end_char, e.label_) for e in doc.ents]

    return annotate


def tag_words(model: str, sentences: list[list[str]]) -> list[list[str]]:
    """IOB2 tags of sentences that are words already."""
    nlp = spacy.load(model)
    docs = nlp.pipe((Doc(nlp.vocab, words=words) for words in sentences), batch_size=BATCH)
    return [[f"{w.ent_iob_}-{w.ent_type_}" if w.ent_type_ else "O" for w in doc] for doc in docs]
