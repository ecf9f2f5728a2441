"""Assertion beside medspacy and negspacy, and what sections and assertion cost.

    MEDSPAN_DATA=DIR python benchmarks/assertion.py [--medspacy PYTHON] [--negspacy PYTHON] [--network MODEL]
        [--split test|dev]

All systems get the same texts and mentions and say of each mention whether it is absent. NegEx kit: the
sentence with its condition, as the kit gives it (a condition the corpus could not locate is left out: 11 of
2,376). "whole" is every sentence of the kit; cues were developed on train and devel, so only "test" is
unseen. BioScope: mentions are what the shipped model (``default``) finds in the sentence; one is absent
where it lies inside a negation scope. Intervals are a bootstrap over sentences. Peers run in their own
environments with their defaults (``peers/assertion.py``). Speed is processor time of one thread on notes of
mtsamples, best of five. Writes assertion.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facts import facts, merge_json, read_json

import medspan
from medspan import formats
from medspan.corpora import load
from medspan.tasks.assertion import Assertion
from medspan.tasks.assertion.network import NetworkAssertion
from medspan.tasks.sections import Sections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.tasks.protocols import Annotator
    from medspan.types import Document, Entity

METHODS = ("rules", "head", "both")
RESAMPLES = 1000
NOTES = 120
ROUNDS = 5
TEMPORALITY = {"Recent": "current", "Historical": "historical", "Not particular": "hypothetical"}


class Set(NamedTuple):
    """Sentences with mentions; ``gold`` says of each mention whether it is absent."""

    documents: list[Document]
    gold: list[list[bool]]


def attributes(entity: Entity) -> dict[str, str]:
    """The attributes of an entity, by name."""
    return {item.name: item.value for item in entity.attributes}


def bare(document: Document) -> Document:
    """A document with its mentions alone."""
    entities = tuple(medspan.Entity(e.id, e.label, e.spans) for e in document.entities)
    return medspan.Document(document.id, document.text, entities=entities)


def negex(splits: Sequence[str]) -> Set:
    """The kit's sentences that hold their condition."""
    documents = [d for split in splits for d in load("assertion/negex", split) if d.entities]
    gold = [[attributes(e)["negation"] == "Negated" for e in d.entities] for d in documents]
    return Set(documents, gold)


def bioscope(split: str) -> Set:
    """BioScope's sentences with the mentions the shipped model finds."""
    documents = load("assertion/bioscope-abstracts", split)
    texts = [medspan.Document(d.id, d.text) for d in documents]
    found = list(medspan.load(device="cpu", threads=1).annotate(texts))
    gold = []
    for document, mentions in zip(documents, found, strict=True):
        scopes = [(e.start, e.end) for e in document.entities if e.label == "NegationScope"]
        gold.append(
            [any(low <= e.start and e.end <= high for low, high in scopes) for e in mentions.entities]
        )
    return Set(found, gold)


def systems_of(network: Path | None) -> dict[str, Annotator]:
    """What medspan says it with, by name."""
    found: dict[str, Annotator] = {f"medspan {m}": Assertion(method=m) for m in METHODS}  # type: ignore[arg-type]
    if network:
        found["medspan network"] = NetworkAssertion(network, device="cpu", threads=1)
    return found


def judged(data: Set, annotator: Annotator) -> list[Document]:
    """What it says of the mentions, with sections found first."""
    return list(annotator.annotate(list(Sections().annotate(map(bare, data.documents)))))


