"""Strict F1 of a trained peer on NCBI-disease, on the corpus' own words and sentences, as JSON on stdout.

MEDSPAN_DATA=DIR PYTHONPATH=src PEERS/bin/python benchmarks/peers/accuracy.py spacy FOLDER
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

import corpus
import systems


def main() -> int:
    """Dev and test."""
    name, model = sys.argv[1:]
    module = import_module(systems.SYSTEMS[name].home.partition(":")[0])
    scores = {
        split: corpus.score(split, module.tag_words(model, corpus.words(split))) for split in ("dev", "test")
    }
    print(json.dumps(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
