"""Relation models, trained from their recipes and measured: DDI 2013, ChemProt, ADE, and PHEE two ways.

    MEDSPAN_DATA=DIR python benchmarks/relations.py -o FOLDER [--parts NAME…]

A part whose model stands in FOLDER already is only measured; else it is trained first, in this process and
with one thread. ChemProt and DDI start from MiniLM: `python -m tools.weights minilm -o
weights/all-MiniLM-L6-v2` first. What is measured chose nothing: DDI is measured on its dev split, and a part
of its training documents selects the checkpoint; ChemProt learns from 15/16 of train and dev, the rest
selects; the others select on dev. All but DDI are measured on test.

The parts named ``trial-`` are other ways that were tried on ChemProt: they learn from train, and only their
dev F1 is noted.

Strict: the label of a relation, and of both ends all borders and the label. Micro-F1 with a bootstrap over
documents. Given: the documents have their gold entities. End to end (``ade-end-to-end``): the texts are bare,
`ade-entities` finds the entities and `ade-relations` relates them. PHEE: the labels of mentions are hidden
behind Main and Part, so the field of each must be found; ``-random`` starts at random instead of from
bilm-bio, and each gain is the difference with a paired bootstrap. Writes relations.json beside this file, and
its figures into docs/relations.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from facts import bounds, facts, merge_json, read_json

from medspan import formats
from medspan.config import BlstmCnn, TrainConfig, TransferConfig
from medspan.corpora import split_path
from medspan.formats.protocol import ReadOptions
from medspan.metrics.intervals import gain_interval
from medspan.metrics.relations import RelationReport, evaluate_relations
from medspan.pipeline import Pipeline, load
from medspan.tasks.relations import RelationExtractor

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.train.relations.settings import RelationRecipe
    from medspan.types import Document

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs" / "relations.md"
MARKS = ("<!-- figures of benchmarks/relations.json -->\n", "<!-- end of figures -->\n")
SEED = 13
RESAMPLES = 1000


class Part(NamedTuple):
    """A model to train, and the split it is measured on."""

    recipe: str
    source: str
    split: str
    is_random: bool = False


PARTS = {
    "ade": Part("ade-relations", "relation/ade", "test"),
    "chemprot": Part("chemprot", "relation/chemprot", "test"),
    "ddi": Part("ddi", "relation/ddi", "dev"),
    "phee-pairs": Part("phee-relations", "standoff/phee", "test"),
    "phee-pointers": Part("phee-pointers", "standoff/phee", "test"),
    "phee-pairs-random": Part("phee-relations", "standoff/phee", "test", is_random=True),
    "phee-pointers-random": Part("phee-pointers", "standoff/phee", "test", is_random=True),
}
TRIALS = {
    "trial-bilm": "bilm-bio in place of MiniLM, an LSTM over the words of a pair, no marks",
    "trial-bilm-marked": "the same with marks",
    "trial-bilm-blind": "the same with marks, mentions hidden behind the names of their labels",
}
END_TO_END = "ade-end-to-end"
GAINS = (("phee-pairs", "phee-pairs-random"), ("phee-pointers", "phee-pointers-random"))


class Log:
    """Prints a line an epoch to standard error."""

    def on_step(self, *_: object) -> None:
        """Say nothing of a step."""

    def on_epoch(self, row: Any, *, is_best: bool) -> None:  # noqa: ANN401 - an EpochRow
        """Say what was learnt."""
        say(f"epoch {row.epoch + 1}: loss {row.loss:.3f}, dev F1 {row.dev_mean:.4f}{' *' if is_best else ''}")


def say(line: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def from_random(recipe: RelationRecipe) -> RelationRecipe:
    """The same without its start."""
    return msgspec.structs.replace(recipe, transfer=None)


def trial(recipe: RelationRecipe, name: str) -> RelationRecipe:
    """The recipe of ChemProt over bilm-bio, learning from train and scored on dev."""
    views = msgspec.structs.replace(
        recipe.relations.views, marked=name != "trial-bilm", blind=name == "trial-bilm-blind", context=20
    )
    relations = msgspec.structs.replace(
        recipe.relations, views=views, folds=0, upper=True, width=128, dropout=0.4
    )
    return msgspec.structs.replace(
        recipe,
        encoder=BlstmCnn(hidden_width=224, dropout=0.25),
        transfer=TransferConfig(source="bilm-bio"),
        corpora={"chemprot": recipe.corpora["chemprot"]},
        relations=relations,
        train=TrainConfig(epochs=8, patience=3, batch_words=800, average=0.99),
    )


def train_part(
    name: str, output: Path, derive: Callable[[RelationRecipe], RelationRecipe] | None = None
) -> None:
    """Train a recipe, or what is derived from it."""
    from medspan.train.relations.run import train_relations  # noqa: PLC0415 - measuring needs no torch

    path = ROOT / "recipes" / f"{name}.toml"
    command = f"medspan train recipes/{path.name} -o {output.name}"
    resume = output.with_name(f"{output.name}.run").joinpath("checkpoint.safetensors").exists()
    train_relations(
        path, output, watcher=Log(), tell=say, device="cpu", resume=resume, command=command, derive=derive
    )


def train_entities(output: Path) -> None:
    """Train the tagger that stands before the relations of ADE."""
    from medspan.train.run import train  # noqa: PLC0415 - measuring needs no torch

    path = ROOT / "recipes" / "ade-entities.toml"
    resume = output.with_name(f"{output.name}.run").joinpath("checkpoint.safetensors").exists()
    train(
        path,
        output,
        watcher=Log(),
        tell=say,
        device="cpu",
        resume=resume,
        command="medspan train recipes/ade-entities.toml -o ade-entities",
    )


def documents_of(part: Part) -> tuple[list[Document], int]:
    """The split of a part, and how many malformed documents were left out."""
    rejected: list[str] = []
    options = ReadOptions(rejected=lambda _error, unit: rejected.append(unit))
    return list(formats.read(split_path(part.source, part.split), None, options)), len(rejected)


def row_of(report: RelationReport, **more: object) -> dict[str, Any]:
    """The figures of a report."""
    labels = {
        label: {"f1": round(score.f1, 4), **bounds(interval), "gold": score.support}
        for (label, score), interval in zip(report.labels.items(), report.intervals.label_f1, strict=True)
    }
    return {
        "f1": round(report.micro.f1, 4),
        **bounds(report.intervals.f1),
        "precision": round(report.micro.precision, 4),
        "recall": round(report.micro.recall, 4),
        "gold": report.micro.support,
        "labels": labels,
        **more,
    }


def measure(part: Part, model: Path) -> tuple[dict[str, Any], RelationReport]:
    """Relate the gold entities of a split and score it."""
    gold, rejected = documents_of(part)
    extractor = RelationExtractor(model, device="cpu", threads=1)
    began = time.perf_counter()
    found = list(extractor.annotate(document.replace(relations=()) for document in gold))
    seconds = time.perf_counter() - began
    spec = extractor.spec
    report = evaluate_relations(gold, found, spec.labels, symmetric=spec.views.symmetric, seed=SEED)
    metrics = msgspec.json.decode((model / "metrics.json").read_bytes())
    dev = {name: round(score["f1"], 4) for name, score in metrics["dev"].items()}
    more = {
        "source": part.source,
        "split": part.split,
        "documents": len(gold),
        "malformed_left_out": rejected,
        "selected_on": metrics["dev_of"],
        "selected_f1": dev,
        "epochs": metrics["epochs"],
        "start": start.name if (start := spec.provenance.start) else "random",
        "minutes_of_training": round(60 * metrics["hours"], 1),
        "seconds": round(seconds, 1),
    }
    return row_of(report, **more), report


def end_to_end(folder: Path) -> dict[str, Any]:
    """Entities by one model and relations by the other, from bare texts."""
    gold, rejected = documents_of(PARTS["ade"])
    pipeline = Pipeline(
        [
            load(folder / "ade-entities", device="cpu", threads=1),
            RelationExtractor(folder / "ade", device="cpu", threads=1),
        ]
    )
    bare = [document.replace(entities=(), relations=()) for document in gold]
    found = list(pipeline.annotate(bare))
    labels = ("AdverseEffect", "Dosage")
    report = evaluate_relations(gold, found, labels, seed=SEED)
    return row_of(
        report, source="relation/ade", split="test", documents=len(gold), malformed_left_out=rejected
    )


def gain(after: RelationReport, before: RelationReport) -> dict[str, Any]:
    """What a start gives over another, in F1, with a paired bootstrap over documents."""

    def totals(report: RelationReport) -> list[tuple[int, int, int]]:
        return [
            (sum(c[0] for c in row), sum(c[1] for c in row), sum(c[2] for c in row)) for row in report.counts
        ]

    interval = gain_interval([totals(after)], [totals(before)], seed=SEED, resamples=RESAMPLES)
    return {"f1": round(after.micro.f1 - before.micro.f1, 4), **bounds(interval)}


TITLES = {
    "ade": "ADE, entities given",
    END_TO_END: "ADE, end to end from bare text",
    "chemprot": "ChemProt, 13 relations, related pairs only",
    "ddi": "DDI 2013, entities given, dev split",
    "phee-pairs": "PHEE, `pairs`",
    "phee-pointers": "PHEE, `pointers`",
    "phee-pairs-random": "PHEE, `pairs`, random start",
    "phee-pointers-random": "PHEE, `pointers`, random start",
}
PHEE = tuple(name for name in PARTS if name.startswith("phee-"))


def page_figures(value: dict[str, Any]) -> str:
    """The tables of docs/relations.md, from the result file; what is missing is said to be."""
    results = value.get("results", {})
    lines = ["| what | split | micro-F1 | 95 % | relations |", "|---|---|---|---|---|"]
    for name, title in TITLES.items():
        if (row := results.get(name)) is None:
            lines.append(f"| {title} | | not measured yet | | |")
            continue
        lines.append(f"| {title} | {row['split']} | {row['f1']:.4f} | {_range(row)} | {row['gold']} |")
    for name, row in value.get("gains", {}).items():
        lines += [
            "",
            f"{TITLES[name]}: start from bilm-bio against random start {row['f1']:+.4f} ({_range(row)}).",
        ]
    measured = [name for name in PHEE if name in results]
    if measured:
        lines += ["", "| field of PHEE | " + " | ".join(TITLES[name][6:] for name in measured) + " |"]
        lines.append("|---" * (len(measured) + 1) + "|")
        for label in results[measured[0]]["labels"]:
            cells = [results[name]["labels"][label] for name in measured]
            lines.append(f"| {label} | " + " | ".join(f"{c['f1']:.3f} ({_range(c)})" for c in cells) + " |")
    if trials := value.get("trials"):
        lines += ["", "| tried on ChemProt, learnt from train | dev micro-F1 | epochs |", "|---|---|---|"]
        lines += [f"| {row['what']} | {row['dev_f1']:.4f} | {row['epochs']} |" for row in trials.values()]
    return "\n".join(lines) + "\n"


def _range(row: dict[str, Any]) -> str:
    return "none" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"


def write_page() -> None:
    """Put the figures of the result file into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    behind = rest.partition(MARKS[1])[2]
    page = before + MARKS[0] + page_figures(read_json(OUTPUT)) + MARKS[1] + behind
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    """Train what is missing, measure, and write the result file after every part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the models")
    every = [*PARTS, END_TO_END, *TRIALS]
    parser.add_argument("--parts", nargs="+", default=every, choices=every)
    arguments = parser.parse_args()
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.parts:
        if name in TRIALS:
            if not (folder / name).exists():
                train_part("chemprot", folder / name, partial(trial, name=name))
            record_trial(name, folder / name)
            continue
        if name == END_TO_END:
            if not (folder / "ade-entities").exists():
                train_entities(folder / "ade-entities")
            record(name, end_to_end(folder))
            continue
        if not (folder / name).exists():
            train_part(PARTS[name].recipe, folder / name, from_random if PARTS[name].is_random else None)
        record(name, measure(PARTS[name], folder / name)[0])
    record_gains(folder)


def record(name: str, row: dict[str, Any]) -> None:
    """Put the figures of a part into the result file."""
    say(f"{name}: F1 {row['f1']} ({row['low']} to {row['high']})")
    results = {**read_json(OUTPUT).get("results", {}), name: row}
    merge_json(OUTPUT, "facts", facts(SEED))
    merge_json(OUTPUT, "results", results)
    write_page()


def record_trial(name: str, model: Path) -> None:
    """Put the dev F1 of a trial into the result file."""
    metrics = msgspec.json.decode((model / "metrics.json").read_bytes())
    row = {
        "what": TRIALS[name],
        "dev_f1": round(metrics["dev"]["chemprot"]["f1"], 4),
        "epochs": metrics["epochs"],
        "minutes_of_training": round(60 * metrics["hours"], 1),
    }
    merge_json(OUTPUT, "trials", {**read_json(OUTPUT).get("trials", {}), name: row})
    write_page()


def record_gains(folder: Path) -> None:
    """Put what a pretrained start gives into the result file, where both models are there."""
    found = {}
    for after, before in GAINS:
        if (folder / after).exists() and (folder / before).exists():
            reports = [measure(PARTS[name], folder / name)[1] for name in (after, before)]
            found[after] = gain(*reports)
    if found:
        merge_json(OUTPUT, "gains", found)
        write_page()


if __name__ == "__main__":
    main()
