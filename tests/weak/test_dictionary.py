"""The dictionary annotator: borders, longest match, case, inflection, and what is kept of the document."""

from __future__ import annotations

import time

import pytest

from medspan.errors import UsageError
from medspan.pipeline import Pipeline
from medspan.types import Document, Entity, Span
from medspan.weak.dictionary import DictionaryAnnotator, Lexicon
from medspan.weak.inflection import INFLECTIONS, form_keys
from medspan.weak.terms import Source, Term, Terms


def found(
    text: str, *terms: str, case: str = "smart", language: str | None = None, label: str = "X"
) -> list[str]:
    lexicon = Lexicon([Term(term, label) for term in terms], case=case, language=language)  # type: ignore[arg-type]
    return [text[match.start : match.end] for match in lexicon.find(text)]


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("", ["a"], []),
        ("No term here.", [], []),
        ("Aspirin and aspirin.", ["aspirin"], ["Aspirin", "aspirin"]),
        ("Aspirinlike.", ["aspirin"], []),  # word borders
        ("ace-inhibitor", ["ace", "inhibitor"], ["ace", "inhibitor"]),
        ("the K-12 oxide", ["K-12 oxide"], ["K-12 oxide"]),
        ("the K - 12\noxide", ["K-12 oxide"], ["K - 12\noxide"]),  # blanks do not matter, one line break
        ("dry\n\nlung", ["dry lung"], []),  # an empty line does
        ("heart failure with", ["heart", "heart failure", "failure"], ["heart failure"]),
        (
            "heart attack of acute asthma",
            ["heart attack", "attack of acute asthma"],
            ["attack of acute asthma"],
        ),
        ("a b c d", ["a b", "b c d"], ["b c d"]),
        ("a b c", ["a b", "b c"], ["a b"]),  # as long: the first
        ("heart fail", ["heart failure", "heart"], ["heart"]),  # a dead end falls back
        ("hja\u0308rta", ["hjärta"], ["hja\u0308rta"]),  # composed and decomposed
        ("sjuk\u00addom", ["sjukdom"], ["sjuk\u00addom"]),  # soft hyphen
        ("\U0001f9ec DNA \U0001f9ec", ["DNA"], ["DNA"]),
    ],
)
def test_longest_match_on_word_borders(text: str, terms: list[str], expected: list[str]):
    assert found(text, *terms) == expected


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("smart", "AIDS aids Aids", ["AIDS"]),
        ("any", "AIDS aids Aids", ["AIDS", "aids", "Aids"]),
        ("exact", "AIDS aids Aids", ["AIDS"]),
    ],
)
def test_case_of_acronyms(rule: str, text: str, expected: list[str]):
    assert found(text, "AIDS", case=rule) == expected


def test_case_elsewhere():
    assert found("ASPIRIN", "aspirin") == ["ASPIRIN"]
    assert found("carcinoma", "CARCINOMA") == ["carcinoma"]  # too long for an acronym
    assert found("Aspirin", "aspirin", case="exact") == []
    assert found("il2 IL2", "IL2") == ["IL2"]


@pytest.mark.parametrize("rule", ["smart", "any", "exact"])
def test_blanks_between_words_do_not_count_under_any_rule(rule: str):
    text = "COX 2, COX\n2, COX\u00a0 2, COX2"
    assert found(text, "COX 2", case=rule) == ["COX 2", "COX\n2", "COX\u00a0 2"]
    assert found("back\npain, Back pain", "back pain", case="exact") == ["back\npain"]


def test_the_spelling_that_stands_in_the_text_wins():
    lexicon = Lexicon([Term("cat", "Species"), Term("CAT", "Gene"), Term("Cat", "Name")])
    text = "cat CAT Cat cAt"
    assert [match.term.label for match in lexicon.find(text)] == ["Species", "Gene", "Name", "Species"]


