"""Plain rows ↔ a Parquet file, a batch at a time; needs the extra ``arrow``."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from medspan.errors import FormatError, MissingExtraError, UsageError
from medspan.formats import files
from medspan.formats.packing import packing_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Kind = Literal["string", "int32", "int64", "date32"]
_BATCH_ROWS = 8192


def write_rows(rows: Iterable[tuple[Any, ...]], path: Path, columns: Mapping[str, Kind]) -> None:
    """Write a Parquet file whole or not at all; no more than a batch of rows is held.

    Args:
        rows: values in the order of the columns, None for what is not there.
        path: the file.
        columns: names and types, the same whatever the rows hold.

    Raises:
        MissingExtraError: if pyarrow is not installed.
        UsageError: if the file cannot be written, or its name asks for it to be packed.
    """
    pa, pq = modules("writing Parquet")
    if packing_of(path.name):
        raise UsageError(f"{path}: Parquet is packed inside already; leave out the last extension")
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in columns.items()])
    waiting = iter(rows)
    with files.writing_bytes(path) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        while batch := list(islice(waiting, _BATCH_ROWS)):
            values = zip(*batch, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a Parquet file with their numbers, from 1.

    Args:
        path: the file.
        columns: what to read of it.

    Raises:
        FormatError: if it is damaged or lacks a column.
        MissingExtraError: if pyarrow is not installed.
        UsageError: if it cannot be opened.
    """
    number = 0
    with opened(path) as file:
        missing = sorted(set(columns) - set(file.schema_arrow.names))
        if missing:
            raise FormatError(path, None, f"there is no column {missing[0]!r}", "name another file")
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns), use_threads=False):
            for number, row in enumerate(batch.to_pylist(), start=number + 1):  # noqa: B020 - counts on
                yield number, row


@contextmanager
def opened(path: Path, *, buffer: int = 0) -> Iterator[Any]:
    """A Parquet file, a ``pyarrow.parquet.ParquetFile``, while it is read.

    Args:
        path: the file.
        buffer: bytes of a column that are read at a time; 0 reads those of a whole row group.

    Raises:
        FormatError: if it is damaged; also where that shows later on.
        MissingExtraError: if pyarrow is not installed.
        UsageError: if it cannot be opened.
    """
    arrow, parquet = modules("reading Parquet")
    try:
        with files.reading(path) as handle, parquet.ParquetFile(handle, buffer_size=buffer) as file:
            yield file
    except (arrow.ArrowException, OSError) as error:
        problem = "not a Parquet file, or damaged or cut off"
        raise FormatError(path, None, problem, "get the file anew") from error


def modules(doing: str) -> tuple[Any, Any]:
    """``pyarrow`` and ``pyarrow.parquet``.

    Args:
        doing: what they are needed for.

    Raises:
        MissingExtraError: if they are not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingExtraError(doing, "pyarrow", "arrow") from error
    return pa, pq
