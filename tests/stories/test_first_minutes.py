"""What a stranger does first: annotate the examples, look at them, and use the model from Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import medspan
from medspan.cli.main import main
from medspan.shipped import shipped_models

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.skipif(not shipped_models(), reason="the model that ships with medspan is not there")


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, annotated as ``make annotate`` does it."""
    target = tmp_path_factory.mktemp("out") / "annotations.jsonl"
    assert main(["annotate", str(EXAMPLES), "-o", str(target)]) == 0
    return target


def test_every_example_has_entities_of_its_own_text(annotated: Path):
    documents = {document.id: document for document in medspan.read(annotated)}
    assert set(documents) == {path.stem for path in EXAMPLES.glob("*.txt")}
    for name, document in documents.items():
        assert document.text == (EXAMPLES / f"{name}.txt").read_bytes().decode("utf-8")
        assert document.entities, name
        for entity in document.entities:
            assert document.text_of(entity) == document.text_of(entity).strip()
            assert entity.score is not None
            assert 0 <= entity.score <= 1


def test_well_known_mentions_are_found(annotated: Path):
    found = {
        (document.text_of(entity).lower(), entity.label)
        for document in medspan.read(annotated)
        for entity in document.entities
    }
    assert {("lithium", "Chemical"), ("schizophrenia", "Disease"), ("tuberculosis", "Disease")} <= found


def test_the_page_stands_alone(annotated: Path, tmp_path: Path):
    page = tmp_path / "annotations.html"
    assert main(["convert", str(annotated), str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "<mark" in html
    assert not re.search(r"<script|(?:src|href)=[\"']?https?:", html)


def test_the_listing_names_text_and_labels(capsys: pytest.CaptureFixture[str]):
    assert main(["annotate", str(EXAMPLES), "--format", "listing"]) == 0
    shown = capsys.readouterr().out
    assert "lithium" in shown
    assert "Chemical" in shown


def test_annotating_needs_no_torch(tmp_path: Path):
    program = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None\n"
        "import medspan\n"
        "doc = medspan.load()('No sign of lithium toxicity.')\n"
        "print([doc.text_of(entity) for entity in doc.entities])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lithium" in done.stdout


def test_types_and_scores_choose(annotated: Path, tmp_path: Path):
    target = tmp_path / "few.jsonl"
    words = ["annotate", str(EXAMPLES), "-o", str(target), "--types", "Chemical", "--min-score", "0.9"]
    assert main(words) == 0
    few = [entity for document in medspan.read(target) for entity in document.entities]
    every = [entity for document in medspan.read(annotated) for entity in document.entities]
    assert {entity.label for entity in few} == {"Chemical"}
    assert all((entity.score or 0) >= 0.9 for entity in few)
    assert len(few) < len(every)
