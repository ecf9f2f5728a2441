"""Malformed and strange bodies for the service: no 5xx, no crash, none of their words in its log or metrics.

    python benchmarks/fuzz_service.py [--count 1000000] [--seed 8] [--clients 16]

Bodies begin as good ones of every route and are then spoilt: bytes flipped, left out, doubled; values
replaced by ones of other types, huge numbers, half surrogate pairs, deep nesting; wrong media types and
queries. One in a hundred breaks HTTP itself (lengths that lie, chunks cut off). Each body holds a word that
must not turn up in what the service writes or counts. Ends its worker processes now and then, too. Sends to
127.0.0.1 only. Writes fuzz.json beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from facts import facts, fill_page, merge_json
from processes import ROOT, children, is_alive
from serving import service

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT = Path(__file__).with_name("fuzz.json")
CANARY = "Quetzalcoatl"
HOST = "127.0.0.1"
NOTE = f"Mr {CANARY} has asthma 😀, no lithium toxicity."
_JSON, _LINES = "application/json", "application/x-ndjson"
_SECONDS = 60
_SERVER_ERROR = 500
_KILL_EVERY = 20.0

SEEDS: tuple[tuple[str, Any], ...] = (
    ("/v1/annotate", {"text": NOTE}),
    ("/v1/annotate", {"text": NOTE, "labels": ["Disease"], "min_score": 0.5, "offsets": "utf16"}),
    (
        "/v1/annotate",
        {"documents": [{"id": CANARY, "text": NOTE, "meta": {CANARY: [1, None]}}, {"text": ""}]},
    ),
    ("/v1/annotate", {"text": NOTE, "stages": ["assertion"], "model": "default"}),
    ("/v1/deidentify", {"text": NOTE, "policy": "surrogate", "actions": {"DATE": "keep"}}),
    ("/v1/deidentify", {"documents": [{"id": CANARY, "text": NOTE}]}),
    (
        "/v1/convert",
        {
            "documents": [
                {"id": CANARY, "text": NOTE, "entities": [{"label": "Name", "start": 3, "end": 15}]}
            ],
            "format": "brat",
        },
    ),
    (
        "/v1/convert",
        {
            "documents": [
                {
                    "text": NOTE,
                    "entities": [
                        {
                            "id": "T1",
                            "label": "x",
                            "start": 0,
                            "end": 2,
                            "attributes": {"assertion": "absent"},
                        },
                        {"id": "T2", "label": "y", "spans": [[3, 4], [6, 7]], "score": 0.5},
                    ],
                    "relations": [{"id": "R1", "label": "r", "head": "T1", "tail": "T2"}],
                    "sections": [{"label": "s", "start": 0, "end": 4}],
                }
            ],
            "format": "html",
        },
    ),
)
STRANGE: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 2**64, 10**400, -(10**30), 1e308, 5e-324, -0.0, 0.5),
    *("", CANARY, "\0", "\ud800", "\udfff\ud800", "e\u0301" * 50, "😀" * 20, "\u202e" + CANARY, "a" * 3000),
    *([], {}, [[]], {"": ""}, [None] * 50, {CANARY: CANARY}, ["\ud800"], {"start": -1}),
)
_TEXTS = [(path, json.dumps(value)) for path, value in SEEDS]
FORMATS = ("bioc_json", "bioc_xml", "brat", "conll", "html", "jsonl", "omop", "pubtator", "table", CANARY)


class Fuzz:
    """Spoilt requests, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def request(self) -> tuple[bytes, bool]:
        """The bytes of a request, and whether its HTTP is well-formed."""
        pick = self._random
        path, seed = pick.choice(_TEXTS)
        value = json.loads(seed)
        if pick.random() < 0.8:  # noqa: PLR2004
            value = self._spoilt(value)
        kind = _JSON
        if pick.random() < 0.15 and path != "/v1/convert":  # noqa: PLR2004
            kind, body = _LINES, self._lines(value)
            path += pick.choice(("", "?offsets=utf16", "?labels=Disease", f"?{CANARY}=1", "?min_score=nan"))
        else:
            body = self._json(value)
        if pick.random() < 0.4:  # noqa: PLR2004
            body = self._bytes(body)
        if pick.random() < 0.02:  # noqa: PLR2004
            kind = pick.choice(("", "text/plain", CANARY, "application/json; charset=utf-7", _LINES))
        head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n"
        if pick.random() < 0.01:  # noqa: PLR2004
            return self._broken(head, body), False
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, True

    def _json(self, value: object) -> bytes:
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.5, allow_nan=True)  # noqa: PLR2004
        return text.encode(errors="surrogatepass")

    def _lines(self, value: object) -> bytes:
        documents = value.get("documents", [value]) if isinstance(value, dict) else [value]
        return b"\n".join(
            self._json(each) for each in (documents if isinstance(documents, list) else [documents])
        )

    def _spoilt(self, value: Any) -> Any:  # noqa: ANN401 - JSON values
        """A value with something in it replaced, left out, added or buried."""
        pick = self._random
        if isinstance(value, dict) and value and pick.random() < 0.8:  # noqa: PLR2004
            key = pick.choice(list(value))
            match pick.randrange(5):
                case 0:
                    del value[key]
                case 1:
                    value[pick.choice((CANARY, "", key + " ", "\ud800", "__class__"))] = pick.choice(STRANGE)
                case 2 if key == "format":
                    value[key] = pick.choice(FORMATS)
                case _:
                    value[key] = self._spoilt(value[key])
            return value
        if isinstance(value, list) and value and pick.random() < 0.8:  # noqa: PLR2004
            place = pick.randrange(len(value))
            value[place] = self._spoilt(value[place])
            return value * pick.choice((1, 1, 1, 3))
        if pick.random() < 0.02:  # noqa: PLR2004
            for _ in range(pick.choice((50, 600))):
                value = [value]
            return value
        return pick.choice(STRANGE)

    def _bytes(self, body: bytes) -> bytes:
        """Bytes with some flipped, left out or doubled."""
        pick, data = self._random, bytearray(body)
        for _ in range(pick.choice((1, 1, 2, 5))):
            at = pick.randrange(len(data) + 1)
            match pick.randrange(5):
                case 0 if at < len(data):
                    data[at] ^= 1 << pick.randrange(8)
                case 1:
                    del data[at : at + pick.randrange(1, 20)]
                case 2:
                    data[at:at] = data[max(0, at - 10) : at]
                case 3:
                    data[at:at] = pick.choice(
                        (b"\xff", b"\0", b"[" * 500, b"1e999", b"NaN", b"\xed\xa0\x80", b"\\u")
                    )
                case _:
                    del data[at:]
        return bytes(data)

    def _broken(self, head: str, body: bytes) -> bytes:
        """A request whose HTTP is wrong."""
        start = head.encode()
        wrong = (
            start + b"Content-Length: 99999999999999999999\r\n\r\n" + body,
            start + b"Content-Length: -1\r\n\r\n" + body,
            start + f"Content-Length: {len(body) + 50}\r\n\r\n".encode() + body,
            start + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n" + body,
            start + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + body,
            start[:20] + CANARY.encode() + b"\r\n\r\n",
            b"\x16\x03\x01" + body,
            start.replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n",
        )
        return self._random.choice(wrong)


