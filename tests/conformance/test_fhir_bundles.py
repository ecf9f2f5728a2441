"""FHIR bundles by the models of `fhir.resources`, and NOTE_NLP by the widths of the common data model."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medspan import formats
from medspan.formats import fhir
from medspan.formats.protocol import WriteOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Span
from strategies import documents, spans

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("fhir.resources.R4B", reason="needs fhir.resources")

LABELS = [
    "Disease",
    "Chemical",
    "Medication",
    "Dosage",
    "Route",
    "Frequency",
    "Reason",
    "Test",
    "Gene",
    "\x01 \xa0",
]
ASSERTIONS = [
    "present",
    "absent",
    "possible",
    "hypothetical",
    "conditional",
    "associated_with_someone_else",
    "",
    "x",
]


def faults(document: Document, **options: Any) -> list[str]:
    line = json.dumps(fhir.bundle(document, WriteOptions(**options)))
    found: list[str] = import_module("fhir_check").faults(line)
    return found


@st.composite
def clinical(draw: st.DrawFn) -> Document:
    """A document whose entities become resources of all kinds."""
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
    entities = []
    for number in range(draw(st.integers(0, 6))):
        said = {
            "assertion": draw(st.sampled_from(ASSERTIONS)),
            "temporality": draw(st.sampled_from(["current", "historical"])),
        }
        attributes = tuple(Attribute(name, value) for name, value in said.items() if draw(st.booleans()))
        ids = draw(
            st.lists(st.sampled_from(["MESH:D1", "OMIM:1 ", "x", "", " ", "SNOMED:22", "a  b"]), max_size=2)
        )
        concepts = tuple(Concept(each, draw(st.sampled_from([None, "", "\x02", "name"]))) for each in ids)
        label = draw(st.sampled_from(LABELS))
        entities.append(Entity(f"T{number}", label, draw(spans(len(text))), 0.5, attributes, concepts))
    ends = st.integers(0, max(0, len(entities) - 1))
    relations = tuple(
        Relation(
            f"R{number}", draw(st.sampled_from(["Reason", "Dosage", "x"])), f"T{draw(ends)}", f"T{draw(ends)}"
        )
        for number in range(draw(st.integers(0, 6)) if entities else 0)
    )
    meta = draw(st.sampled_from([{}, {"patient": "Patient/7"}, {"patient": "7"}, {"patient": "\xa0a\x00"}]))
    return Document("d", text, tuple(entities), relations, meta=meta)


@settings(max_examples=60)
@given(document=st.one_of(clinical(), documents()), source_text=st.booleans())
def test_any_document_is_a_valid_bundle(document: Document, source_text: bool):  # noqa: FBT001 - drawn by name
    assert faults(document, source_text=source_text, model="clinical") == []


NOTE = Document(
    "n",
    "aspirin 81 mg for pain, no fever",
    (
        Entity("T1", "Drug", (Span(0, 7),), attributes=(Attribute("assertion", "present"),)),
        Entity("T2", "Dosage", (Span(8, 13),)),
        Entity("T3", "Problem", (Span(27, 32),), attributes=(Attribute("assertion", "absent"),)),
        Entity("T4", "Gene", (Span(27, 32),), attributes=(Attribute("assertion", "absent"),)),
    ),
    (Relation("R1", "Dosage", "T1", "T2"),),
)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"subject"', '"subjects"', "extra_forbidden|Extra inputs|Field required"),
        ('"refuted"', '"wrong"', "Condition.verificationStatus: a code outside"),
        ('condition-ver-status"', 'other"', "Condition.verificationStatus: a code outside"),
        ('"status": "active"', '"status": "taken"', "MedicationStatement.status: a code outside"),
        ('"status": "unknown"', '"status": "odd"', "Observation.status: a code outside"),
        ('"role": "source"', '"role": "text"', "ProvenanceEntity.role: a code outside"),
        ('"type": "user-friendly-name"', '"type": "name"', "DeviceDeviceName.type: a code outside"),
        ('"text": "81 mg"', '"text": ""', "pattern|is empty"),
        ('"text": "81 mg"', '"text": "81\\u0001mg"', "control character"),
        ('"valueUnsignedInt": 8', '"valueUnsignedInt": -8', "greater than or equal"),
        (
            '"evidence": [{"detail": [',
            '"evidence": [{"detail": [{"reference": "urn:uuid:none"}, ',
            "leads nowhere",
        ),
        ('{"url": "id", "valueString": "T1"}', '{"url": "id"}', "has not one value"),
        ('"fullUrl": "urn:uuid:', '"fullUrl": "urn:uuid:0', "not that of its fullUrl"),
        ('"recorded"', '"written"', "extra_forbidden|Extra inputs|Field required"),
    ],
)
def test_the_check_finds_what_is_wrong(old: str, new: str, fault: str):
    line = json.dumps(fhir.bundle(NOTE, WriteOptions()))
    check = import_module("fhir_check").faults
    assert check(line) == []
    assert old in line
    found = "\n".join(check(line.replace(old, new, 1)))
    assert any(each in found for each in fault.split("|")), found


def test_a_reference_to_the_wrong_kind_is_found():
    value = fhir.bundle(NOTE)
    kinds = {entry["resource"]["resourceType"]: entry for entry in value["entry"]}
    kinds["Observation"]["resource"]["derivedFrom"] = [{"reference": kinds["Condition"]["fullUrl"]}]
    (fault,) = import_module("fhir_check").faults(json.dumps(value))
    assert fault == "Observation.derivedFrom: leads to a Condition"


def test_fhir_resources_writes_bundles_that_are_read_the_same(tmp_path: Path):
    bundle = import_module("fhir.resources.R4B.bundle").Bundle
    path = tmp_path / "a.fhir.ndjson"
    formats.write([NOTE], path)
    again = bundle.model_validate_json(path.read_text(encoding="utf-8")).model_dump_json()
    path.write_text(again + "\n", encoding="utf-8")
    assert list(formats.read(path)) == [NOTE]


@pytest.mark.corpora
@pytest.mark.parametrize(
    "corpus", ["maccrobat2020/devel", "bc5cdr/devel", "ncbi-disease/devel", "phee/devel"]
)
def test_real_documents(corpora_dir: Path, corpus: str):
    """The quick version of benchmarks/exports.py: gold of a few documents, with what is made up of them."""
    exports = import_module("exports")
    found = list(formats.read(corpora_dir / "standoff" / f"{corpus}.jsonl.gz"))[:8]
    taken = [document.replace(id=str(place)) for place, document in enumerate(found)]
    judged = [judge(document) for document in taken]
    for documents_ in (taken, judged):
        assert exports.is_good(exports.measure(documents_, WriteOptions(model="gold")))


def judge(document: Document) -> Document:
    """Assertions by turns, so that all kinds of resources are made."""
    entities = (
        Entity(
            entity.id,
            entity.label,
            entity.spans,
            0.5,
            (Attribute("assertion", ASSERTIONS[number % 6]), Attribute("temporality", "historical")),
            entity.concepts,
        )
        for number, entity in enumerate(document.entities)
    )
    return document.replace(entities=tuple(entities))


def test_rows_that_break_the_data_model_are_found():
    exports = import_module("exports")
    omop = import_module("medspan.formats.omop")
    (row, *_) = omop.rows(NOTE, date="2026-11-22")
    good = {"note_nlp_id": 1, **row._asdict()}
    texts = {"n": NOTE.text}
    assert list(exports.row_faults(good, 1, texts)) == []
    for name, value in {
        "note_nlp_id": 2,
        "term_exists": "X",
        "term_temporal": "current",
        "nlp_date": "22.11.",
        "lexical_variant": "x",
        "snippet": "y" * 251,
        "term_modifiers": "z" * 2001,
    }.items():
        assert name in list(exports.row_faults(good | {name: value}, 1, texts)), name
    assert list(exports.row_faults({"note_id": "n"}, 1, texts)) == ["columns"]


def test_the_page_has_the_figures_of_the_last_run():
    exports = import_module("exports")
    kept = json.loads(exports.PAGE.parents[1].joinpath("benchmarks/exports.json").read_text(encoding="utf-8"))
    assert exports.page(kept["results"]) in exports.PAGE.read_text(encoding="utf-8")
    assert all(map(exports.is_good, kept["results"].values()))


def test_a_run_that_loses_something_is_not_good():
    exports = import_module("exports")
    result = exports.measure([NOTE], WriteOptions())
    assert exports.is_good(result)
    for part, key in [
        ("fhir", "valid"),
        ("fhir", "spans_equal"),
        ("note_nlp_csv", "valid"),
        ("note_nlp_parquet", "spans_equal"),
    ]:
        worse = {**result, part: {**result[part], key: result[part][key] - 1}}
        assert not exports.is_good(worse)