@pytest.mark.parametrize(
    ("language", "term", "forms", "others"),
    [
        ("sv", "njure", ["njuren", "njurar", "njurarna", "njurens", "Njurarnas"], ["njur", "njurig"]),
        ("sv", "infektionen", ["infektion", "infektioner", "infektionernas"], ["infekterad"]),
        ("sv", "hjärta", ["hjärtat", "hjärtan", "hjärtats"], ["hjärt"]),
        ("sv", "läkemedel", ["läkemedlet", "läkemedlen", "läkemedels"], ["medel"]),
        ("sv", "muskel", ["muskler", "musklerna", "muskeln"], ["muska"]),
        ("sv", "Kant", [], ["kan"]),  # t is no ending behind a consonant
        ("en", "biopsy", ["biopsies"], ["biops"]),
        ("en", "metastasis", ["metastases"], ["metastatic"]),
        ("en", "carcinoma", ["carcinomas", "carcinomata"], ["carcinomatous"]),
        ("en", "bacterium", ["bacteria"], ["bacterial"]),
    ],
)
def test_inflection(language: str, term: str, forms: list[str], others: list[str]):
    for form in forms:
        assert found(f"x {form} y", term, language=language) == [form]
        assert found(f"x {form} y", term) == []
    for other in others:
        assert found(f"x {other} y", term, language=language) == []


def test_inflection_is_of_the_last_word_and_not_of_acronyms():
    assert found("heart attacks", "heart attack", language="en") == ["heart attacks"]
    assert found("hearts attack", "heart attack", language="en") == []
    assert found("ALSs", "ALS", language="en") == []
    assert form_keys("il-2", "en") == ()


def test_rules_are_well_formed():
    for language, rules in INFLECTIONS.items():
        assert len(set(rules.paradigms)) == len(rules.paradigms), language
        for row in rules.paradigms:
            endings, _, stem_ends = row.partition("|")
            assert len(endings.split()) > 1
            assert stem_ends.strip() in {"", "vowel", "consonant"}


@pytest.mark.parametrize(("case", "language"), [("smrt", None), ("smart", "se")])
def test_unknown_rules_are_refused(case: str, language: str | None):
    with pytest.raises(UsageError, match=r"did you mean|known:"):
        Lexicon([], case=case, language=language)  # type: ignore[arg-type]


def test_an_annotator_keeps_the_document_and_says_whence():
    terms = Terms([Term("lithium", "Drug", "MESH:D008094")], Source("t.csv", "0" * 64, "CC0-1.0", 1))
    annotator = DictionaryAnnotator(terms, language="en")
    before = Document(
        "n", "Lithium.", (Entity("T9", "Old", (Span(0, 7),)),), sentences=(Span(0, 8),), meta={"a": 1}
    )
    (after,) = Pipeline([annotator]).annotate([before])
    (entity,) = after.entities
    assert (entity.label, entity.spans, entity.score) == ("Drug", (Span(0, 7),), None)
    assert [concept.id for concept in entity.concepts] == ["MESH:D008094"]
    assert (after.id, after.text, after.sentences) == (before.id, before.text, before.sentences)
    assert after.meta["a"] == 1
    assert after.meta["weak"]["licence"] == "CC0-1.0"
    assert after.meta["weak"]["sha256"] == "0" * 64
    assert annotator("no lithium").entities[0].start == 3
    unknown = DictionaryAnnotator(Terms(terms.terms, Source("t.csv", "0" * 64)))
    assert unknown("lithium").meta["weak"]["licence"] == "not stated"


def test_time_does_not_depend_on_the_number_of_terms():
    text = "some ordinary words of a text without any of them " * 200
    few = Lexicon([Term(f"term{i} of", "X") for i in range(10)])
    many = Lexicon([Term(f"some term{i} of", "X") for i in range(50_000)])

    def seconds(lexicon: Lexicon) -> float:
        begun = time.perf_counter()
        assert lexicon.find(text) == []
        return time.perf_counter() - begun

    assert min(seconds(many) for _ in range(5)) < 5 * min(seconds(few) for _ in range(5))
