"""Annotated rows → tables: a row an entity, and NOTE_NLP of the OMOP common data model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from medspan.spark.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame


def explode(df: DataFrame, keep: Sequence[str] | None = None) -> DataFrame:
    """A row an entity.

    Args:
        df: as `annotate` returns it; rows without entities, those with an error among them, are gone.
        keep: columns that stay; None for those `annotate` kept.
    """
    kept = [name for name in df.columns if name not in COLUMNS] if keep is None else list(keep)
    rows = df.select(*(f.col(f"`{name}`") for name in kept), f.explode("entities").alias("entity"))
    return rows.select(*(f.col(f"`{name}`") for name in kept), "entity.*")
