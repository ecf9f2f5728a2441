"""Annotated rows → tables: a row an entity, and NOTE_NLP of the OMOP common data model."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as f
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from medspan.formats import omop, parquet
from medspan.spark.schema import COLUMNS, require_columns
from medspan.types import Document, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import DataFrame

_WHOLE = ("section_concept_id", "note_nlp_concept_id", "note_nlp_source_concept_id")


def explode(df: DataFrame, keep: Sequence[str] | None = None) -> DataFrame:
    """A row an entity.

    Args:
        df: as `annotate` returns it; rows without entities, those with an error among them, are gone.
        keep: columns that stay; None for those `annotate` kept.

    Raises:
        UsageError: if ``df`` has no such column.
    """
    kept = [name for name in df.columns if name not in COLUMNS] if keep is None else list(keep)
    require_columns(df, [*kept, "entities"])
    columns = [f.col(f"`{name}`") for name in kept]
    return df.select(*columns, f.explode("entities").alias("entity")).select(*columns, "entity.*")


def note_nlp(
    df: DataFrame, *, text: str = "text", note_id: str = "note_id", date: str | None = None
) -> DataFrame:
    """Rows of NOTE_NLP (`medspan.formats.omop`), without ``note_nlp_id``: number them as your database does.

    Args:
        df: as `annotate` returns it with the texts kept; relations and sections are used if they are there.
        text: the column of texts.
        note_id: the column of the notes' ids.
        date: day of the annotation, ISO; None for today, by UTC.

    Raises:
        UsageError: if ``df`` has no such column.
    """
    require_columns(df, [text, note_id, "entities"])
    day = date or dt.datetime.now(dt.UTC).date().isoformat()
    rows = df.select(
        f.col(f"`{note_id}`").cast("string").alias("id"),
        f.col(f"`{text}`").alias("text"),
        "entities",
        *(name for name in ("relations", "sections") if name in df.columns),
    )
    schema = StructType(
        [StructField(name, IntegerType() if name in _WHOLE else StringType()) for name in omop.Row._fields]
    )
    found = rows.where("entities is not null").mapInArrow(partial(note_nlp_batches, day), schema)
    return found.withColumn("nlp_date", f.to_date("nlp_date"))


def note_nlp_batches(date: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of some batches of ids, texts and entities; the function `mapInArrow` is given."""
    kinds = [pa.int32() if name in _WHOLE else pa.string() for name in omop.Row._fields]
    for batch in batches:
        rows = [row for record in batch.to_pylist() for row in omop.rows(_document(record), date=date)]
        columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=list(omop.Row._fields))


def _document(record: dict[str, Any]) -> Document:
    entities = (parquet.entity_of(each, number) for number, each in enumerate(record["entities"], start=1))
    relations = (Relation(**each) for each in record.get("relations") or ())
    sections = (
        Section(each["label"], Span(each["start"], each["end"])) for each in record.get("sections") or ()
    )
    return Document(
        record["id"] or "", record["text"], tuple(entities), tuple(relations), sections=tuple(sections)
    )
