"""The queue: batches across requests, in order, bounded; a worker that fails costs its batch alone."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from medspan.errors import MedspanError
from medspan.jobs.wire import ErrorRow, Found
from medspan.serve.metrics import Metrics
from medspan.serve.problems import HttpError
from medspan.serve.queue import Answer, Queue
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from medspan.jobs.parts import Part


class FakePool:
    """Answers each document with its place in the batch; waits while it is held."""

    def __init__(self, *, fails: bool = False) -> None:
        self.go = threading.Event()
        self.go.set()
        self.batches: list[tuple[bytes, int]] = []
        self._fails = fails

    def run(self, part: Part, goal: str) -> Found:
        if goal == "probe":
            return Found(b"", [])
        assert self.go.wait(10)
        task = part.task("lines")
        self.batches.append((task.order, len(task.documents)))
        if self._fails:
            raise MedspanError("the disk is full")
        errors = [ErrorRow(0, place, "no") for place in task.places if place % 3 == 2]
        lines = (b"%d\n" % place for place in task.places if place % 3 != 2)
        return Found(b"".join(lines), errors)

    def kill(self) -> None:
        self.go.set()

    def close(self) -> None: ...


def told(story: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a story in a thread of its own: where a browser is tested, this one has a loop that runs."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: asyncio.run(story())).result()


def documents(count: int) -> list[Document]:
    return [Document(str(i), "text") for i in range(count)]


async def collect(queue: Queue, order: bytes, given: Sequence[Document]) -> list[Answer]:
    return [answer async for answer in queue.answers(order, given)]


async def started(pool: FakePool, *, most: int = 100, workers: int = 1) -> Queue:
    queue = Queue(pool, workers, most, Metrics())  # type: ignore[arg-type]
    await queue.start([b"a"])
    return queue


def test_answers_come_in_order_and_errors_in_their_places() -> None:
    async def story() -> None:
        queue = await started(FakePool())
        found = await collect(queue, b"a", documents(7))
        assert len(found) == 7
        assert all(bool(answer.line) != bool(answer.reason) for answer in found)
        await queue.stop()

    told(story)


def test_requests_that_wait_together_go_together() -> None:
    async def story() -> None:
        pool = FakePool()
        queue = await started(pool)
        pool.go.clear()
        asking = [
            asyncio.create_task(collect(queue, order, documents(2))) for order in (b"a", b"b", b"a", b"a")
        ]
        await asyncio.sleep(0.05)
        pool.go.set()
        await asyncio.gather(*asking)
        assert sum(size for _, size in pool.batches) == 8
        assert [order for order, _ in pool.batches] == [b"a", b"b", b"a"] or len(pool.batches) <= 4
        assert max(size for order, size in pool.batches if order == b"a") >= 4
        await queue.stop()

    told(story)


def test_a_full_queue_turns_away_and_recovers() -> None:
    async def story() -> None:
        pool = FakePool()
        queue = await started(pool, most=4)
        pool.go.clear()
        asking = asyncio.create_task(collect(queue, b"a", documents(12)))
        await asyncio.sleep(0.05)
        assert queue.is_full
        with pytest.raises(HttpError) as refused:
            await collect(queue, b"a", documents(1))
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) >= 1
        pool.go.set()
        assert len(await asking) == 12
        assert len(await collect(queue, b"a", documents(9))) == 9
        await queue.stop()

    told(story)


def test_a_large_request_lets_others_in() -> None:
    async def story() -> None:
        pool = FakePool()
        queue = await started(pool, most=1000)
        pool.go.clear()
        large = asyncio.create_task(collect(queue, b"a", documents(500)))
        await asyncio.sleep(0.05)
        small = asyncio.create_task(collect(queue, b"a", documents(1)))
        await asyncio.sleep(0.05)
        pool.go.set()
        await small
        assert not large.done()
        assert len(await large) == 500
        await queue.stop()

    told(story)


def test_who_leaves_is_forgotten() -> None:
    async def story() -> None:
        pool = FakePool()
        queue = await started(pool)
        pool.go.clear()
        first = asyncio.create_task(collect(queue, b"a", documents(1)))
        await asyncio.sleep(0.05)
        leaving = asyncio.create_task(collect(queue, b"a", documents(5)))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.sleep(0.05)
        pool.go.set()
        await first
        assert len(await collect(queue, b"a", documents(1))) == 1
        assert sum(size for _, size in pool.batches) == 2
        await queue.stop()

    told(story)


def test_a_failing_worker_costs_its_batch_and_the_service_goes_on() -> None:
    async def story() -> None:
        pool = FakePool(fails=True)
        queue = await started(pool)
        found = await collect(queue, b"a", documents(2))
        assert [answer.reason for answer in found] == ["the service cannot do this: the disk is full"] * 2
        assert queue.is_running
        await queue.stop()
        assert not queue.is_running

    told(story)
