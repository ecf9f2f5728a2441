"""What compression costs: a compressed model against the same weights in full, on test splits.

    MEDSPAN_DATA=DIR python benchmarks/compression.py FULL [MODEL] [--threads N]

FULL is an export of the same run with ``half = false`` and ``word_bits = 16`` (``medspan export RECIPE -o
FULL --run RUN``), and ``input_rank = 0`` unless the network was narrowed before training. Texts and scores
are those of shipped.py; the loss is FULL's strict micro-F1 less MODEL's. The settings were chosen on dev
(``compression`` in the model's metrics.json). Writes compression.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from facts import facts, merge_json
from shipped import TASKS, folder_bytes, measure

from medspan.config import load_recipe
from medspan.model.store import open_model
from medspan.pipeline import find_model


def settings_of(place: Path) -> dict[str, Any]:
    """How a model was exported."""
    export = load_recipe(place / "recipe.toml").export
    return {
        "half": export.half,
        "input_rank": export.input_rank,
        "word_bits": export.word_bits,
        "folder_bytes": folder_bytes(place),
    }


def main() -> int:
    """Measure both models, alternating by corpus, and write the differences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("full", type=Path, help="folder of the model in full")
    parser.add_argument("model", nargs="?", default="default", help="a model folder or a shipped name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    place = find_model(options.model)
    known = set(open_model(place).spec.labels)
    rows: dict[str, dict[str, float]] = {}
    for task in (t for t in TASKS if known >= set(t.labels)):
        full, small = (measure(task, str(each), options.threads)["f1"] for each in (options.full, place))
        rows[task.name] = {"full": full, "compressed": small, "loss_points": round(100 * (full - small), 2)}
        print(task.name, json.dumps(rows[task.name]))
    more = {
        "full": settings_of(options.full),
        "compressed": settings_of(place),
        "largest_loss_points": max(row["loss_points"] for row in rows.values()),
    }
    merge_json(options.output, open_model(place).spec.name, facts(None, **more, corpora=rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
