"""Assertion by cues, on pairs of sentences that differ in little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marked_mentions import marked
from medspan.errors import ConfigError, ModelError, UsageError
from medspan.pipeline import Pipeline
from medspan.tasks.assertion import Assertion
from medspan.tasks.sections import Sections
from medspan.types import Attribute, Document, Entity, Section, Span
from strategies import documents

if TYPE_CHECKING:
    from pathlib import Path

RULES = Assertion(method="rules")
SHORT = {
    "present": "present",
    "absent": "absent",
    "possible": "possible",
    "conditional": "conditional",
    "hypothetical": "hypothetical",
    "associated_with_someone_else": "other",
}


def said(document: Document, annotator: Assertion = RULES) -> list[str]:
    """The assertion of each entity; ``past`` behind it where it is historical."""
    (found,) = annotator.annotate([document])
    values = [{item.name: item.value for item in entity.attributes} for entity in found.entities]
    return [
        SHORT[value["assertion"]] + (" past" if value["temporality"] == "historical" else "")
        for value in values
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Fever].", ["present"]),
        ("No [fever].", ["absent"]),
        ("NO [FEVER]", ["absent"]),
        ("No [fever], [chills] or [cough].", ["absent"] * 3),
        ("No [fever] but [cough].", ["absent", "present"]),
        ("[Cough], no [fever].", ["present", "absent"]),
        ("No [fever]; [cough].", ["absent", "present"]),
        ("No [fever]. [Cough].", ["absent", "present"]),
        ("Denies [pain], however has [nausea].", ["absent", "present"]),
        ("The patient isn’t [febrile].", ["absent"]),  # noqa: RUF001 - the apostrophe of word processors
        ("Negative for [pneumonia].", ["absent"]),
        ("The film is negative for [pneumonia].", ["absent"]),  # medspacy 155
        ("Denies: [fever], [chills].", ["absent", "absent"]),  # medspacy 232
        ("[Pneumonia] was not seen.", ["absent"]),
        ("[Pneumonia] was seen.", ["present"]),
        ("[Pneumonia] was ruled out.", ["absent"]),
        ("[Pneumonia] cannot be ruled out.", ["possible"]),
        ("Rule out [pneumonia].", ["possible"]),
        ("[Vomiting] has resolved.", ["absent"]),
        ("Gram negative [sepsis].", ["present"]),
        ("No increase in [pain].", ["present"]),
        ("Not only [fever] but also [cough].", ["present", "present"]),
        ("[Pain] was not treated.", ["present"]),
        ("The [chest is not tender].", ["present"]),  # a cue inside the mention says nothing
        (
            "No [significant change in vision].",
            ["absent"],
        ),  # a longer phrase that ends in the mention does not count
        ("Possible [pneumonia].", ["possible"]),
        ("Return if you have [fever] or [chills].", ["hypothetical", "hypothetical"]),
        ("Aspirin as needed for [pain].", ["hypothetical"]),
        ("[Dyspnea] on exertion.", ["conditional"]),
        ("[Dyspnea] on Tuesday.", ["present"]),
        ("Mother had [breast cancer].", ["other"]),
        ("Mother reports [fever].", ["present"]),
        ("Family history of [gout].", ["other past"]),
        ("History of [gout].", ["present past"]),
        ("No history of [gout].", ["absent past"]),
        ("[Gout] ten years ago.", ["present past"]),
        ("A two-day history of [fever].", ["present"]),
        ("History of [gout], presents with [fever].", ["present past", "present"]),
        ("1) No [polyps] 2) [Hemorrhoids]", ["absent", "present"]),
    ],
)
def test_english(text: str, expected: list[str]):
    assert said(marked(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ingen [feber] men har [hosta].", ["absent", "present"]),
        ("Förnekar [bröstsmärta] och [dyspné].", ["absent", "absent"]),
        ("Misstänkt [pneumoni].", ["possible"]),
        ("[Lungemboli] kan inte uteslutas.", ["possible"]),
        ("Mor hade [bröstcancer].", ["other"]),
        ("Tidigare [hjärtinfarkt], söker nu för [yrsel].", ["present past", "present"]),
        ("Återkomma vid [feber] eller [frossa].", ["hypothetical", "hypothetical"]),
        ("[Dyspné] vid ansträngning.", ["conditional"]),
    ],
)
def test_swedish(text: str, expected: list[str]):
    assert said(marked(text), Assertion(languages=("sv",))) == expected


def test_sections_say_what_their_sentences_do_not():
    text = "FAMILY HISTORY:\n[Gout].\nPAST MEDICAL HISTORY:\n[Asthma]. No [stroke].\nPLAN:\n[Cough]."
    plain = marked(text)
    assert said(plain) == ["present", "present", "absent", "present"]
    (with_sections,) = Sections().annotate([plain])
    assert said(with_sections) == ["other", "present past", "absent past", "present"]


def test_a_cue_does_not_reach_into_the_next_section():
    text = "Complications: none  REFERRING DIAGNOSIS: [gout]"
    (with_sections,) = Sections().annotate([marked("No rash REFERRING DIAGNOSIS: [gout]")])
    assert said(marked("No rash REFERRING DIAGNOSIS: [gout]")) == ["absent"]
    assert said(with_sections) == ["present"]
    assert said(marked(text)) == ["present"]


def test_of_nested_sections_the_inner_one_counts():
    document = marked(
        "x [gout]", sections=(Section("past_medical_history", Span(0, 6)), Section("plan", Span(1, 6)))
    )
    assert said(document) == ["present"]


def test_sentences_of_the_document_are_used():
    document = marked("No [fever] and [cough]")
    assert said(document) == ["absent", "absent"]
    assert said(document.replace(sentences=(Span(0, 12), Span(13, 18)))) == ["absent", "present"]


def test_a_mention_over_two_sentences_sees_both():
    document = Document(
        "d", "No fever. Cough.", entities=(Entity("T1", "Problem", (Span(3, 8), Span(10, 15))),)
    )
    assert said(document) == ["absent"]


def test_other_attributes_stay_and_old_answers_go():
    entity = Entity(
        "T1", "X", (Span(3, 8),), 0.5, (Attribute("side", "left"), Attribute("assertion", "possible", 0.3))
    )
    (found,) = RULES.annotate([Document("d", "No fever", entities=(entity,))])
    (judged,) = found.entities
    assert judged.attributes == (
        Attribute("side", "left"),
        Attribute("assertion", "absent"),
        Attribute("temporality", "current"),
    )
    assert (judged.id, judged.label, judged.spans, judged.score) == ("T1", "X", (Span(3, 8),), 0.5)
    assert entity.attributes[1].value == "possible"


@given(documents())
def test_only_attributes_change_on_any_document(document: Document):
    (found,) = RULES.annotate([document])
    bare = [Entity(e.id, e.label, e.spans, e.score, (), e.concepts) for e in document.entities]
    assert [Entity(e.id, e.label, e.spans, e.score, (), e.concepts) for e in found.entities] == bare
    assert found.relations == document.relations
    bare_ends = {"entities": (), "relations": ()}
    assert found.replace(**bare_ends) == document.replace(**bare_ends)
    for entity in found.entities:
        values = {item.name: item.value for item in entity.attributes}
        assert values["assertion"] in SHORT
        assert values["temporality"] in {"current", "historical"}


@given(st.permutations(["No [fever].", "[Cough].", "Possible [gout].", "Mother had [gout].", "x"]))
def test_neighbours_change_nothing(order: list[str]):
    together = list(RULES.annotate([marked(text) for text in order]))
    assert together == [next(iter(RULES.annotate([marked(text)]))) for text in order]


def test_a_table_of_ones_own(tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text(
        '[[cues]]\nsays = ["absent"]\ndirection = "forward"\nwords = 2\nphrases = ["nil|nix"]\n'
        '[pseudo]\nphrases = ["denies"]\n[sections]\nplan = ["hypothetical"]\n',
        encoding="utf-8",
    )
    mine = Assertion(tables=[table])
    assert said(marked("Nil [fever], acute or chronic [pain]."), mine) == ["absent", "present"]
    assert said(marked("Denies [fever]."), mine) == ["present"]
    assert said(marked("[Fever]", sections=(Section("plan", Span(0, 5)),)), mine) == ["hypothetical"]
    assert said(marked("No [fever]."), mine) == ["absent"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[[cues]]\nsays = ["gone"]\ndirection = "forward"\nphrases = ["x"]', r"says\[0\]"),
        ('[[cues]]\nsays = ["absent"]\ndirection = "up"\nphrases = ["x"]', "direction"),
        (
            '[[cues]]\nsays = ["absent"]\ndirection = "forward"\nphrase = ["x"]',
            r"phrase: unknown key; did you mean phrases\?",
        ),
        ('[[stops]]\nphrases = ["[x"]', "a bracket is not opened or not closed"),
    ],
)
def test_a_wrong_table_is_refused_by_name(content: str, problem: str, tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        Assertion(tables=[table])
    assert str(table) in str(caught.value)


@pytest.mark.parametrize("method", ["head", "both"])
def test_the_trained_head(method: str):
    annotator = Assertion(method=method)  # type: ignore[arg-type]
    assert said(marked("No [fever], [chills] or [cough]."), annotator) == ["absent"] * 3
    assert said(marked("She has [fever]."), annotator) == ["present"]
    assert said(marked("Denies [fever] but has [cough]."), annotator) == ["absent", "present"]
    (found,) = annotator.annotate([marked("No [fever].")])
    score = found.entities[0].attributes[0].score
    assert score is not None
    assert 0.5 < score <= 1


def test_the_head_sees_what_the_cues_alone_do_not():
    text = "Normal monocytes and activated, but not resting, lymphocytes expressed the [VDR]."
    assert said(marked(text)) == ["absent"]
    assert said(marked(text), Assertion(method="both")) == ["present"]


def test_a_head_that_is_none_is_refused(tmp_path: Path):
    file = tmp_path / "head.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"head.json: not an assertion head"):
        Assertion(method="head", head=file)
    file.write_text('{"format": 9, "labels": [], "weights": {}}', encoding="utf-8")
    with pytest.raises(ModelError, match="another format"):
        Assertion(method="head", head=file)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match=r"method 'rule': unknown; did you mean rules\?"):
        Assertion(method="rule")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="for English only"):
        Assertion(method="both", languages=("sv",))
    with pytest.raises(UsageError, match="needs entities"):
        Pipeline([Sections(), RULES])
