"""Trains spaCy's `ner` on NCBI-disease; run it with the peers' interpreter and PYTHONPATH=src:benchmarks.

    MEDSPAN_DATA=DIR PYTHONPATH=src:benchmarks PEERS/bin/python -m peers.train_spacy -o FOLDER [--seed 0]

The configuration is spaCy's own, unchanged: ``spacy init config --lang en --pipeline ner --optimize
efficiency``. A sentence is a document. spaCy keeps the weights of the best dev F1 in FOLDER/model-best.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import spacy
from peers import corpus
from spacy.tokens import Doc, DocBin
from spacy.training import biluo_tags_to_spans, iob_to_biluo


def convert(split: str, path: Path) -> None:
    """Write a split in spaCy's format."""
    vocab = spacy.blank("en").vocab
    store = DocBin()
    for sentence in corpus.tagged(split):
        doc = Doc(vocab, words=sentence.words)
        doc.ents = biluo_tags_to_spans(doc, iob_to_biluo(sentence.tags))
        store.add(doc)
    store.to_disk(path)


def main() -> int:
    """Convert, configure, train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev"):
        convert(split, folder / f"{split}.spacy")
    config = str(folder / "config.cfg")
    run = [sys.executable, "-m", "spacy"]
    wanted = ["--lang", "en", "--pipeline", "ner", "--optimize", "efficiency", "--force"]
    subprocess.run([*run, "init", "config", config, *wanted], check=True)
    paths = ["--paths.train", str(folder / "train.spacy"), "--paths.dev", str(folder / "dev.spacy")]
    seed = ["--system.seed", str(options.seed)]
    subprocess.run([*run, "train", config, "--output", str(folder), *paths, *seed], check=True)
    print(folder / "model-best")
    return 0


if __name__ == "__main__":
    sys.exit(main())
