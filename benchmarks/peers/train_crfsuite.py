"""Trains the feature CRF on NCBI-disease; run it with the peers' interpreter and PYTHONPATH=src:benchmarks.

    MEDSPAN_DATA=DIR PYTHONPATH=src:benchmarks PEERS/bin/python -m peers.train_crfsuite -o FOLDER

L-BFGS; the weights of the L1 and L2 penalties are those of the best strict F1 on dev. Writes model.crfsuite
and training.json (every pair that was tried) into FOLDER.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import pycrfsuite
from peers import corpus, crf

GRID = (
    (0.0, 0.3),
    (0.02, 0.05),
    (0.02, 0.2),
    (0.05, 0.05),
    (0.1, 0.01),
    (0.1, 0.1),
    (0.3, 0.01),
    (0.5, 0.05),
)
ITERATIONS = 150


def train(path: Path, c1: float, c2: float) -> None:
    """Fit on the train split."""
    trainer = pycrfsuite.Trainer(verbose=False)
    for sentence in corpus.tagged("train"):
        trainer.append(crf.features(sentence.words), sentence.tags)
    trainer.set_params(
        {"c1": c1, "c2": c2, "max_iterations": ITERATIONS, "feature.possible_transitions": True}
    )
    trainer.train(str(path))


def main() -> int:
    """Try the grid; keep the best on dev."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    folder = parser.parse_args().output
    candidate = folder / "candidate"
    candidate.mkdir(parents=True, exist_ok=True)
    tried = []
    for c1, c2 in GRID:
        began = time.perf_counter()
        train(candidate / crf.MODEL, c1, c2)
        f1 = corpus.score("dev", crf.tag_words(str(candidate), corpus.words("dev")))["f1"]
        row = {"c1": c1, "c2": c2, "dev_f1": f1, "seconds": round(time.perf_counter() - began, 1)}
        print(json.dumps(row), flush=True)
        if all(f1 > other["dev_f1"] for other in tried):
            (candidate / crf.MODEL).replace(folder / crf.MODEL)
        tried.append(row)
        (folder / "training.json").write_text(json.dumps(tried, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(candidate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
