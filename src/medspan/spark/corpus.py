"""A DataFrame of annotated documents → a corpus folder on the driver's disk, a partition at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from medspan import formats
from medspan.errors import AnnotationError, DataError, UsageError, did_you_mean
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame, Row

SPLITS = ("train", "dev")
_SHARES = 10_000


def write_corpus(
    df: DataFrame, folder: Path, *, text: str, entities: str, split: str | None, dev_share: float
) -> None:
    """Write ``train.jsonl`` and ``dev.jsonl``.

    Args:
        df: a document a row.
        folder: an empty folder.
        text: the column of texts.
        entities: a column of arrays of structures with label, start and end.
        split: a column of ``train`` and ``dev``; rows of other values are left out. None to have a share of
            the documents for dev, drawn by their texts: the same text always stands on the same side.
        dev_share: that share.

    Raises:
        UsageError: if a column is not there, or a side would have no document.
        DataError: if a text is null or an entity does not fit its text.
    """
    for name in (text, entities, *([split] if split else [])):
        if name not in df.columns:
            raise UsageError(f"there is no column {name!r}; {did_you_mean(name, df.columns)}")
    drawn = f.pmod(f.xxhash64(f"`{text}`"), f.lit(_SHARES)) < round(dev_share * _SHARES)
    side = f.col(f"`{split}`") if split else f.when(drawn, f.lit(SPLITS[1])).otherwise(SPLITS[0])
    rows = df.select(
        f.col(f"`{text}`").alias("text"), f.col(f"`{entities}`").alias("entities"), side.alias("split")
    )
    for name in SPLITS:
        path = folder / f"{name}.jsonl"
        formats.write(_documents(rows.where(f.col("split") == name), name), path, "jsonl")
        if not path.stat().st_size:
            raise UsageError(f"no document is left for {name}; give more, or a column of splits (splitCol)")


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
