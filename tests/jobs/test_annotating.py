"""A document that fails costs that document only, whatever the others do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from stub_worker import Stub

from medspan.errors import DataError, FormatError
from medspan.jobs.annotating import Annotating, reason_of
from medspan.jobs.parts import cut
from medspan.types import Document

if TYPE_CHECKING:
    from medspan.jobs.wire import Task


def task_of(*texts: str) -> Task:
    (part,) = cut([Document(f"n{number}", text) for number, text in enumerate(texts)])
    return part.task("part")


def test_lines_are_those_of_a_jsonl_file():
    lines, errors = Annotating(Stub()).lines(task_of("take ZELVORIN", "nothing"))
    assert errors == []
    first, second = (json.loads(line.data) for line in lines)
    assert (first["id"], first["entities"][0]["text"]) == ("n0", "ZELVORIN")
    assert second["entities"] == []
    assert [(line.characters, line.entities) for line in lines] == [(13, 1), (7, 0)]
    assert all(line.data.endswith(b"\n") and line.data.count(b"\n") == 1 for line in lines)


def test_a_document_that_fails_gets_a_row_without_its_text():
    found, errors = Annotating(Stub()).documents(task_of("a", "BOOM goes the secret", "c"))
    assert [document.id for document in found] == ["n0", "n2"]
    (row,) = errors
    assert (row.id, row.place, row.part) == ("n1", 1, 0)
    assert row.reason.startswith("ValueError")
    assert "secret" not in str(row)


def test_documents_that_fail_only_in_company_go_alone():
    found, errors = Annotating(Stub()).documents(task_of("a", "TOGETHER we fail", "BOOM"))
    assert [document.id for document in found] == ["n0", "n1"]
    assert [row.id for row in errors] == ["n2"]


def test_no_documents_are_no_lines():
    task = msgspec.structs.replace(task_of("x"), documents=[], places=[])
    assert Annotating(Stub()).lines(task) == ([], [])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("our own words"), "our own words"),
        (FormatError("a", 1, "p", "r"), "a:1: p; r"),
        (MemoryError(), "not enough memory"),
        (OverflowError("text"), "64 bits"),
        (KeyError("secret text"), "KeyError"),
    ],
)
def test_reasons_hold_no_text_of_others(error: Exception, said: str):
    assert said in reason_of(error)
    assert "secret" not in reason_of(error)
