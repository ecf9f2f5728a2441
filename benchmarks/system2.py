"""The corpora of system 2's published table (Kocaman & Talby 2020, BLSTM-CNN-Char), with models of ours.

    MEDSPAN_DATA=DIR python benchmarks/system2.py -o OUT [--corpora NAME…] [--seeds 13] [--recipe RECIPE]
    MEDSPAN_DATA=DIR python benchmarks/system2.py -o OUT --start MODEL --together 12 [...]
    MEDSPAN_DATA=DIR python benchmarks/system2.py --model NAME=MODEL [--corpora NAME…]

For each corpus the recipe (recipes/transfer-ncbi.toml unless named) is trained on its training split, with
one head of all its labels, from the language models that come with medspan or what ``--start`` names; the dev
split selects the epoch, the test split is only scored. A row has strict entity F1 and token-micro F1: of the
IOB2 tags of words, without O, which is the likely measure of the published figures. Those were trained on
train and dev together, and their protocol is not stated in full; ``--together EPOCHS`` does so too, for as
many epochs on every corpus, so that nothing is selected (of them the one that fits the seen dev split best is
taken: one of the last). A run is a folder OUT/NAME-SEED[-START][-together], and is kept in system2.json
beside this file as it finishes; a run that is there is not repeated.
``--model`` trains nothing: it tests a model as it is on the corpora whose labels it finds.
BC4CHEMD, which is not free, is left to those who hold it (``--bc4chemd FOLDER``: a folder with its train, dev
and test splits).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from facts import facts, figures, numbered, read_json, write_json
from recipes import entry, train, with_seed

import medspan
from medspan.config import CorpusConfig, HeadConfig, Recipe, load_recipe
from medspan.corpora import load
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.train.data import relabel

HERE = Path(__file__).resolve()
PUBLISHED = {
    "NCBI-disease": 0.8913,
    "BC5CDR": 0.8973,
    "BC5CDR-chem": 0.9488,
    "BC4CHEMD": 0.9372,
    "BC2GM": 0.8875,
    "JNLPBA": 0.8129,
    "linnaeus": 0.8626,
    "S800": 0.8091,
    "AnatEM": 0.8913,
    "BioNLP13CG": 0.8558,
}
"""Micro-F1 as published, by corpus."""
RENAMED = {"GENE": "Gene"}
"""Labels of the corpora that our models know by another name."""
START = "bilm-bio"
LEAKED = 0.4
"""Of JNLPBA a fifth of train and a third of dev are test sentences of other corpora, and are left out."""


def recipe_of(base: Recipe, name: str, source: str, together: int | None = None) -> Recipe:
    """The recipe with this corpus in the place of its own, and one head of all its labels.

    ``together`` are the epochs of a run that learns from the dev split, too; None leaves it to select.
    """
    found = {entity.label for document in load(source, "train") for entity in document.entities}
    corpora = {"corpus": CorpusConfig(source)}
    settings = msgspec.structs.replace(base.train, max_leaked=LEAKED)
    if together:
        corpora["dev"] = CorpusConfig(source, train="dev")
        settings = msgspec.structs.replace(settings, epochs=together, patience=together)
    return msgspec.structs.replace(
        base,
        name=f"system2-{name.lower()}",
        description=f"{name}, for the comparison with system 2.",
        corpora=corpora,
        heads={"all": HeadConfig(tuple(sorted(found)), tuple(corpora))},
        train=settings,
    )


def main() -> int:
    """Do the runs that are not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, help="folder for the models")
    parser.add_argument("--model", metavar="NAME=MODEL", help="test this one, as it is")
    parser.add_argument("--corpora", nargs="+", choices=list(PUBLISHED), help="only these")
    parser.add_argument("--bc4chemd", type=Path, help="a folder with BC4CHEMD")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--recipe", type=Path, default=HERE.parents[1] / "recipes" / "transfer-ncbi.toml")
    parser.add_argument("--start", default=START, help="what to start from")
    parser.add_argument("--together", type=int, metavar="EPOCHS", help="learn from train and dev together")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    options = parser.parse_args()
    if (options.out is None) == (options.model is None):
        parser.error("give -o or --model")
    sources = {name: f"ner/{name}" for name in PUBLISHED if name != "BC4CHEMD"}
    if options.bc4chemd:
        sources["BC4CHEMD"] = str(options.bc4chemd.resolve())
    chosen = options.corpora or list(sources)
    if missing := [name for name in chosen if name not in sources]:
        parser.error(f"--corpora {missing[0]}: name its folder with --bc4chemd")
    if options.model:
        test_model(options, {name: sources[name] for name in chosen})
        return 0
    base = load_recipe(options.recipe)
    for seed in options.seeds:
        for name in chosen:
            key = run_name(name, seed, options)
            if key not in read_json(options.output).get("runs", {}):
                recipe = with_seed(recipe_of(base, name, sources[name], options.together), seed)
                keep(options.output, key, name, run(recipe, options.out / key, options))
    return 0


def keep(output: Path, key: str, corpus: str, row: dict[str, Any]) -> None:
    """Put a row into the result file."""
    results = read_json(output)
    runs = {**results.get("runs", {}), key: {"corpus": corpus, "published": PUBLISHED[corpus], **row}}
    write_json(output, {**results, "runs": runs})
    print(key, json.dumps(row["test"]), flush=True)


def test_model(options: argparse.Namespace, sources: dict[str, str]) -> None:
    """Test a model as it is on the corpora whose labels its heads find, each by one head."""
    name, _, place = options.model.partition("=")
    tagger = load_tagger(place, device="cpu", threads=1)
    decoders = dict(tagger.decoders)
    for corpus, source in sources.items():
        key = f"{corpus}-{name}"
        test = load(source, "test")
        names = {e.label: RENAMED.get(e.label, e.label) for document in test for e in document.entities}
        gold, labels = numbered(relabel(test, names)), set(names.values())
        heads = {head: decoder for head, decoder in decoders.items() if labels.issuperset(decoder.labels)}
        found = sorted(label for decoder in heads.values() for label in decoder.labels)
        if found != sorted(labels) or key in read_json(options.output).get("runs", {}):
            continue
        tagger.decoders = heads
        documents = tagger.annotate([document.replace(entities=()) for document in gold])
        scores = figures(medspan.evaluate(gold, documents, labels=sorted(labels)))
        seed = load_recipe(Path(place) / "recipe.toml").train.seed
        keep(options.output, key, corpus, facts(seed, model=name, together=None, dev=None, test=scores))


def run_name(corpus: str, seed: int, options: argparse.Namespace) -> str:
    """Of a run and its folder: what tells it from the other runs."""
    start = Path(options.start).name
    marks = {start: start != START, "together": bool(options.together)}
    return "-".join([corpus, str(seed), *(mark for mark, is_one in marks.items() if is_one)])


def run(recipe: Recipe, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train, unless the model is there, and score."""
    if not folder.exists():
        train(recipe, folder, Path(options.start))
    scored = msgspec.structs.replace(recipe, corpora={"corpus": recipe.corpora["corpus"]})
    found = entry(scored, options.recipe.name, folder)
    start = open_model(folder).spec.provenance.start
    return {
        **found,
        "start": start.name if start else None,
        "together": options.together,
        "dev": None if options.together else found["dev"]["corpus"],
        "test": found["test"]["corpus"],
    }


if __name__ == "__main__":
    sys.exit(main())
