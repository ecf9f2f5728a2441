"""Correct and learn, simulated: 100 sentences corrected to gold, a model trained on them, before and after.

    python benchmarks/correct.py -o benchmarks/correct.json

A project gets sentences of a corpus the shipped model has never learnt from, nor its teachers. A simulated
annotator works through them in the order the project suggests until 100 sentences to learn from are corrected
to the corpus's gold. Every sentence of the held-back part is corrected too, so that the scores are sharper
than those of a person who has done 25 of them. Then the project trains as the page does. ``kept`` is what the
model lost or won meanwhile on text it was made for: the dev split of BC5CDR, for labels the project has.
``expected_error`` is of the scores the model gives to what it finds, on the dev split of the corpus.

Settings were chosen with ``--tune``: on every other document of the train splits, with other settings as
``--set``. What is written is of the rest, which chose nothing. No test split is read.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from facts import facts

from medspan.corpora import load
from medspan.evaluation import evaluate
from medspan.pipeline import find_model
from medspan.pipeline import load as load_model
from medspan.project import Project
from medspan.project.documents import digest_of, marks_of
from medspan.project.learning import Effort
from medspan.project.suggesting import rate
from medspan.project.training import Order, begin_training, score
from medspan.train.data import relabel
from medspan.weak.sentences import sentences

if TYPE_CHECKING:
    from medspan.project.structs import Mark
    from medspan.types import Document

CORRECTED = 100
SENTENCES = 1000
KEPT = "ner/BC5CDR"
ANNOTATOR = "simulated"
MINUTES = 10.0


class Case(NamedTuple):
    """A corpus, and what its labels are called in the project; ``kind`` says what the model has to learn."""

    corpus: str
    labels: dict[str, str]
    kind: str


CASES = {
    "maccrobat-known": Case(
        "standoff/maccrobat2020",
        {"Disease_disorder": "Disease", "Medication": "Chemical"},
        "known labels, corrected to another corpus's convention",
    ),
    "chemdner-known": Case(
        "ner/CHEMDNER-sample", {"Chemical": "Chemical"}, "a known label, corrected to another convention"
    ),
    "maccrobat-new": Case(
        "standoff/maccrobat2020",
        {"Sign_symptom": "Symptom", "Diagnostic_procedure": "Procedure"},
        "labels the model has never seen",
    ),
    "phee-both": Case(
        "standoff/phee",
        {"Treatment.Drug": "Chemical", "Effect": "Adverse effect"},
        "a known label in another convention, and a new one",
    ),
}


def main() -> None:
    """Run the cases and write or print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument(
        "--tune", action="store_true", help="the half of the text that settings are chosen on"
    )
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of Effort")
    options = parser.parse_args()
    values = dict(each.split("=") for each in options.set)
    changed = Effort(**{name: type(getattr(Effort(), name))(value) for name, value in values.items()})
    rows = {}
    for name in options.case or CASES:
        rows[name] = run(CASES[name], changed, half=0 if options.tune else 1)
        print(name, json.dumps(rows[name]), flush=True)
    if options.output and not options.tune:
        settings = {"corrected": CORRECTED, "effort": changed._asdict()}
        found = facts(seed=13, settings=settings, cases=rows)
        options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def run(case: Case, effort: Effort, *, half: int) -> dict[str, Any]:
    """One project from import to scores."""
    gold = gold_sentences(case, half)
    labels = tuple(dict.fromkeys(case.labels.values()))
    model = find_model("default")
    with TemporaryDirectory() as folder:
        project = Project(Path(folder, "simulated.medspan"), labels=labels)
        project.documents.add([document.replace(entities=()) for document in gold], "documents")
        rate(project, "default", model)
        correct(project, {digest_of(document.text): marks_of(document) for document in gold})
        started = time.monotonic()
        number = begin_training(project, Order(model, ANNOTATOR, MINUTES, "model", effort)).number
        while (found := project.runs.get(number)).is_going:
            time.sleep(0.5)
        seconds = time.monotonic() - started
        if found.state != "done":
            raise SystemExit(f"{case.corpus}: {found.state}: {found.detail}")
        after = project.runs.model_folder(number)
        kept = kept_scores(model, after, labels)
        further = _sentences(load(case.corpus, "dev"), case.labels)
        errors = {"before": expected_error(model, further), "after": expected_error(after, further)}
        project.close()
    best = max(found.curve, key=lambda point: point.dev)
    return {
        "corpus": case.corpus,
        "kind": case.kind,
        "corrected": found.sentences,
        "held_back": found.held_back,
        "before": msgspec.to_builtins(found.before),
        "after": msgspec.to_builtins(found.after),
        "labels": msgspec.to_builtins(found.labels),
        "kept": kept,
        "expected_error": errors,
        "epochs": len(found.curve),
        "best_epoch": best.epoch,
        "seconds": round(seconds, 1),
    }


def gold_sentences(case: Case, half: int) -> list[Document]:
    """Sentences of every other document of a train split, with the project's labels."""
    return _sentences(load(case.corpus, "train")[half::2], case.labels)


def _sentences(documents: list[Document], labels: dict[str, str]) -> list[Document]:
    found = sentences(relabel(documents, labels))
    return [sentence.replace(meta={}) for sentence, _ in zip(found, range(SENTENCES), strict=False)]


def correct(project: Project, gold: dict[str, tuple[Mark, ...]]) -> None:
    """Correct what the project suggests, until enough is; and all of the held-back part."""
    page = project.documents.page(ANNOTATOR, wanted="open", order="suggested", limit=SENTENCES, offset=0)
    left = CORRECTED
    for each in page.documents:
        if not each.is_held_back and not left:
            continue
        left -= not each.is_held_back
        marks = gold[digest_of(project.documents.get(each.id).text)]
        project.annotations.save(each.id, ANNOTATOR, marks=marks, state="done", revision=0)


def kept_scores(before: Path, after: Path, labels: tuple[str, ...]) -> dict[str, Any] | None:
    """Strict F1 before and after on text the model was made for."""
    names = {"Disease": "Disease", "Chemical": "Chemical"}
    known = [label for label in labels if label in names]
    if not known:
        return None
    gold = _sentences(load(KEPT, "dev"), names)
    gold = [d.replace(entities=tuple(e for e in d.entities if e.label in known)) for d in gold]
    scores = msgspec.to_builtins(score(before, after, gold, known))
    return {"corpus": KEPT, "labels": known, **{key: scores[key]["f1"] for key in ("before", "after")}}


def expected_error(model: Path, gold: list[Document]) -> float | None:
    """How far the scores of mentions are from their precision; None where nothing is found."""
    labels = {entity.label for document in gold for entity in document.entities}
    found = load_model(model, threads=1).annotate(document.replace(entities=()) for document in gold)
    found = [d.replace(entities=tuple(e for e in d.entities if e.label in labels)) for d in found]
    told = evaluate(gold, found, resamples=0).calibration
    return None if told is None else round(told.expected_error, 4)


if __name__ == "__main__":
    main()
