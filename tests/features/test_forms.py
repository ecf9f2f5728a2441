"""The table of distinct words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.features import forms as form_tables
from medspan.features.forms import BLANK, FORM_BLOCK, PADDING, FormTable, shorten
from medspan.features.vocab import build_vocab

VOCAB = build_vocab([["grey", "fever", "in", "the", "lung"]] * 3)


class Summing:
    """A form network that remembers the shapes it was asked for."""

    width = 2

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def states(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        self.shapes.append(arrays["char_ids"].shape)
        return np.stack([arrays["word_ids"], arrays["char_ids"].sum(1)], axis=1).astype(np.float32)


def table(network: Summing | None = None) -> FormTable:
    return FormTable(VOCAB, max_chars=6, network=network)


def test_a_form_has_one_row_and_blanks_have_none():
    rows = table().rows(["fever", " ", "Fever", "\n\t ", "fever", "\u200b"])
    assert rows[0] == rows[4] != rows[2]
    assert rows[[1, 3, 5]].tolist() == [BLANK] * 3
    assert (rows[[0, 2]] > PADDING).all()


def test_arrays_hold_what_the_vocabulary_says():
    made = table()
    row = made.rows(["Lungs"])[0]
    assert made.word_ids[row] == VOCAB.word_id("Lungs")
    assert made.char_ids[row].tolist() == [*map(VOCAB.char_id, "Lungs"), 0]
    assert made.char_lengths[row] == 5


def test_it_grows_and_keeps_what_it_held():
    made = table(Summing())
    forms = [f"w{number}" for number in range(10_000)]
    before = made.rows(["grey", *forms[:3]])
    states = made.states()[before].copy()
    made.rows(forms)
    assert made.rows(["grey", *forms[:3]]).tolist() == before.tolist()
    assert made.states()[before].tolist() == states.tolist()


@pytest.mark.parametrize("network", [Summing(), None])
def test_the_rarer_half_of_too_many_forms_is_forgotten(
    network: Summing | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(form_tables, "_LARGEST_TABLE", 4)
    made = table(network)
    made.rows(["a", "b", "c", "d", " "])
    often = made.rows(["d", "b", "d"])
    made.trim()
    rows = made.rows(["b", "d", "a"])
    assert rows.tolist() == [1, 2, 3]
    assert often.tolist() == [4, 2, 4]
    assert made.word_ids[rows].tolist() == [VOCAB.word_id(form) for form in "bda"]
    assert made.char_lengths[rows].tolist() == [1, 1, 1]
    assert not made.char_lengths[4:].any()
    if network:
        assert made.states()[rows, 1].tolist() == [VOCAB.char_id(form) for form in "bda"]


def test_very_long_pieces_are_not_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(form_tables, "_LARGEST_TABLE", 4)
    made = table(Summing())
    rows = made.rows(["x" * 1000, "x" * 1000, " " * 1000, "ab"])
    assert rows.tolist() == [1, 2, BLANK, 3]
    assert made.states()[1].tolist() == made.states()[2].tolist()
    made.rows(["c", "d"])
    made.trim()
    assert len(made.rows(["x" * 1000, "ab", "c"])) == 3


def test_a_table_that_is_not_full_forgets_nothing():
    made = table()
    before = made.rows(["a", "b"])
    made.trim()
    assert made.rows(["a", "b"]).tolist() == before.tolist()


@given(texts=st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=8), max_size=12))
def test_what_was_forgotten_comes_back_the_same(texts: list[list[str]]):
    made, fresh = table(Summing()), table(Summing())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form_tables, "_LARGEST_TABLE", 4)
        for forms in texts:
            rows, plain = made.rows(forms), fresh.rows(forms)
            assert made.states()[rows].tolist() == fresh.states()[plain].tolist()
            made.trim()


def test_states_are_computed_once_and_always_in_blocks_of_one_shape():
    network = Summing()
    made = table(network)
    rows = made.rows([f"w{number}" for number in range(FORM_BLOCK + 1)])
    states = made.states()
    made.states()
    assert network.shapes == [(FORM_BLOCK, 6)] * 2
    assert not states[PADDING].any()
    assert states[rows, 1].tolist() == made.char_ids[rows].sum(1).tolist()


def test_without_a_network_there_are_no_states():
    with pytest.raises(TypeError, match="without a network"):
        table().states()


@pytest.mark.parametrize(
    ("form", "size", "expected"),
    [
        ("abc", 4, "abc"),
        ("abcd", 4, "abcd"),
        ("abcdef", 4, "abef"),
        ("abcdef", 3, "abf"),
        ("ab", 1, "a"),
        ("", 2, ""),
    ],
)
def test_shorten(form: str, size: int, expected: str):
    assert shorten(form, size) == expected
