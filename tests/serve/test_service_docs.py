"""What docs/serve.md shows of requests and answers is what the service answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
SHOWN = re.compile(
    r"^curl -s http://127\.0\.0\.1:8080(?P<route>/\S+) [^']*'Content-Type: application/json' \\\n"
    r"  -d '(?P<body>[^']*)'\n```\n\n```json\n(?P<answer>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def test_answers_are_as_shown(client: httpx.Client) -> None:
    shown = list(SHOWN.finditer(PAGE))
    assert {each["route"] for each in shown} == {"/v1/annotate", "/v1/deidentify"}
    for each in shown:
        body = json.loads(each["body"])
        if each["route"] == "/v1/annotate":
            body |= {"stages": [], "model": "default"}  # the service of the page has no stages
        assert client.post(each["route"], json=body).json() == json.loads(each["answer"])


def test_the_log_has_the_fields_that_are_named(client: httpx.Client, live: object) -> None:
    request_id = client.post("/v1/annotate", json={"text": "asthma"}).headers["x-request-id"]
    line = next(line for line in live.said().splitlines() if request_id in line)  # type: ignore[attr-defined]
    shown = json.loads(re.search(r'^\{"time".*\}$', PAGE, re.MULTILINE)[0])  # type: ignore[index]
    assert set(json.loads(line)) == set(shown) - {"caller"}


def test_every_counter_is_named(client: httpx.Client) -> None:
    kinds = re.findall(r"^# TYPE (medspan_\w+) (\w+)", client.get("/metrics").text, re.MULTILINE)
    named = {name for name, _ in kinds if not name.endswith("_created")}
    assert set(re.findall(r"`(medspan_[a-z_]+)`", PAGE)) == named
