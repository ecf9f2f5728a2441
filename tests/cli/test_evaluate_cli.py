"""The verb ``evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.cli.main import main
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEXT = "Fever after lithium."


def documents(*parts: tuple[str, int, int]) -> list[Document]:
    entities = tuple(
        Entity(f"T{i}", label, (Span(start, end),)) for i, (label, start, end) in enumerate(parts)
    )
    return [Document("d", TEXT, entities)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    formats.write(documents(("Disease", 0, 5), ("Chemical", 12, 19)), tmp_path / "gold.jsonl")
    formats.write(documents(("Disease", 0, 5), ("Gene", 6, 11)), tmp_path / "predicted.jsonl")
    return tmp_path


def run(*words: object) -> int:
    return main(["evaluate", *map(str, words)])


def test_table_on_stdout_and_nothing_else(files: Path, capsys: pytest.CaptureFixture[str]):
    assert run(files / "predicted.jsonl", files / "gold.jsonl") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "strict micro 100.00 50.00 66.67" in " ".join(shown.out.split())
    assert "The corpus does not annotate Gene" in shown.out


def test_types_all_counts_labels_the_corpus_does_not_have(files: Path, capsys: pytest.CaptureFixture[str]):
    assert run(files / "predicted.jsonl", files / "gold.jsonl", "--types", "all", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["micro"]["fp"] == 1
    assert report["notes"] == []


def test_types_and_label_map(files: Path, capsys: pytest.CaptureFixture[str]):
    words = (
        "--label-map",
        "Gene=Chemical",
        "--label-map",
        "Disease=Finding",
        "--types",
        "Chemical",
        "--json",
    )
    assert run(files / "predicted.jsonl", files / "gold.jsonl", *words) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(row["label"], row["score"]["fp"], row["score"]["fn"]) for row in report["labels"]] == [
        ("Chemical", 1, 1)
    ]


def test_files_are_written_with_text_in_the_html_only(files: Path, capsys: pytest.CaptureFixture[str]):
    assert run(files / "predicted.jsonl", files / "gold.jsonl", "-o", files / "out" / "deep") == 0
    pages = {path.name: path.read_text(encoding="utf-8") for path in (files / "out" / "deep").iterdir()}
    assert sorted(pages) == ["report.html", "report.json", "report.md"]
    assert {name for name, page in pages.items() if "lithium" in page} == {"report.html"}
    assert "report.html" in capsys.readouterr().err
    assert run(files / "predicted.jsonl", files / "gold.jsonl", "-o", files / "out", "--no-text") == 0
    assert "lithium" not in (files / "out" / "report.html").read_text(encoding="utf-8")


def test_seen_mentions(files: Path, capsys: pytest.CaptureFixture[str]):
    words = (files / "predicted.jsonl", files / "gold.jsonl", "--train", files / "gold.jsonl", "--json")
    assert run(*words) == 0
    buckets = json.loads(capsys.readouterr().out)["by_seen"]
    assert [bucket["score"]["support"] for bucket in buckets] == [2, 0]


def test_splits_of_folders(files: Path, capsys: pytest.CaptureFixture[str]):
    for folder, source in (("gold", "gold"), ("guess", "predicted")):
        (files / folder).mkdir()
        (files / f"{source}.jsonl").rename(files / folder / "dev.jsonl")
    assert run(files / "guess", files / "gold", "--split", "devel") == 0
    assert "66.67" in capsys.readouterr().out
    assert run(files / "guess", files / "gold") == 1
    assert "no test split" in capsys.readouterr().err


def test_min_f1(files: Path, capsys: pytest.CaptureFixture[str]):
    assert run(files / "predicted.jsonl", files / "gold.jsonl", "--min-f1", "0.6") == 0
    assert run(files / "predicted.jsonl", files / "gold.jsonl", "--min-f1", "0.7") == 1
    assert "strict micro F1 0.6667 is below --min-f1 0.7000" in capsys.readouterr().err


class Annotator:
    """Stands for a model: finds the first word, and must not be shown the gold entities."""

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            assert document.entities == ()
            yield document.replace(entities=(Entity("T", "Disease", (Span(0, 5),), 0.9),))


def test_a_model_is_run_on_the_bare_text(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (files / "model").mkdir()
    (files / "model" / "config.json").write_text("{}", encoding="utf-8")
    asked = []

    def load(model: object, *, device: str) -> Annotator:
        asked.append((str(model), device))
        return Annotator()

    monkeypatch.setattr("medspan.pipeline.load", load)
    assert run(files / "model", files / "gold.jsonl", "--device", "cpu", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["micro"]["tp"] == 1
    assert asked == [(str(files / "model"), "cpu")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("absent", "GOLD"), "no model folder, no file or folder of predictions"),
        (("GUESS", "GOLD", "--label-map", "A"), "--label-map 'A' is not of the form OLD=NEW"),
        (("GUESS", "GOLD", "--types", "Diseese"), "did you mean Disease?"),
        (("GUESS", "GOLD", "--types", ","), "--types: no entity has label"),
        (("GUESS", "GOLD", "--device", "gpu"), "--device 'gpu'"),
        (("GUESS", "GOLD", "--resamples", "-1"), "--resamples"),
        (("GUESS",), "CORPUS"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], message: str, files: Path, capsys: pytest.CaptureFixture[str]):
    names = {"GOLD": files / "gold.jsonl", "GUESS": files / "predicted.jsonl"}
    assert run(*(names.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err


def test_other_texts_are_an_error_that_names_ids_only(files: Path, capsys: pytest.CaptureFixture[str]):
    formats.write([Document("d", "Secret text")], files / "other.jsonl")
    assert run(files / "other.jsonl", files / "gold.jsonl") == 1
    message = capsys.readouterr().err
    assert "texts differ: 'd'" in message
    assert "Secret" not in message
