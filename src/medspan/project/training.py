"""A training run: prepared, learnt in a child process, scored on the held-back part."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import MedspanError, UsageError
from medspan.evaluation import evaluate
from medspan.model.calibrate import calibrate
from medspan.pipeline import load
from medspan.project.learning import (
    MOST_REPLAY,
    RECIPE,
    TRUSTED_F1,
    Effort,
    Parts,
    likeness_of,
    parts_of,
    project_recipe,
    write_corpus,
)
from medspan.project.structs import LabelChange, RunScores, Scores
from medspan.toml import recipe_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.project.store import Project
    from medspan.project.structs import Run, Start
    from medspan.report import Report
    from medspan.types import Document

MOST_MINUTES = 24 * 60.0
_DIGITS = 4


class Order(NamedTuple):
    """What a run is asked to do.

    ``model`` is the folder of the present model, ``annotator`` whose documents count (None: of each document
    what was saved last), ``minutes`` how long it learns at most.
    """

    model: Path
    annotator: str | None = None
    minutes: float = 10.0
    start: Start = "model"
    effort: Effort = Effort()


def begin_training(project: Project, order: Order) -> Run:
    """Begin a run; it goes on in a thread, and its learning in a child process.

    Raises:
        UsageError: if too little is annotated, or the minutes are no number above 0.
        ConflictError: if a run goes on.
    """
    if not 0 < order.minutes <= MOST_MINUTES:
        raise UsageError(f"minutes: give a number above 0 and up to {MOST_MINUTES:g}")
    labels = project.labels()
    parts = parts_of(project.documents.all(), project.annotations.done(order.annotator), labels)
    number = project.runs.begin(len(parts.gold), len(parts.test))
    work = Thread(
        target=_work, args=(project, number, order, parts, labels), name=f"run {number}", daemon=True
    )
    work.start()
    return project.runs.get(number)


def _work(project: Project, number: int, order: Order, parts: Parts, labels: Sequence[str]) -> None:
    """The run; whatever goes wrong is written down, without document text."""
    runs = project.runs
    try:
        prepare(runs.folder(number), order, parts, labels, name=runs.model_name(number))
        runs.enter(number, "training")
        if reason := runs.train(number, _arguments(order)):
            runs.enter(number, "failed", detail=reason)
            return
        if runs.is_stopped:
            return
        runs.enter(number, "scoring")
        scores = score(order.model, runs.model_folder(number), parts.test, labels)
        calibrate(
            runs.model_folder(number), parts.test
        )  # of what it finds, and so of its F1, nothing changes
        runs.enter(number, "done", detail=runs.left_out(number), scores=scores)
    except MedspanError as error:
        runs.enter(number, "failed", detail=str(error))
    except OSError as error:
        runs.enter(number, "failed", detail=error.strerror or "the system refused to read or write a file")
    except Exception as error:  # noqa: BLE001 - a thread's last frame: a run never stays "training" for ever
        runs.enter(number, "failed", detail=f"unexpected: {type(error).__name__}; this is a bug in medspan")


def _arguments(order: Order) -> list[str]:
    start = {"model": ["--from", str(order.model)], "bilm-bio": ["--from", "bilm-bio"], "nothing": []}
    return ["--device", "cpu", "--max-minutes", f"{order.minutes:g}", *start[order.start]]


def prepare(folder: Path, order: Order, parts: Parts, labels: Sequence[str], *, name: str) -> None:
    """Write the corpus and the recipe of a run into its folder.

    Raises:
        ModelError: if the present model is damaged, or cannot be gone on from.
    """
    recognizer = load(order.model, threads=1)
    known = [label for label in recognizer.labels if label in labels]
    gold = parts.gold
    predicted = list(recognizer.annotate(document.replace(entities=()) for document in gold))
    trusted = trusted_of(gold, predicted, known)
    chosen = parts.other[:: max(1, -(-len(parts.other) // MOST_REPLAY))] if trusted else []
    replay = [_only(document, known) for document in recognizer.annotate(chosen)]
    is_continued = order.start == "model"
    likeness = likeness_of(gold, predicted, labels, recognizer.labels) if is_continued else {}
    write_corpus(folder, parts, replay)
    recipe = project_recipe(
        name,
        labels,
        order.start,
        order.model,
        likeness=likeness,
        trusted=trusted,
        replay=len(replay),
        gold=len(gold),
        effort=order.effort,
    )
    (folder / RECIPE).write_text(recipe_toml(recipe), encoding="utf-8")


def trusted_of(
    gold: Sequence[Document], predicted: Sequence[Document], labels: Sequence[str]
) -> frozenset[str]:
    """Labels that a model finds well enough, by the corrected documents, for its word to be rehearsed."""
    if not labels:
        return frozenset()
    report = evaluate(gold, predicted, labels=labels, resamples=0)
    return frozenset(each.label for each in report.labels if each.score.f1 >= TRUSTED_F1)


def _only(document: Document, labels: Sequence[str]) -> Document:
    return document.replace(entities=tuple(e for e in document.entities if e.label in labels))


def score(before: Path, after: Path, gold: Sequence[Document], labels: Sequence[str]) -> RunScores:
    """Strict entity scores of two models on the same documents.

    Raises:
        ModelError: if a model is damaged.
    """
    first, second = (_report(model, gold, labels) for model in (before, after))
    of_second = {each.label: each.score.f1 for each in second.labels}
    changes = {
        each.label: LabelChange(round(each.score.f1, _DIGITS), round(of_second[each.label], _DIGITS))
        for each in first.labels
        if each.score.tp + each.score.fn
    }
    return RunScores(_scores(first), _scores(second), changes)


def _report(model: Path, gold: Sequence[Document], labels: Sequence[str]) -> Report:
    blank = [document.replace(entities=()) for document in gold]
    return evaluate(gold, list(load(model, threads=1).annotate(blank)), labels=labels)


def _scores(report: Report) -> Scores:
    f1, precision, recall = (
        round(value, _DIGITS) for value in (report.micro.f1, report.micro.precision, report.micro.recall)
    )
    found = report.intervals.f1
    interval = None if found is None else (round(found.low, _DIGITS), round(found.high, _DIGITS))
    return Scores(f1, precision, recall, interval)
