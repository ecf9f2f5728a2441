"""Accuracy of concepts for given mentions, by indexes built with the package's own commands.

    MEDSPAN_DATA=DIR python benchmarks/resolution.py [--sets NAME...] [--work FOLDER]

The protocol is that of BioSyn (Sung et al. 2020): mentions are given, short forms are written out by what the
document defines, coordinated mentions are taken apart, and the names of annotated mentions of train and devel
are in the dictionary beside those of the terminology. Stage 1: an index of the terminology and the names of
train; an encoder is learnt from its names, the ranking is fitted to devel (its accuracy there is given too,
by two-fold cross-validation over documents). Stage 2: an index of the terminology and the names of train and
devel, with the encoder and the ranking of stage 1; test chooses nothing.

Right at 1: the first concept is one of the gold ids (mentions without gold id are left out). ``merged``: ids
that MEDIC lists as alternatives of one disease count as one, in gold and in answers, where the file is there;
it serves the scoring of diseases only. ``all``: a mention of several gold ids needs all of them among as many
first concepts. ``ceiling``: share of mentions with a gold id in the terminology, and in the index with the
names of train and devel. ``unseen``: mentions none of whose ids is annotated in train or devel. Intervals are
bootstraps over documents. Writes resolution.json beside this file; sets that are there stay unless named.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from facts import bounds, facts, merge_json

from medspan.corpora import find_corpus, load
from medspan.metrics import bootstrap
from medspan.tasks.resolution.annotated import Mention, annotated_mentions
from medspan.tasks.resolution.dense import add_encoder, rewrite
from medspan.tasks.resolution.fit import Example, fit_weights
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.learning import FitSettings, fit_index, learn_index

from medspan.tasks.resolution.resolver import Resolver
from medspan.tasks.resolution.terminology import BuildSettings, build_index
from medspan.train.names import Names, NameSettings, learn_encoder

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from medspan.types import Document, Entity

SEED, RESAMPLES = 20, 1000


class Task(NamedTuple):
    """A test set: its documents, the entities that count, the terminologies of its index."""

    corpus: str
    labels: tuple[str, ...]
    terminologies: tuple[str, ...]
    asked: float
    reach: float

    @property
    def is_disease(self) -> bool:
        """Whether MEDIC's alternatives apply."""
        return "Chemical" not in self.labels


NCBI = ("SpecificDisease", "DiseaseClass", "Modifier", "CompositeMention")
TASKS = {
    "ncbi-disease": Task("standoff/ncbi-disease", NCBI, ("diseases",), 0.88, 0.92),
    "bc5cdr-disease": Task("standoff/bc5cdr", ("Disease",), ("diseases",), 0.90, 0.935),
    "bc5cdr-chem": Task("standoff/bc5cdr", ("Chemical",), ("chemicals", "mesh"), 0.92, 0.95),
    "ncbi-disease, medic": Task("standoff/ncbi-disease", NCBI, ("medic",), 0.88, 0.92),
    "bc5cdr-disease, medic": Task("standoff/bc5cdr", ("Disease",), ("medic",), 0.90, 0.935),
}


def terminology(name: str) -> Path:
    """The file of a terminology under MEDSPAN_DATA."""
    return find_corpus("resolution/ncbi-disease").parent / "terminology" / f"{name}.tsv.gz"


