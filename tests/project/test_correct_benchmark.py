"""What the docs say of correcting is what `benchmarks/correct.py` wrote; its simulation is a fair one."""

from __future__ import annotations

import json
from pathlib import Path

import correct
import pytest

from medspan.project import Project
from medspan.project.documents import digest_of, marks_of
from tiny_training import tiny_document

ROOT = Path(correct.__file__).resolve().parents[1]
RESULTS = json.loads((ROOT / "benchmarks" / "correct.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", correct.CASES)
def test_the_docs_have_the_figures(name: str):
    row = RESULTS["cases"][name]
    page = (ROOT / "docs" / "correct-and-learn.md").read_text(encoding="utf-8")
    low, high = row["after"]["interval"]
    assert f"| {row['before']['f1']:.3f} | {row['after']['f1']:.3f} ({low:.2f} to {high:.2f}) |" in page
    assert f"{row['expected_error']['after']:.3f} |" in page
    assert row["corrected"] == correct.CORRECTED


def test_the_settings_are_those_of_the_project():
    assert RESULTS["settings"]["effort"] == correct.Effort()._asdict()


def test_the_annotator_corrects_so_many_and_all_of_the_held_back_part(tmp_path: Path):
    documents = [tiny_document(number) for number in range(300)]
    project = Project(tmp_path / "p.medspan", labels=("Disease", "Drug"))
    project.documents.add([document.replace(entities=()) for document in documents], "documents")
    correct.correct(project, {digest_of(document.text): marks_of(document) for document in documents})
    done = project.annotations.done()
    rows = project.documents.all()
    assert sum(row.number in done for row in rows if not row.is_held_back) == correct.CORRECTED
    assert all(row.number in done for row in rows if row.is_held_back)
    project.close()


def test_the_halves_share_no_document(corpora_dir: Path):  # noqa: ARG001 - skips without corpora
    halves = [
        {
            document.id.partition(":")[0]
            for document in correct.gold_sentences(correct.CASES["maccrobat-known"], half)
        }
        for half in (0, 1)
    ]
    assert all(halves)
    assert not halves[0] & halves[1]
