"""Units → arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medspan.features.batch import STATE_INPUTS, TEXT_INPUTS, WORD_INPUTS, Featurizer, group_by_words
from medspan.features.forms import shorten
from medspan.features.vocab import FIRST_CHARACTER, build_vocab
from medspan.text.normalize import word_shape_class
from medspan.text.tokenize import tokenize
from strategies import texts

VOCAB = build_vocab([["grey", "fever", "in", "the", "lung"]] * 3)
ROWS = [["grey", "fever"], ["fever", "Fever", "of", "the", "pneumonoultramicroscopic"], ["x"]]


def featurizer(*inputs: str, max_chars: int = 8) -> Featurizer:
    return Featurizer(VOCAB, inputs or (*WORD_INPUTS, *TEXT_INPUTS), max_chars=max_chars)


def batch_of(rows: list[list[str]], *inputs: str, max_chars: int = 8) -> dict[str, np.ndarray]:
    maker = featurizer(*inputs, max_chars=max_chars)
    return maker.arrays([maker.encode(row) for row in rows])


def test_shapes_types_and_names():
    arrays = batch_of(ROWS)
    assert set(arrays) == {*WORD_INPUTS, *TEXT_INPUTS}
    assert all(array.dtype == np.int64 for array in arrays.values())
    forms = len({form for row in ROWS for form in row})
    assert arrays["word_ids"].shape == arrays["case_ids"].shape == (forms,)
    assert arrays["char_ids"].shape == (forms, 8)
    for name in ("form_index", "word_first", "word_stop"):
        assert arrays[name].shape == (3, 5)
    assert arrays["lengths"].tolist() == [2, 5, 1]
    assert arrays["text_ids"].shape == (3, int(arrays["text_lengths"].max()))


def test_padding_is_zero_and_an_empty_range():
    arrays = batch_of(ROWS)
    for row, length in enumerate(arrays["lengths"]):
        assert not arrays["form_index"][row, length:].any()
        assert not arrays["word_first"][row, length:].any()
        assert (arrays["word_stop"][row, length:] == 1).all()
        assert not arrays["text_ids"][row, arrays["text_lengths"][row] :].any()


def test_characters_are_as_wide_as_the_longest_form_of_the_batch():
    assert batch_of([["x"], ["the"]])["char_ids"].shape == (2, 3)


def test_only_what_is_asked_for():
    assert set(batch_of(ROWS, *WORD_INPUTS)) == set(WORD_INPUTS)
    assert set(batch_of(ROWS, *TEXT_INPUTS)) == set(TEXT_INPUTS)


def test_each_place_finds_its_form_again():
    arrays = batch_of(ROWS)
    for row, forms in enumerate(ROWS):
        for place, form in enumerate(forms):
            at = arrays["form_index"][row, place]
            assert arrays["word_ids"][at] == VOCAB.word_id(form)
            assert arrays["case_ids"][at] == word_shape_class(form)
            ids = [VOCAB.char_id(c) for c in shorten(form, 8)]
            assert arrays["char_ids"][at].tolist() == ids + [0] * (8 - len(ids))
            first, stop = arrays["word_first"][row, place], arrays["word_stop"][row, place]
            assert arrays["text_ids"][row, first:stop].tolist() == ids


def test_words_of_a_text_are_joined_by_one_blank():
    arrays = batch_of([["the", "x"]])
    blank = VOCAB.char_id(" ")
    expected = [*map(VOCAB.char_id, "the"), blank, VOCAB.char_id("x")]
    assert arrays["text_ids"].tolist() == [expected]
    assert arrays["word_first"].tolist() == [[0, 4]]
    assert arrays["word_stop"].tolist() == [[3, 5]]
    assert min(id_ for id_ in expected if id_ != blank) >= 1
    assert max(expected) >= FIRST_CHARACTER


@given(text=texts(max_size=60), max_chars=st.integers(1, 9))
def test_any_text_gives_arrays_in_range(text: str, max_chars: int):
    words = [text[a:b] for a, b in tokenize(text)]
    if not words:
        return
    arrays = batch_of([words, words[:1]], max_chars=max_chars)
    assert arrays["word_ids"].max() < VOCAB.n_words
    assert arrays["char_ids"].max() < VOCAB.n_characters
    assert arrays["text_ids"].max() < VOCAB.n_characters
    assert arrays["form_index"].max() < len(arrays["word_ids"])
    assert (arrays["word_stop"] > arrays["word_first"]).all()
    assert (arrays["word_stop"].max(1) <= arrays["text_lengths"]).all()
    assert (arrays["char_ids"] != 0).any(1).all()


class Lengths:
    """A form network whose only state is the number of characters."""

    width = 1

    def states(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        return (arrays["char_ids"] > 0).sum(1, keepdims=True).astype(np.float32)


def test_states_of_words_stand_at_their_places_and_padding_is_zero():
    maker = Featurizer(VOCAB, STATE_INPUTS, max_chars=8, network=Lengths())
    arrays = maker.arrays([maker.encode(row) for row in ROWS])
    assert set(arrays) == set(STATE_INPUTS)
    assert arrays["word_states"].dtype == np.float32
    assert arrays["word_states"][..., 0].tolist() == [[4, 5, 0, 0, 0], [5, 5, 2, 3, 8], [1, 0, 0, 0, 0]]


@given(lengths=st.lists(st.integers(1, 50), max_size=40), budget=st.integers(1, 120))
def test_groups_hold_every_row_once_within_the_budget(lengths: list[int], budget: int):
    groups = list(group_by_words(lengths, budget))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert group
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= budget
