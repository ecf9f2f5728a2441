"""Invented notes with the drugs they name, and what learns to find them in seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from medspan.spark import MedspanNer

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

RECIPE = """
name = "drugs"

[encoder]
kind = "window"
hidden_width = 32

[corpora.elsewhere]
source = "not-there"

[heads.drug]
labels = ["Drug"]
corpora = ["elsewhere"]

[train]
epochs = 10
batch_words = 60
learning_rate = 0.02
"""
DRUGS = ("aspirin", "warfarin", "insulin", "heparin")
LONG = RECIPE.replace("epochs = 10", "epochs = 100\npatience = 100\ncheckpoint_steps = 20")


def rows(size: int = 80) -> list[dict[str, object]]:
    found = []
    for number in range(size):
        drug = DRUGS[number % len(DRUGS)]
        text = f"Day {number}: {drug} was given to the patient."
        start = text.index(drug)
        entity = {"label": "Drug", "start": start, "end": start + len(drug)}
        found.append({"id": str(number), "text": text, "gold": [entity] if number % 5 else []})
        if not number % 5:
            found[-1]["text"] = f"Day {number}: nothing was given."
    return found


def annotated_notes(spark: SparkSession, folder: Path) -> DataFrame:
    """The notes as a DataFrame, written to ``notes.json`` of a folder."""
    path = folder / "notes.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    return spark.read.json(str(path))


def estimator(folder: Path, recipe: str = RECIPE, **options: object) -> MedspanNer:
    """Learns to find the drugs; the model goes to ``drugs`` of the folder."""
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    return MedspanNer(
        recipe=str(folder / "recipe.toml"),
        folder=str(folder / "drugs"),
        entitiesCol="gold",
        devShare=0.3,
        **options,
    )
