"""Schema v1: the columns that annotation adds, the same for every model and known before a row is read.

    entities           array<struct<id, label, start, end, score, attributes, concepts>>
    relations          array<struct<id, label, head, tail, score>>
    sections           array<struct<label, start, end>>
    text_deidentified  string
    error              string   why a row has no entities; null where it has
    schema_version     int      1

``start`` and ``end`` are half-open and count Unicode code points of the text from 0, as Python's strings do
and as Spark's ``substring(text, start + 1, end - start)`` does; Java's ``String`` counts otherwise beyond the
basic plane. What no stage gives is null.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import types as spark

from medspan.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame

SCHEMA_VERSION = 1

# A column is the name of a plain type, or stands for an array of structures: names of fields to their types.
_ATTRIBUTE: Mapping[str, object] = {"name": "string", "value": "string", "score": "double"}
_CONCEPT: Mapping[str, object] = {"id": "string", "name": "string", "score": "double"}
_SPAN: Mapping[str, object] = {"label": "string", "start": "int", "end": "int"}
COLUMNS: Mapping[str, object] = MappingProxyType(
    {
        "entities": {
            "id": "string",
            **_SPAN,
            "score": "double",
            "attributes": _ATTRIBUTE,
            "concepts": _CONCEPT,
        },
        "relations": {
            "id": "string",
            "label": "string",
            "head": "string",
            "tail": "string",
            "score": "double",
        },
        "sections": _SPAN,
        "text_deidentified": "string",
        "error": "string",
        "schema_version": "int",
    }
)
"""What `medspan.spark.annotate` adds to the columns that are kept."""

_COMMENTS = {
    "entities": "start and end are half-open and count code points from 0; null where error is not",
    "relations": "head and tail are ids of entities; null where no stage gives any",
    "sections": "start and end as in entities; null where no stage gives any",
    "text_deidentified": "null where no stage gives it",
    "error": "why the text was not annotated; null where it was",
    "schema_version": "of these columns",
}
_SPARK = {"string": spark.StringType, "int": spark.IntegerType, "double": spark.DoubleType}
_ARROW = {"string": pa.string, "int": pa.int32, "double": pa.float64}


def require_columns(df: DataFrame, names: Iterable[str]) -> None:
    """See that a DataFrame has some columns.

    Raises:
        UsageError: if it lacks one.
    """
    for name in names:
        if name not in df.columns:
            raise UsageError(f"there is no column {name!r}; {did_you_mean(name, df.columns)}")


def spark_fields(prefix: str = "") -> list[spark.StructField]:
    """The added columns as Spark has them; ``prefix`` stands before their names."""
    return [
        spark.StructField(prefix + name, spark_type(kind), metadata={"comment": _COMMENTS[name]})
        for name, kind in COLUMNS.items()
    ]


def spark_type(kind: object) -> spark.DataType:
    """A column's type as Spark has it; everything may be null, as it may in a file."""
    if isinstance(kind, str):
        return _SPARK[kind]()
    fields = [spark.StructField(name, spark_type(inner)) for name, inner in dict(kind).items()]  # type: ignore[call-overload]
    return spark.ArrayType(spark.StructType(fields))


def arrow_type(kind: object) -> pa.DataType:
    """The same as Arrow has it."""
    if isinstance(kind, str):
        return _ARROW[kind]()
    fields = [pa.field(name, arrow_type(inner)) for name, inner in dict(kind).items()]  # type: ignore[call-overload]
    return pa.list_(pa.struct(fields))
