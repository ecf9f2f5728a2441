"""JSONL: the shapes it reads and writes."""

from __future__ import annotations

import json

import pytest

import medspan
from medspan import formats
from medspan.formats.protocol import CONCEPT_RELATIONS
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span


def _read(tmp_path, value):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(value) + "\n")
    (document,) = formats.read(path)
    formats.write([document], path)
    assert list(formats.read(path)) == [document]
    return document


def test_what_is_written(tmp_path):
    entities = (
        Entity("T1", "Disease", (Span(0, 5),)),
        Entity(
            "T2",
            "Chemical",
            (Span(0, 2), Span(6, 8)),
            0.5,
            (Attribute("assertion", "absent", 0.25),),
            (Concept("MESH:D1", "é"), Concept("C0")),
        ),
    )
    relations = (Relation("R1", "CID", "T2", "T1"), Relation("R2", "CID", "T1", "T2", 1.0))
    document = Document(
        "d", "Fever 👍🏽.", entities, relations, (Span(0, 8),), (Section("history", Span(0, 5)),), {"k": [1]}
    )
    formats.write([document], tmp_path / "a.jsonl")
    assert json.loads((tmp_path / "a.jsonl").read_text()) == {
        "id": "d",
        "text": "Fever 👍🏽.",
        "entities": [
            {"id": "T1", "label": "Disease", "start": 0, "end": 5, "text": "Fever"},
            {
                "id": "T2",
                "label": "Chemical",
                "start": 0,
                "end": 8,
                "spans": [[0, 2], [6, 8]],
                "text": "Fe 👍🏽",
                "score": 0.5,
                "attributes": {"assertion": "absent"},
                "attribute_scores": {"assertion": 0.25},
                "concepts": [{"id": "MESH:D1", "name": "é"}, {"id": "C0"}],
            },
        ],
        "relations": [
            {"id": "R1", "label": "CID", "head": "T2", "tail": "T1"},
            {"id": "R2", "label": "CID", "head": "T1", "tail": "T2", "score": 1.0},
        ],
        "sentences": [[0, 8]],
        "sections": [{"label": "history", "start": 0, "end": 5}],
        "meta": {"k": [1]},
    }
    assert list(formats.read(tmp_path / "a.jsonl")) == [document]


def test_the_shape_of_public_corpora(tmp_path):
    document = _read(
        tmp_path,
        {
            "id": 17,
            "doc": "x",
            "text": "Gout and flu",
            "sentences": [[0, 12], [12, 12]],
            "entities": [
                {"start": 0, "end": 4, "label": "Disease", "text": "Gout", "ids": ["D1", "D2"], "note": None},
                {
                    "start": 0,
                    "end": 12,
                    "label": "X",
                    "ids": [],
                    "parts": [[9, 12], [0, 4]],
                    "text": "flu Gout",
                },
                {"id": "T1", "start": 9, "end": 12, "type": "X", "attributes": {"negated": True, "by": "no"}},
            ],
            "relations": [
                {"type": "CID", "head_id": "D1", "tail_id": "D2", "rank": 1},
                {"type": "MODIFY", "head": "T1", "tail": "T2", "cue": [5, 8]},
            ],
        },
    )
    assert document.id == "17"
    assert [entity.id for entity in document.entities] == ["T2", "T3", "T1"]
    assert document.entities[0].concepts == (Concept("D1"), Concept("D2"))
    assert document.entities[1].spans == (Span(0, 4), Span(9, 12))
    assert document.entities[2].attributes == (Attribute("negated", "true"), Attribute("by", "no"))
    assert document.relations == (Relation("R1", "MODIFY", "T1", "T2"),)
    assert document.sentences == (Span(0, 12),)
    assert document.meta == {
        "doc": "x",
        "entity_extra": {"T2": {"note": None}, "T3": {"parts": [[9, 12], [0, 4]]}},
        CONCEPT_RELATIONS: [{"type": "CID", "head_id": "D1", "tail_id": "D2", "rank": 1}],
        "relation_extra": {"R1": {"cue": [5, 8]}},
    }


@pytest.mark.parametrize("surface", ["renal  failure", " renal failure,", "renal\nfailure", "renal-failure"])
def test_a_surface_may_depart_in_blanks_and_punctuation(tmp_path, surface):
    entity = {"start": 6, "end": 19, "label": "X", "text": surface}
    document = _read(tmp_path, {"text": "Acute renal failure", "entities": [entity]})
    assert document.id == "a-1"
    assert document.meta == {"entity_extra": {"T1": {"text": surface}}}


def test_byte_order_mark_empty_lines_and_carriage_returns(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a\\r\\nb"}\r\n\r\n  \n{"text": "\xe2\x80\xa8"}')
    assert [(document.id, document.text) for document in formats.read(path)] == [
        ("a-1", "a\r\nb"),
        ("a-4", "\u2028"),
    ]


def test_numbers_as_ids_and_scores(tmp_path):
    entity = {"id": 4, "start": 0, "end": 1, "label": "X", "score": 1}
    document = _read(tmp_path, {"id": "d", "text": "x", "entities": [entity], "relations": None})
    assert document.entities == (Entity("4", "X", (Span(0, 1),), 1.0),)


def test_attributes_as_a_list(tmp_path):
    entity = {"start": 0, "end": 1, "label": "X", "attributes": [{"name": "a", "value": "b", "score": 0.5}]}
    document = _read(tmp_path, {"text": "x", "entities": [entity]})
    assert document.entities[0].attributes == (Attribute("a", "b", 0.5),)


def test_a_number_that_is_too_large_is_malformed(tmp_path):
    line = '{"text": "abc", "entities": [{"label": "x", "start": 0, "end": 1, "score": 1' + "0" * 400 + "}]}"
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(medspan.FormatError, match=r"a.jsonl:1: .*more than 64 bits"):
        list(formats.read(tmp_path / "a.jsonl"))