def peer(name: str, python: Path, data: Set) -> tuple[list[list[bool]], dict[str, Any]]:
    """What a peer says of the mentions, and its seconds and version."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        rows = [{"text": d.text, "mentions": [[e.start, e.end] for e in d.entities]} for d in data.documents]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        script = Path(__file__).parent / "peers" / "assertion.py"
        command = [str(python), str(script), name, "--input", str(source), "--output", str(target)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        answers = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    said = [[answer.get("absent", False) for answer in row] for row in answers]
    return said, json.loads(done.stdout.splitlines()[-1])


def counts(gold: list[list[bool]], said: list[list[bool]]) -> list[tuple[int, int, int]]:
    """True positives, false positives and false negatives of each sentence."""
    rows = []
    for wanted, given in zip(gold, said, strict=True):
        pairs = list(zip(wanted, given, strict=True))
        rows.append(
            (
                sum(w and g for w, g in pairs),
                sum(g and not w for w, g in pairs),
                sum(w and not g for w, g in pairs),
            )
        )
    return rows


def f1(rows: Sequence[tuple[int, int, int]]) -> float:
    """F1 of summed counts."""
    right, wrong, missed = (sum(row[i] for row in rows) for i in range(3))
    return 2 * right / max(2 * right + wrong + missed, 1)


def scores(gold: list[list[bool]], said: list[list[bool]]) -> dict[str, Any]:
    """F1 of absent with its 95 % interval, precision, recall and counts."""
    rows = counts(gold, said)
    right, wrong, missed = (sum(row[i] for row in rows) for i in range(3))
    chance = random.Random(0)  # noqa: S311 - no secret
    drawn = sorted(f1(chance.choices(rows, k=len(rows))) for _ in range(RESAMPLES))
    return {
        "f1": round(f1(rows), 4),
        "low": round(drawn[int(0.025 * RESAMPLES)], 4),
        "high": round(drawn[int(0.975 * RESAMPLES)], 4),
        "precision": round(right / max(right + wrong, 1), 4),
        "recall": round(right / max(right + missed, 1), 4),
        "right": right,
        "wrong": wrong,
        "missed": missed,
    }


def other_accuracy(data: Set, said: list[Document]) -> dict[str, Any]:
    """Accuracy of temporality (three values; beside it always saying current) and of "someone else"."""
    pairs = [
        (attributes(g), attributes(s))
        for gold, found in zip(data.documents, said, strict=True)
        for g, s in zip(gold.entities, found.entities, strict=True)
    ]
    times = [
        (
            TEMPORALITY[g["temporality"]],
            "hypothetical" if s["assertion"] == "hypothetical" else s["temporality"],
        )
        for g, s in pairs
    ]
    others = [
        (g["experiencer"] != "Patient", s["assertion"] == "associated_with_someone_else") for g, s in pairs
    ]
    return {
        "temporality_accuracy": round(sum(g == s for g, s in times) / len(times), 4),
        "temporality_always_current": round(sum(g == "current" for g, _ in times) / len(times), 4),
        "temporality_f1": {
            value: round(f1([(g == s == value, s == value != g, g == value != s) for g, s in times]), 4)
            for value in TEMPORALITY.values()
        },
        "temporality_counts": {value: sum(g == value for g, _ in times) for value in TEMPORALITY.values()},
        "experiencer_accuracy": round(sum(g == s for g, s in others) / len(others), 4),
        "experiencer_others": sum(g for g, _ in others),
    }


def measure(
    data: Set, systems: dict[str, Annotator], peers: dict[str, Path], *, is_kit: bool
) -> dict[str, Any]:
    """All systems on one set."""
    result: dict[str, Any] = {
        "sentences": len(data.documents),
        "mentions": sum(map(len, data.gold)),
        "absent": sum(map(sum, data.gold)),
    }
    for name, annotator in systems.items():
        found = judged(data, annotator)
        said = [[attributes(e)["assertion"] == "absent" for e in d.entities] for d in found]
        result[name] = scores(data.gold, said) | (
            other_accuracy(data, found) if is_kit and isinstance(annotator, Assertion) else {}
        )
    for name, python in peers.items():
        said, more = peer(name, python, data)
        result[name] = scores(data.gold, said) | more
    return result


def seconds_of(work: Callable[[], object]) -> float:
    """Processor time of some work, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def speed(systems: dict[str, Annotator]) -> dict[str, Any]:
    """Words a second of the shipped model in one thread, and what share of its time the others take."""
    source = Path(os.environ["MEDSPAN_DATA"]) / "unlabelled/mtsamples.jsonl.gz"
    notes = [medspan.Document(d.id, d.text) for d, _ in zip(formats.read(source), range(NOTES), strict=False)]
    nlp = medspan.load(device="cpu", threads=1)
    found = list(nlp.annotate(notes))
    recognizing = seconds_of(lambda: list(nlp.annotate(notes)))
    sections = Sections()
    marked = list(sections.annotate(found))
    words = sum(len(note.text.split()) for note in notes)
    share = {"sections": seconds_of(lambda: list(sections.annotate(found))) / recognizing}
    for name, annotator in systems.items():
        seconds = seconds_of(lambda a=annotator: list(a.annotate(marked)))  # type: ignore[misc]
        share[name.replace("medspan", "assertion")] = seconds / recognizing
    return {
        "words": words,
        "entities": sum(len(document.entities) for document in found),
        "ner_words_per_second": round(words / recognizing),
        "share_of_ner_time": {name: round(value, 4) for name, value in share.items()},
    }


def options_of() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--medspacy", type=Path, help="the Python of an environment with medspacy")
    parser.add_argument("--negspacy", type=Path, help="the Python of an environment with negspacy")
    parser.add_argument("--network", type=Path, help="a model of recipes/assertion.toml")
    parser.add_argument("--split", choices=("test", "dev"), default="test", help="dev writes nothing")
    parser.add_argument("--only", nargs="+", choices=("negex", "whole", "bioscope", "speed"))
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    return parser.parse_args()


def main() -> int:
    """Measure and write."""
    options = options_of()
    systems = systems_of(options.network)
    peers = {name: path for name in ("medspacy", "negspacy") if (path := getattr(options, name))}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "negex": lambda: measure(negex([options.split]), systems, peers, is_kit=True),
        "whole": lambda: measure(negex(["train", "dev", "test"]), systems, peers, is_kit=True),
        "bioscope": lambda: measure(bioscope(options.split), systems, peers, is_kit=False),
        "speed": lambda: speed(systems),
    }
    results = dict(read_json(options.output).get("assertion", {})) if options.only else {}
    for name in options.only or parts:
        results[name] = parts[name]()
        print(name, json.dumps(results[name], indent=1))
    if options.split == "test":
        merge_json(options.output, "assertion", facts(0, **{k: results[k] for k in parts if k in results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
