"""The shipped model on test splits through the real command line, scored with medspan.evaluate.

    MEDSPAN_DATA=DIR python benchmarks/shipped.py [MODEL] [--threads N] [--corpora NAME…]
    MEDSPAN_DATA=DIR python benchmarks/shipped.py [MODEL] --record FOLDER [--reuse]

``medspan annotate`` gets the bare texts, without entities. NCBI-disease, BC5CDR and BC2GM are raw text from
standoff/*, sentences found by medspan; the others are text rebuilt from words, with the corpus' sentences.
Strict micro-F1 (label and both borders) over the labels the corpus annotates; the interval is a bootstrap
over documents. BC2GM's alternative spans do not count. Seconds are those of the whole command, its start
included. Writes shipped.json beside this file. ``--record`` puts the scores into metrics.json of a model
folder and writes its card anew; ``--reuse`` takes them from shipped.json, if they are of the same graph.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from facts import facts, figures, merge_json, numbered, read_json

import medspan
from medspan import formats
from medspan.corpora import load
from medspan.model.store import open_model, save_model
from medspan.pipeline import find_model


class Task(NamedTuple):
    """A test split: its source, the name of its corpus in recipes, and the labels it annotates."""

    name: str
    source: str
    label_map: dict[str, str]

    @property
    def is_raw(self) -> bool:
        """Whether the texts are as published, not rebuilt from words."""
        return self.source.startswith("standoff/")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are scored."""
        return tuple(dict.fromkeys(self.label_map.values()))


DISEASE_KINDS = ("SpecificDisease", "DiseaseClass", "Modifier", "CompositeMention")
TASKS = (
    Task("ncbi", "standoff/ncbi-disease", dict.fromkeys(DISEASE_KINDS, "Disease")),
    Task("cdr", "standoff/bc5cdr", {"Disease": "Disease", "Chemical": "Chemical"}),
    Task("bc2gm", "standoff/bc2gm", {"GENE": "Gene"}),
    Task("linnaeus", "ner/linnaeus", {"Species": "Species"}),
    Task("anatem", "ner/AnatEM", {"Anatomy": "Anatomy"}),
    Task("cg-cell", "ner/BioNLP13CG-cell", {"Cell": "Cell"}),
    Task("jnlpba", "ner/JNLPBA", {"cell_type": "Cell", "cell_line": "Cell"}),
)


def bare(documents: list[medspan.Document], *, keep_sentences: bool) -> list[medspan.Document]:
    """The texts alone, numbered; a rebuilt text keeps the corpus' sentences."""
    return [
        medspan.Document(document.id, document.text, sentences=document.sentences if keep_sentences else ())
        for document in documents
    ]


def annotate(model: str, texts: Path, output: Path, threads: int | None) -> float:
    """Run the command; its seconds."""
    command = [sys.executable, "-m", "medspan", "annotate", str(texts), "-o", str(output), "--model", model]
    command += ["--device", "cpu"] + (["--threads", str(threads)] if threads else [])
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def measure(task: Task, model: str, threads: int | None) -> dict[str, Any]:
    """Annotate the test split of a task and score it."""
    gold = numbered(load(task.source, "test"))
    with tempfile.TemporaryDirectory() as folder:
        texts, output = Path(folder) / "texts.jsonl", Path(folder) / "found.jsonl"
        formats.write(bare(gold, keep_sentences=not task.is_raw), texts, "jsonl")
        seconds = annotate(model, texts, output, threads)
        found = list(formats.read(output))
    report = medspan.evaluate(gold, found, labels=task.labels, label_map=task.label_map)
    row = figures(report)
    by_label = {item.label: round(item.score.f1, 4) for item in report.labels}
    return {
        "source": task.source,
        "text": "raw" if task.is_raw else "rebuilt",
        **row,
        "by_label": by_label,
        "seconds": round(seconds, 1),
        "words_per_second": round(row["words"] / seconds),
    }


def folder_bytes(place: Path) -> int:
    """The size of a model folder."""
    return sum(path.stat().st_size for path in place.iterdir())


def record(place: Path, scores: dict[str, dict[str, Any]], recipe_path: Path | None) -> None:
    """Put test scores into metrics.json and the card of a model folder, which is written anew as a whole."""
    from medspan.config import load_recipe  # noqa: PLC0415 - only --record writes a card
    from medspan.train.card import model_card  # noqa: PLC0415 - as above

    model = open_model(place)
    files = {name: model.read(name) for name in model.spec.files}
    recipe = load_recipe(recipe_path or place / "recipe.toml")
    metrics = json.loads(files["metrics.json"])
    metrics["test"] = scores
    dev = {name: score["f1"] for name, score in metrics["dev"].items()}
    files["metrics.json"] = (json.dumps(metrics, indent=2) + "\n").encode()
    files["README.md"] = model_card(recipe, model.spec.provenance, dev, scores).encode()
    save_model(place, model.spec, files)


def test_scores(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What metrics.json and the card hold of the results."""
    kept = ("source", "text", "f1", "low", "high", "precision", "recall")
    return {name: {key: row[key] for key in kept} for name, row in results.items()}


def options_of() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="default", help="a model folder or a shipped name")
    parser.add_argument("--threads", type=int, help="of medspan annotate; all cores otherwise")
    parser.add_argument("--corpora", nargs="+", choices=[task.name for task in TASKS], help="only these")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write the scores into this model")
    parser.add_argument("--recipe", type=Path, help="recipe of the card; else the folder's recipe.toml")
    parser.add_argument("--reuse", action="store_true", help="measure nothing; take the figures of --output")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    return parser.parse_args()


def main() -> int:
    """Measure, write, and record on request."""
    options = options_of()
    place = find_model(options.model)
    model = open_model(place)
    key, graph = model.spec.name, model.spec.files["model.onnx"]
    before = read_json(options.output).get(key, {})
    results = dict(before.get("corpora", {})) if before.get("graph_sha256") == graph else {}
    if options.reuse and not results:
        print(f"{options.output}: has no figures of this model; leave out --reuse", file=sys.stderr)
        return 1
    if not options.reuse:
        known = set(model.spec.labels)
        chosen = [t for t in TASKS if not options.corpora or t.name in options.corpora]
        for task in (t for t in chosen if known >= set(t.labels)):
            results[task.name] = measure(task, options.model, options.threads)
            print(task.name, json.dumps(results[task.name]))
        ordered = {task.name: results[task.name] for task in TASKS if task.name in results}
        size = folder_bytes(place)
        words, seconds = (sum(row[name] for row in ordered.values()) for name in ("words", "seconds"))
        more = {
            "graph_sha256": graph,
            "folder_bytes": size,
            "threads": options.threads or "all cores",
            "words_per_second": round(words / seconds) if seconds else None,
        }
        merge_json(options.output, key, facts(None, **more, corpora=ordered))
        results = ordered
    if options.record:
        if open_model(options.record).spec.files["model.onnx"] != graph:
            print(f"{options.record}: holds another graph than the one measured", file=sys.stderr)
            return 1
        record(options.record, test_scores(results), options.recipe)
    return 0


if __name__ == "__main__":
    sys.exit(main())
