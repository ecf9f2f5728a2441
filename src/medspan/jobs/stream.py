"""Documents through worker processes, in order, for output to a single file or to standard output."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import msgspec

from medspan.errors import DataError
from medspan.jobs.parts import Limits, cut
from medspan.jobs.pool import Pool
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from medspan.jobs.parts import Part
    from medspan.jobs.wire import Found, Goal, Setup

_LIMITS = Limits(documents=250, characters=400_000)
_DECODER = msgspec.msgpack.Decoder(list[Document])


def stream_documents(documents: Iterable[Document], setup: Setup, workers: int) -> Iterator[Document]:
    """The documents, annotated.

    Raises:
        DataError: if a document cannot be annotated, naming it.
        MedspanError: if the model cannot be loaded.
    """
    for found in _stream(documents, setup, workers, "documents"):
        yield from _DECODER.decode(found.data)


def stream_lines(documents: Iterable[Document], setup: Setup, workers: int) -> Iterator[bytes]:
    """The documents, annotated, as pieces of JSONL of some hundred lines.

    Raises:
        DataError: if a document cannot be annotated, naming it.
        MedspanError: if the model cannot be loaded.
    """
    for found in _stream(documents, setup, workers, "lines"):
        yield found.data


def _stream(documents: Iterable[Document], setup: Setup, workers: int, goal: Goal) -> Iterator[Found]:
    pool = Pool(setup, workers)
    waiting: deque[Future[Found]] = deque()
    threads = ThreadPoolExecutor(workers)
    try:
        for part in cut(documents, _LIMITS):
            waiting.append(threads.submit(_do, pool, part, goal))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also when the reader of these documents stops, or Ctrl-C comes
        pool.kill()
        threads.shutdown(cancel_futures=True)
        pool.close()


def _do(pool: Pool, part: Part, goal: Goal) -> Found:
    found = cast("Found", pool.run(part, goal))
    if found.errors:
        first = found.errors[0]
        raise DataError(
            f"document {first.id!r} (number {first.place + 1}) cannot be annotated: {first.reason}; leave "
            "it out, or write to a folder (-o FOLDER/), where such documents become error rows"
        )
    return found
