"""Exports for data platforms by the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import medspan
from medspan.cli.main import main
from medspan.formats import omop
from trained import TEXTS, model_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("👩 " + TEXTS[0], encoding="utf-8")
    return path


def annotate(note: Path, *words: object) -> int:
    model = ["--model", str(model_folder()), "--device", "cpu", "--threads", "1"]
    return main(["annotate", str(note), *map(str, words), *model, "--stages", "sections,assertion"])


def test_annotate_writes_bundles_that_convert_reads(note: Path, tmp_path: Path):
    by_name, named = tmp_path / "a.fhir.ndjson", tmp_path / "b.json"
    assert annotate(note, "-o", by_name) == 0
    assert annotate(note, "-o", named, "--format", "fhir") == 0
    kinds = [
        entry["resource"]["resourceType"] for entry in json.loads(named.read_text(encoding="utf-8"))["entry"]
    ]
    assert kinds == ["DocumentReference", "Condition", "MedicationStatement", "Device", "Provenance"]
    device = json.loads(by_name.read_text(encoding="utf-8"))["entry"][-2]["resource"]
    assert device["deviceName"][1]["name"] == model_folder().name
    assert main(["convert", str(by_name), str(tmp_path / "a.jsonl")]) == 0
    (document,) = medspan.read(tmp_path / "a.jsonl")
    assert [document.text_of(entity) for entity in document.entities] == ["grey fever", "zelvorin"]
    assert {item.value for entity in document.entities for item in entity.attributes} == {"absent", "current"}


@pytest.mark.parametrize("name", ["fhir", "omop"])
def test_a_folder_is_refused_for_one_file(
    note: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    """It would become a file of the folder's name."""
    assert annotate(note, "-o", f"{tmp_path}/out/", "--format", name) == 2
    assert f"out/: {name} writes one file; name a file, or leave --format out" in capsys.readouterr().err
    assert main(["deid", str(note), "--model", "none", "-o", f"{tmp_path}/out/", "--format", name]) == 2
    assert not (tmp_path / "out").exists()
    assert annotate(note, "-o", f"{tmp_path}/out/", "--format", "brat") == 0
    assert (tmp_path / "out" / "a.ann").is_file()


def test_the_parts_of_a_job_become_one_file(note: Path, tmp_path: Path):
    assert annotate(note, "-o", f"{tmp_path}/out/") == 0
    assert annotate(note, "-o", tmp_path / "a.fhir.ndjson") == 0
    assert main(["convert", f"{tmp_path}/out/", str(tmp_path / "b.fhir.ndjson")]) == 0
    parts, alone = (list(medspan.read(tmp_path / name)) for name in ("b.fhir.ndjson", "a.fhir.ndjson"))
    assert parts == alone


def test_convert_names_the_model_and_the_day(note: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Else the way from a bulk job to a platform would lose where entities come from."""
    assert annotate(note, "-o", tmp_path / "a.jsonl") == 0
    words = ["convert", str(tmp_path / "a.jsonl"), "--model", "clinical", "--date", "2026-11-01"]
    assert main([*words, str(tmp_path / "a.fhir.ndjson")]) == 0
    resources = [e["resource"] for e in json.loads((tmp_path / "a.fhir.ndjson").read_bytes())["entry"]]
    assert resources[-2]["deviceName"][1] == {"name": "clinical", "type": "model-name"}
    assert resources[-1]["recorded"] == "2026-11-01T00:00:00Z"
    assert main([*words, str(tmp_path / "a.csv"), "--to", "omop"]) == 0
    row = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[1]
    assert f"medspan {medspan.__version__} clinical,2026-11-01," in row
    capsys.readouterr()
    assert main([*words[:-1], "1 Nov", str(tmp_path / "b.fhir.ndjson")]) == 2
    assert "'1 Nov' is no day; write it as 2026-11-22" in capsys.readouterr().err


def test_bundles_go_to_a_pipe(note: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    assert annotate(note, "--format", "fhir") == 0
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert json.loads(line)["resourceType"] == "Bundle"


def test_convert_leaves_texts_out_and_takes_a_table(
    note: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert annotate(note, "-o", tmp_path / "a.jsonl") == 0
    table = tmp_path / "mine.toml"
    table.write_text('[labels]\nobservation = ["Drug"]\n', encoding="utf-8")
    words = ["convert", str(tmp_path / "a.jsonl"), str(tmp_path / "a.fhir.ndjson")]
    assert main([*words, "--no-source-text", "--fhir-table", str(table)]) == 0
    assert "document texts: 1" in capsys.readouterr().err
    entries = json.loads((tmp_path / "a.fhir.ndjson").read_text(encoding="utf-8"))["entry"]
    assert "data" not in entries[0]["resource"]["content"][0]["attachment"]
    assert [entry["resource"]["resourceType"] for entry in entries[1:3]] == ["Condition", "Observation"]
    assert main(["convert", str(tmp_path / "a.fhir.ndjson"), str(tmp_path / "b.jsonl")]) == 1
    assert "holds no text" in capsys.readouterr().err
    assert main([*words, "--fhir-table", str(tmp_path / "none.toml")]) == 2


@pytest.mark.parametrize("name", ["n.csv", "n.parquet"])
def test_note_nlp(note: Path, tmp_path: Path, name: str):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs medspan[arrow]")
    assert annotate(note, "-o", tmp_path / name, "--format", "omop") == 0
    text = note.read_text(encoding="utf-8")
    found = list(omop.mentions(tmp_path / name))
    assert [text[each.entity.start : each.entity.end] for each in found] == ["grey fever", "zelvorin"]


def test_a_hugging_face_folder_gets_its_splits_one_by_one(note: Path, tmp_path: Path):
    assert annotate(note, "-o", tmp_path / "a.jsonl") == 0
    words = ["convert", str(tmp_path / "a.jsonl"), str(tmp_path / "out"), "--to", "hf"]
    assert main(words) == 0
    assert main([*words, "--split", "test"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "test.jsonl",
        "train.jsonl",
    ]
    assert (tmp_path / "out" / "test.jsonl").read_bytes() == (tmp_path / "out" / "train.jsonl").read_bytes()
