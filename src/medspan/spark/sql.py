"""Annotation as a function of SQL, for everything that shares a Spark session."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pandas as pd
from pyspark.sql.functions import PandasUDFType, pandas_udf

from medspan.jobs.annotating import Failure
from medspan.pipeline import DEFAULT_MODEL, find_model
from medspan.spark.columns import entity_column
from medspan.spark.dataframe import bound_batches
from medspan.spark.schema import COLUMNS, spark_type
from medspan.spark.travel import packed
from medspan.spark.work import Texts, Work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

FUNCTION = "medspan_entities"


def register(
    spark: SparkSession,
    model: Path | str = DEFAULT_MODEL,
    *,
    name: str = FUNCTION,
    labels: Collection[str] | None = None,
    min_score: float = 0.0,
) -> None:
    """Make ``medspan_entities(text)`` a function of the session's SQL, for callers in any language.

    It returns the column ``entities`` of `medspan.spark.schema`, null where a text is null or cannot be
    annotated. The model is sent with each query that calls it.

    Args:
        spark: the session.
        model: the name of a model, or a folder on this machine.
        name: of the function.
        labels: labels to keep; all where None.
        min_score: entities below this confidence are dropped.

    Raises:
        ModelError: if there is no such model.
    """
    folder = find_model(model)
    work = Work(model=str(folder), labels=None if labels is None else tuple(labels), min_score=min_score)
    bound_batches(spark)
    with warnings.catch_warnings():
        # It would rather see annotations of types, which a partial function has not.
        warnings.simplefilter("ignore", UserWarning)
        function = pandas_udf(
            partial(entity_series, msgspec.json.encode(work), packed(folder)),
            spark_type(COLUMNS["entities"]),
            PandasUDFType.SCALAR_ITER,
        )
    spark.udf.register(name, function)


def entity_series(work: bytes, model: bytes, series: Iterator[pd.Series]) -> Iterator[pd.Series]:
    """The entities of each text of a column; the function behind that of SQL."""
    texts = Texts(work, model)
    for column in series:
        results = texts.results([text if isinstance(text, str) else None for text in column])
        rows = [None if isinstance(result, Failure) else result.entities for result in results]
        yield pd.Series(entity_column(rows).to_pylist(), dtype=object)
