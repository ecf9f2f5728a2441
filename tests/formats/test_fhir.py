"""FHIR: what becomes of entities, and that nothing of them is lost."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.errors import ConfigError, FormatError, UsageError
from medspan.formats import fhir
from medspan.formats.fhir_parts import MENTION, UNKNOWN
from medspan.formats.fhir_resources import MEDICATION_STATUS, VERIFICATION
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Aspirin 81 mg po daily for 👩 angina. Mother had asthma. No fever, HbA1c 7.2 %."


def entity(
    number: int, label: str, words: str, assertion: str = "", temporality: str = "", **more: object
) -> Entity:
    start = TEXT.index(words)
    said = [Attribute("assertion", assertion)] if assertion else []
    said += [Attribute("temporality", temporality)] if temporality else []
    return Entity(f"T{number}", label, (Span(start, start + len(words)),), attributes=tuple(said), **more)


NOTE = Document(
    "note-1",
    TEXT,
    (
        entity(
            1, "Medication", "Aspirin", "present", "current", concepts=(Concept("RXNORM:1191", "aspirin"),)
        ),
        entity(2, "Dosage", "81 mg"),
        entity(3, "Route", "po"),
        entity(4, "Frequency", "daily", score=0.5),
        entity(5, "Reason", "angina", "present", "historical"),
        entity(6, "Problem", "asthma", "associated_with_someone_else"),
        entity(7, "Problem", "fever", "absent", "current"),
        entity(8, "Test", "HbA1c", concepts=(Concept("LOINC:4548-4", "HbA1c", 0.9),)),
        entity(9, "Lab_value", "7.2 %"),
    ),
    tuple(
        Relation(f"R{n}", label, "T1", f"T{n}")
        for n, label in enumerate(("Dosage", "Route", "Frequency", "Reason"), start=2)
    ),
    sections=(Section("plan", Span(0, 36)),),
    meta={"patient": "Patient/7"},
)
OPTIONS = WriteOptions(date="2026-11-22", model="clinical")


def resources(document: Document, options: WriteOptions = OPTIONS) -> list[dict]:
    return [entry["resource"] for entry in fhir.bundle(document, options)["entry"]]


def of_kind(document: Document, kind: str, options: WriteOptions = OPTIONS) -> list[dict]:
    return [each for each in resources(document, options) if each["resourceType"] == kind]


def single(kind: str, label: str, assertion: str = "", temporality: str = "") -> dict:
    (found,) = of_kind(Document("1", TEXT, (entity(1, label, "asthma", assertion, temporality),)), kind)
    return found


def code(value: dict) -> str:
    return value["coding"][0]["code"]


def test_a_note_becomes_these_resources():
    kinds = [each["resourceType"] for each in resources(NOTE)]
    assert kinds == [
        "DocumentReference",
        "MedicationStatement",
        "Condition",
        "FamilyMemberHistory",
        "Condition",
        "Observation",
        "Observation",
        "Device",
        "Provenance",
    ]
    assert resources(NOTE) == resources(NOTE)
    assert all(each["subject"] == {"reference": "Patient/7"} for each in of_kind(NOTE, "Condition"))


def test_the_document_holds_text_and_digest():
    (source,) = of_kind(NOTE, "DocumentReference")
    attachment = source["content"][0]["attachment"]
    data = base64.b64decode(attachment["data"])
    assert data.decode() == TEXT
    assert attachment["size"] == len(data) > len(TEXT)
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(data).digest()  # noqa: S324 - as FHIR has it
    assert source["identifier"][0]["value"] == "note-1"
    (bare,) = of_kind(NOTE, "DocumentReference", WriteOptions(source_text=False))
    assert bare["content"][0]["attachment"] == {k: v for k, v in attachment.items() if k != "data"}


def test_a_medication_has_its_dosage_and_reason():
    (drug,) = of_kind(NOTE, "MedicationStatement")
    assert drug["status"] == "active"
    assert drug["medicationCodeableConcept"] == {
        "coding": [
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1191", "display": "aspirin"}
        ],
        "text": "Aspirin",
    }
    (dosage,) = drug["dosage"]
    assert dosage["text"] == "81 mg po daily"
    assert dosage["route"] == {"text": "po"}
    assert dosage["timing"] == {"code": {"text": "daily"}}
    assert [each["url"] for each in dosage["extension"]] == [MENTION] * 3
    assert drug["reasonCode"] == [{"text": "angina"}]
    angina = of_kind(NOTE, "Condition")[0]
    assert drug["reasonReference"] == [{"reference": f"urn:uuid:{angina['id']}"}]


def test_words_of_two_fields_stand_once_in_the_dosage():
    """One word may be a route and a frequency, and one field may lie in another."""
    more = (
        *NOTE.entities,
        entity(10, "Route", "daily"),
        entity(11, "Dosage", "81"),
        entity(12, "Frequency", "daily for"),
    )
    tied = (Relation(f"R{n}", "Dosage", "T1", f"T{n}") for n in (10, 11, 12))
    note = NOTE.replace(entities=more, relations=(*NOTE.relations, *tied))
    (drug,) = of_kind(note, "MedicationStatement")
    assert drug["dosage"][0]["text"] == "81 mg po daily for"
    assert len(drug["dosage"][0]["extension"]) == 6


def test_a_place_with_two_labels_of_a_kind_is_one_resource():
    twice = (
        *NOTE.entities,
        entity(10, "Chemical", "Aspirin", "present", "current", concepts=(Concept("MESH:D001241"),)),
        entity(11, "Disease", "fever", "possible", "current"),
        entity(12, "Medication", "Aspirin", "present", "current"),
    )
    note = NOTE.replace(
        entities=twice, relations=(*NOTE.relations[1:], Relation("R2", "Dosage", "T10", "T2"))
    )
    drug, other = of_kind(note, "MedicationStatement")
    assert [code["code"] for code in drug["medicationCodeableConcept"]["coding"]] == ["1191", "D001241"]
    assert drug["dosage"][0]["text"] == "81 mg po daily"
    assert len(drug["extension"]) == 2
    assert "dosage" not in other  # the same label twice is two entries
    assert len(of_kind(note, "Condition")) == 3  # they say different things of the same words


def test_fields_that_nothing_ties_are_observations():
    loose = NOTE.replace(relations=())
    texts = [
        each["valueCodeableConcept"]["text"]
        for each in of_kind(loose, "Observation")
        if "valueCodeableConcept" in each
    ]
    assert texts == ["81 mg", "po", "daily", "7.2 %"]
    (drug,) = of_kind(loose, "MedicationStatement")
    assert not {"dosage", "reasonCode", "reasonReference"} & set(drug)


def test_relations_are_understood_in_both_directions():
    turned = tuple(Relation(each.id, "MODIFY", each.tail, each.head) for each in NOTE.relations)
    (drug,) = of_kind(NOTE.replace(relations=turned), "MedicationStatement")
    assert drug["dosage"][0]["text"] == "81 mg po daily"
    assert "reasonCode" not in drug  # MODIFY says of no condition that it is a reason


@pytest.mark.parametrize(
    ("assertion", "temporality", "verified", "clinical"),
    [
        ("present", "current", "confirmed", "active"),
        ("present", "historical", "confirmed", "inactive"),
        ("absent", "current", "refuted", None),
        ("possible", "current", "provisional", None),
        ("hypothetical", "current", "unconfirmed", None),
        ("conditional", "current", "unconfirmed", None),
        ("", "", None, None),
        ("odd", "current", None, None),
    ],
)
def test_the_status_of_a_condition(
    assertion: str, temporality: str, verified: str | None, clinical: str | None
):
    found = single("Condition", "Disease", assertion, temporality)
    assert (code(found["verificationStatus"]) if verified else found.get("verificationStatus")) == verified
    assert (code(found["clinicalStatus"]) if clinical else found.get("clinicalStatus")) == clinical


@pytest.mark.parametrize(
    ("assertion", "temporality", "status"),
    [
        ("present", "current", "active"),
        ("present", "historical", "completed"),
        ("absent", "", "not-taken"),
        ("hypothetical", "", "intended"),
        ("possible", "", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_the_status_of_a_medication(assertion: str, temporality: str, status: str):
    assert single("MedicationStatement", "Drug", assertion, temporality)["status"] == status


def test_codes_are_those_of_fhir():
    """The value sets condition-ver-status and medication-statement-status of R4, which the bindings require."""
    assert set(VERIFICATION.values()) <= {
        "unconfirmed",
        "provisional",
        "differential",
        "confirmed",
        "refuted",
    }
    assert set(MEDICATION_STATUS.values()) <= {"active", "completed", "intended", "unknown", "not-taken"}


def test_what_is_not_the_patients_is_never_said_of_the_patient():
    history = single("FamilyMemberHistory", "Disease", "associated_with_someone_else")
    assert history["relationship"]["text"] == "someone other than the patient"
    assert code({"coding": [{"code": history["status"]}]}) == "partial"
    named = Document(
        "1", TEXT, (entity(1, "Drug", "Aspirin", "associated_with_someone_else"),), meta={"patient": "x"}
    )
    (found,) = of_kind(named, "Observation")
    assert "subject" not in found
    assert found["modifierExtension"][0]["valueString"] == "associated_with_someone_else"


@pytest.mark.parametrize("assertion", ["absent", "possible", "hypothetical", "conditional"])
def test_an_observation_says_what_is_not_simply_present_where_it_cannot_be_passed_over(assertion: str):
    (said,) = single("Observation", "Gene", assertion)["modifierExtension"]
    assert said["valueString"] == assertion
    assert "modifierExtension" not in single("Observation", "Gene", "present")
    assert "modifierExtension" not in single("Observation", "Gene")


def test_tests_are_coded_and_other_labels_are_named():
    test, value = of_kind(NOTE, "Observation")
    assert test["code"]["text"] == "HbA1c"
    assert code(test["code"]) == "4548-4"
    assert "valueCodeableConcept" not in test
    assert (value["code"]["text"], value["valueCodeableConcept"]["text"]) == ("Lab_value", "7.2 %")


@pytest.mark.parametrize(
    ("patient", "subject"),
    [
        ("Patient/7", {"reference": "Patient/7"}),
        ("https://fhir.example.org/Patient/7", {"reference": "https://fhir.example.org/Patient/7"}),
        ("7", {"type": "Patient", "identifier": {"value": "7"}}),
        ("", UNKNOWN),
        (7, UNKNOWN),
    ],
)
def test_the_patient(patient: object, subject: dict):
    named = NOTE.replace(meta={"patient": patient})
    assert of_kind(named, "Condition")[0]["subject"] == subject
    assert of_kind(named, "MedicationStatement")[0]["subject"] == subject
    assert ("subject" in of_kind(named, "DocumentReference")[0]) == (subject != UNKNOWN)


def test_provenance_names_program_model_and_document():
    (device,), (provenance,) = of_kind(NOTE, "Device"), of_kind(NOTE, "Provenance")
    assert [each["name"] for each in device["deviceName"]] == ["medspan", "clinical"]
    entries = fhir.bundle(NOTE, OPTIONS)["entry"]
    kind_of = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries}
    assert kind_of[provenance["agent"][0]["who"]["reference"]] == "Device"
    assert kind_of[provenance["entity"][0]["what"]["reference"]] == "DocumentReference"
    made = [kind_of[each["reference"]] for each in provenance["target"]]
    assert made == [entry["resource"]["resourceType"] for entry in entries[1:-2]]
    assert provenance["recorded"] == "2026-11-22T00:00:00Z"
    assert of_kind(Document("1", TEXT), "Provenance") == []


def test_a_table_of_ones_own_wins(tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text(
        '[labels]\nobservation = ["problem"]\nmedication = ["Lab value"]\n[systems]\nX = "http://example.org/x"\n',
        encoding="utf-8",
    )
    options = WriteOptions(fhir_tables=(table,))
    coded = entity(1, "Lab_value", "asthma", concepts=(Concept("X:1"), Concept("MESH:D1"), Concept("Y:2")))
    document = Document("1", TEXT, (coded, entity(2, "Problem", "fever")))
    (drug,), (seen,) = (
        of_kind(document, "MedicationStatement", options),
        of_kind(document, "Observation", options),
    )
    assert seen["code"] == {"text": "Problem"}
    codings = drug["medicationCodeableConcept"]["coding"]
    assert [each.get("system") for each in codings] == [
        "http://example.org/x",
        "urn:oid:2.16.840.1.113883.6.177",
        None,
    ]
    assert [each["code"] for each in codings] == ["1", "D1", "Y:2"]
    formats.write([document], tmp_path / "a.fhir.ndjson", options=options)
    assert list(formats.read(tmp_path / "a.fhir.ndjson")) == [document]
    table.write_text("[label]\n", encoding="utf-8")
    other = tmp_path / "other.toml"
    table.rename(other)
    with pytest.raises(ConfigError, match=r"other\.toml: label: unknown key; did you mean labels"):
        formats.write([document], tmp_path / "b.fhir.ndjson", options=WriteOptions(fhir_tables=(other,)))
    with pytest.raises(ConfigError, match=r"gone\.toml: no such table; give"):
        fhir.bundle(document, WriteOptions(fhir_tables=(tmp_path / "gone.toml",)))
    assert not (tmp_path / "b.fhir.ndjson").exists()


def test_what_is_not_held_is_counted(tmp_path: Path):
    document = NOTE.replace(sentences=(Span(0, 5),), meta={"patient": "7", "ward": "B3"})
    losses = formats.write([document], tmp_path / "a.fhir.ndjson")
    assert losses.counts == {"sentences": 1, "meta values": 1}
    (back,) = formats.read(tmp_path / "a.fhir.ndjson")
    assert back == document.replace(sentences=(), meta={"patient": "7"})
    losses = formats.write([document], tmp_path / "b.fhir.ndjson", options=WriteOptions(source_text=False))
    assert losses.counts["document texts"] == 1
    with pytest.raises(FormatError, match="holds no text; write it with its text"):
        list(formats.read(tmp_path / "b.fhir.ndjson"))


def test_a_wrong_day_is_refused(tmp_path: Path):
    for name in ("fhir", "omop"):
        with pytest.raises(UsageError, match="no day"):
            formats.write([NOTE], tmp_path / "a", name, WriteOptions(date="yesterday"))


@given(
    found=st.lists(documents(), max_size=3),
    patient=st.sampled_from([None, "Patient/7", "7", "\xa0x\x01", "🦠"]),
    suffix=st.sampled_from([".fhir.ndjson", ".fhir.ndjson.gz"]),
)
def test_all_but_sentences_and_meta_comes_back(tmp_path_factory, found, patient, suffix):
    path = tmp_path_factory.mktemp("fhir") / f"a{suffix}"
    meta = {} if patient is None else {"patient": patient}
    wanted = [document.replace(sentences=(), meta=meta) for document in found]
    assert formats.write(wanted, path).counts == {}
    assert list(formats.read(path)) == wanted


@given(
    identity=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    label=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_any_names_come_back(tmp_path_factory, identity, label, value):
    path = tmp_path_factory.mktemp("fhir") / "a.fhir.ndjson"
    concepts = (Concept(value, label), Concept(f"MESH:{value}"), Concept(f"SNOMEDCT_US:{label}"))
    attributes = (Attribute(value, identity), Attribute(value + "x", value, 0.5))
    found = Entity(identity, label, (Span(0, 1), Span(2, 3)), None, attributes, concepts)
    relation = Relation(value, value, identity, identity)
    document = Document(identity, "\x00🦠🦠", (found,), (relation,), sections=(Section(value, Span(0, 1)),))
    assert formats.write([document], path).counts == {}
    assert list(formats.read(path)) == [document]


def test_bundles_of_others_give_their_text(tmp_path: Path):
    data = base64.b64encode(b"Ingen feber.").decode()
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"data": data}}],
    }
    theirs = {"resourceType": "Observation", "extension": [{"url": "http://x", "valueCode": "y"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": theirs}, {"resource": note}],
    }
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps(bundle) + "\n\n", encoding="utf-8")
    assert list(formats.read(path, "fhir")) == [Document("a-1", "Ingen feber.")]


SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it
SECRET_BUNDLE = json.dumps(
    {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "DocumentReference",
                    "content": [{"attachment": {"data": SECRET}}],
                }
            }
        ],
    }
)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a FHIR bundle"),
        ("[]", "not a FHIR bundle"),
        ('{"resourceType": "Patient"}', "is no Bundle"),
        ('{"resourceType": "Bundle"}', "no DocumentReference"),
        (
            '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "DocumentReference"}}]}',
            "missing",
        ),
        (
            SECRET_BUNDLE,
            "no UTF-8 text in base64",
        ),
    ],
)
def test_malformed_lines_name_file_and_line(tmp_path: Path, line: str, problem: str):
    path = tmp_path / "a.fhir.ndjson"
    formats.write([NOTE], path)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + line + "\n" + whole, encoding="utf-8")
    with pytest.raises(FormatError, match=rf"a\.fhir\.ndjson:2: .*{problem}") as caught:
        list(formats.read(path))
    assert SECRET not in str(caught.value)
    rejected: list[str] = []
    found = list(formats.read(path, options=ReadOptions(rejected=lambda _, unit: rejected.append(unit))))
    assert found == [NOTE, NOTE]
    assert len(rejected) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('{"url":"start","valueUnsignedInt":0}', '{"url":"start"}', "lacks its start"),
        ('"valueUnsignedInt":7}', '"valueUnsignedInt":7000}', "past the text"),
        ('"valueUnsignedInt":7}', '"valueUnsignedInt":0}', "not 0 <= start < end"),
        ('{"url":"label","valueString":"Medication"}', '{"url":"other"}', "empty label"),
        ('"tail","valueString":"T5"', '"tail","valueString":"T99"', "names no entity"),
    ],
)
def test_mentions_that_do_not_fit_are_refused(tmp_path: Path, old: str, new: str, problem: str):
    path = tmp_path / "a.fhir.ndjson"
    formats.write([NOTE], path)
    whole = path.read_text(encoding="utf-8")
    assert old in whole
    path.write_text(whole.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FormatError, match=problem):
        list(formats.read(path))
