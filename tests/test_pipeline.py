"""Pipelines: their order, what they refuse, and that nothing about a batch shows in a result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import medspan
from medspan import packaged
from medspan.errors import ModelError, UsageError
from medspan.pipeline import Pipeline, find_model, load
from medspan.types import Attribute, Document, Entity, Section, Span
from trained import TEXTS, model_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Marker:
    """Marks the first character of each document."""

    needs: frozenset[str] = frozenset()
    gives = frozenset({"entities"})

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            yield document.replace(entities=(Entity("T1", "First", (Span(0, 1),)),))


class Asserter:
    """Says of every entity that it is present."""

    needs = frozenset({"entities"})
    gives = frozenset({"assertion"})

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            found = (
                Entity(e.id, e.label, e.spans, attributes=(Attribute("assertion", "present"),))
                for e in document.entities
            )
            yield document.replace(entities=tuple(found))


class Sectioner:
    """Makes the whole text a section; a list is as good as a stream."""

    needs: frozenset[str] = frozenset()
    gives = frozenset({"sections"})

    def annotate(self, documents: Iterable[Document]) -> list[Document]:
        return [d.replace(sections=(Section("all", Span(0, len(d.text))),)) for d in documents]


def test_annotators_run_in_order():
    document = Pipeline([Marker(), Asserter(), Sectioner()])("Grey fever", id="n1")
    assert document.id == "n1"
    assert document.entities[0].attributes[0].value == "present"
    assert document.sections[0].label == "all"


def test_a_wrong_order_says_what_to_move():
    with pytest.raises(UsageError) as caught:
        Pipeline([Sectioner(), Asserter(), Marker()])
    assert str(caught.value) == (
        "Asserter needs entities; Marker, which gives them, comes after it: move Marker first"
    )


def test_what_nothing_gives_is_refused():
    with pytest.raises(UsageError, match="Asserter needs entities and nothing in the pipeline gives them"):
        Pipeline([Asserter()])


def test_layers_the_documents_have_count():
    document = Document("d", "Grey", (Entity("T1", "A", (Span(0, 4),)),))
    (found,) = Pipeline([Asserter()], given={"entities"}).annotate([document])
    assert found.entities[0].attributes


def test_an_empty_pipeline_gives_documents_back():
    assert Pipeline([])("x") == Document("text", "x")


def test_texts_are_numbered_and_documents_keep_their_ids():
    found = Pipeline([Marker()]).annotate(["a", Document("mine", "b"), "c"])
    assert [document.id for document in found] == ["0", "mine", "2"]


def test_a_stream_stays_a_stream():
    def endless() -> Iterator[str]:
        while True:
            yield "x"

    stream = Pipeline([Marker(), Asserter()]).annotate(endless())
    assert [next(stream).id for _ in range(3)] == ["0", "1", "2"]


def test_a_model_is_an_annotator():
    document = Pipeline([load(model_folder()), Asserter()])("No sign of grey fever after zelvorin.")
    assert [(document.text_of(e), e.label) for e in document.entities] == [
        ("grey fever", "Disease"),
        ("zelvorin", "Drug"),
    ]


def test_public_load_is_load():
    assert medspan.load is load


def test_no_such_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(packaged, "shipped_models", lambda: {"default": tmp_path})
    with pytest.raises(ModelError) as caught:
        find_model("defualt")
    assert str(caught.value) == "no model 'defualt': neither a folder nor shipped (did you mean default?)"


def test_a_shipped_name_wins_over_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").mkdir()
    monkeypatch.setattr(packaged, "shipped_models", lambda: {"default": Path("/shipped")})
    assert find_model("default") == Path("/shipped")
    assert find_model("./default") == Path("./default")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path):
    with pytest.raises(ModelError):
        load(tmp_path)


def test_texts_of_the_fixture_have_entities():
    found = [load(model_folder())(text).entities for text in TEXTS]
    assert [bool(entities) for entities in found] == [True, True, False, False, False, True, True, True]
