"""Strict F1 of a trained peer on NCBI-disease as JSON on stdout: on the corpus' words and sentences, and raw.

MEDSPAN_DATA=DIR PYTHONPATH=src:benchmarks PEERS/bin/python -m peers.accuracy spacy FOLDER
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from peers import corpus, systems


def main() -> int:
    """Dev and test."""
    name, model = sys.argv[1:]
    module = import_module(f"peers.{systems.SYSTEMS[name].home.partition(':')[0]}")
    scores = {
        split: corpus.score(split, module.tag_words(model, corpus.words(split))) for split in ("dev", "test")
    }
    peer = systems.load(name, model, 1)
    raw = {split: corpus.score_raw(split, peer) for split in ("dev", "test")}
    print(json.dumps({**scores, "raw_text": raw}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
