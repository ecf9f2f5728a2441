"""Training on Spark: other languages by their recipe alone, two processes against one, memory of the driver.

    MEDSPAN_DATA=DIR python benchmarks/spark_training.py [--parts languages replicas training_memory] -o OUT

``languages``: `MedspanNer` on a DataFrame of a corpus in Spanish, Swedish and French, two processes on two
executors that train one model; then its transformer on the test documents: strict F1. Where a corpus has no
dev split a tenth of train is drawn. ``replicas``: a recipe in one process and in two, ``--seeds`` each: F1 on
dev and test, and words a second. ``training_memory``: the driver while two processes train on ``--sentences``
sentences. Models go to OUT, and what is there is not trained again. Writes spark.json beside this
file, a part at a time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from clusters import RESULT, driver_memory, entity_of, keep, local
from facts import figures, numbered
from pyspark.sql import DataFrame
from pyspark.sql.functions import lit
from recipes import labels_of, spread, with_seed

import medspan
from medspan import formats
from medspan.config import load_recipe
from medspan.corpora import all_splits, load
from medspan.corpora.leaks import sentences_of
from medspan.spark import MedspanNer, MedspanNerModel
from medspan.toml import recipe_toml
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark.sql import SparkSession

    from medspan.config import Recipe

HERE = Path(__file__).resolve()
ENTITY = "array<struct<label:string,start:int,end:int>>"
ROW = f"id string, text string, entities {ENTITY}"
MASTER = "local-cluster[2,1,1024]"
MOST_DRIVER_MEGABYTES = 1500
SEED = 13  # of the recipes
ALIKE = "recipes/ncbi-fast.toml"


class Language(NamedTuple):
    """What is trained, and on what it is tested."""

    recipe: str
    tested_on: str


LANGUAGES = {
    "Spanish": Language("recipes/spanish-cantemist.toml", "standoff/cantemist"),
    "Swedish": Language("recipes/swedish-1177.toml", "swedish/1177"),
    "French": Language("recipes/french-e3c.toml", "standoff/e3c-fr"),
}


def corpus_of(recipe: Recipe) -> str:
    """The one corpus of a recipe."""
    (corpus,) = recipe.corpora.values()
    return corpus.source


def annotated(spark: SparkSession, corpus: str, folder: Path) -> tuple[DataFrame, bool]:
    """The documents to learn from, with a column of splits, and whether there are any for dev."""
    frames = []
    splits = all_splits(corpus)
    for split in [name for name in ("train", "dev") if name in splits]:
        documents = load(corpus, split)
        path = folder / f"{split}.jsonl"
        formats.write(documents, path, "jsonl")
        frames.append(spark.read.schema(ROW).json(str(path)).withColumn("split", lit(split)))
    return reduce(DataFrame.union, frames), len(frames) > 1


def fit(spark: SparkSession, recipe: Recipe, output: Path, *, processes: int) -> None:
    """Train on Spark what is not there yet."""
    if output.exists():
        return
    path = output.with_name(f"{output.name}.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(recipe_toml(recipe), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        rows, has_dev = annotated(spark, corpus_of(recipe), Path(folder))
        begun = output.with_name(f"{output.name}.run").exists()
        ner = MedspanNer(recipe=str(path), folder=str(output), processes=processes, resume=begun)
        ner.setParams(splitCol="split" if has_dev else None).fit(rows)


def tested(spark: SparkSession, recipe: Recipe, model: Path, corpus: str) -> dict[str, Any]:
    """Strict figures of the transformer on the test documents."""
    (name,) = recipe.corpora
    labels = labels_of(recipe, name)
    gold = numbered(load(corpus, "test"))
    rows = spark.createDataFrame(
        [(document.id, document.text) for document in gold], "id string, text string"
    )
    found = MedspanNerModel(model=str(model)).transform(rows).select("id", "entities").collect()
    by_id = {row["id"]: tuple(map(entity_of, row["entities"])) for row in found}
    predicted = [document.replace(entities=by_id[document.id]) for document in gold]
    return figures(medspan.evaluate(gold, predicted, labels=labels))


def curve(model: Path) -> list[dict[str, Any]]:
    """A row an epoch."""
    lines = (model.with_name(f"{model.name}.run") / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def languages(options: argparse.Namespace) -> dict[str, Any]:
    """Spanish, Swedish and French."""
    found = {}
    for language, (path, corpus) in LANGUAGES.items():
        recipe = load_recipe(HERE.parents[1] / path)
        model = options.out / recipe.name
        with local(MASTER) as spark:
            fit(spark, recipe, model, processes=2)
            test = tested(spark, recipe, model, corpus)
        epochs = curve(model)
        found[language] = {
            "recipe": path,
            "test_split": corpus,
            "test": test,
            "dev_f1": round(max(row["dev_mean"] for row in epochs), 4),
            "minutes": round(epochs[-1]["minutes"], 1),
            "words_per_second": rate(epochs),
        }
        print(language, json.dumps(found[language]), flush=True)
    return {"by_language": found}


def rate(epochs: Sequence[dict[str, Any]]) -> int:
    """The median over epochs of the words a second."""
    return round(statistics.median(row["words_per_second"] for row in epochs))


def replicas(options: argparse.Namespace) -> dict[str, Any]:
    """One process against two."""
    base = load_recipe(HERE.parents[1] / ALIKE)
    runs: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for seed in options.seeds:
        for processes, kept in runs.items():
            recipe = with_seed(base, seed)
            model = options.out / f"{base.name}-{seed}-{processes}"
            with local(MASTER) as spark:
                fit(spark, recipe, model, processes=processes)
                test = tested(spark, recipe, model, corpus_of(recipe))
            epochs = curve(model)
            dev = round(max(row["dev_mean"] for row in epochs), 4)
            kept.append({"seed": seed, "dev": dev, "test": test["f1"], "words_per_second": rate(epochs)})
            print(processes, json.dumps(kept[-1]), flush=True)
    return {"recipe": ALIKE, **{str(count): summary(kept) for count, kept in runs.items()}}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and deviation over seeds."""
    return {
        "dev_f1": spread([run["dev"] for run in runs]),
        "test_f1": spread([run["test"] for run in runs]),
        "words_per_second": round(statistics.median(run["words_per_second"] for run in runs)),
        "runs": runs,
    }


