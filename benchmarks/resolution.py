"""Accuracy of concepts for given mentions, by indexes built with the package's own commands.

    MEDSPAN_DATA=DIR python benchmarks/resolution.py [--sets NAME...] [--work FOLDER]

The protocol is that of BioSyn (Sung et al. 2020): mentions are given, short forms are written out by what
the document defines, coordinated mentions are taken apart, and the names of annotated mentions of train and
devel are in the dictionary beside those of the terminology.

Stage 1: an index of the terminology and the names of train; an encoder is learnt from its names; the ranking
is fitted to devel, and to train with the mentions of each document left out of the index. ``devel`` is scored
as test is, the ranking of each half of its documents fitted to the other half and train. Stage 2: an index of
the terminology and the names of train and devel, with the encoder and the ranking of stage 1; test chooses
nothing.

Right at 1: the first concept is one of the gold ids, as they stand (mentions without gold id are left out).
``merged``: ids that MEDIC lists as alternatives of one disease count as one, in gold and in answers, as they
do for systems whose dictionary is MEDIC (DNorm, TaggerOne, BioSyn, SapBERT); MEDIC serves the scoring of
diseases only, where its file is there. ``all``: merged, and a mention of several gold ids needs all of them
among as many first concepts. ``ceiling``: share of mentions with a gold id in the terminology, and in the
index with the names of train and devel. ``unseen``: mentions none of whose ids is annotated in train or devel
(for devel: in train). ``errors``: why answers of devel are wrong (merged), each counted once, by the first
that holds. Intervals are bootstraps over documents. Writes resolution.json beside this
file; sets that are there stay unless named.
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
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from facts import bounds, facts, merge_json

from medspan.corpora import find_corpus, load
from medspan.metrics import bootstrap
from medspan.tasks.resolution.annotated import annotated_mentions
from medspan.tasks.resolution.dense import add_encoder, rewrite
from medspan.tasks.resolution.fit import calibrated, fit_weights, points_of
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.learning import (
    FitSettings,
    fit_index,
    held_out_examples,
    learn_index,
    own_examples,
)
from medspan.tasks.resolution.lookup import Lookup
from medspan.tasks.resolution.mentions import forms_of, ways_to_say
from medspan.tasks.resolution.resolver import Resolver
from medspan.tasks.resolution.terminology import BuildSettings, build_index
from medspan.tasks.resolution.twins import twins_of
from medspan.text.short_forms import is_short_form
from medspan.train.names import Names, NameSettings, learn_encoder

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from medspan.types import Document, Entity

SEED, RESAMPLES = 20, 1000
SHOWN = 20
LONGEST_SHORT = 6


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


class Scored(NamedTuple):
    """A split, resolved: gold mentions with their answers, and the seconds it took."""

    pairs: list[tuple[Document, Entity, Entity]]
    seconds: float

    def __add__(self, other: Scored) -> Scored:  # type: ignore[override]
        return Scored(self.pairs + other.pairs, self.seconds + other.seconds)


def resolved(task: Task, lookup: Lookup, documents: Sequence[Document]) -> Scored:
    """Resolve the mentions of some documents."""
    began = time.perf_counter()
    found = list(Resolver(lookup).annotate(bare(document, task.labels) for document in documents))
    seconds = time.perf_counter() - began
    pairs = []
    for gold, answer in zip(documents, found, strict=True):
        answers = {entity.id: entity for entity in answer.entities}
        pairs += [
            (gold, entity, answers[entity.id])
            for entity in gold.entities
            if entity.label in task.labels and entity.concepts
        ]
    return Scored(pairs, seconds)


def seen_ids(task: Task, splits: Sequence[str]) -> set[str]:
    """Ids that are annotated in some splits."""
    known = (annotated_mentions(load(task.corpus, split), task.labels) for split in splits)
    return {each for part in known for mention, _ in part for each in mention.ids}


def figures(task: Task, scored: Scored, known: Sequence[str]) -> dict[str, Any]:
    """The figures of a split, by the ids that other splits have."""
    seen = seen_ids(task, known)
    other = alternatives() if task.is_disease else {}
    outcomes = [outcome(gold, found, document.id, seen, other) for document, gold, found in scored.pairs]
    wanted = [{concept.id for concept in gold.concepts} for _, gold, _ in scored.pairs]
    ids = ids_of(task.terminologies)
    either = ids | seen
    unseen = [each for each in outcomes if each.is_unseen]
    return {
        "at_1": share(outcomes, "at_1"),
        "at_1_merged": share(outcomes, "merged") if other else None,
        "at_1_all": share(outcomes, "whole"),
        "at_5": share(outcomes, "at_5"),
        "unseen_at_1": share(unseen, "at_1"),
        "unseen_at_1_merged": share(unseen, "merged") if other else None,
        "ceiling_terminology": round(sum(bool(each & ids) for each in wanted) / len(wanted), 4),
        "ceiling_with_mentions": round(sum(bool(each & either) for each in wanted) / len(wanted), 4),
        "mentions_per_second": round(len(outcomes) / scored.seconds),
    }


def devel(task: Task, index: Index) -> Scored:
    """Resolve devel, the ranking of each half of its documents fitted to the other half and train.

    What scores of a half are worth is taken from the other half, as ranked by what was fitted to this one.
    """
    settings = FitSettings((task.corpus,), "dev", task.labels, own=(task.corpus,))
    twins = twins_of(index)
    held_out, own = held_out_examples(index, settings, twins), own_examples(index, settings, twins)
    documents = sorted(load(task.corpus, "dev"), key=lambda document: document.id)
    halves = [{document.id for document in documents[half::2]} for half in (0, 1)]
    parts = [[example for example in held_out if example.document in half] for half in halves]
    fitted = [fit_weights([*parts[1 - half], *own], index.spec.ranking) for half in (0, 1)]
    points = [points_of(part, ranking) for part, ranking in zip(parts, fitted, strict=True)]
    scored = Scored([], 0.0)
    for half in (0, 1):
        mine = documents[half::2]
        ranking = calibrated(fitted[half], points[1 - half])
        lookup = Lookup(index, most=SHOWN, none_below=0.0, deep=True, ranking=ranking)
        scored += resolved(task, lookup, mine)
    return scored


def errors(task: Task, scored: Scored, index: Index) -> dict[str, int]:
    """Why answers are wrong, each counted once; mentions in all."""
    other = alternatives() if task.is_disease else {}
    ids = {other.get(each, each) for each in (index.ids[place] for place in range(index.spec.concepts))}
    found: Counter[str] = Counter(mentions=len(scored.pairs))
    for document, gold, answer in scored.pairs:
        wanted = {other.get(concept.id, concept.id) for concept in gold.concepts}
        answers = [other.get(concept.id, concept.id) for concept in answer.concepts]
        if not answers or answers[0] not in wanted:
            ways = ways_to_say(document.text_of(gold), forms_of(bare(document, task.labels)))
            found[_reason(wanted, answers, ids, ways, index)] += 1
    return dict(found)


def _reason(
    wanted: set[str], answers: Sequence[str], ids: Collection[str], ways: Sequence[str], index: Index
) -> str:
    text = index.first_met(*ways)
    if len(wanted) > 1:
        return "several_gold_ids"
    if wanted.isdisjoint(ids):
        return "concept_not_in_index"
    if text == ways[0] and is_short_form(text) and text.upper() == text and len(text) <= LONGEST_SHORT:
        return "short_form_not_written_out"
    if len(index.with_bag_key(text)):
        return "name_of_another_concept"
    return "right_among_20" if wanted & set(answers) else "right_not_found"


def measure(task: Task, work: Path, names: NameSettings) -> dict[str, Any]:
    """Both stages of one set."""
    first = first_stage(task, work / "train", names)
    if first.dense is None:
        raise SystemExit(f"{first.path}: has no encoder; remove it")
    scored = devel(task, first)
    fitted = fit_index(first.path, FitSettings((task.corpus,), "dev", task.labels, own=(task.corpus,)))
    second = work / "train-devel"
    build(task, ("train", "dev"), second)
    add_encoder(Index(second), first.dense.encoder)
    rewrite(Index(second), ranking=fitted.spec.ranking)
    row = {
        "corpus": task.corpus,
        "terminologies": list(task.terminologies),
        "names": Index(second).spec.names,
        "asked": task.asked,
        "reach": task.reach,
        "epochs": names.epochs,
        "devel": {**figures(task, scored, ("train",)), "errors": errors(task, scored, first)},
    }
    lookup = Lookup(second, none_below=0.0, deep=True)
    return {**row, **figures(task, resolved(task, lookup, load(task.corpus, "test")), ("train", "dev"))}


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
            print(name, json.dumps({key: row[key] for key in ("devel", "at_1", "at_1_merged")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
