"""The verbs ``deid`` and ``reidentify``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import medspan
from medspan.cli.main import main
from medspan.tasks.deid.labels import LABELS

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "Name: Jane Quimby  MRN: 00123456 seen 03/14/2021. Ms. Quimby called 555-123-4567."
CHANGED = "Name: [NAME]  MRN: [MRN] seen 2021. Ms. [NAME] called [PHONE]."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "note.txt").write_text(NOTE)
    rows = [{"id": "a", "text": NOTE}, {"id": "Quimby-7", "text": "Ms. Quimby left on May 5, 2020."}]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDSPAN_VAULT_PASSPHRASE", "correct horse")
    monkeypatch.delenv("MEDSPAN_DEID_KEY", raising=False)
    return tmp_path


def texts(path: str) -> list[str]:
    return [document.text for document in medspan.read(path)]


@pytest.mark.usefixtures("folder")
def test_a_text_to_a_file_and_to_stdout(capsys: pytest.CaptureFixture[str]):
    assert main(["deid", "note.txt", "-o", "out.jsonl"]) == 0
    assert texts("out.jsonl") == [CHANGED]
    assert "1 documents, changed: DATE 1, MRN 1, NAME 2, PHONE 1" in capsys.readouterr().err
    assert main(["deid", "note.txt"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == CHANGED
    assert main(["deid", "note.txt", "-o", "out.txt"]) == 0


@pytest.mark.usefixtures("folder")
def test_there_and_back(capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("cryptography", reason="the extra deid is not installed")
    assert main(["deid", "notes.jsonl", "-o", "out.jsonl", "--policy", "surrogate", "--vault", "v"]) == 0
    assert "key was random" in capsys.readouterr().err
    changed = list(medspan.read("out.jsonl"))
    assert [document.id == "a" for document in changed] == [True, False]
    assert main(["reidentify", "out.jsonl", "--vault", "v", "-o", "back.jsonl"]) == 0
    back = list(medspan.read("back.jsonl"))
    assert [(each.id, each.text) for each in back] == [
        (each.id, each.text) for each in medspan.read("notes.jsonl")
    ]
    assert main(["deid", "notes.jsonl", "-o", "out.jsonl", "--vault", "v"]) == 2
    assert "never written over" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_the_same_key_the_same_text(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "key").write_text("0123456789abcdef\n")
    for out in ("a.jsonl", "b.jsonl"):
        assert main(["deid", "note.txt", "--policy", "surrogate", "--key-file", "key", "-o", out]) == 0
    monkeypatch.setenv("MEDSPAN_DEID_KEY", "0123456789abcdef")
    assert main(["deid", "note.txt", "--policy", "surrogate", "-o", "c.jsonl"]) == 0
    assert (
        (folder / "a.jsonl").read_bytes()
        == (folder / "b.jsonl").read_bytes()
        == (folder / "c.jsonl").read_bytes()
    )


@pytest.mark.usefixtures("folder")
def test_a_bad_note_costs_only_itself(folder: Path, capsys: pytest.CaptureFixture[str]):
    with (folder / "notes.jsonl").open("a") as handle:
        handle.write('{broken Quimby\n{"id": "last", "text": "Dr. Wu came."}\n')
    assert main(["deid", "notes.jsonl", "-o", "out.jsonl", "--report", "report.jsonl"]) == 1
    assert texts("out.jsonl") == [CHANGED, "Ms. [NAME] left on 2020.", "Dr. [NAME] came."]
    assert "left out: 1" in capsys.readouterr().err
    *rows, sums = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    assert [row.get("error") is None for row in rows] == [True, True, False, True] or rows
    assert sums["documents"] == 3
    assert sums["errors"] == 1
    assert sums["labels"]["NAME"] == {"action": "redact", "changed": 4}
    assert "Quimby" not in (folder / "report.jsonl").read_text()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "missing.toml"], "missing.toml"),
        (["--policy", "p.toml"], "p.toml: labels: LOCATION"),
        (["--format", "jsnl"], "did you mean jsonl"),
        (["--key-file", "short"], "at least 16 bytes"),
        (["--model", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    (folder / "p.toml").write_text('[labels]\nNAME = "redact"\n')
    (folder / "short").write_text("short")
    assert main(["deid", "note.txt", *arguments]) in {1, 2}
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_a_vault_needs_a_passphrase(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("MEDSPAN_VAULT_PASSPHRASE")
    assert main(["deid", "note.txt", "-o", "out.jsonl", "--vault", "v"]) == 2
    assert "MEDSPAN_VAULT_PASSPHRASE" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_a_policy_of_ones_own(folder: Path):
    actions = {**dict.fromkeys(LABELS, "redact"), "NAME": "mask", "DATE": "keep"}
    lines = [f'{label} = "{action}"' for label, action in actions.items()]
    (folder / "own.toml").write_text("\n".join(['mask = "x"', "[labels]", *lines]))
    assert main(["deid", "note.txt", "-o", "out.jsonl", "--policy", "own.toml"]) == 0
    assert texts("out.jsonl") == ["Name: xxxx xxxxxx  MRN: [MRN] seen 03/14/2021. Ms. xxxxxx called [PHONE]."]


@pytest.mark.usefixtures("folder")
def test_a_note_without_its_patient_costs_only_itself(folder: Path):
    rows = [{"id": "n1", "text": NOTE, "meta": {"mother": 1}}, {"id": "Wu", "text": NOTE}]
    (folder / "two.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [f'{label} = "redact"' for label in LABELS]
    (folder / "own.toml").write_text("\n".join(['patient = "mother"', "[labels]", *lines]))
    words = ["two.jsonl", "-o", "out.jsonl", "--policy", "own.toml", "--report", "r.jsonl"]
    assert main(["deid", *words]) == 1
    assert len(texts("out.jsonl")) == 1
    failed = json.loads((folder / "r.jsonl").read_text().splitlines()[1])
    assert failed["id"].startswith("deid-")  # a short id may be a name
    assert "no value 'mother'" in failed["error"]
