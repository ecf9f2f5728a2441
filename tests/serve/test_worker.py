"""What a worker of the service does: orders, units of offsets, and failures that tell nothing of a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import pipeline
from medspan.errors import ModelError
from medspan.jobs.parts import Part
from medspan.jobs.wire import Found, Setup
from medspan.serve.answers import annotated, in_unit
from medspan.serve.orders import Annotate, Deidentify, DeidOffer, Offer, Order, pack, unpack
from medspan.serve.worker import Doer
from medspan.tasks.deid.policy import load_policy
from medspan.types import Document, Entity, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECRET = "Quetzalcoatl"  # noqa: S105 - a word to look for


class Stub:
    """Marks every word in capitals; some words make it fail with the text in its message."""

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities"})
    labels = ("X",)

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            if "BOOM" in document.text:
                raise ValueError(document.text)
            yield document.replace(entities=(Entity("T1", "X", (Span(0, 1),), 0.5),))


@pytest.fixture
def doer(monkeypatch: pytest.MonkeyPatch) -> Doer:
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: Stub())
    offer = Offer(("sections",), DeidOffer({"redact": load_policy("redact")}, b"0" * 32, ""))
    return Doer(Setup("", more=msgspec.msgpack.encode(offer)))


def done(doer: Doer, order: Order, *texts: str) -> tuple[list[dict[str, Any]], list[str]]:
    part = Part(0, 0, pack(order))
    for text in texts:
        part.add(Document(SECRET, text))
    found = doer.do(part.task("lines"))
    assert isinstance(found, Found)
    return [json.loads(line) for line in found.data.splitlines()], [row.reason for row in found.errors]


def test_one_bad_document_costs_itself_and_its_text_is_not_told(doer: Doer) -> None:
    documents, reasons = done(doer, Annotate("m"), "a", f"BOOM {SECRET}", "b")
    assert [each["text"] for each in documents] == ["a", "b"]
    assert len(reasons) == 1
    assert SECRET not in reasons[0]


def test_a_model_that_fails_on_all_is_blamed(doer: Doer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object, documents: Iterable[Document]) -> Iterator[Document]:
        raise ValueError(next(iter(documents)).text)

    monkeypatch.setattr(Stub, "annotate", fail)
    with pytest.raises(ModelError) as raised:
        done(doer, Annotate("m"), SECRET)
    assert SECRET not in str(raised.value)


def test_stages_are_those_of_the_order(doer: Doer) -> None:
    ((plain,), _), ((staged,), _) = (
        done(doer, Annotate("m", stages), "Medications:\naspirin") for stages in ((), ("sections",))
    )
    assert "sections" not in plain
    assert staged["sections"][0]["label"] == "medications"


def test_deidentifying_tells_changes(doer: Doer) -> None:
    ((document,), _) = done(doer, Deidentify("redact"), "😀 call 555-123-4567")
    (change,) = document["changes"]
    assert (change["start"], change["end"], change["label"]) == (7, 19, "PHONE")
    ((moved,), _) = done(doer, Deidentify("redact", {"PHONE": "mask"}, "utf16"), "😀 call 555-123-4567")
    assert moved["changes"][0]["start"] == 8
    assert moved["text"] == "😀 call ***-***-****"


@given(st.builds(Annotate, st.text(), offsets=st.sampled_from(["codepoint", "utf16"])))
def test_orders_come_back(order: Annotate) -> None:
    assert unpack(pack(order)) == order


@given(st.text(min_size=1, max_size=30), st.data())
def test_every_offset_is_moved(text: str, data: st.DataObject) -> None:
    try:
        units = text.encode("utf-16-le")
    except UnicodeEncodeError:
        return
    ends = st.integers(0, len(text))
    start, end = sorted((data.draw(ends), data.draw(ends)))
    if start == end:
        return
    span = Span(start, end)
    entity = Entity("T1", "X", (span,))
    document = Document("d", text, (entity,), sentences=(span,), sections=(Section("s", span),))
    value = in_unit(document, "utf16")
    for low, high in (
        (value["entities"][0]["start"], value["entities"][0]["end"]),
        tuple(value["sentences"][0]),
        (value["sections"][0]["start"], value["sections"][0]["end"]),
    ):
        assert units[2 * low : 2 * high].decode("utf-16-le") == text[start:end]


def test_relations_of_dropped_entities_are_dropped() -> None:
    entities = tuple(Entity(f"T{i}", label, (Span(i, i + 1),), 0.9) for i, label in enumerate("AAB"))
    relations = (Relation("R1", "r", "T0", "T1"), Relation("R2", "r", "T1", "T2"))
    document = Document("d", "abc", entities, relations)
    value = json.loads(annotated(document, Annotate("m", labels=("A",))).data)
    assert [each["id"] for each in value["entities"]] == ["T0", "T1"]
    assert [each["id"] for each in value["relations"]] == ["R1"]
