"""Documents as spaCy's Doc and DocBin, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.tokens import Span as SpacySpan

import medspan.spacy
from medspan.errors import DataError, MissingExtraError, UsageError
from medspan.spacy import add, from_doc, to_docs, write
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

if TYPE_CHECKING:
    from pathlib import Path

NLP = spacy.blank("en")
TEXT = "👩 No lithium toxicity;  mild or severe ataxia."
NOTE = Document(
    "n",
    TEXT,
    (
        Entity("T1", "Chemical", (Span(5, 12),), 0.9, (Attribute("assertion", "absent"),)),
        Entity("T2", "Problem", (Span(5, 21),), 0.5, (Attribute("temporality", "current"),)),
        Entity("T3", "Drug", (Span(5, 12),), concepts=(Concept("MESH:D008094", "Lithium"),)),
        Entity("T4", "Problem", (Span(24, 28), Span(39, 45))),
    ),
    (Relation("R1", "of", "T2", "T1"),),
    (Span(0, 22),),
    (Section("plan", Span(0, 10)),),
    {"ward": "B3"},
)


def test_all_stand_in_spans_and_a_choice_without_overlaps_in_ents():
    (doc,) = to_docs([NOTE])
    assert doc.text == TEXT
    assert [(span.text, span.label_) for span in doc.spans["medspan"]] == [
        ("lithium", "Chemical"),
        ("lithium toxicity", "Problem"),
        ("lithium", "Drug"),
        ("mild or severe ataxia", "Problem"),
    ]
    assert [(span.text, span.id_) for span in doc.ents] == [
        ("lithium toxicity", "T2"),
        ("mild or severe ataxia", "T4"),
    ]
    (other,) = to_docs([NOTE], NLP, span_key="mine")
    assert set(other.spans) == {"mine"}
    assert [span.text for span in other.spans["mine"]] == [span.text for span in doc.spans["medspan"]]


def test_extensions_tell_two_spans_of_the_same_tokens_apart():
    (doc,) = to_docs([NOTE])
    chemical, problem, drug, ataxia = doc.spans["medspan"]
    assert [span._.assertion for span in doc.spans["medspan"]] == ["absent", None, None, None]
    assert (chemical._.score, drug._.score) == (0.9, None)
    assert problem._.temporality == "current"
    assert drug._.concepts == NOTE.entities[2].concepts
    assert [span._.medspan for span in doc.spans["medspan"]] == list(NOTE.entities)
    assert ataxia._.medspan.spans == (Span(24, 28), Span(39, 45))
    assert doc[0:1]._.medspan is None
    assert doc[0:1]._.concepts == ()


def test_two_documents_of_one_text_keep_apart():
    """As of two models: both have a T1."""
    found = (Entity("T1", "Finding", (Span(39, 45),), 0.3), Entity("a/T2", "Sign", (Span(5, 12),)))
    other = Document("m", TEXT, found)
    (doc,) = to_docs([NOTE])
    add(doc, other, span_key="my/own", set_ents=False)
    assert [span._.medspan for span in doc.spans["medspan"]] == list(NOTE.entities)
    assert [span._.medspan for span in doc.spans["my/own"]] == list(other.entities)
    assert doc.ents[0]._.medspan == NOTE.entities[1]
    assert from_doc(doc) == NOTE
    assert from_doc(doc, span_key="my/own") == other
    (again,) = DocBin(store_user_data=True, docs=[doc]).get_docs(NLP.vocab)
    assert [span._.medspan for span in again.spans["my/own"]] == list(other.entities)


def test_an_extension_of_somebody_else_stays():
    SpacySpan.set_extension("score", default="theirs", force=True)
    try:
        (doc,) = to_docs([NOTE])
        assert doc.spans["medspan"][0]._.score == "theirs"
        assert doc.spans["medspan"][0]._.medspan.score == 0.9
    finally:
        SpacySpan.remove_extension("score")  # ours comes back with the next document


@given(found=documents(), has_nlp=st.booleans())
def test_documents_come_back(found, has_nlp):
    (doc,) = to_docs([found], NLP if has_nlp else None)
    assert doc.text == found.text
    assert from_doc(doc) == found
    for span in doc.spans["medspan"]:
        entity = span._.medspan
        assert span.label_ == entity.label
        # the blank behind a token is in none, so a mention that begins or ends with one loses it
        assert not found.text[entity.start : span.start_char].strip(" ")
        assert not found.text[span.end_char : entity.end].strip(" ")
    ends = [-1, *(token for span in doc.ents for token in (span.start, span.end - 1))]
    assert ends == sorted(ends)


def test_doc_bin_keeps_all(tmp_path: Path):
    write([NOTE, NOTE.replace(id="2", entities=(), relations=())], tmp_path / "a.spacy")
    first, second = DocBin().from_disk(tmp_path / "a.spacy").get_docs(NLP.vocab)
    assert from_doc(first) == NOTE
    assert [span._.medspan for span in first.spans["medspan"]] == list(NOTE.entities)
    assert (from_doc(second).id, len(second.ents)) == ("2", 0)


def test_another_process_reads_what_is_said_of_spans(tmp_path: Path):
    """Nothing was added there, but the names are known as soon as medspan.spacy is used."""
    write([NOTE], tmp_path / "a.spacy")
    program = (
        "import spacy, sys; from spacy.tokens import DocBin; from medspan.spacy import from_doc\n"
        "(doc,) = DocBin().from_disk(sys.argv[1]).get_docs(spacy.blank('en').vocab)\n"
        "print([span._.assertion for span in doc.spans['medspan']], doc.ents[0]._.medspan.id)"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.spacy")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "['absent', None, None, None] T2", done.stderr


def test_docs_of_others_become_documents():
    doc = NLP.make_doc("Fever and cough.")
    doc.set_ents([SpacySpan(doc, 0, 1, label="A")])
    doc.spans["medspan"] = [SpacySpan(doc, 0, 1, label="A"), SpacySpan(doc, 0, 3, label="B")]
    assert from_doc(doc, id="d") == Document(
        "d", "Fever and cough.", (Entity("T1", "A", (Span(0, 5),)), Entity("T2", "B", (Span(0, 15),)))
    )


def test_another_text_or_another_user_data_is_refused():
    with pytest.raises(UsageError, match="different texts"):
        add(NLP.make_doc("other"), NOTE)
    (doc,) = to_docs([NOTE])
    doc.user_data["medspan"] = {"id": 3}
    with pytest.raises(DataError, match="not what medspan wrote"):
        from_doc(doc)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    for name in [
        name for name in sys.modules if name.partition(".")[0] == "spacy" or name.startswith("medspan.spacy.")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "spacy", None)
    monkeypatch.delitem(vars(medspan.spacy), "to_docs", raising=False)
    with pytest.raises(MissingExtraError, match=r"medspan\[spacy\]"):
        medspan.spacy.to_docs  # noqa: B018 - reading it is the test
    with pytest.raises(AttributeError, match="no attribute 'to_dogs'"):
        medspan.spacy.to_dogs  # noqa: B018 - as above
