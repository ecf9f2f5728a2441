"""Windows around mentions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import UsageError
from medspan.types import Document, Entity, Span
from medspan.weak.windows import WindowRules, cut_windows


def marked(text: str, *mentions: tuple[int, int], name: str = "d") -> Document:
    return Document(
        name, text, tuple(Entity(f"T{i}", "X", (Span(*each),)) for i, each in enumerate(mentions))
    )


LONG = "".join(chr(97 + i % 26) for i in range(400))


def test_as_many_windows_as_asked_for_around_each_mention():
    document = marked(LONG, (100, 110), (300, 305))
    windows = list(cut_windows([document], WindowRules(60, 3, 0.0)))
    assert len(windows) == 6
    for window in windows:
        place = window.meta["window"]
        assert window.text == LONG[place["start"] : place["end"]]
        assert len(window.text) == 60
        assert place["document"] == "d"
        (entity,) = window.entities
        start = entity.start + place["start"]
        assert (start, entity.end - entity.start) in {(100, 10), (300, 5)}
    assert len({window.id for window in windows}) == 6


def test_mentions_at_the_border_are_cut():
    document = marked(LONG, (100, 110), (112, 150))
    windows = [w for w in cut_windows([document], WindowRules(20, 10, 0.0)) if len(w.entities) == 2]
    assert windows
    for window in windows:
        assert all(0 <= entity.start < entity.end <= 20 for entity in window.entities)
        assert window.text_of(window.entities[0]) == LONG[100:110]


def test_negative_windows_hold_no_part_of_a_mention():
    documents = [marked(LONG, (100, 110), name="a"), marked(LONG, name="b"), marked(LONG, name="c")]
    windows = list(cut_windows(documents, WindowRules(60, 4, 3.0)))
    without = [window for window in windows if not window.entities]
    assert len(windows) - len(without) == 4
    assert len(without) == 12
    for window in without:
        place = window.meta["window"]
        assert place["document"] != "a" or place["end"] <= 100 or place["start"] >= 110


def test_short_texts_and_long_mentions():
    assert [w.text for w in cut_windows([marked("short flu", (6, 9))], WindowRules(60, 3, 1.0))] == [
        "short flu"
    ]
    assert list(cut_windows([marked(LONG, (10, 200))], WindowRules(60, 3, 0.0))) == []
    assert list(cut_windows([marked("")], WindowRules(60, 3, 1.0))) == []


@given(
    st.lists(st.tuples(st.integers(0, 380), st.integers(1, 20)), max_size=6),
    st.integers(1, 80),
    st.integers(0, 3),
)
def test_same_rules_same_windows(places: list[tuple[int, int]], length: int, seed: int):
    document = marked(LONG, *((start, start + size) for start, size in places))
    rules = WindowRules(length, 2, 0.5, seed)
    first = list(cut_windows([document], rules))
    assert first == list(cut_windows([document], rules))
    assert len({window.id for window in first}) == len(first)
    for window in first:
        place = window.meta["window"]
        assert window.text == LONG[place["start"] : place["end"]]


def test_another_seed_cuts_elsewhere():
    document = marked(LONG, (100, 110))
    one, other = (list(cut_windows([document], WindowRules(60, 3, 0.0, seed))) for seed in (1, 2))
    assert [window.id for window in one] != [window.id for window in other]


@pytest.mark.parametrize("rules", [(0, 3, 0.5), (60, 0, 0.5), (60, 3, -1.0)])
def test_senseless_rules_are_refused(rules: tuple[int, int, float]):
    with pytest.raises(UsageError):
        WindowRules(*rules)
