"""Boundary F1 of the sentence splitter against the sentences of two corpora of abstracts.

The gold sentences are those of the CoNLL files, the text is the raw text of the same documents; the two are
aligned by their characters that are not blank. A boundary is the position of a sentence's first character,
the first sentence of a document excepted. Rules were tuned on ``train`` and ``devel``; ``test`` was measured
once. The gold sentences were themselves cut by a program: most of the differences left are numbers that the
raw text pulls apart (``0. 05``) and numbered abstracts, where the gold text cuts after the number.

    MEDSPAN_DATA=DIR python benchmarks/sentences.py [--split devel|test] [--errors N] [--write]

``--write`` measures both splits and writes ``benchmarks/sentences.json``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path

from medspan.text.sentences import split_sentences

CORPORA = {"NCBI-disease": "ncbi-disease", "BC5CDR": "bc5cdr"}


def gold_documents(path: Path) -> list[list[str]]:
    """The sentences of each document of a CoNLL file, each as its characters without blanks."""
    documents: list[list[str]] = []
    words: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        lines = [*stream.read().split("\n"), ""]
    for line in lines:
        word = line.split("\t")[0]
        if word == "-DOCSTART-":
            documents.append([])
        elif word:
            words.append(word)
        elif words:
            documents[-1].append("".join(words))
            words = []
    return documents


def boundaries(lengths: list[int]) -> set[int]:
    """Where sentences begin, counted in characters that are not blank, without the first."""
    total, found = 0, set()
    for length in lengths[:-1]:
        total += length
        found.add(total)
    return found


def solid(text: str) -> str:
    """A text without blanks."""
    return "".join(text.split())


def measure(data: Path, name: str, split: str, errors: int) -> dict[str, float]:
    """Boundary precision, recall and F1 on one split of one corpus."""
    with gzip.open(data / "standoff" / CORPORA[name] / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = {record["id"]: record["text"] for record in map(json.loads, lines)}
    ids = (data / "ner" / name / f"{split}.docids.txt").read_text().split()
    counts = {"documents": 0, "unaligned": 0, "correct": 0, "predicted": 0, "gold": 0}
    for doc_id, sentences in zip(ids, gold_documents(data / "ner" / name / f"{split}.conll.gz"), strict=True):
        text = texts.get(doc_id, "")
        if solid(text) != "".join(sentences):
            counts["unaligned"] += 1
            continue
        gold = boundaries([len(sentence) for sentence in sentences])
        found = boundaries([len(solid(text[start:end])) for start, end in split_sentences(text)])
        counts["documents"] += 1
        counts["correct"] += len(gold & found)
        counts["predicted"] += len(found)
        counts["gold"] += len(gold)
        if errors > 0:
            errors -= show(solid(text), gold, found)
    precision, recall = counts["correct"] / counts["predicted"], counts["correct"] / counts["gold"]
    f1 = 2 * precision * recall / (precision + recall)
    return {"f1": round(f1, 4), "precision": round(precision, 4), "recall": round(recall, 4), **counts}


def show(characters: str, gold: set[int], found: set[int]) -> int:
    """Print the wrong boundaries of one document; return how many."""
    wrong = sorted(gold ^ found)
    for place in wrong:
        kind = "missed" if place in gold else "invented"
        print(kind, characters[max(0, place - 40) : place], "|", characters[place : place + 30])
    return len(wrong)


def main() -> int:
    """Measure, print, and on request write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=["train", "devel", "test"], default="devel")
    parser.add_argument("--errors", type=int, default=0, help="show this many wrong boundaries")
    parser.add_argument("--write", action="store_true", help="measure devel and test, write sentences.json")
    options = parser.parse_args()
    data = Path(os.environ["MEDSPAN_DATA"])
    splits = ["devel", "test"] if options.write else [options.split]
    results = {
        name: {split: measure(data, name, split, options.errors) for split in splits} for name in CORPORA
    }
    text = json.dumps({"claim": "sentence boundary F1 on abstracts", "results": results}, indent=2)
    print(text)
    if options.write:
        Path(__file__).with_suffix(".json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
