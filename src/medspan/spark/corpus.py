"""A DataFrame of annotated documents → a corpus folder on the driver's disk, a partition at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import functions as f

from medspan import formats
from medspan.errors import AnnotationError, DataError, UsageError
from medspan.spark.schema import require_columns
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import Column, DataFrame, Row

SPLITS = ("train", "dev")
_SHARES = 10_000


class Columns(NamedTuple):
    """Where a DataFrame has its annotated documents.

    Args:
        text: the column of texts.
        entities: a column of arrays of structures with label, start and end.
        split: a column of ``train`` and ``dev``; rows of other values are left out. None to have a share of
            the documents for dev, drawn by their texts: the same text always stands on the same side.
        dev_share: that share.
    """

    text: str = "text"
    entities: str = "entities"
    split: str | None = None
    dev_share: float = 0.1


def sides(df: DataFrame, columns: Columns) -> dict[str, DataFrame]:
    """The documents of each split, as columns ``text`` and ``entities``.

    Raises:
        UsageError: if a column is not there.
    """
    require_columns(df, (columns.text, columns.entities, *([columns.split] if columns.split else [])))
    text = f.col(f"`{columns.text}`")
    drawn = f.pmod(f.xxhash64(text), f.lit(_SHARES)) < round(columns.dev_share * _SHARES)
    side = f.col(f"`{columns.split}`") if columns.split else f.when(drawn, SPLITS[1]).otherwise(SPLITS[0])
    entities = f.transform(f"`{columns.entities}`", _bare)
    return {
        name: df.where(side == name).select(text.alias("text"), entities.alias("entities")) for name in SPLITS
    }


def _bare(entity: Column) -> Column:
    return f.struct(*(entity[name].alias(name) for name in ("label", "start", "end")))


def write_corpus(df: DataFrame, folder: Path, columns: Columns) -> None:
    """Write ``train.jsonl`` and ``dev.jsonl`` into an empty folder of the driver.

    Raises:
        UsageError: if a column is not there, or a side would have no document.
        DataError: if a text is null or an entity does not fit its text.
    """
    for name, rows in sides(df, columns).items():
        path = folder / f"{name}.jsonl"
        formats.write(_documents(rows, name), path, "jsonl")
        if not path.stat().st_size:
            raise nothing_for(name)


def nothing_for(split: str) -> UsageError:
    """The error for a split without documents."""
    return UsageError(f"no document is left for {split}; give more, or a column of splits (splitCol)")


def _documents(rows: DataFrame, split: str) -> Iterator[Document]:
    for number, row in enumerate(rows.toLocalIterator()):
        try:
            yield _document(f"{split}-{number}", row)
        except (AnnotationError, TypeError, AttributeError) as error:
            reason = error if isinstance(error, AnnotationError) else "its entities lack label, start or end"
            raise DataError(f"{split} document {number}: {reason}; correct it, or leave it out") from None


def _document(identity: str, row: Row) -> Document:
    if row["text"] is None:
        raise AnnotationError("its text is null")
    entities = (
        Entity(f"T{place}", entity["label"], (Span(entity["start"], entity["end"]),))
        for place, entity in enumerate(row["entities"] or (), start=1)
    )
    return Document(identity, row["text"], tuple(entities))
