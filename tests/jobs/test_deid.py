"""What a job that de-identifies may tell, and what its workers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from stub_worker import Stub

from medspan.errors import AnnotationError, ModelError, UsageError
from medspan.jobs.annotating import reason_of
from medspan.jobs.deid import Deid, Telling, deidentifier_of, deidentifying, told_reason
from medspan.jobs.parts import cut
from medspan.jobs.request import Request
from medspan.jobs.wire import DeidSetup, ErrorRow, PartRow, Setup
from medspan.tasks.deid.policy import Policy, load_policy
from medspan.types import Document

if TYPE_CHECKING:
    from medspan.tasks.deid.annotator import Deidentifier

KEY, OTHER = b"0123456789abcdef", b"0123456789abcdeF"
REDACT = load_policy("redact")
OWN = msgspec.structs.replace(REDACT, model_labels={"Drug": "NAME"})


def setup_of(policy: Policy = OWN) -> DeidSetup:
    return Deid(policy, KEY).setup(["in"])


def with_stub(policy: Policy = OWN) -> Deidentifier:
    return deidentifier_of(setup_of(policy), Stub())  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [None, b""])
def test_a_job_needs_a_key(key: bytes | None):
    with pytest.raises(UsageError, match="openssl rand -hex 32"):
        Deid(REDACT, key)


def test_digests_tell_policies_and_keys_apart_and_hold_neither():
    first, second = Deid(REDACT, KEY), Deid(load_policy("surrogate"), OTHER)
    assert first.policy_digest() == Deid(load_policy("redact"), OTHER).policy_digest()
    assert first.policy_digest() != second.policy_digest()
    assert first.key_digest() != second.key_digest()
    assert (len(first.key_digest()), len(first.sealed("ab"))) == (16, 64)
    assert first.sealed("ab") not in {first.sealed("ac"), second.sealed("ab")}
    assert first.shown(["jane/quimby.txt", "-"]) == ("input 1", "input 2")


def test_no_representation_holds_the_key():
    deid = Deid(REDACT, KEY)
    shown = [
        repr(deid),
        repr(setup_of()),
        repr(Setup("m", deid=setup_of())),
        repr(Request(inputs=(), deid=deid)),
    ]
    assert [text for text in shown if KEY.decode() in text] == []


def test_the_size_of_the_input_is_told_by_and_large():
    row = PartRow(
        part=0, file="f", sha256="", bytes=1, documents=1, characters=1, entities=0, input="ab", input_bytes=9
    )
    told = Deid(REDACT, KEY).row(row)
    assert (told.input_bytes, told.input) == (1024, Deid(REDACT, KEY).sealed("ab"))


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ValueError at finder.py:74", "ValueError at finder.py:74"),
        ("its worker process was ended by signal 9", "its worker process was ended by signal 9"),
        ("not JSON (invalid value 'Quimby'); write one JSON object", "not JSON"),
        ("the document is longer than 2,000 characters; cut", "the document is longer than 2,000 characters"),
        ("byte 17 is not UTF-8; convert Quimby.txt", "byte 17 is not UTF-8"),
        ("its note Quimby.txt is missing; put it beside", "other"),
        ("document 'Quimby': entity 'T1' ends past the text", "other"),
        ("Quimby at home.py:5 and more", "other"),
        ("", "other"),
    ],
)
def test_reasons_are_of_known_forms(reason: str, told: str):
    assert told_reason(reason, "other") == told


def test_rows_tell_inputs_by_number_and_hash_the_rest():
    telling = Telling(with_stub(), ["notes/", "Quimby.jsonl"])
    rows = [
        telling.row(ErrorRow(0, place, "document 'Quimby' is odd", path=path, id=identity))
        for place, (path, identity) in enumerate(
            [
                (None, "Quimby"),
                ("Quimby.jsonl", None),
                ("notes/Quimby.txt", None),
                ("<stdin>", None),
                ("x/Quimby", None),
            ]
        )
    ]
    assert "Quimby" not in repr(rows)
    assert rows[0].reason == "it could not be de-identified"
    assert rows[0].id == with_stub().id_of_failed("Quimby")
    assert (rows[1].path, rows[1].reason) == ("input 2", "it does not follow its format")
    assert str(rows[2].path).startswith("input 1, file deid-")
    assert rows[3].path == "<stdin>"
    assert str(rows[4].path).startswith("file deid-")


def test_ids_are_kept_where_the_policy_says_so():
    kept = with_stub(msgspec.structs.replace(OWN, ids="keep"))
    assert kept.id_of_failed("n1") == "n1"
    assert with_stub().id_of_failed("Li") != "Li"


def test_a_document_that_fails_costs_itself_and_what_changed_is_counted():
    texts = ("Ms. Quimby came", "BOOM Quimby", "ask ZELVORIN")
    (part,) = cut([Document(f"n{number}", text) for number, text in enumerate(texts)])
    lines, errors = deidentifying(with_stub()).lines(part.task("part"))
    assert [dict(line.changed) for line in lines] == [{"NAME": 1}, {"NAME": 1}]
    assert b"ZELVORIN" not in lines[1].data
    assert [row.place for row in errors] == [1]
    assert errors[0].reason.startswith("ValueError at ")


def test_a_note_without_its_patient_is_no_fault_of_the_model():
    by_patient = msgspec.structs.replace(OWN, patient="patient")
    (part,) = cut([Document("a", "fine", meta={"patient": 1}), Document("b", "not")])
    lines, errors = deidentifying(with_stub(by_patient)).lines(part.task("part"))
    assert len(lines) == 1
    assert [row.reason for row in errors] == [
        "a document's meta has no value 'patient', by which the policy tells patients apart"
    ]


def test_a_model_that_always_fails_is_blamed_without_a_name():
    class Broken(Stub):
        def annotate(self, _documents: object):
            raise AnnotationError("document 'Quimby' is odd")

    deidentifier = deidentifier_of(setup_of(), Broken())  # type: ignore[arg-type]
    (part,) = cut([Document("Quimby", "x")])
    with pytest.raises(ModelError) as raised:
        deidentifying(deidentifier).lines(part.task("part"))
    assert "Quimby" not in reason_of(raised.value)
