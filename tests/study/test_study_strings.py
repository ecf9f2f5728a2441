"""Strings of a corpus: what counts as the same, and what became of their places."""

from __future__ import annotations

import pytest

from medspan.study.strings import MOST_WORDS, fates_of, key_of, mentions_of, standing_in
from medspan.types import Document, Entity, Span

LABELS = frozenset({"Species"})


def document(text: str, *spans: tuple[int, int], label: str = "Species") -> Document:
    entities = tuple(Entity(f"T{i}", label, (Span(*span),)) for i, span in enumerate(spans))
    return Document("d", text, entities)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Mice", "mice", True),
        ("E. coli", "E . coli", True),
        ("nude\n mice", "Nude mice", True),
        ("SET", "set", False),  # an acronym is no word
        ("SETTING", "setting", True),
        ("A", "a", True),
        ("BALB/c", "BALB / C", True),
        ("ﬁsh", "fish", True),
        ("mouse", "mice", False),
    ],
)
def test_keys(one: str, other: str, is_same: bool):  # noqa: FBT001 - a table
    assert (key_of(one) == key_of(other)) is is_same


@pytest.mark.parametrize("text", ["", " ", "\u200b"])
def test_nothing_has_an_empty_key(text: str):
    assert key_of(text) == ()
    assert fates_of([Document("d", text)], LABELS, {("mice",)}) == {}
    assert fates_of([Document("d", "mice")], LABELS, {()}) == {}


@pytest.mark.parametrize(
    ("text", "spans", "fate"),
    [
        ("the nude mice ran", [(9, 13)], "exact"),
        ("the nude mice ran", [(4, 13)], "longer"),
        ("the mice ran", [], "bare"),
        ("the mic\u00e9 ran", [], None),
        ("the micelles", [], None),  # only on word borders
        ("the mice-like ran", [(4, 10)], "longer"),  # a mention that ends inside a word covers it
        ("the mice", [(5, 8)], "longer"),
    ],
)
def test_fates_of_one_word(text: str, spans: list[tuple[int, int]], fate: str | None):
    found = fates_of([document(text, *spans)], LABELS, {("mice",)})
    if fate is None:
        assert found == {}
        return
    fates = found["mice",]
    assert getattr(fates, fate) == fates.places == 1
    assert fates.labelled == (fate != "bare")


@pytest.mark.parametrize(
    ("spans", "fate"),
    [
        ([(0, 9)], "exact"),
        ([(5, 9)], "shorter"),
        ([(0, 4), (5, 9)], "shorter"),
        ([(5, 14)], "crossing"),
        ([(0, 14)], "longer"),
        ([(10, 14)], "bare"),
        ([(0, 9), (0, 14)], "exact"),  # nested: the one that fits counts
    ],
)
def test_fates_of_two_words(spans: list[tuple[int, int]], fate: str):
    fates = fates_of([document("nude mice here", *spans)], LABELS, {("nude", "mice")})["nude", "mice"]
    assert getattr(fates, fate) == fates.places == 1


def test_other_labels_do_not_count_and_words_beside_are_kept():
    docs = [
        document("human cells", (0, 5), label="Cell"),
        document("adult human cells", (0, 17)),
        document("adult human", (0, 11)),
        document("human", (0, 5)),
    ]
    fates = fates_of(docs, LABELS, {("human",)})["human",]
    assert (fates.bare, fates.longer, fates.exact) == (1, 2, 1)
    assert fates.before == {"adult": 2}
    assert fates.after == {"cells": 1}
    assert (fates.label, dict(fates.labels)) == ("Species", {"Species": 1})


def test_parts_of_a_discontinuous_mention_are_never_exact():
    entity = Entity("T1", "Species", (Span(0, 4), Span(10, 14)))
    fates = fates_of([Document("d", "mice, not rats", (entity,))], LABELS, {("mice",)})["mice",]
    assert (fates.exact, fates.longer) == (0, 1)


def test_mentions_are_counted_by_string():
    docs = [
        document("Mice and mice and nude mice", (0, 4), (9, 13), (18, 27)),
        document("mice", (0, 4)),
        document("micelles", (0, 4)),  # inside a word: counted, no string
        document("w " * (MOST_WORDS + 1), (0, 2 * MOST_WORDS + 1)),  # too long to be looked up
    ]
    found = mentions_of(docs, LABELS)
    assert (found.documents, found.words, found.count) == (4, 8 + MOST_WORDS + 1, 6)
    assert found.times(("mice",)) == 3
    assert found.times(("nude", "mice")) == 1
    assert found.surface(("mice",)) == "mice"
    assert set(found.surfaces) == {("mice",), ("nude", "mice")}
    assert (found.one_word, found.mention_words) == (4, 4 + 2 + MOST_WORDS + 1)
    assert found.times(("rat",)) == 0


def test_what_stands_in_a_text():
    strings = {("nude", "mice"), ("mice",), ("rats",)}
    assert standing_in([Document("d", "Nude mice")], strings) == {("nude", "mice"), ("mice",)}
