"""The clinical model beside a model of each of its corpora alone, on their test splits.

    MEDSPAN_DATA=DIR python benchmarks/clinical.py -o FOLDER [--seeds 13 14 15] [--model clinical]

Needs recipes/clinical-extra (clinical_extra.py). Trains, with one thread, what does not stand in FOLDER yet:
recipes/clinical.toml, and the same recipe with one corpus and its heads alone (``maccrobat``, ``phee``); same
encoder, same start, same settings, each with its own dev split. With --model also measures a finished model:
each head alone, and what `medspan.load` finds with all of them, where two heads may find the same label.
Strict entity F1 of the shipped labels, intervals from 1,000 resamples of the documents, the gain with a
paired bootstrap over all seeds. Writes clinical.json beside this file, and its figures into docs/clinical.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from facts import bounds, facts, figures, fill_page, merge_json, read_json
from relations import Log, say
from transfer import document_counts

import medspan
from medspan.config import Recipe
from medspan.corpora import load
from medspan.errors import MedspanError
from medspan.metrics.intervals import gain_interval
from medspan.model.tagger import load_tagger
from medspan.pipeline import find_model
from medspan.toml import convert, read_toml
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "clinical.md"
RECIPE = ROOT / "recipes" / "clinical.toml"
SEED, RESAMPLES = 13, 1000
TITLES = {"maccrobat": "MACCROBAT2020", "phee": "PHEE"}
HEADS = {"maccrobat": "report", "phee": "treatment"}


def recipe() -> Recipe:
    """The recipe of the clinical model."""
    return convert(read_toml(RECIPE), Recipe, str(RECIPE))


def alone(whole: Recipe, corpus: str) -> Recipe:
    """The recipe with one corpus and the heads that learn from it."""
    heads = {
        name: msgspec.structs.replace(head, corpora=(corpus,))
        for name, head in whole.heads.items()
        if corpus in head.corpora
    }
    return msgspec.structs.replace(
        whole, name=corpus, corpora={corpus: whole.corpora[corpus]}, heads=heads, description=""
    )


def train(part: str, seed: int, folder: Path) -> Path:
    """The model of a part, trained if it is not there."""
    output = folder / f"{part}-{seed}"
    if (output / "config.json").exists():
        return output
    from medspan.train.run import train as run  # noqa: PLC0415 - measuring needs no torch

    def derive(whole: Recipe) -> Recipe:
        made = whole if part == "clinical" else alone(whole, part)
        return msgspec.structs.replace(made, train=msgspec.structs.replace(made.train, seed=seed))

    say(f"{part}, seed {seed}")
    resume = output.with_name(f"{output.name}.run").joinpath("checkpoint.safetensors").exists()
    command = f"medspan train recipes/clinical.toml --from bilm-bio -o {part}"
    run(
        RECIPE,
        output,
        watcher=Log(),
        tell=say,
        device="cpu",
        resume=resume,
        command=command,
        derive=derive,
        start=Path("bilm-bio"),
    )
    return output


def gold_of(corpus: str, split: str = "test") -> list[Document]:
    """A split with the labels of the recipe; other entities left out."""
    config = recipe()
    labels = config.corpora[corpus].labels or {}
    wanted = config.heads[HEADS[corpus]].labels
    return [
        document.replace(
            entities=tuple(
                msgspec.structs.replace(e, label=labels[e.label])
                for e in document.entities
                if labels.get(e.label) in wanted
            ),
            relations=(),
        )
        for document in load(config.corpora[corpus].source, split)
    ]


def by_head(model: Path, head: str, gold: Sequence[Document]) -> list[Document]:
    """What one head finds."""
    tagger = load_tagger(model, device="cpu", threads=1)
    for name in set(tagger.decoders) - {head}:
        tagger.decoders.pop(name)
    return tagger.annotate([Document(d.id, d.text, sentences=d.sentences) for d in gold])


def row(gold: Sequence[Document], found: Sequence[Document], head: str) -> dict[str, Any]:
    """Strict micro-F1 of the labels of a head, and the F1 of each label, with intervals."""
    wanted = recipe().heads[head].labels
    kept = [d.replace(entities=tuple(e for e in d.entities if e.label in wanted)) for d in found]
    report = medspan.evaluate(gold, kept, labels=wanted)
    labels = {
        each.label: {
            "f1": round(each.score.f1, 4),
            **bounds(each.f1_interval),
            "gold": each.score.support,
        }
        for each in report.labels
    }
    return {**figures(report), "labels": labels}


def measure(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Both models on each corpus, for each seed, and the gain of the whole one over all seeds."""
    results: dict[str, Any] = {}
    for corpus, head in HEADS.items():
        gold, labels = gold_of(corpus), frozenset(recipe().heads[head].labels)
        rows: dict[str, Any] = {}
        counts: dict[str, list[Any]] = {"alone": [], "clinical": []}
        for seed in seeds:
            rows[str(seed)] = {}
            for name, part in (("alone", corpus), ("clinical", "clinical")):
                found = by_head(train(part, seed, folder), head, gold)
                rows[str(seed)][name] = row(gold, found, head)
                counts[name].append(document_counts(gold, found, labels))
                say(f"{corpus} {seed} {name}: {rows[str(seed)][name]['f1']}")
        gain = gain_interval(counts["clinical"], counts["alone"], seed=SEED, resamples=RESAMPLES)
        means = {
            name: round(sum(each[name]["f1"] for each in rows.values()) / len(rows), 4)
            for name in ("alone", "clinical")
        }
        gained = {"f1": round(means["clinical"] - means["alone"], 4), **bounds(gain)}
        results[corpus] = {"documents": len(gold), "mean": means, "gain": gained, "seeds": rows}
    return results