def many(corpus: str, count: int) -> Iterator[Document]:
    """Sentences of a corpus, each time round behind another number."""
    sentences = [sentence for document in load(corpus, "train") for sentence in apart(document)]
    for place in range(count):
        turn, at = divmod(place, len(sentences))
        yield shifted(sentences[at], str(place), f"{turn}) ")


def apart(document: Document) -> Iterator[Document]:
    """The sentences of a document by themselves."""
    for place in sentences_of(document):
        own = [
            entity for entity in document.entities if place.start <= entity.start < entity.end <= place.end
        ]
        moved = tuple(moved_by(entity, -place.start) for entity in own)
        yield Document(document.id, document.text[place.start : place.end], moved)


def shifted(document: Document, identity: str, before: str) -> Document:
    """The same behind other text."""
    moved = tuple(moved_by(entity, len(before)) for entity in document.entities)
    return Document(identity, before + document.text, moved)


def moved_by(entity: Entity, count: int) -> Entity:
    """The same entity so many characters later."""
    return Entity(entity.id, entity.label, (Span(entity.start + count, entity.end + count),))


def training_memory(options: argparse.Namespace) -> dict[str, Any]:
    """The driver while two processes train on many sentences."""
    base = load_recipe(HERE.parents[1] / ALIKE)
    once = msgspec.structs.replace(base, train=msgspec.structs.replace(base.train, epochs=1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats.write(many(corpus_of(base), options.sentences), folder / "many.jsonl", "jsonl")
        (folder / "once.toml").write_text(recipe_toml(once), encoding="utf-8")
        with local("local-cluster[2,1,1024]", spark__driver__memory="1g") as spark:
            rows = spark.read.schema(ROW).json(str(folder / "many.jsonl"))
            ner = MedspanNer(
                recipe=str(folder / "once.toml"), folder=str(folder / "model"), processes=2, devShare=0.02
            )
            with driver_memory() as driver:
                began = time.perf_counter()
                ner.fit(rows)
                seconds = time.perf_counter() - began
        epochs = curve(folder / "model")
    return {
        "sentences": options.sentences,
        "seconds": round(seconds),
        "words_per_second": rate(epochs),
        **driver,
        "asked": MOST_DRIVER_MEGABYTES,
    }


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "languages": languages,
    "replicas": replicas,
    "training_memory": training_memory,
}


def main() -> int:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("--sentences", type=int, default=300_000)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the models")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    options.out = options.out.resolve()
    for name in options.parts:
        found = PARTS[name](options)
        keep(options.output, name, found, seed=SEED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
