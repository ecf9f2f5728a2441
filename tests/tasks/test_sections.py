"""Sections by headings."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ConfigError
from medspan.tasks.sections import Sections
from medspan.types import Document, Section, Span
from strategies import texts

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = Sections()
NOTE = """\
Seen in the clinic.
CHIEF COMPLAINT:
Cough.
HISTORY OF PRESENT ILLNESS: A 40-year-old with cough: dry.

PAST MEDICAL HISTORY
1. Asthma.
MEDICATIONS & ALLERGIES:
None.
PHYSICAL EXAM:
Vital Signs: BP 120/80.
HEENT: Clear.
TOURNIQUET RELEASE:
None.
Plan: Rest."""


def found(text: str, annotator: Sections = SECTIONS) -> list[tuple[str, str]]:
    document = annotator(text)
    return [(section.label, text[section.span.start : section.span.end]) for section in document.sections]


def test_a_note():
    assert found(NOTE) == [
        ("chief_complaint", "CHIEF COMPLAINT:\nCough."),
        ("history_of_present_illness", "HISTORY OF PRESENT ILLNESS: A 40-year-old with cough: dry."),
        ("past_medical_history", "PAST MEDICAL HISTORY\n1. Asthma."),
        ("medications", "MEDICATIONS & ALLERGIES:\nNone."),
        ("physical_examination", "PHYSICAL EXAM:\nVital Signs: BP 120/80.\nHEENT: Clear."),
        ("plan", "Plan: Rest."),
    ]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", []),
        ("No headings at all.", []),
        ("family history of cancer: his mother", []),  # lower case
        ("Family History: none", ["family_history"]),
        ("  - FAMILY HISTORY : none", ["family_history"]),
        ("2) Family history (maternal): none", ["family_history"]),
        ("ALLERGIES - NONE.", ["allergies"]),
        ("Plan", ["plan"]),
        ("Pe", []),  # too short to be a heading by itself
        ("PE: normal", ["physical_examination"]),
        ("PROCEDURE #2: biopsy", ["procedures"]),
        ("ALLERGIES: none  SOCIAL HISTORY: lives alone", ["allergies", "social_history"]),
        ("He is well. OLD PAPERS, FAMILY HISTORY: none", ["family_history"]),
        ("GALL BLADDER HISTORY:\nlong", []),  # one heading nobody knows, not the known one at its end
        ("FAMILY HISTORY:\nnone\nXYZ LEVELS:\nhigh", ["family_history"]),
        ("ALLERGIES:\r\nnone\r\nPLAN:\r\nrest", ["allergies", "plan"]),
        ("Hereditet: mor hade stroke\nBedömning: frisk", ["family_history", "assessment"]),
        ("Överkänslighet: inga kända", ["allergies"]),
    ],
)
def test_headings(text: str, labels: list[str]):
    assert [label for label, _ in found(text)] == labels


def test_a_heading_nobody_knows_ends_a_section():
    assert found("FAMILY HISTORY:\nnone\nXYZ LEVELS:\nhigh") == [("family_history", "FAMILY HISTORY:\nnone")]


def test_sections_a_document_had_are_replaced_and_the_rest_stays():
    document = Document("d", "Plan: rest.", sections=(Section("old", Span(0, 4)),), meta={"a": 1})
    (marked,) = SECTIONS.annotate([document])
    assert [section.label for section in marked.sections] == ["plan"]
    assert marked.replace(sections=()) == document.replace(sections=())
    assert document.sections[0].label == "old"


@given(st.lists(texts() | st.sampled_from(["FAMILY HISTORY: ", "Plan:", "\nALLERGIES - ", "ÅLDER:", "\n"])))
def test_sections_are_in_order_and_inside_the_text(parts: list[str]):
    text = "".join(parts)
    document = SECTIONS(text)
    spans = [section.span for section in document.sections]
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert all(text[span.start : span.end].strip() for span in spans)
    assert document.text == text


def test_a_table_of_ones_own_adds_and_overrides(tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text('[sections]\nwound_care = ["wound [care]"]\nmedications = ["plan"]\n', encoding="utf-8")
    mine = Sections(tables=[table])
    text = "WOUND CARE: daily\nPlan: aspirin\nFamily history: none"
    assert [label for label, _ in found(text, mine)] == ["wound_care", "medications", "family_history"]
    assert "wound_care" in mine.labels
    assert "wound_care" not in SECTIONS.labels


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[sections]\n"Wound Care" = ["wound"]', r"sections.Wound Care: write a label in snake_case"),
        ('[sections]\na = ["x"]\nb = ["X"]', r"sections.b: 'x' stands under a too"),
        ('[section]\na = ["x"]', r"section: unknown key; did you mean sections\?"),
        ("[sections]\na = 3", r"sections.a: "),
        ('[sections]\na = ["[x"]', "a bracket is not opened or not closed"),
        ("[sections", "not valid TOML"),
    ],
)
def test_a_wrong_table_is_refused_by_name(content: str, problem: str, tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        Sections(tables=[table])
    assert str(table) in str(caught.value)


def test_one_language_alone():
    swedish = Sections(languages=("sv",))
    assert found("Family history: none", swedish) == []
    assert [label for label, _ in found("Status: gott", swedish)] == ["physical_examination"]
