"""The i2b2 2009 task from the command line: invented notes, their entries, and the scores of the challenge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of invented notes."""
    assert main(["corpora", "invent", str(tmp_path / "notes"), "--notes", "8"]) == 0
    return tmp_path / "notes"


def test_the_same_seed_invents_the_same_notes(notes: Path, tmp_path: Path):
    again = tmp_path / "again"
    assert main(["corpora", "invent", str(again), "--notes", "8"]) == 0
    files = sorted(path.relative_to(notes) for path in notes.rglob("*") if path.is_file())
    assert files
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((notes / file).read_bytes() == (again / file).read_bytes() for file in files)
    assert main(["corpora", "invent", str(tmp_path / "other"), "--notes", "8", "--seed", "14"]) == 0
    assert any((notes / file).read_bytes() != (tmp_path / "other" / file).read_bytes() for file in files)


def test_gold_entries_score_one(notes: Path, capfd: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(notes / "test"), str(notes), "--scoring", "i2b2-2009"]) == 0
    table = capfd.readouterr().out
    (row,) = [line for line in table.splitlines() if line.startswith("exact horizontal")]
    assert row.split()[2:] == ["1.0000"] * 6


def test_fields_alone_are_tied_by_rule(notes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    gold = list(formats.read(notes / "test"))
    bare = tmp_path / "bare.jsonl"
    formats.write((document.replace(relations=()) for document in gold), bare)
    assert main(["evaluate", str(bare), str(notes), "--scoring", "i2b2-2009", "--json"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert 0.5 < scores["exact"]["horizontal"]["system"]["f1"] <= 1
    assert scores["gold_entries"] > 0


def test_entries_are_written_and_read_again(notes: Path, tmp_path: Path):
    assert main(["convert", str(notes / "test"), str(tmp_path / "entries.jsonl")]) == 0
    assert (
        main(["convert", str(tmp_path / "entries.jsonl"), f"{tmp_path / 'back'}/", "--to", "i2b2-2009"]) == 0
    )
    before = {document.id: len(document.relations) for document in formats.read(notes / "test")}
    after = {document.id: len(document.relations) for document in formats.read(tmp_path / "back")}
    assert before
    assert after == before


def test_a_scoring_nobody_knows_is_refused(notes: Path, capfd: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(notes), str(notes), "--scoring", "i2b2"]) == 2
    assert "did you mean i2b2-2009?" in capfd.readouterr().err
