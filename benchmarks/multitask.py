"""Single task, multi-task, fine-tuned: what learning from many corpora at once gains on each of them.

    medspan train recipes/multitask.toml -o MULTI
    medspan finetune recipes/multitask.toml --from MULTI -o FINE
    MEDSPAN_DATA=DIR python benchmarks/multitask.py FINE --multi MULTI [--recipe RECIPE] [--heads NAME…]

Scores on test splits what these commands made: for each head its single run, the multi-task model with that
head alone, the fine-tuned run, and what was kept of the three on dev. The gain is that over the single run,
with its 95 % interval (documents resampled, paired). A head is kept in multitask.json beside this file once
it is scored, by head and seed; ``--across`` also tests every single run and every head of the multi-task
model on the other corpora of its entity type. The log of stage 1 (MULTI.run) gives epochs and the conflict of
gradients.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from facts import facts, read_json, write_json
from heads import HeadTests
from transfer import paired_gain

from medspan.config import load_recipe
from medspan.model.tagger import load_tagger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.config import Recipe
    from medspan.model.tagger import Tagger

HERE = Path(__file__).resolve()
KINDS = ("single", "multi-task", "fine-tuned")


class Bench:
    """The models of one stage 1 and stage 2, and the test splits of the heads.

    Args:
        recipe: names heads and corpora.
        multi: the model of all corpora.
        fine: the folder `medspan finetune` wrote.
    """

    def __init__(self, recipe: Recipe, multi: Path, fine: Path) -> None:
        self.recipe, self.fine = recipe, fine
        self.multi = load_tagger(multi, device="cpu", threads=1)
        self._decoders = dict(self.multi.decoders)
        self.choices = read_json(fine / "choices.json")
        self.tests = HeadTests(recipe)

    def tagger(self, head: str, kind: str) -> Tagger:
        """One head of one of the models."""
        if kind == "multi-task":
            self.multi.decoders = {head: self._decoders[head]}
            return self.multi
        return load_tagger(self.fine / "runs" / f"{head}-{kind}", device="cpu", threads=1)

    def row(self, head: str) -> dict[str, Any]:
        """Everything on one head."""
        test, counts = {}, {}
        for kind in KINDS:
            if kind == "multi-task" or (self.fine / "runs" / f"{head}-{kind}").exists():
                test[kind], counts[kind] = self.tests.score(self.tagger(head, kind), head)
        choice = self.choices[head]
        test["kept"], counts["kept"] = test[choice["kept"]], counts[choice["kept"]]
        arrays = {kind: np.array([rows], np.float64) for kind, rows in counts.items()}
        alone = arrays.pop("single", None)
        gain = {} if alone is None else {kind: paired_gain(rows, alone) for kind, rows in arrays.items()}
        return facts(
            self.recipe.train.seed,
            head=head,
            group=self.recipe.heads[head].group,
            dev=choice["dev"],
            kept=choice["kept"],
            test=test,
            gain=gain,
        )

    def across(self, heads: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
        """Test F1 of each head on the corpora of the other heads of its type: by kind, head, other head."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for kind in KINDS[:2]:
            for head in heads:
                group = self.recipe.heads[head].group
                others = [
                    name
                    for name in heads
                    if name != head and self.recipe.heads[name].group == group and group
                ]
                if others:
                    tagger = self.tagger(head, kind)
                    found.setdefault(kind, {})[head] = {
                        o: self.tests.score(tagger, o)[0]["f1"] for o in others
                    }
        return found


def stage1(multi: Path) -> dict[str, Any]:
    """Of the multi-task run: epochs, minutes, and its best epoch with dev F1 and conflict of gradients."""
    log = multi.with_name(f"{multi.name}.run") / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    best = max(rows, key=lambda row: row["dev_mean"])
    return {
        "epochs": len(rows),
        "best_epoch": best["epoch"] + 1,
        "minutes": round(rows[-1]["minutes"], 1),
        "dev": {name: round(f1, 4) for name, f1 in best["dev"].items()},
        "conflict": best["conflict"],
    }


def main() -> int:
    """Score the heads that are not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fine", type=Path, help="the folder medspan finetune wrote")
    parser.add_argument("--multi", type=Path, required=True, help="the model it started from")
    parser.add_argument("--recipe", type=Path, default=HERE.parents[1] / "recipes" / "multitask.toml")
    parser.add_argument("--heads", nargs="+", help="only these")
    parser.add_argument("--across", action="store_true", help="also test on the other corpora of a type")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    options = parser.parse_args()
    bench = Bench(load_recipe(options.recipe), options.multi, options.fine)
    heads = options.heads or list(bench.choices)
    for head in heads:
        row = bench.row(head)
        results = read_json(options.output)
        results.setdefault("runs", {})[f"{head}-{row['seed']}"] = row
        write_json(options.output, results)
        print(head, row["kept"], json.dumps({k: v["f1"] for k, v in row["test"].items()}), flush=True)
    results = read_json(options.output)
    results["stage1"] = stage1(options.multi)
    if options.across:
        results["across"] = bench.across(heads)
    write_json(options.output, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
