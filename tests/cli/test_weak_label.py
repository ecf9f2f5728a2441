"""The verb ``weak label``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import medspan
from medspan import formats
from medspan.cli.main import main
from medspan.formats import READERS, WRITERS
from medspan.types import Document, Entity, Span


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "terms.csv").write_text("term,label,id\naspirin,Drug,D1\ndry lung,Disease,\n")
    (tmp_path / "note.txt").write_text("Aspirin for dry lung. Then aspirins.")
    gold = Document("note", "Aspirin for dry lung.", (Entity("T1", "Drug", (Span(0, 7),)),))
    (tmp_path / "corpus").mkdir()
    for split in ("train", "test"):
        formats.write([gold], tmp_path / "corpus" / f"{split}.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def label(*arguments: str) -> int:
    return main(["weak", "label", *arguments])


def found(path: str) -> list[tuple[str, str]]:
    return [(d.text_of(e), e.label) for d in medspan.read(path) for e in d.entities]


@pytest.mark.usefixtures("folder")
def test_a_table_of_terms(capsys: pytest.CaptureFixture[str]):
    assert label("note.txt", "--terms", "terms.csv", "--licence", "MIT", "-o", "out.jsonl") == 0
    assert found("out.jsonl") == [("Aspirin", "Drug"), ("dry lung", "Disease")]
    (document,) = medspan.read("out.jsonl")
    assert document.meta["weak"]["name"] == "terms.csv"
    assert document.meta["weak"]["licence"] == "MIT"
    assert "2 terms" in capsys.readouterr().err
    assert label("note.txt", "--terms", "terms.csv", "--inflect", "en") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert len(json.loads(line)["entities"]) == 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", sorted(set(WRITERS) & set(READERS) - {"i2b2-2009", "text", "table"}))
def test_any_writers_format(name: str):
    assert label("note.txt", "--terms", "terms.csv", "--format", name, "-o", "out") == 0
    documents = list(medspan.read("out", name))
    assert sum(len(document.entities) for document in documents) == 2


@pytest.mark.usefixtures("folder")
def test_a_corpus_is_labelled_and_scored(capsys: pytest.CaptureFixture[str]):
    assert label("corpus", "--split", "test", "--terms", "corpus", "-o", "out.jsonl") == 0
    assert found("out.jsonl") == [("Aspirin", "Drug")]
    assert main(["evaluate", "out.jsonl", "corpus", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["micro"]["f1"] == 1
    assert label("corpus", "--split", "test", "--terms", "corpus", "--inside-only", "-o", "out.jsonl") == 1
    assert "annotates nothing" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_windows():
    options = ["--windows", "12", "--placements", "2", "--negatives", "0", "--seed", "3", "-o", "out.jsonl"]
    assert label("note.txt", "--terms", "terms.csv", *options) == 0
    windows = list(medspan.read("out.jsonl"))
    assert windows
    assert all(len(window.text) == 12 and window.entities for window in windows)
    before = Path("out.jsonl").read_bytes()
    assert label("note.txt", "--terms", "terms.csv", *options) == 0
    assert Path("out.jsonl").read_bytes() == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--terms", "term.csv"], 2, "no such file of terms"),
        (["--terms", "nowhere"], 1, "'nowhere' is not on this machine"),
        (["--terms", "terms.csv", "--case", "smrt"], 2, "did you mean smart?"),
        (["--terms", "terms.csv", "--inflect", "xx"], 2, "no inflection rules"),
        (["--terms", "terms.csv", "--windows", "0"], 2, "--windows"),
    ],
)
def test_refusals(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]):
    assert label("note.txt", *arguments) == code
    assert message in capsys.readouterr().err
