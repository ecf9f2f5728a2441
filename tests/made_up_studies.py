"""Result files of the studies with made-up figures, whole ones, for the tests of the pages. Nothing is measured."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

HOW = {
    "command": "python benchmarks/made_up.py",
    "date": "2001-02-03",
    "hardware": {"cpu": "Made-up CPU", "cores": 2, "system": "Linux"},
    "versions": {"python": "3.11", "medspan": "0.1.0"},
}
SIZE = {"documents": 100, "words": 2000, "gold": 300}


def scores(f1: float) -> dict[str, Any]:
    row = {"f1": f1, "low": f1 - 0.02, "high": f1 + 0.02, "precision": f1 + 0.01, "recall": f1 - 0.01}
    return {**row, "token_micro_f1": f1, **SIZE}


def transfer(study: Any) -> dict[str, Any]:
    """Two corpora with three seeds and curves, two with one seed."""
    runs = {}
    for number, (corpus, gain) in enumerate(
        product(("ncbi", "bc5cdr", "bc2gm", "jnlpba"), (("random", 0.0), ("vectors", 0.02), ("bilm", 0.04)))
    ):
        is_large = corpus in ("ncbi", "bc5cdr")
        shares = (5, 10, 25, 50, 100) if is_large else (100,)
        for share, seed in product(shares, (13, 14, 15) if is_large else (13,)):
            f1 = (
                0.8
                + gain[1] * (1 if share == 100 else 2)
                - 0.4 / share
                + 0.002 * (seed - 14)
                - 0.004 * number / 12
            )
            rise = 3 + (0.04 - gain[1]) * 100
            curve = [[0.4 * e, round(f1 + 0.01 - 0.5 * 2.7 ** (-e / rise * 3), 4)] for e in range(1, 21)]
            run = study.Run(corpus, gain[0], share, seed)
            runs[run.key] = {
                **HOW,
                "seed": seed,
                "corpus": corpus,
                "start": gain[0],
                "share": share,
                "epochs": 20,
                "dev": max(value for _, value in curve),
                "test": scores(round(f1, 4)),
                "minutes": 8.0,
                "curve": curve,
            }
    found = study.summary(runs, None, {})
    for corpus in found.values():
        for start, mean in (("vectors", 0.02), ("bilm", 0.04)):
            corpus["gain"][start] = {"mean": mean, "low": mean - 0.015, "high": mean + 0.015, "seeds": [13]}
    return {"summary": found, "runs": runs}


def architectures(study: Any) -> dict[str, Any]:
    """One seed of each architecture, without a character language model."""
    runs = {}
    folder = {"vectors": study.HERE, "charlm": None}
    for number, run in enumerate(study.planned(study.ENCODERS, study.HEADS, [13, 14], folder)):
        f1 = round(0.7 + 0.01 * (number % 14) + 0.003 * (run.seed - 13), 4)
        by_label = {label: scores(f1 + shift) for label, shift in (("Drug", 0.1), ("Frequency", -0.2))}
        runs[run.key] = {
            **HOW,
            "seed": run.seed,
            **{key: getattr(run, key) for key in ("encoder", "head", "start")},
            "dev": f1 + 0.01,
            "test": {**scores(f1), "by_label": by_label},
            "epochs": 20,
            "minutes": 3.0,
            "megabytes": 2.5,
        }
    split = {
        "documents": 1000,
        "mentions": 1900,
        "by_label": {"Drug": 1800, "Frequency": 100},
        "discontinuous": 9,
        "nested_or_off_words": 19,
        "best_f1": 0.9925,
    }
    train = {**split, "sentences": 2900, "left_out": 225}
    summary = study.summary(runs, None, {})
    for row in summary.values():
        if "vectors" in row["f1"]:
            row["gain"] = {"mean": 0.02, "low": 0.001, "high": 0.04, "start": "vectors", "seeds": [13, 14]}
    return {"corpus": {"train": train, "dev": split, "test": split}, "summary": summary, "runs": runs}


def swedish(study: Any) -> dict[str, Any]:
    """Four dictionaries and two networks, one of three seeds."""
    systems = [(name, None, 0.2 + 0.08 * place) for place, name in enumerate(study.DICTIONARIES)]
    systems += [(f"char-blstm-{seed}", seed, 0.5 + 0.01 * (seed - 13)) for seed in (13, 14, 15)]
    systems += [("char-blstm-charlm-13", 13, 0.58)]
    runs = {}
    for name, seed, f1 in systems:
        types = {label: scores(f1 + 0.02 * place) for place, label in enumerate(study.LABELS)}
        part = {**scores(f1), "by_type": types, "characters": scores(f1 + 0.1)}
        runs[name] = {**HOW, "seed": seed, "all": part, "test": part}
    return {"gains": study.gains(runs), "runs": runs}


def active(study: Any) -> dict[str, Any]:
    """Three seeds, five rounds, two strategies."""
    runs = {}
    for seed, number, strategy in product((13, 14, 15), range(6), ("random", "suggest")):
        f1 = round(0.6 + 0.25 * (1 - 0.6**number) + (0.02 if strategy == "suggest" and number else 0), 4)
        runs[study.key_of(seed, strategy, number)] = {
            **HOW,
            "seed": seed,
            "strategy": strategy if number else "random",
            "round": number,
            "sentences": 250 * (number + 1),
            "words": (9000 if strategy == "suggest" and number else 6000) * (number + 1),
            "mentions": 200 * (number + 1),
            "epochs": 30,
            "dev": scores(f1 + 0.01),
            "test": scores(f1 + 0.004 * (seed - 14)),
        }
    return {"summary": study.summary(runs), "runs": runs}


def multitask(study: Any) -> dict[str, Any]:
    """Sixteen heads, each with its three runs; a conflict of two corpora, and tests across two."""
    from pages.multitask import heads_of_recipe  # noqa: PLC0415 - the folder is on the path only in a test

    runs = {}
    for number, head in enumerate(heads_of_recipe()):
        f1 = {"single": 0.80, "multi-task": 0.81, "fine-tuned": 0.82 + number / 1000}
        gains = {
            kind: {"mean": value - 0.8, "low": value - 0.81, "high": value - 0.79}
            for kind, value in f1.items()
        }
        runs[f"{head}-13"] = {
            **HOW,
            "seed": 13,
            "head": head,
            "group": None if head == "jnlpba" else head.rpartition("-")[2],
            "dev": f1,
            "kept": "fine-tuned",
            "test": {kind: scores(value) for kind, value in {**f1, "kept": f1["fine-tuned"]}.items()},
            "gain": {**gains, "kept": gains["fine-tuned"]},
        }
    pair = {"cg-chem": {"pc-chem": 0.6}, "pc-chem": {"cg-chem": 0.7}}
    assert set(study.KINDS) == {"single", "multi-task", "fine-tuned"}
    return {
        "runs": runs,
        "stage1": {"epochs": 10, "best_epoch": 9, "minutes": 70.0, "dev": {}, "conflict": {"cdr|cg": -0.1}},
        "across": {"single": pair, "multi-task": pair},
        "models": {
            "large": {
                **HOW,
                "encoder": "transformer",
                "trained_parameters_m": 108.9,
                "mb": 217.3,
                "words_per_second": 410,
                "test": {"ncbi-disease": scores(0.87), "cdr-chem": scores(0.91)},
            },
            "small": {
                **HOW,
                "encoder": "blstm_cnn",
                "mb": 9.1,
                "words_per_second": 40_000,
                "test": {"ncbi-disease": scores(0.88)},
            },
        },
    }


def system2(study: Any) -> dict[str, Any]:
    """All but the corpus that is not free, one seed each."""
    free = {name: f1 for name, f1 in study.PUBLISHED.items() if name != "BC4CHEMD"}
    return {
        "runs": {
            f"{name}-13": {
                **HOW,
                "seed": 13,
                "corpus": name,
                "published": f1,
                "dev": f1,
                "test": scores(f1 - 0.01),
            }
            for name, f1 in free.items()
        }
    }


def spark(study: Any) -> dict[str, Any]:
    """Every part, once."""
    assert set(study.PARTS) == {"throughput", "executors", "same", "memory"}
    mean = {"mean": 0.8, "std": 0.01}
    one = {"dev_f1": mean, "test_f1": mean, "words_per_second": 9_000, "runs": [{"seed": 13}]}
    driver = {"most_megabytes": 900, "growth": 0.001, "asked": 1500}
    language = {"recipe": "recipes/made-up.toml", "test_split": "made/up", "minutes": 3.2}
    parts = {
        "throughput": {
            "share_of_job": 0.9,
            "shares": [0.8, 0.9, 1.0],
            "spark_words_per_second": 1000,
            "asked": 0.85,
        },
        "executors": {"speedup": 1.7, "speedups": [1.6, 1.7, 1.8], "asked": 1.6},
        "same": {
            "documents": 10,
            "entities": 20,
            "differing_documents": 0,
            "largest_score_difference": 1e-6,
        },
        "memory": {"documents": 300_000, **driver},
        "training_memory": {"sentences": 300_000, **driver},
        "plan": {
            "costs": dict.fromkeys(
                ("fixed", "worker", "task", "copy_megabyte", "document", "word", "busy"), 1e-5
            ),
            "second_slot": 0.6,
            "share": 0.5,
            "forecast": {"1": {"foretold": 9.0, "took": 10.0, "error": -0.1}},
            "plan": [{"slots": 1000, "notes": 10_000_000, "hours": 0.4, "hours_full": 1.2}],
        },
        "replicas": {"recipe": "recipes/made-up.toml", "1": one, "2": one},
        "languages": {"by_language": {"Spanish": {**language, "test": scores(0.8)}}},
    }
    return {"runs": {name: {**HOW, **part} for name, part in parts.items()}}


FILES = {
    "transfer.json": ("transfer", transfer),
    "architectures.json": ("architectures", architectures),
    "dictionary_swedish.json": ("dictionary_swedish", swedish),
    "active_learning.json": ("active_learning", active),
    "multitask.json": ("multitask", multitask),
    "system2.json": ("system2", system2),
    "spark.json": ("spark", spark),
}
"""By result file, the study script whose summary it holds and what makes it up."""


def write_all(folder: Path, script: Any) -> None:
    """Write all of them; ``script`` imports a study script by name."""
    for name, (module, make) in FILES.items():
        (folder / name).write_text(json.dumps(make(script(module))), encoding="utf-8")
