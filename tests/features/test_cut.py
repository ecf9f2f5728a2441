"""Documents → units: every word is owned once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.features import cut as cutting
from medspan.features.cut import Unit, cut, read_units
from medspan.features.forms import FormTable
from medspan.features.vocab import build_vocab
from medspan.text.tokenize import tokenize
from medspan.types import Document, Span
from strategies import documents, texts


def owned(document: Document, size: int, overlap: int) -> list[tuple[int, int]]:
    return [
        word
        for unit in cut(document, size=size, overlap=overlap)
        for word in unit.words[unit.owned[0] : unit.owned[1]]
    ]


@given(document=documents(text=texts(max_size=60)), size=st.integers(3, 12), overlap=st.integers(0, 1))
def test_every_word_is_owned_once_in_order(document: Document, size: int, overlap: int):
    assert owned(document, size, overlap) == tokenize(document.text)
    for unit in cut(document, size=size, overlap=overlap):
        assert 1 <= len(unit.words) <= size
        assert unit.forms(document.text) == [document.text[a:b] for a, b in unit.words]


@pytest.mark.parametrize("text", ["", " \n\t ", "\ufeff\u200b"])
def test_a_text_without_words_has_no_units(text: str):
    assert list(cut(Document("d", text))) == []


@pytest.mark.parametrize("words", [1, 9, 10, 11, 25, 1000])
def test_long_sentences_are_cut_into_windows(words: int):
    document = Document("d", "word " * words)
    units = list(cut(document, index=7, size=10, overlap=4))
    assert {unit.document for unit in units} == {7}
    assert max(len(unit.words) for unit in units) <= 10
    assert len(owned(document, 10, 4)) == words
    for left, right in pairwise(units):  # context on both sides of every seam
        assert right.owned[0] == 2
        assert len(left.words) - left.owned[1] == 2


def test_marked_sentences_are_kept_and_the_rest_stands_apart():
    text = "one two three four five"
    document = Document("d", text, sentences=(Span(4, 7), Span(8, 18)))
    assert [unit.forms(text) for unit in cut(document)] == [["one"], ["two"], ["three", "four"], ["five"]]


def test_without_marks_the_splitter_decides():
    document = Document("d", "No fever was seen. The patient went home.")
    assert [len(unit.words) for unit in cut(document)] == [5, 5]


@given(
    several=st.lists(documents(text=texts(max_size=60)), max_size=4),
    stretch=st.integers(1, 30),
    most_words=st.integers(1, 20),
)
def test_arrays_hold_the_same_units(several: list[Document], stretch: int, most_words: int):
    wanted = [
        unit for i, document in enumerate(several) for unit in cut(document, index=i, size=7, overlap=2)
    ]
    table = FormTable(build_vocab([["x"]]), max_chars=4)
    found: list[Unit] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "STRETCH", stretch)
        for units in read_units(several, table, size=7, overlap=2, most_words=most_words):
            for i in range(len(units.first)):
                unit = units.unit(i)
                found.append(unit)
                rows = units.rows[units.first[i] : units.stop[i]]
                assert rows.tolist() == table.rows(unit.forms(several[unit.document].text)).tolist()
    assert [(u.document, list(u.words), u.owned) for u in found] == [
        (u.document, list(u.words), u.owned) for u in wanted
    ]
