"""A range of architectures, with and without bootstrapped embeddings, on the medication fields of PHEE.

    MEDSPAN_DATA=DIR python benchmarks/architectures.py -o OUT --vectors vectors-en --seeds 13
    MEDSPAN_DATA=DIR python benchmarks/architectures.py -o OUT --encoders char_blstm --charlm charlm-en
    python benchmarks/architectures.py --summary

PHEE is the open stand-in for the i2b2 2009 medication task. The recipe is recipes/phee.toml; only the kind
of the encoder and of the head change, each encoder with its default widths and word vectors of 100.
``vectors`` starts the words of `window`, `cnn` and `blstm_cnn` from a folder of medspan pretrain vectors;
``charlm`` starts `char_blstm`, which has no words, from a folder of medspan pretrain charlm. A start without
a folder is left out. The dev split selects the checkpoint; the test split is only scored.

Every run is a folder OUT/ENCODER-HEAD-START-SEED and is kept in architectures.json beside this file as it
finishes; a run that is there is not repeated, and a training that was stopped goes on. Beside the runs
stands what a tag sequence can hold of this corpus, whose fields nest here and there: the best possible F1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from facts import facts, figures, label_figures, read_json, write_json
from recipes import labels_of, train, with_seed
from transfer import paired_gain, report_of

from medspan.config import BlstmCnn, CharBlstm, Cnn, Window, load_recipe
from medspan.corpora import load
from medspan.features.cut import cut, unit_chunks
from medspan.metrics import Score
from medspan.model.store import open_model
from medspan.train.data import read_corpora, relabel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.config import EncoderConfig, Recipe
    from medspan.tags import Chunk
    from medspan.types import Document

HERE = Path(__file__).resolve()
WORD_WIDTH = 100
ENCODERS: dict[str, EncoderConfig] = {
    "window": Window(word_width=WORD_WIDTH),
    "cnn": Cnn(word_width=WORD_WIDTH),
    "blstm_cnn": BlstmCnn(word_width=WORD_WIDTH),
    "char_blstm": CharBlstm(),
}
HEADS = ("crf", "softmax")
STARTS = {"window": "vectors", "cnn": "vectors", "blstm_cnn": "vectors", "char_blstm": "charlm"}
"""What an encoder can start from but a random draw."""


class Run(NamedTuple):
    """One training."""

    encoder: str
    head: str
    start: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in the results and among the folders."""
        return f"{self.encoder}-{self.head}-{self.start}-{self.seed}"


def planned(
    encoders: Iterable[str], heads: Sequence[str], seeds: Iterable[int], starts: dict[str, Path | None]
) -> list[Run]:
    """All runs, the first seed of everything before the second of anything."""
    pairs = [(kind, start) for kind in encoders for start in ("random", STARTS[kind])]
    return [
        Run(kind, head, start, seed)
        for seed in seeds
        for kind, start in pairs
        if start == "random" or starts[start] is not None
        for head in heads
    ]


def recipe_of(recipe: Recipe, run: Run) -> Recipe:
    """The recipe of a run: another encoder, another kind of head, the same everything else."""
    heads = {
        name: msgspec.structs.replace(head, kind=run.head)  # type: ignore[arg-type]
        for name, head in recipe.heads.items()
    }
    changed = msgspec.structs.replace(
        recipe, name=f"{recipe.name}-{run.encoder}-{run.head}", encoder=ENCODERS[run.encoder], heads=heads
    )
    return with_seed(changed, run.seed)


