"""Many clients of a service at once, each with one connection and one request on it at a time.

    python benchmarks/load_client.py PORT REQUESTS --clients 32 --seconds 60

REQUESTS is a JSONL file, a body a line. Ends after so many seconds, or after ``--count`` requests. Prints
JSON: how many answers of each status, words a second, milliseconds at percentiles. ``--rate`` starts so many
requests a second instead, whether or not earlier ones have been answered, as many clients of a busy service
do. Sends to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_HEAD = (
    "POST /v1/annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_PAUSE = 0.05
"""Seconds a client waits after it was turned away; a patient one would wait as Retry-After says."""


class Load:
    """What all clients share: requests to send, and what came of them."""

    def __init__(self, bodies: list[bytes], ends: float, count: int | None) -> None:
        self.requests = [_HEAD.format(length=len(body)).encode() + body for body in bodies]
        self._ends, self._count = ends, count
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.broken = 0
        self.done_of: Counter[int] = Counter()

    def next(self) -> tuple[int, bytes] | None:
        """The number of the next request and its bytes; None where it is time to end."""
        if time.perf_counter() >= self._ends or (self._count is not None and self.sent >= self._count):
            return None
        number = self.sent % len(self.requests)
        self.sent += 1
        return number, self.requests[number]

    def answered(self, number: int, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        if status == 200:  # noqa: PLR2004 - HTTP
            self.seconds.append(seconds)
            self.done_of[number] += 1


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, ended: asyncio.Future[None]) -> None:
        self._load, self._ended = load, ended
        self._buffer = b""
        self._began = 0.0
        self._number = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        if self._transport.is_closing():
            return
        found = self._load.next()
        if found is None:
            self._finish()
            return
        self._number, data = found
        self._began = time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Read an answer; when it is whole, send the next request."""
        self._buffer += data
        head, end, rest = self._buffer.partition(_END)
        if not end:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        status = int(head[9:12])
        self._load.answered(self._number, status, time.perf_counter() - self._began)
        if status == 429:  # noqa: PLR2004 - HTTP
            asyncio.get_running_loop().call_later(_PAUSE, self._send)
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """An answer that does not come is an error."""
        if not self._ended.done():
            self._load.broken += 1
            self._ended.set_result(None)

    def _finish(self) -> None:
        self._ended.set_result(None)
        self._transport.close()


async def closed_loop(port: int, load: Load, clients: int) -> None:
    """Each client asks again as soon as it has its answer."""
    loop = asyncio.get_running_loop()
    ended = [loop.create_future() for _ in range(clients)]
    for future in ended:
        await loop.create_connection(lambda future=future: Client(load, future), HOST, port)
    await asyncio.gather(*ended)


class _Timed:
    """One request at a time of a connection of a pool, begun when it is due."""

    def __init__(self, port: int, load: Load) -> None:
        self._port, self._load = port, load
        self._free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def ask(self, number: int, data: bytes) -> None:
        """Send one request and count its answer, timed from when it was due."""
        began = time.perf_counter()
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection(HOST, self._port)
        writer.write(data)
        head = await reader.readuntil(_END)
        await reader.readexactly(int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]))
        self._load.answered(number, int(head[9:12]), time.perf_counter() - began)
        self._free.append((reader, writer))


async def open_loop(port: int, load: Load, rate: float) -> None:
    """So many requests a second, evenly."""
    timed = _Timed(port, load)
    began = time.perf_counter()
    running: set[asyncio.Task[None]] = set()
    while (found := load.next()) is not None:
        task = asyncio.create_task(timed.ask(*found))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(max(0.0, began + load.sent / rate - time.perf_counter()))
    await asyncio.gather(*running)


def summary(load: Load, words: list[int], seconds: float) -> dict[str, Any]:
    """What came of it."""
    ordered = sorted(load.seconds)

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0

    done = sum(words[number] * times for number, times in load.done_of.items())
    return {
        "seconds": round(seconds, 1),
        "requests": sum(load.statuses.values()),
        "statuses": {str(status): count for status, count in sorted(load.statuses.items())},
        "broken_connections": load.broken,
        "requests_per_second": round(len(ordered) / seconds, 1),
        "words_per_second": round(done / seconds),
        "milliseconds": {"median": at(0.5), "p95": at(0.95), "p99": at(0.99), "highest": at(1.0)},
    }


def main() -> int:
    """Run the clients and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--rate", type=float)
    options = parser.parse_args()
    bodies = options.requests.read_bytes().splitlines()
    words = [len(json.loads(body)["text"].split()) for body in bodies]
    began = time.perf_counter()
    load = Load(bodies, began + options.seconds, options.count)
    try:
        import uvloop  # noqa: PLC0415 - clients should take little of the machine
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    if options.rate:
        run(open_loop(options.port, load, options.rate))
    else:
        run(closed_loop(options.port, load, options.clients))
    print(json.dumps(summary(load, words, time.perf_counter() - began)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
