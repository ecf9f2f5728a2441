"""What a run is given to learn from, what it may end in, and the whole of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan.config import parse_recipe
from medspan.errors import ModelError, UsageError
from medspan.formats import read
from medspan.project import Project
from medspan.project.documents import Row
from medspan.project.learning import (
    RECIPE,
    REPLAY,
    TEST,
    TRAIN,
    Effort,
    likeness_of,
    parts_of,
    project_recipe,
)
from medspan.project.structs import ConflictError, Mark, NotFoundError
from medspan.project.training import Order, begin_training, prepare
from medspan.shipped import shipped_models
from medspan.toml import read_toml
from medspan.types import Document, Entity, Span
from tiny_project import EFFORT, LABELS, tiny_model, tiny_project, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def rows(count: int, *, held_back: int = 0) -> list[Row]:
    return [Row(i, f"d{i}", f"Text number {i}.", i < held_back, None, ()) for i in range(count)]


def test_parts_are_apart():
    done = dict.fromkeys(range(30), (Mark(0, 4, "Disease"), Mark(5, 11, "Other")))
    parts = parts_of(rows(40, held_back=8), done, ["Disease"])
    names = [{document.id for document in part} for part in parts]
    assert [len(part) for part in names] == [22, 8, 10]
    assert len(set().union(*names)) == 40
    assert {e.label for document in parts.gold for e in document.entities} == {"Disease"}
    assert not any(document.entities for document in parts.other)


@pytest.mark.parametrize(("done", "held_back"), [(4, 0), (0, 4), (9, 0), (9, 5)])
def test_too_little_is_refused(done: int, held_back: int):
    with pytest.raises(UsageError, match="annotate more first"):
        parts_of(rows(20, held_back=held_back), dict.fromkeys(range(done), ()), ["Disease"])


def test_a_new_label_begins_as_the_one_that_covers_it():
    text = "aa bb cc dd"

    def document(*marks: tuple[int, int, str]) -> Document:
        entities = (Entity(str(i), label, (Span(a, b),)) for i, (a, b, label) in enumerate(marks))
        return Document("d", text, entities=tuple(entities))

    gold = [document((0, 2, "Effect"), (3, 5, "Effect"), (6, 8, "Rare"), (9, 11, "Disease"))]
    found = [document((0, 2, "Disease"), (3, 5, "Cell"), (9, 11, "Disease"))]
    labels = ["Effect", "Rare", "Disease", "Absent"]
    assert likeness_of(gold, found, labels, ["Disease", "Cell"]) == {"Effect": "Disease"}


def test_the_recipe_goes_on_from_the_start():
    """The default model narrowed, one of its labels, and two it does not have."""
    folder = shipped_models()["default"]
    recipe = project_recipe(
        "project-1",
        ["Disease", "Adverse effect", "adverse-effect"],
        "model",
        folder,
        likeness={"Adverse effect": "Disease"},
        trusted={"Disease"},
        replay=50,
        gold=100,
        effort=Effort(replay_share=0.5),
    )
    start = parse_recipe(read_toml(folder / "recipe.toml"), "start")
    assert recipe.encoder == start.encoder
    assert (recipe.train.narrow_first, recipe.export.input_rank) == (True, 96)
    assert list(recipe.heads) == ["disease", "new-adverse-effect", "new-adverse-effect-2"]
    assert recipe.heads["disease"].corpora == ("corrected", "replay")
    assert recipe.heads["new-adverse-effect"].corpora == ("corrected",)
    assert recipe.heads["new-adverse-effect"].begins_as == {"Adverse effect": "Disease"}
    assert recipe.corpora["replay"].weight == 1.0
    assert recipe.licence == start.licence


def test_a_transformer_or_a_model_without_recipe_is_refused(tmp_path: Path):
    model = tiny_model(tmp_path / "model")
    config = (model / "config.json").read_text()
    raw = json.loads(config)
    raw["files"].pop("recipe.toml")
    (model / "config.json").write_text(json.dumps(raw))
    with pytest.raises(ModelError, match=r"has no recipe\.toml"):
        project_recipe(
            "p", ["Disease"], "model", model, likeness={}, trusted=(), replay=0, gold=9, effort=EFFORT
        )


def test_a_run_folder_holds_its_parts(tmp_path: Path):
    model = tiny_model(tmp_path / "model")
    project = tiny_project(tmp_path)
    parts = parts_of(project.documents.all(), project.annotations.done(), LABELS)
    prepare(tmp_path / "run", Order(model, effort=EFFORT), parts, LABELS, name="project-1")
    held = {document.text for document in read(tmp_path / "run" / TEST)}
    learnt = {d.text for name in (TRAIN, REPLAY) for d in read(tmp_path / "run" / name)}
    assert held
    assert not held & learnt
    assert not list(read(tmp_path / "run" / REPLAY))  # arbitrary weights find nothing worth rehearsing
    recipe = parse_recipe(read_toml(tmp_path / "run" / RECIPE), "r")
    assert recipe.name == "project-1"
    assert list(recipe.heads) == ["disease", "drug"]
    project.close()


def test_annotate_train_accept(tmp_path: Path):
    """The story: correct, train, see before and after, take the model."""
    model = tiny_model(tmp_path / "model", epochs=2)
    project = tiny_project(tmp_path)
    run = begin_training(project, Order(model, "anna", minutes=3, effort=EFFORT))
    assert run.state == "preparing"
    with pytest.raises(ConflictError, match="run 1 goes on"):
        begin_training(project, Order(model))
    with pytest.raises(ConflictError, match="no model to accept"):
        project.accept(1)
    run = wait_for(project, 1)
    assert (run.state, run.detail) == ("done", "")
    assert [point.epoch for point in run.curve] == list(range(1, 9))
    assert run.before
    assert run.after
    assert run.after.f1 > run.before.f1 + 0.1
    assert run.after.interval
    assert run.after.interval[0] <= run.after.f1 <= run.after.interval[1]
    assert set(run.labels) <= set(LABELS)
    assert not list(project.runs.folder(1).glob("**/checkpoint.safetensors"))
    assert project.model() is None
    project.accept(1)
    assert project.model() == ("project-1", project.runs.model_folder(1))
    assert project.runs.get(1).accepted
    project.close()
    again = Project(tmp_path / "tiny.medspan")
    assert again.model() == ("project-1", again.runs.model_folder(1))
    assert again.runs.get(1) == msgspec.structs.replace(run, accepted=True)
    again.close()


def test_a_run_is_stopped(tmp_path: Path):
    model = tiny_model(tmp_path / "model")
    project = tiny_project(tmp_path)
    with pytest.raises(NotFoundError):
        project.runs.stop()
    begin_training(project, Order(model, effort=Effort(epochs=100_000)))
    until = time.monotonic() + 60
    while project.runs.get(1).state != "training" and time.monotonic() < until:
        time.sleep(0.05)
    stopped = project.runs.stop()
    assert stopped.state == "stopped"
    assert stopped.ended
    with pytest.raises(ConflictError, match="run 1 is over: it is stopped"):
        project.runs.stop()
    time.sleep(0.3)
    assert project.runs.get(1) == stopped  # its thread writes no other end
    project.close()


def test_a_failure_has_a_reason_without_text(tmp_path: Path):
    """The child is told to start from a model that is no more."""
    model = tiny_model(tmp_path / "model")
    project = tiny_project(tmp_path)
    number = project.runs.begin(3, 1)
    parts = parts_of(project.documents.all(), project.annotations.done(), LABELS)
    prepare(project.runs.folder(number), Order(model), parts, LABELS, name="x")
    reason = project.runs.train(number, ["--from", str(tmp_path / "absent")])
    assert reason.startswith("nothing to start from")
    assert not any(row.text[:20] in reason for row in project.documents.all())
    project.close()


def test_a_damaged_model_fails_the_run(tmp_path: Path):
    model = tiny_model(tmp_path / "model")
    (model / "model.onnx").write_bytes(b"x")
    project = tiny_project(tmp_path)
    begin_training(project, Order(model))
    run = wait_for(project, 1)
    assert run.state == "failed"
    assert "model.onnx" in run.detail
    project.close()


def test_a_run_that_was_cut_off_has_failed(tmp_path: Path):
    """The service is killed in the middle; its child goes with the next start, and with no other process."""
    project = tiny_project(tmp_path)
    number = project.runs.begin(10, 2)
    recipe = str(project.runs.folder(number) / RECIPE)
    child, stranger = (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", word], start_new_session=True)
        for word in (recipe, "another")
    )
    project.runs.enter(number, "training")
    project.runs._note_child(number, child.pid)
    project._database.close()
    again = Project(tmp_path / "tiny.medspan")
    run = again.runs.get(number)
    assert run.state == "failed"
    assert run.ended
    assert "the service ended while it went on" in run.detail
    assert child.wait(10) == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    second = again.runs.begin(10, 2)  # another may begin
    again.runs._note_child(second, os.getpid())
    again._database.close()
    third = Project(tmp_path / "tiny.medspan")
    assert third.runs.get(second).state == "failed"
    third.close()


@pytest.mark.parametrize("minutes", [0, -1, 1e9, float("nan")])
def test_odd_minutes_are_refused(tmp_path: Path, minutes: float):
    project = tiny_project(tmp_path)
    with pytest.raises(UsageError, match="minutes: "):
        begin_training(project, Order(tmp_path, minutes=minutes))
    assert project.runs.last() is None
    project.close()


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path):
    project = tiny_project(tmp_path)
    project.runs.folder(1).mkdir(parents=True)
    with pytest.raises(ConflictError, match="is there already"):
        project.runs.begin(10, 2)
    assert project.runs.last() is None
    project.close()


def test_what_was_left_out_is_told(tmp_path: Path):
    """Half of a word cannot be learnt."""
    model = tiny_model(tmp_path / "model")
    project = tiny_project(tmp_path)
    row = next(row for row in project.documents.all() if not row.is_held_back)
    half = [Mark(1, 2, "Drug")]
    project.annotations.save(str(row.number), "anna", marks=half, state="done", revision=1)
    begin_training(project, Order(model, effort=Effort(epochs=1)))
    run = wait_for(project, 1)
    assert (run.state, run.detail) == ("done", "1 spans left out (not on word borders)")
    project.close()
