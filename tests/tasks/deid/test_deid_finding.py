"""Merging what several finders found, and the second pass."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ConfigError, UsageError
from medspan.tasks.deid.again import find_again
from medspan.tasks.deid.finder import Finder, as_entities
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.merge import merge
from medspan.tasks.deid.patterns import Candidate, Patterns
from medspan.types import Document, Entity, Span
from strategies import texts


@st.composite
def candidates(draw: st.DrawFn) -> tuple[str, list[Candidate]]:
    text = draw(texts())
    if not text:
        return text, []
    places = st.integers(0, len(text) - 1)
    found = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(places)
        end = draw(st.integers(start + 1, len(text)))
        found.append(Candidate(start, end, draw(st.sampled_from(sorted(LABELS))), draw(st.integers(0, 3))))
    return text, found


def marked(text: str, found: list[Candidate]) -> set[int]:
    return {at for each in found for at in range(each.start, each.end) if text[at].isalnum()}


@given(candidates())
def test_merging_loses_no_letter_and_leaves_no_overlap(drawn: tuple[str, list[Candidate]]):
    text, found = drawn
    merged = merge(text, found)
    assert marked(text, merged) == marked(text, found)
    assert all(left.end <= right.start for left, right in pairwise(merged))
    assert merge(text, merged) == merged
    assert merge(text, list(reversed(found))) == merged


def test_the_higher_rank_wins_and_the_rest_stays():
    text = "John 123-45-6789 Smith"
    found = [Candidate(0, 22, "NAME", 2), Candidate(5, 16, "SSN", 3)]
    assert [(each.label, text[each.start : each.end]) for each in merge(text, found)] == [
        ("NAME", "John"),
        ("SSN", "123-45-6789"),
        ("NAME", "Smith"),
    ]


def again(text: str, mention: str, label: str = "NAME") -> list[str]:
    start = text.index(mention)
    first = Candidate(start, start + len(mention), label, 2)
    return [
        text[each.start : each.end]
        for each in find_again(text, [first])
        if each.start >= first.end or each.end <= start
    ]


@pytest.mark.parametrize(
    ("text", "mention", "expected"),
    [
        ("Jane Quimby came. Ms. Quimby left; QUIMBY, Jane.", "Jane Quimby", ["Quimby", "QUIMBY", "Jane"]),
        ("Jane Quimby; a quimby is no name.", "Jane Quimby", []),
        (
            "Will Brown came. He will rest; brown urine. Mr. Brown and Will Brown.",
            "Will Brown",
            ["Brown", "Will Brown"],
        ),
        (
            "Tom Parkinson has Parkinson disease and Parkinson's disease. Parkinson left.",
            "Tom Parkinson",
            ["Parkinson"],
        ),
        ("Foley, Ann. A Foley catheter. Foley agreed.", "Foley, Ann", ["Foley"]),
        ("Jan de la Cruz-Ortega; Mr. Cruz-Ortega", "Jan de la Cruz-Ortega", ["Cruz-Ortega"]),
        ("Al Li went. Al was fine.", "Al Li", []),
    ],
)
def test_names_are_followed_with_care(text: str, mention: str, expected: list[str]):
    assert again(text, mention) == expected


def test_numbers_are_followed_in_any_form():
    text = "MRN AB-123456. Chart ab-123456, file AB123456, not 123456."
    assert again(text, "AB-123456", "MRN") == ["ab-123456", "AB123456"]


def test_ages_are_not_followed():
    assert again("92 years. Pulse 92.", "92", "AGE") == []


class Model:
    """Stands for a recognizer that marks a word."""

    labels = ("PERSONA",)

    def annotate(self, documents: list[Document]) -> list[Document]:
        found = []
        for document in documents:
            at = document.text.find("Quimby")
            spans = () if at < 0 else (Entity("T1", "PERSONA", (Span(at, at + 6),), 0.9),)
            found.append(document.replace(entities=spans))
        return found


def test_a_models_labels_are_mapped():
    documents = [Document("a", "saw Quimby, then Quimby"), Document("b", "nobody")]
    first, second = Finder(Model(), label_map={"PERSONA": "NAME"}).find(documents)  # type: ignore[arg-type]
    assert [(each.label, each.start) for each in first] == [("NAME", 4), ("NAME", 17)]
    assert second == []
    assert [entity.id for entity in as_entities(first)] == ["P1", "P2"]
    assert Finder(Model(), label_map={"PERSONA": ""}).find(documents)[0] == []  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"PERSONA.*\[model_labels\]"):
        Finder(Model())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("pattern = 1", "array"),
        ('cue = []\n[[pattern]]\nname = "a"\nlabel = "NAM"\nregex = "x"', "did you mean NAME"),
        (
            'cue = []\n[[pattern]]\nname = "a"\nlabel = "NAME"\nregex = "x"\ncheck = "lunh"',
            "did you mean luhn",
        ),
        ('cue = []\n[[pattern]]\nname = "a"\nlabel = "NAME"\nregex = "("', "patterns.a"),
    ],
)
def test_a_wrong_table_is_refused(table: str, problem: str):
    with pytest.raises(ConfigError, match=problem):
        Patterns(table)