async def client(port: int, fuzz: Fuzz, left: list[int], statuses: Counter[str]) -> None:
    """Send requests one after another until none are left."""
    reader, writer = await asyncio.open_connection(HOST, port)
    while left[0] > 0:
        left[0] -= 1
        data, is_well_formed = fuzz.request()
        try:
            writer.write(data)
            if is_well_formed:
                statuses[await _status(reader)] += 1
                continue
            async with asyncio.timeout(0.2):
                statuses[await _status(reader)] += 1
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            statuses["no answer" if is_well_formed else "closed"] += 1
        writer.close()
        reader, writer = await asyncio.open_connection(HOST, port)
    writer.close()


async def _status(reader: asyncio.StreamReader) -> str:
    """Read an answer; its status."""
    async with asyncio.timeout(_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        else:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head[9:12].decode()


async def _killing(process: int, killed: list[int], seed: int) -> None:
    """End a worker now and then, as an operating system short of memory would."""
    pick = random.Random(seed)  # noqa: S311 - repeatable, not secret
    while True:
        await asyncio.sleep(_KILL_EVERY)
        if workers := children(process):
            os.kill(pick.choice(workers), signal.SIGKILL)
            killed.append(1)


async def run(port: int, process: int, options: argparse.Namespace) -> tuple[Counter[str], int, str]:
    """All requests; the answers by status, how many workers were killed, and the metrics."""
    statuses: Counter[str] = Counter()
    left, killed = [options.count], list[int]()
    killing = asyncio.create_task(_killing(process, killed, options.seed))
    asking = [client(port, Fuzz(options.seed + number), left, statuses) for number in range(options.clients)]
    await asyncio.gather(*asking)
    killing.cancel()
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET /metrics HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    metrics = (await reader.read()).decode()
    writer.close()
    return statuses, len(killed), metrics


def page_text(found: dict[str, Any]) -> str:
    """The figures for docs/serve.md."""
    answers = ", ".join(f"{count:,} of {status}" for status, count in found["statuses"].items())
    told = ", ".join(found["canary_found_in"]) or "neither log nor metrics"
    return (
        f"{found['bodies']:,} malformed and strange bodies ({found['date']}, seed {found['seed']}), while "
        f"{found['workers_killed']} workers were killed: {found['server_errors']} answers of 5xx, "
        f"{found['well_formed_without_answer']} requests without an answer; a word that stood in the bodies "
        f"was found in {told}. Answers: {answers} (closed: HTTP itself was broken).\n"
    )


def _loop() -> Callable[..., tuple[Counter[str], int, str]]:
    """What runs the clients: uvloop where it is there, for they should take little of the machine."""
    try:
        import uvloop  # noqa: PLC0415 - it need not be there
    except ImportError:
        return asyncio.run
    return uvloop.run  # type: ignore[no-any-return]


def main() -> int:
    """Fuzz and write what came of it; 1 where something went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    began = time.perf_counter()
    with TemporaryDirectory() as name:
        log = Path(name) / "service.log"
        with service(Path(name), options.workers, "--pipeline", "sections,assertion,relations") as (
            process,
            port,
        ):
            statuses, killed, metrics = _loop()(run(port, process, options))
            is_there = is_alive(process)
        said = log.read_text(encoding="utf-8", errors="replace")
    told = [where for where, text in (("log", said), ("metrics", metrics)) if CANARY.lower() in text.lower()]
    errors = sum(
        count for status, count in statuses.items() if status.isdigit() and int(status) >= _SERVER_ERROR
    )
    found = {
        "bodies": options.count,
        "seconds": round(time.perf_counter() - began),
        "statuses": dict(sorted(statuses.items())),
        "server_errors": errors,
        "well_formed_without_answer": statuses["no answer"],
        "workers_killed": killed,
        "is_alive": is_there,
        "canary_found_in": told,
        "lines_of_log_from_the_http_server": sum(not line.startswith("{") for line in said.splitlines()) - 1,
    }
    print(json.dumps(found, indent=1))
    if "Traceback" in said:
        print(said[said.index("Traceback") :][:2000], file=sys.stderr)
    result = merge_json(options.output, "bodies", facts(options.seed, **found))
    if options.output == OUTPUT:
        fill_page(ROOT / "docs" / "serve.md", OUTPUT, page_text(result["bodies"]))
    return int(bool(errors or told or statuses["no answer"] or not is_there))


if __name__ == "__main__":
    sys.exit(main())
