"""Documents through workers, in order, in bounded memory, with errors that name the document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from medspan.errors import DataError
from medspan.jobs import stream as module
from medspan.jobs.parts import Limits
from medspan.jobs.stream import stream_documents, stream_lines
from medspan.jobs.wire import Setup
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

SETUP = Setup("stub")
pytestmark = pytest.mark.usefixtures("stubs")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMITS", Limits(documents=3))


def documents(count: int, **texts: str) -> Iterator[Document]:
    return (Document(f"n{i}", texts.get(f"n{i}", f"DRUG number {i}")) for i in range(count))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_documents_come_in_order(workers: int, count: int):
    found = list(stream_documents(documents(count, n0="LATER"), SETUP, workers))
    assert [document.id for document in found] == [f"n{number}" for number in range(count)]
    assert all(document.entities for document in found)


def test_lines_come_in_order():
    lines = b"".join(stream_lines(documents(7), SETUP, 2)).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"n{number}" for number in range(7)]


def test_no_more_is_read_than_workers_need():
    read: list[int] = []

    def endless() -> Iterator[Document]:
        for number in range(1_000_000):
            read.append(number)
            yield Document(str(number), "text")

    found = stream_documents(endless(), SETUP, 2)
    assert [next(found).id for _ in range(4)] == ["0", "1", "2", "3"]
    found.close()
    assert len(read) < 30


@pytest.mark.parametrize(("text", "said"), [("BOOM secret", "ValueError"), ("KILL secret", "signal 9")])
def test_a_document_that_fails_is_named(text: str, said: str):
    with pytest.raises(DataError) as caught:
        list(stream_documents(documents(9, n4=text), SETUP, 1))
    assert "document 'n4' (number 5) cannot be annotated" in str(caught.value)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
