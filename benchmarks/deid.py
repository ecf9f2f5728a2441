"""De-identification: data not of our making beside Presidio, synthetic notes, MEDDOCAN.

    MEDSPAN_DATA=DIR python benchmarks/deid.py MODEL [--meddocan MODEL] [--peers PYTHON] [--split dev]

MODEL is what recipes/deid.toml makes; ``none`` measures the patterns alone. deid/asq-phi and
deid/presidio-synthetic are never trained on. Their labels stand for these classes (`ASQ`, `PRESIDIO`); TITLE,
ORGANIZATION, AGE and NRP of Presidio's data are no identifiers of Safe Harbor as they stand there, and their
words count neither as found nor as too much. Every system is asked for what it would change; deid_scores.py
says how that is counted. Generated notes and notes with identifiers come from deid_notes.py: templates,
names and notes that nothing was trained on; there the lists of names, too, are without those of the part
``test``. ``--meddocan`` scores a model of recipes/meddocan.toml: strict
label and borders, and borders alone. Writes deid.json beside this file, under the key of the split.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deid_notes import test_documents
from deid_scores import Spans, score
from facts import facts, figures, merge_json, numbered

import medspan
from medspan.corpora import load
from medspan.model.store import open_model
from medspan.pipeline import find_model
from medspan.tasks.deid.finder import Finder
from medspan.tasks.deid.gazetteer import NameLists, known_names
from medspan.tasks.deid.labels import DIRECT, LABELS
from medspan.tasks.deid.notes_names import is_of
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.tasks.ner import EntityRecognizer

IDS = (
    "MEDICAL_RECORD_NUMBER",
    "HEALTH_PLAN_BENEFICIARY_NUMBER",
    "SOCIAL_SECURITY_NUMBER",
    "UNIQUE_IDENTIFIER",
    "ACCOUNT_NUMBER",
)
ASQ = {
    "NAME": "NAME",
    "DATE": "DATE",
    "GEOGRAPHIC_LOCATION": "LOCATION",
    "PHONE_NUMBER": "PHONE",
    "FAX_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "IP_ADDRESS": "IP",
    **dict.fromkeys((*IDS, "CERTIFICATE_LICENSE_NUMBER"), "ID"),
}
PRESIDIO = {
    "PERSON": "NAME",
    "DATE_TIME": "DATE",
    **dict.fromkeys(("GPE", "STREET_ADDRESS", "ZIP_CODE"), "LOCATION"),
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "DOMAIN_NAME": "URL",
    "IP_ADDRESS": "IP",
    **dict.fromkeys(("CREDIT_CARD", "US_SSN", "IBAN_CODE", "US_DRIVER_LICENSE"), "ID"),
}
IGNORED = frozenset({"TITLE", "ORGANIZATION", "AGE", "NRP"})
OWN = {label: label for label in LABELS}
TASKS = {
    "asq-phi": ("deid/asq-phi", ASQ, frozenset()),
    "presidio-synthetic": ("deid/presidio-synthetic", PRESIDIO, IGNORED),
}


def own_spans(finder: Finder, documents: Sequence[Document]) -> list[Spans]:
    """What medspan would change."""
    return [[(each.start, each.end) for each in found] for found in finder.find(documents)]


def peer_spans(python: str, documents: Sequence[Document]) -> tuple[list[Spans], dict[str, str]]:
    """What Presidio would change, and its versions."""
    with tempfile.TemporaryDirectory() as folder:
        texts, spans = Path(folder) / "texts.jsonl", Path(folder) / "spans.jsonl"
        texts.write_text("".join(json.dumps({"text": d.text}) + "\n" for d in documents), encoding="utf-8")
        script = Path(__file__).parent / "peers" / "deid_presidio.py"
        subprocess.run([python, str(script), str(texts), str(spans)], check=True)
        first, *rows = spans.read_text(encoding="utf-8").splitlines()
    return [[(start, end) for start, end, _ in json.loads(row)] for row in rows], json.loads(first)


def measure(finder: Finder, split: str, python: str | None) -> dict[str, Any]:
    """Data not of our making, of a split."""
    results: dict[str, Any] = {}
    for name, (source, classes, ignored) in TASKS.items():
        gold = numbered(load(source, split))
        bare = [Document(document.id, document.text) for document in gold]
        began = time.perf_counter()
        spans = own_spans(finder, bare)
        seconds = time.perf_counter() - began
        results[name] = {"documents": len(gold), "medspan": score(gold, spans, classes, ignored)}
        results[name]["medspan"]["seconds"] = round(seconds, 1)
        if python:
            began = time.perf_counter()
            spans, versions = peer_spans(python, bare)
            results[name]["presidio"] = {**score(gold, spans, classes, ignored), "versions": versions}
            results[name]["presidio"]["seconds_with_start"] = round(time.perf_counter() - began, 1)
    return results


def measure_generated(recognizer: EntityRecognizer | None) -> dict[str, Any]:
    """Notes of our making that nothing was trained on."""
    known = NameLists(*(frozenset(n for n in names if is_of("train", n)) for names in known_names()))
    finder = Finder(recognizer, names=known)
    results = {}
    for name, gold in test_documents().items():
        found = score(gold, own_spans(finder, [Document(d.id, d.text) for d in gold]), OWN)
        direct = [row for label, row in found["classes"].items() if label in DIRECT]
        entities = sum(row["entities"] for row in direct)
        whole = sum(round(row["recall"] * row["entities"]) for row in direct)
        results[name] = {"documents": len(gold), "direct_recall": round(whole / entities, 4), **found}
    return results


def measure_meddocan(model: str, split: str) -> dict[str, Any]:
    """Strict micro-F1 with labels, and with borders alone."""
    gold = load("deid/meddocan", split)
    recognizer = medspan.load(model, threads=1)
    found = list(recognizer.annotate(Document(d.id, d.text) for d in gold))
    labels = sorted({entity.label for document in gold for entity in document.entities})
    alike = dict.fromkeys(labels, "PHI")
    borders = medspan.evaluate(gold, [relabelled(d, alike) for d in found], labels=("PHI",), label_map=alike)
    return {
        "labels": figures(medspan.evaluate(gold, found)),
        "borders": figures(borders),
        "bytes": folder_bytes(model),
    }


def relabelled(document: Document, labels: dict[str, str]) -> Document:
    """A document whose entities have other labels."""
    entities = tuple(
        medspan.Entity(e.id, labels.get(e.label, e.label), e.spans, e.score) for e in document.entities
    )
    return document.replace(entities=entities)


def folder_bytes(model: str) -> int:
    """The size of a model folder without what only training needs."""
    return sum(
        path.stat().st_size for path in find_model(model).iterdir() if path.name != "model.safetensors"
    )


def show(name: str, results: dict[str, Any]) -> None:
    """A line a class."""
    print(name, "over-redaction", results["over_redaction"])
    for label, row in results["classes"].items():
        more = f"touched {row['touched']}  words {row['word_recall']}"
        print(f"  {label:12} {row['recall']:.4f} of {row['entities']}  {more}")


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a model of recipes/deid.toml, or none")
    parser.add_argument("--meddocan", metavar="MODEL", help="a model of recipes/meddocan.toml")
    parser.add_argument("--peers", metavar="PYTHON", help="the interpreter Presidio is installed for")
    parser.add_argument("--split", default="test", choices=("test", "dev", "train"))
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    recognizer = None if options.model == "none" else medspan.load(options.model, threads=1)
    finder = Finder(recognizer)
    results = measure(finder, options.split, options.peers)
    if options.split == "test":
        results["own"] = measure_generated(recognizer)
    if options.meddocan:
        results["meddocan"] = measure_meddocan(options.meddocan, options.split)
        print("meddocan", json.dumps(results["meddocan"]))
    for name in TASKS:
        for system in ("medspan", "presidio"):
            if system in results[name]:
                show(f"{name} {system}", results[name][system])
    for name, found in results.get("own", {}).items():
        show(f"{name}: direct {found['direct_recall']}", found)
    model = None if recognizer is None else open_model(find_model(options.model)).spec.name
    size = None if recognizer is None else folder_bytes(options.model)
    merge_json(
        options.output,
        f"{options.split}{'' if recognizer else ' patterns'}",
        facts(None, model=model, model_bytes=size, results=results),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