def ids_of(names: Collection[str]) -> set[str]:
    """Every id of some terminologies."""
    found = set()
    for name in names:
        with gzip.open(terminology(name), "rt", encoding="utf-8") as file:
            found |= {row[0] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    return found


def alternatives() -> dict[str, str]:
    """MEDIC's alternative ids, each with the id of its disease; empty where the file is not there."""
    if not terminology("medic").exists():
        return {}
    found = {}
    with gzip.open(terminology("medic"), "rt", encoding="utf-8") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            for other in row[3].split("|"):
                if re.fullmatch(r"OMIM:\d+|[CD]\d{6,9}", other):
                    found[other] = row[0]
    return found


def build(task: Task, splits: tuple[str, ...], folder: Path) -> None:
    """Build an index of the terminologies and the names of some splits."""
    settings = BuildSettings(mentions=(task.corpus,), splits=splits, labels=task.labels)
    build_index([terminology(name) for name in task.terminologies], folder, settings, say)


def first_stage(task: Task, folder: Path, names: NameSettings) -> Index:
    """The index with the names of train, and an encoder; one that is there already is taken as it is."""
    if not (folder / "encoder.npy").exists():
        build(task, ("train",), folder)
        learn_index(folder, lambda *parts: learn_encoder(Names(*parts), names, say))
    return Index(folder)


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def cross_validated(index: Index, task: Task) -> float:
    """Accuracy on devel, the ranking of each half of the documents fitted to the other half."""
    known: dict[Mention, Example] = {}
    rows: list[tuple[str, Example]] = []
    for mention, document in annotated_mentions(load(task.corpus, "dev"), task.labels):
        if mention not in known:
            known[mention] = example_of(index, mention.text, mention.ids)
        rows.append((document, known[mention]))
    halves = {name: place % 2 for place, name in enumerate(sorted({document for document, _ in rows}))}
    start = weight_vector(index.spec.ranking)
    right = 0
    for half in (0, 1):
        weights = fit_weights([example for document, example in rows if halves[document] != half], start)
        for example in (example for document, example in rows if halves[document] == half):
            if example.is_right.any():
                concepts = by_concept(index, example.evidence, weights).concepts
                right += bool(concepts[0] in index.concept[example.evidence.names[example.is_right]])
    return right / len(rows)


def bare(document: Document, labels: Collection[str]) -> Document:
    """A document with the mentions that count, without their concepts."""
    kept = [msgspec.structs.replace(e, concepts=()) for e in document.entities if e.label in labels]
    return document.replace(entities=tuple(kept), relations=())


class Outcome(NamedTuple):
    """A test mention: its document, and what is right about the answer."""

    document: str
    at_1: bool
    at_5: bool
    merged: bool
    whole: bool
    is_unseen: bool


def outcome(
    gold: Entity, found: Entity, document: str, seen: Collection[str], other: dict[str, str]
) -> Outcome:
    """Compare one answer with its gold ids."""
    wanted = {concept.id for concept in gold.concepts}
    answers = [concept.id for concept in found.concepts]
    merged = {other.get(each, each) for each in wanted}
    return Outcome(
        document,
        bool(answers) and answers[0] in wanted,
        bool(wanted & set(answers[:5])),
        bool(answers) and other.get(answers[0], answers[0]) in merged,
        {other.get(each, each) for each in answers[: len(wanted)]} >= merged,
        not wanted & set(seen),
    )


def share(outcomes: Sequence[Outcome], field: str) -> dict[str, Any]:
    """The share of mentions for which something is right, with its interval."""
    counts: dict[str, list[int]] = {}
    for each in outcomes:
        row = counts.setdefault(each.document, [0, 0, 0])
        row[0 if getattr(each, field) else 1] += 1
    interval = bootstrap([[tuple(row)] for row in counts.values()], seed=SEED, resamples=RESAMPLES).precision
    right = sum(getattr(each, field) for each in outcomes)
    return {
        "accuracy": round(right / max(len(outcomes), 1), 4),
        **bounds(interval),
        "mentions": len(outcomes),
    }


def test(task: Task, folder: Path) -> dict[str, Any]:
    """Resolve the mentions of the test documents, and score."""
    gold = load(task.corpus, "test")
    began = time.perf_counter()
    found = list(
        Resolver(folder, none_below=0.0, deep=True).annotate(bare(document, task.labels) for document in gold)
    )
    seconds = time.perf_counter() - began
    known = [load(task.corpus, split) for split in ("train", "dev")]
    seen = {
        each for part in known for mention, _ in annotated_mentions(part, task.labels) for each in mention.ids
    }
    other = alternatives() if task.is_disease else {}
    outcomes, wanted = [], []
    for one, answer in zip(gold, found, strict=True):
        answers = {entity.id: entity for entity in answer.entities}
        for entity in one.entities:
            if entity.label in task.labels and entity.concepts:
                outcomes.append(outcome(entity, answers[entity.id], one.id, seen, other))
                wanted.append({concept.id for concept in entity.concepts})
    ids = ids_of(task.terminologies)
    unseen = [each for each in outcomes if each.is_unseen]
    return {
        "at_1": share(outcomes, "at_1"),
        "at_1_merged": share(outcomes, "merged") if other else None,
        "at_5": share(outcomes, "at_5"),
        "at_1_all": share(outcomes, "whole"),
        "unseen_at_1": share(unseen, "at_1"),
        "unseen_at_1_merged": share(unseen, "merged") if other else None,
        "ceiling_terminology": round(sum(bool(each & ids) for each in wanted) / len(wanted), 4),
        "ceiling_with_train_devel": round(sum(bool(each & (ids | seen)) for each in wanted) / len(wanted), 4),
        "mentions_per_second": round(len(outcomes) / seconds),
    }


def measure(task: Task, work: Path, names: NameSettings) -> dict[str, Any]:
    """Both stages of one set."""
    first = first_stage(task, work / "train", names)
    if first.dense is None:
        raise SystemExit(f"{first.path}: has no encoder; remove it")
    devel = cross_validated(first, task)
    fitted = fit_index(first.path, FitSettings((task.corpus,), "dev", task.labels))
    second = work / "train-devel"
    build(task, ("train", "dev"), second)
    add_encoder(Index(second), first.dense.encoder)
    rewrite(Index(second), ranking=fitted.spec.ranking)
    return {
        "corpus": task.corpus,
        "terminologies": list(task.terminologies),
        "names": Index(second).spec.names,
        "asked": task.asked,
        "reach": task.reach,
        "devel_cross_validated": round(devel, 4),
        "epochs": names.epochs,
        **test(task, second),
        "ranking": msgspec.to_builtins(fitted.spec.ranking),
    }


def options_of() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=list(TASKS), default=list(TASKS), help="only these")
    parser.add_argument("--epochs", type=int, default=NameSettings().epochs, help="of the encoder")
    parser.add_argument(
        "--work", type=Path, help="folder for the indexes; first stages that are there are kept"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    return parser.parse_args()


def main() -> int:
    """Measure the sets, and write as each is done."""
    options = options_of()
    settings = NameSettings(epochs=options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sets:
            work = (options.work or Path(folder)) / name.replace(", ", "-")
            row = measure(TASKS[name], work, settings)
            merge_json(options.output, name, facts(settings.seed, **row))
            print(
                name, json.dumps({key: row[key] for key in ("devel_cross_validated", "at_1", "at_1_merged")})
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