def do(recipe: Recipe, run: Run, folder: Path, start: Path | None) -> dict[str, Any]:
    """Train and score; what is kept of it."""
    chosen = recipe_of(recipe, run)
    model = folder / run.key
    if not model.exists():
        train(chosen, model, start)
    report, counts = report_of(chosen, model, "test")
    write_json(folder / f"{run.key}.counts.json", {"test": counts})
    log = (folder / f"{run.key}.run" / "metrics.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in log.splitlines()]
    opened = open_model(model)
    return facts(
        run.seed,
        encoder=run.encoder,
        head=run.head,
        start=run.start,
        dev=round(max(row["dev_mean"] for row in rows), 4),
        test={**figures(report), "by_label": label_figures(report)},
        epochs=len(rows),
        minutes=round(60 * json.loads(opened.read("metrics.json"))["hours"], 1),
        megabytes=round(sum((model / name).stat().st_size for name in shipped(opened.spec.files)) / 1e6, 1),
    )


def shipped(files: Iterable[str]) -> list[str]:
    """The files of a model that annotating needs."""
    return [name for name in files if name != "model.safetensors"]


def summary(runs: dict[str, Any], folder: Path | None, before: dict[str, Any]) -> dict[str, Any]:
    """By architecture and start mean figures over the seeds, and what the start gains over a random one.

    Args:
        runs: by key.
        folder: where the counts by document are; None, or without them, keeps the intervals of before.
        before: the summary that stood there.
    """
    found: dict[str, Any] = {}
    for kind in ENCODERS:
        for head in HEADS:
            mine = [row for row in runs.values() if (row["encoder"], row["head"]) == (kind, head)]
            if not mine:
                continue
            name = f"{kind}-{head}"
            starts = [start for start in ("random", STARTS[kind]) if any(r["start"] == start for r in mine)]
            old = before.get(name, {}).get("gain")
            found[name] = {
                "encoder": kind,
                "head": head,
                "f1": {start: _figures([row for row in mine if row["start"] == start]) for start in starts},
                "gain": gain(mine, STARTS[kind], folder) or old,
            }
    return found


def _figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; the interval is that of the only run, or the mean of the ends of several."""
    values = [row["test"]["f1"] for row in rows]
    labels = [row["test"]["by_label"] for row in rows]
    return {
        "mean": _mean(values),
        "std": round(statistics.stdev(values), 4) if len(values) > 1 else None,
        "low": _mean([row["test"]["low"] for row in rows]),
        "high": _mean([row["test"]["high"] for row in rows]),
        "dev": _mean([row["dev"] for row in rows]),
        "seeds": sorted(row["seed"] for row in rows),
        "minutes": round(statistics.fmean(row["minutes"] for row in rows), 1),
        "by_label": {name: _mean([row[name]["f1"] for row in labels]) for name in labels[0]},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.fmean(known), 4) if known else None


def gain(rows: Sequence[dict[str, Any]], start: str, folder: Path | None) -> dict[str, Any] | None:
    """What a start gains over the random one on the seeds both have; None where counts are missing."""
    seeds = [{row["seed"] for row in rows if row["start"] == name} for name in (start, "random")]
    both = sorted(seeds[0] & seeds[1])
    if not both or folder is None:
        return None
    kind, head = rows[0]["encoder"], rows[0]["head"]
    paths = [
        [folder / f"{Run(kind, head, name, seed).key}.counts.json" for seed in both]
        for name in (start, "random")
    ]
    if not all(path.exists() for group in paths for path in group):
        return None
    after, before = (np.array([read_json(path)["test"] for path in group], np.float64) for group in paths)
    return {**paired_gain(after, before), "start": start, "seeds": both}


def held(recipe: Recipe) -> dict[str, Any]:
    """Of each split, what one sequence of tags can hold, and the F1 of tags without an error."""
    ((name, corpus),) = recipe.corpora.items()
    labels = labels_of(recipe, name)
    found: dict[str, Any] = {
        split: _held(relabel(load(corpus.source, split), corpus.labels), labels, recipe)
        for split in ("train", "dev", "test")
    }
    (training,) = read_corpora(recipe, HERE.parent)
    found["train"] |= {"sentences": training.counts.sentences, "left_out": training.counts.leaked}
    return {"name": corpus.source, **found}


def _held(documents: Sequence[Document], labels: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    mentions = whole = flat = 0
    by_label = dict.fromkeys(labels, 0)
    for document in documents:
        mine = {(e.spans, e.label): e for e in document.entities if e.label in by_label}
        mentions += len(mine)
        for entity in mine.values():
            by_label[entity.label] += 1
        whole += sum(not entity.is_discontinuous for entity in mine.values())
        for unit in cut(document, size=recipe.window.words, overlap=recipe.window.overlap):
            flat += len(without_overlap(unit_chunks(document, unit, labels)))
    return {
        "documents": len(documents),
        "mentions": mentions,
        "by_label": by_label,
        "discontinuous": mentions - whole,
        "nested_or_off_words": whole - flat,
        "best_f1": round(Score.of(flat, 0, mentions - flat).f1, 4),
    }


def without_overlap(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Of overlapping chunks the longest stays, as in training."""
    kept: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda c: (c[0] - c[1], c)):
        if all(chunk[1] <= other[0] or chunk[0] >= other[1] for other in kept):
            kept.append(chunk)
    return kept


def keep(path: Path, key: str, row: dict[str, Any], folder: Path) -> None:
    """Add a finished run to the result file; another process may have added others since."""
    results = read_json(path)
    runs = {**results.get("runs", {}), key: row}
    write_json(path, {**results, "summary": summary(runs, folder, results.get("summary", {})), "runs": runs})
    print(key, json.dumps(row["test"]), flush=True)


def main() -> int:
    """Do the runs that are not there yet, then say what they show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, default=HERE.parents[1] / "recipes" / "phee.toml")
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--vectors", type=Path, help="a folder of medspan pretrain vectors")
    parser.add_argument("--charlm", type=Path, help="a folder of medspan pretrain charlm, of English text")
    parser.add_argument("-o", "--out", type=Path, help="folder for the models")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    parser.add_argument("--summary", action="store_true", help="run nothing, only say what is there")
    options = parser.parse_args()
    if not options.summary:
        if options.out is None:
            parser.error("-o: name a folder for the models")
        study(options)
    results = read_json(options.output)
    results["summary"] = summary(results.get("runs", {}), options.out, results.get("summary", {}))
    write_json(options.output, results)
    print(json.dumps(results["summary"], indent=1))
    return 0


def study(options: argparse.Namespace) -> None:
    """Do the runs that are not there yet."""
    recipe = load_recipe(options.recipe)
    options.out.mkdir(parents=True, exist_ok=True)
    if "corpus" not in (results := read_json(options.output)):
        write_json(options.output, {"corpus": held(recipe), **results})
    starts = {"vectors": options.vectors, "charlm": options.charlm}
    for run in planned(options.encoders, options.heads, options.seeds, starts):
        if run.key not in read_json(options.output).get("runs", {}):
            row = do(recipe, run, options.out, starts.get(run.start))
            keep(options.output, run.key, row, options.out)


if __name__ == "__main__":
    sys.exit(main())
