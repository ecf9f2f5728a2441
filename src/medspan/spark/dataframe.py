"""Annotation of a DataFrame, on the driver's side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec
from pyspark.sql.types import StringType, StructType

from medspan.errors import UsageError
from medspan.pipeline import DEFAULT_MODEL, find_model
from medspan.spark.schema import COLUMNS, require_columns, spark_fields
from medspan.spark.travel import packed
from medspan.spark.work import Work, annotate_batches, named_function
from medspan.tasks.stages import check_stages

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

Travel = Literal["path", "bytes"]
OnError = Literal["row", "raise"]
_ROWS, _ROWS_UNSET = "spark.sql.execution.arrow.maxRecordsPerBatch", "10000"
_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_FEW_ROWS = "256"


def annotate(
    df: DataFrame,
    model: Path | str = DEFAULT_MODEL,
    *,
    text: str = "text",
    keep: Sequence[str] | None = None,
    prefix: str = "",
    labels: Collection[str] | None = None,
    min_score: float = 0.0,
    stages: Sequence[str] = (),
    pipeline: str | None = None,
    on_error: OnError = "row",
    travel: Travel = "path",
    max_chars: int | None = None,
    batch_words: int | None = None,
) -> DataFrame:
    """Find the entities of the texts of a column.

    Args:
        df: of any source, streaming or not.
        model: the name of a model, or a folder.
        text: the column of texts.
        keep: columns that stay beside the added ones (`medspan.spark.schema`), in this order; None for all
            but the text.
        prefix: stands before the names of the added columns, where ``df`` has some of that name.
        labels: labels to keep; all where None.
        min_score: entities below this confidence are dropped.
        stages: what is added to the entities, as of ``medspan annotate --stages``: ``sections``,
            ``assertion``, ``relations``, ``codes=INDEX``; every machine has the paths.
        pipeline: ``package.module:function`` of a function that takes the recognizer and returns the
            annotator to run before the stages; installed on every worker.
        on_error: ``row`` fills the column ``error`` of a bad row, ``raise`` ends the job.
        travel: ``path`` where every machine has the model under the same name or path; ``bytes`` sends it
            with the query.
        max_chars: longest text that is annotated; None for any.
        batch_words: padded words of a forward pass; None for what suits.

    Raises:
        UsageError: if a column is not there or does not fit, or there is no such stage or pipeline.
        ModelError: if the driver has no such model; workers look when they start.
    """
    kept = _kept(df, text, keep, prefix)
    check_stages(stages)
    if pipeline is not None:
        named_function(pipeline)
    folder = find_model(model)
    work = Work(
        model=str(model) if folder != model and travel == "path" else str(folder),
        text=text,
        keep=tuple(kept),
        prefix=prefix,
        labels=None if labels is None else tuple(labels),
        min_score=min_score,
        stages=tuple(stages),
        pipeline=pipeline,
        max_chars=max_chars,
        batch_words=batch_words,
        raises=on_error == "raise",
    )
    bound_batches(df.sparkSession)
    fields = {field.name: field for field in df.schema.fields}
    schema = StructType([*(fields[name] for name in kept), *spark_fields(prefix)])
    names = list(dict.fromkeys([*kept, text]))
    task = partial(annotate_batches, msgspec.json.encode(work), packed(folder) if travel == "bytes" else None)
    return df.select(*(f"`{name}`" for name in names)).mapInArrow(task, schema)


def _kept(df: DataFrame, text: str, keep: Sequence[str] | None, prefix: str) -> list[str]:
    fields = {field.name: field for field in df.schema.fields}
    require_columns(df, (text, *(keep or ())))
    if not isinstance(fields[text].dataType, StringType):
        raise UsageError(
            f"column {text!r} holds no texts but {fields[text].dataType.simpleString()}; name one with text="
        )
    kept = [name for name in fields if name != text] if keep is None else list(keep)
    if twice := sorted(set(kept) & {prefix + name for name in COLUMNS}):
        raise UsageError(f"column {twice[0]!r} would stand twice; leave it out of keep=, or give a prefix=")
    return kept


def bound_batches(spark: SparkSession) -> None:
    """Bound the rows of a session's Arrow batches where it cannot bound their bytes (Spark 3), unless set."""
    if spark.conf.get(_BYTES, None) is None and spark.conf.get(_ROWS, None) == _ROWS_UNSET:
        spark.conf.set(_ROWS, _FEW_ROWS)