def measure_model(name: str) -> dict[str, Any]:
    """A finished model: each head, and all heads together."""
    nlp = medspan.load(name, device="cpu", threads=1)
    folder = find_model(name)
    results = {}
    for corpus, head in HEADS.items():
        gold = gold_of(corpus)
        found = list(nlp.annotate(Document(d.id, d.text, sentences=d.sentences) for d in gold))
        results[corpus] = {
            "head": row(gold, by_head(folder, head, gold), head),
            "together": row(gold, found, head),
        }
    return results


def page_figures(value: dict[str, Any]) -> str:
    """The tables of docs/clinical.md, from the result file."""
    lines: list[str] = []
    for corpus, title in TITLES.items():
        found = value["shipped"]["results"][corpus]
        whole = f"{_percent(found['head'])} | {found['head']['gold']:,} | {_percent(found['together'])}"
        lines += [
            "",
            f"| {title}, test | F1 of its head | mentions | all heads together |",
            "|---|---|---|---|",
        ]
        lines.append(f"| **micro** | {whole} |")
        for label, each in found["head"]["labels"].items():
            both = found["together"]["labels"][label]
            lines.append(f"| {label} | {_percent(each)} | {each['gold']:,} | {_percent(both)} |")
    lines += ["", "| mean of seeds | alone | both corpora | gain |", "|---|---|---|---|"]
    for corpus, title in TITLES.items():
        means, gain = value["alone"]["results"][corpus]["mean"], value["alone"]["results"][corpus]["gain"]
        gained = f"{100 * gain['f1']:+.2f} ({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f})"
        lines.append(f"| {title} | {100 * means['alone']:.2f} | {100 * means['clinical']:.2f} | {gained} |")
    return "\n".join([*lines[1:], ""])


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['f1']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def main() -> int:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="folder of the models")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("--model", help="a finished model")
    parser.add_argument("--train-only", action="store_true", help="train and measure nothing")
    options = parser.parse_args()
    target = Path(__file__).with_suffix(".json")
    if options.train_only:
        for seed in options.seeds:
            for part in ("clinical", *HEADS):
                train(part, seed, options.output)
        return 0
    if options.output:
        merge_json(target, "alone", facts(options.seeds[0], results=measure(options.output, options.seeds)))
    if options.model:
        merge_json(target, "shipped", facts(None, model=options.model, results=measure_model(options.model)))
    value = read_json(target)
    if {"alone", "shipped"} <= value.keys():
        fill_page(PAGE, target, page_figures(value))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MedspanError as error:
        sys.exit(str(error))
