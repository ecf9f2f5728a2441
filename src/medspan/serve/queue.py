"""Documents of all requests, waiting for workers: batched across requests, bounded, in the order they came.

A worker that is free takes what is there at once. Only while another one has much to do it waits some
milliseconds for more to come: a batch of a few documents costs almost as much as one of many, and the answers
that the other is about to give bring new requests.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from medspan.jobs.annotating import PLAIN, reason_of
from medspan.jobs.parts import Part
from medspan.serve.problems import busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from medspan.jobs.pool import Pool
    from medspan.jobs.wire import Found
    from medspan.serve.metrics import Metrics
    from medspan.types import Document

_MOST_DOCUMENTS, _MOST_CHARACTERS = 32, 200_000
_WINDOW = 64
_ENOUGH, _MUCH, _LINGER = 16, 8, 0.015
"""Documents a worker does not wait to exceed, those of others that make it wait, and seconds that it does."""
_SECONDS_KEPT = 0.9
"""Of the running mean of how long a document takes, how much stays with each batch."""


class Answer(NamedTuple):
    """The JSON line of a document, or why there is none."""

    line: bytes
    reason: str = ""


class _Item(NamedTuple):
    number: int
    document: Document
    answer: asyncio.Future[Answer]


class Queue:
    """Documents on their way through worker processes.

    Args:
        pool: the workers.
        workers: how many there are.
        most: documents that may wait before new requests are turned away.
        metrics: counts what happens.
    """

    def __init__(self, pool: Pool, workers: int, most: int, metrics: Metrics) -> None:
        self._pool, self._workers, self._most, self._metrics = pool, workers, most, metrics
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="medspan-worker")
        self._waiting: dict[bytes, deque[_Item]] = {}
        self._count = self._number = self._batches = self._in_work = 0
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._seconds = 0.01

    @property
    def is_full(self) -> bool:
        """Whether a new request would be turned away."""
        return self._count >= self._most

    @property
    def is_running(self) -> bool:
        """Whether there are workers that take documents."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def start(self, orders: Sequence[bytes]) -> None:
        """Start the workers and let each do the orders once, so that what they need is loaded.

        Raises:
            MedspanError: if something cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        for order in orders:
            part = Part(0, 0, order)
            part.add(PLAIN)
            probes = (
                loop.run_in_executor(self._threads, self._pool.run, part, "probe")
                for _ in range(self._workers)
            )
            await asyncio.gather(*probes)
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]

    async def stop(self) -> None:
        """End the workers; whoever still waits gets no answer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.kill()
        self._threads.shutdown(cancel_futures=True)
        self._pool.close()

    async def answers(self, order: bytes, documents: Sequence[Document]) -> AsyncIterator[Answer]:
        """The answers for the documents of a request, in order.

        A request of many documents puts some at a time into the queue, so that others get their turn.

        Raises:
            HttpError: 429 where too much waits; nothing of the request has then been begun.
        """
        if self.is_full:
            self._metrics.shed.inc()
            raise busy(self._seconds * self._count / self._workers)
        pending: deque[asyncio.Future[Answer]] = deque()
        try:
            for document in documents:
                if len(pending) >= _WINDOW:
                    yield await pending.popleft()
                pending.append(await self._put(order, document))
            while pending:
                yield await pending.popleft()
        finally:  # whoever asked is gone, or took too long
            for future in pending:
                future.cancel()

    async def _put(self, order: bytes, document: Document) -> asyncio.Future[Answer]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self.is_full)
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(order, deque()).append(_Item(self._number, document, future))
            self._number += 1
            self._count += 1
            self._changed.notify_all()
        return future

    async def _work(self) -> None:
        """One worker's turn after turn."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._count > 0)
                await self._linger()
                if not self._count:  # another worker was faster
                    continue
                order, items = self._take()
                self._changed.notify_all()
            if items:
                await self._do(order, items)

    async def _linger(self) -> None:
        """Let more documents come, where that costs less than it gains."""
        if self._count < _ENOUGH and self._in_work >= _MUCH:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await self._changed.wait_for(lambda: self._count >= _ENOUGH)

    def _take(self) -> tuple[bytes, list[_Item]]:
        """The documents of an order that have waited longest; those nobody waits for are dropped."""
        order = min(self._waiting, key=lambda each: self._waiting[each][0].number)
        line = self._waiting[order]
        items: list[_Item] = []
        characters = 0
        while line and len(items) < _MOST_DOCUMENTS:
            length = len(line[0].document.text)
            if items and characters + length > _MOST_CHARACTERS:
                break
            item = line.popleft()
            self._count -= 1
            if not item.answer.done():
                items.append(item)
                characters += length
        if not line:
            del self._waiting[order]
        self._metrics.waiting.set(self._count)
        return order, items

    async def _do(self, order: bytes, items: list[_Item]) -> None:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        self._batches += 1
        self._in_work += len(items)
        try:
            found = await loop.run_in_executor(self._threads, self._ask, order, items)
        except Exception as error:  # noqa: BLE001 - this worker goes on with other requests
            self._metrics.failed_batches.inc()
            answers = [Answer(b"", f"the service cannot do this: {reason_of(error)}")] * len(items)
        else:
            answers = _by_place(found, len(items))
        self._in_work -= len(items)
        took = (time.perf_counter() - began) / len(items)
        self._seconds = self._seconds * _SECONDS_KEPT + took * (1 - _SECONDS_KEPT)
        self._metrics.batch(len(items))
        for item, answer in zip(items, answers, strict=True):
            if not item.answer.done():
                item.answer.set_result(answer)

    def _ask(self, order: bytes, items: list[_Item]) -> Found:
        part = Part(self._batches, 0, order)
        for item in items:
            part.add(item.document)
        return cast("Found", self._pool.run(part, "lines"))


def _by_place(found: Found, count: int) -> list[Answer]:
    """The answers of a batch in the order of its documents."""
    reasons = {row.place: row.reason for row in found.errors}
    lines = iter(found.data.splitlines(keepends=True))
    return [
        Answer(b"", reasons[place]) if place in reasons else Answer(next(lines)) for place in range(count)
    ]


def as_error(identity: str, place: int, answer: Answer) -> msgspec.Raw:
    """The row of a document without an answer."""
    return msgspec.Raw(msgspec.json.encode({"id": identity, "place": place, "reason": answer.reason}))
