"""What a relation model sees: mentions, pairs, blinding, and the arrays of a pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ConfigError
from medspan.features.pairs import (
    AFTER,
    BEFORE,
    BETWEEN,
    HEAD,
    TAIL,
    head_row,
    mention_arrays,
    pair_row,
    row_arrays,
)
from medspan.features.views import Pair, ViewSpec, by_head, read_views
from medspan.types import Document, Entity, Span
from tiny_relations import tiny_related

BOTH = ViewSpec(pairs=(("Drug", "Dosage"),))
DRUGS = ViewSpec(pairs=(("Drug", "Drug"),), symmetric=True, blind=True)


def document(text: str, *mentions: tuple[str, str]) -> Document:
    """A text with entities that stand where their words first do."""
    return Document(
        "d",
        text,
        entities=tuple(
            Entity(f"T{i}", label, (Span(text.index(word), text.index(word) + len(word)),))
            for i, (label, word) in enumerate(mentions)
        ),
    )


def views(doc: Document, spec: ViewSpec, size: int = 200, overlap: int = 10):
    return list(read_views([doc], spec, size=size, overlap=overlap))


def test_pairs_are_within_a_sentence_and_of_these_labels():
    doc = document(
        "We gave zelvorin 5 mg. Later ferrulin.",
        ("Drug", "zelvorin"),
        ("Dosage", "5 mg"),
        ("Drug", "ferrulin"),
    )
    (view,) = views(doc, BOTH)
    assert [view.mentions[m].entity for m in view.pairs[0]] == [0, 1]
    assert len(view.pairs) == 1
    assert not views(doc, ViewSpec(pairs=(("Dosage", "Drug"),), shown={"Drug": "X"}))[1:]


def test_without_order_each_pair_stands_once():
    doc = document("a one, b two, c three.", ("Drug", "three"), ("Drug", "one"), ("Drug", "two"))
    (view,) = views(doc, DRUGS)
    assert view.pairs == [Pair(0, 1), Pair(0, 2), Pair(1, 2)]
    assert [view.mentions[i].entity for i in range(3)] == [1, 2, 0]


def test_mentions_of_equal_text_can_be_left_out():
    text = "Ferrulin and ferrulin and zelvorin."
    doc = document(text, ("Drug", "Ferrulin"), ("Drug", "ferrulin"), ("Drug", "zelvorin"))
    spec = ViewSpec(pairs=(("Drug", "Drug"),), symmetric=True, same_text=False)
    assert views(doc, spec)[0].pairs == [Pair(0, 2), Pair(1, 2)]


def test_a_blinded_mention_is_one_word_and_keeps_its_place():
    doc = document(
        "Use of beta blocking agents with iron oxide now.",
        ("Drug", "beta blocking agents"),
        ("Drug", "iron oxide"),
    )
    (view,) = views(doc, DRUGS)
    assert view.forms == ["Use", "of", "Drug", "with", "Drug", "now", "."]
    assert [m.words for m in view.mentions] == [(2,), (4,)]


def test_a_blinded_mention_in_pieces_leaves_what_is_between():
    text = "mu and delta selective opioids"
    whole = Entity("T0", "Drug", (Span(0, 2), Span(13, 30)))
    other = Entity("T1", "Drug", (Span(7, 30),))
    (view,) = views(Document("d", text, entities=(whole, other)), DRUGS)
    assert view.forms == ["Drug", "and", "Drug"]
    assert all(m.words for m in view.mentions)


def test_labels_can_be_hidden():
    spec = ViewSpec(pairs=(("Drug", "Dosage"),), shown={"Drug": "X", "Dosage": "X"})
    assert spec.mention_labels == ("X",)
    doc = document("zelvorin 5 mg", ("Drug", "zelvorin"), ("Dosage", "5 mg"))
    assert {m.label for m in views(doc, spec)[0].mentions} == {0}


def test_no_pair_is_an_error():
    with pytest.raises(ConfigError, match="at least one pair"):
        ViewSpec(pairs=())


def test_rows_say_where_words_stand():
    doc = document("We now gave zelvorin at 5 mg today.", ("Drug", "zelvorin"), ("Dosage", "5 mg"))
    (view,) = views(doc, ViewSpec(pairs=(("Drug", "Dosage"),), context=2, reach=3))
    row = pair_row(view, view.pairs[0], ViewSpec(pairs=(("Drug", "Dosage"),), context=2, reach=3))
    assert row.words.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert row.segments.tolist() == [BEFORE, BEFORE, HEAD, BETWEEN, TAIL, TAIL, AFTER, AFTER]
    assert row.labels.tolist() == [0, 0, 1, 0, 2, 2, 0, 0]
    assert row.head_place.tolist() == [1, 2, 3, 4, 5, 6, 6, 6]
    assert row.tail_place.tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
    whole = head_row(view, 0, BOTH)
    assert whole.segments.tolist() == [BEFORE] * 3 + [HEAD] + [AFTER] * 5


@given(st.integers(0, 500), st.integers(6, 40))
def test_any_pair_stands_in_one_view_and_points_at_its_words(number: int, size: int):
    doc = tiny_related(number, sentences=1 + number % 4)
    spec = ViewSpec(pairs=(("Drug", "Dosage"), ("Drug", "Effect")), context=3)
    found = views(doc, spec, size=size, overlap=2)
    ends = [(v.mentions[h].entity, v.mentions[t].entity) for v in found for h, t in v.pairs]
    assert len(ends) == len(set(ends))
    for view in found:
        for mention in view.mentions:
            words = [view.forms[i] for i in mention.words]
            entity = doc.entities[mention.entity]
            assert "".join(words) == doc.text_of(entity).replace(" ", "")
        rows = [pair_row(view, pair, spec) for pair in view.pairs]
        arrays = row_arrays(rows, [0] * len(rows), len(view.forms))
        for array in arrays.values():
            assert array.dtype == np.int64
        assert (arrays["segments"] > 0).sum(axis=1).tolist() == arrays["pair_lengths"].tolist()
        assert {HEAD, TAIL} <= set(np.unique(arrays["segments"]).tolist())


def test_tails_of_each_head_and_their_arrays():
    doc = document("zelvorin 5 mg or 12 mg", ("Drug", "zelvorin"), ("Dosage", "5 mg"), ("Dosage", "12 mg"))
    (view,) = views(doc, BOTH)
    assert by_head(view.pairs) == {0: [1, 2]}
    arrays = mention_arrays([[view.mentions[1], view.mentions[2]], [view.mentions[1]]])
    assert arrays["mention_first"].tolist() == [[1, 4], [1, 0]]
    assert arrays["mention_last"].tolist() == [[2, 5], [2, 0]]
    assert arrays["mention_kinds"].tolist() == [[2, 2], [2, 0]]


MARKED = ViewSpec(pairs=(("Drug", "Drug"),), symmetric=True, marked=True, context=1)


def test_a_marked_pair_is_a_view_of_its_own():
    doc = document("So we use red iron with ice , not salt now .", ("Drug", "red iron"), ("Drug", "ice"))
    doc = doc.replace(entities=(*doc.entities, Entity("T2", "Drug", (Span(34, 38),))))
    first, second, third = views(doc, MARKED)
    assert first.forms == ["use", "@", "red", "iron", "@", "with", "#", "ice", "#", ","]
    assert second.forms == [
        "use",
        "@",
        "red",
        "iron",
        "@",
        "with",
        "ice",
        ",",
        "not",
        "#",
        "salt",
        "#",
        "now",
    ]
    assert [len(view.pairs) for view in (first, second, third)] == [1, 1, 1]
    head, tail = (first.mentions[end] for end in first.pairs[0])
    assert (head.words, tail.words) == ((1, 2, 3, 4), (6, 7, 8))
    assert first.mentions[2].words == ()  # what is not seen has no words
    row = pair_row(first, first.pairs[0], MARKED)
    assert row.segments.tolist() == [BEFORE] + [HEAD] * 4 + [BETWEEN] + [TAIL] * 3 + [AFTER]


def test_marks_of_nested_mentions_close_from_within():
    whole = Entity("T0", "Drug", (Span(0, 9),))
    inner = Entity("T1", "Drug", (Span(5, 9),))
    (view,) = views(Document("d", "iron salt now", entities=(whole, inner)), MARKED)
    assert view.forms == ["@", "iron", "#", "salt", "#", "@", "now"]
    assert [m.words for m in view.mentions] == [(0, 1, 3, 5), (2, 3, 4)]


@given(st.integers(0, 500))
def test_marked_views_hold_the_pairs_and_words_of_plain_ones(number: int):
    doc = tiny_related(number, sentences=1 + number % 3)
    spec = ViewSpec(pairs=(("Drug", "Dosage"), ("Drug", "Effect")))
    marked = ViewSpec(pairs=spec.pairs, marked=True, context=500)
    plain = [(v, pair) for v in views(doc, spec) for pair in v.pairs]
    for (view, pair), other in zip(plain, views(doc, marked), strict=True):
        assert other.pairs == [pair]
        assert [form for form in other.forms if form not in {"@", "#"}] == view.forms
        assert len(other.forms) == len(view.forms) + 4


def test_two_of_a_list_can_be_left_out():
    doc = document(
        "Use tin , ice ( or salt ) and iron with lead .",
        *(("Drug", word) for word in ("tin", "ice", "salt", "iron", "lead")),
    )
    spec = ViewSpec(pairs=(("Drug", "Drug"),), symmetric=True, lists=False)
    found = views(doc, spec)[0].pairs
    assert found == [Pair(i, 4) for i in range(4)]
    two = document("Use tin and ice .", ("Drug", "tin"), ("Drug", "ice"))
    assert views(two, spec)[0].pairs == [Pair(0, 1)]  # what `and` joins may interact
    alone = document("Use tin , ice .", ("Drug", "tin"), ("Drug", "ice"))
    assert views(alone, spec) == []
