"""Who may ask, how much, from where; the headers of every answer; what the log and the metrics tell."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from live_service import Live, serving
from medspan.errors import UsageError
from medspan.serve.app import Service
from medspan.serve.keys import KeyFile, add_key, read_keys
from medspan.serve.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY, WORD = "Canary Quetzalcoatl", "quetzalcoatl"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, str]]:
    """A service that wants a key and takes little, and the key."""
    folder = tmp_path_factory.mktemp("keyed")
    key = add_key(folder / "keys.txt", "ward7")
    words = ("--keys", str(folder / "keys.txt"), "--max-documents", "2", "--max-document-chars", "1000")
    with serving(folder, *words, "--max-body-mb", "1", "--workers", "1", "--deid-model", "none") as live:
        yield live, key


def test_without_the_key_nothing_is_told(keyed: tuple[Live, str]) -> None:
    live, key = keyed
    with live.client() as client:
        for path in ("/v1/models", "/metrics", "/v1/nothing", "/v1/../metrics"):
            assert client.get(path).status_code == 401
        answer = client.post(
            "/v1/annotate", json={"text": CANARY}, headers={"Authorization": f"Bearer {key}x"}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/healthz", "/readyz", "/openapi.json"):
            assert client.get(path).status_code == 200


def test_with_the_key_it_answers(keyed: tuple[Live, str]) -> None:
    live, key = keyed
    with live.client(headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.post("/v1/annotate", json={"text": "asthma"}).status_code == 200
        assert client.get("/metrics").status_code == 200
    line = [json.loads(each) for each in live.said().splitlines() if '"/v1/annotate"' in each][-1]
    assert (line["caller"], line["documents"], line["characters"]) == ("ward7", 1, 6)
    assert key not in live.said()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"text": "a" * 1001}, "1,000 characters"),
        ({"documents": [{"text": "a"}] * 3}, "2 documents"),
        ({"text": "a" * 2**20}, "1,048,576 bytes"),
    ],
)
def test_what_is_too_large_is_refused(keyed: tuple[Live, str], body: dict[str, object], told: str) -> None:
    live, key = keyed
    with live.client(headers={"Authorization": f"Bearer {key}"}) as client:
        answer = client.post("/v1/annotate", json=body)
    assert answer.status_code == 413
    assert told in answer.json()["detail"]


def test_a_body_without_a_length_is_limited_too(keyed: tuple[Live, str]) -> None:
    live, key = keyed
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with live.client() as client:
        pieces = (b"a" * 2**16 for _ in range(40))
        with suppress(httpx.WriteError):  # the service may close the connection before all is sent
            assert client.post("/v1/annotate", content=pieces, headers=headers).status_code == 413


def test_every_answer_has_the_headers(live: Live) -> None:
    with live.client() as client:
        answers = [
            client.get("/"),
            client.get("/nothing"),
            client.get("/v1/models"),
            client.put("/v1/models"),
        ]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 405]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-request-id"]
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    assert answers[2].headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_are_kept_out(live: Live, headers: dict[str, str], status: int) -> None:
    with live.client() as client:
        assert client.post("/v1/annotate", json={"text": "a"}, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whether_it_lives_is_told_under_any_name(live: Live, path: str) -> None:
    with live.client() as client:
        assert client.get(path, headers={"Host": "10.1.2.3:8080"}).status_code == 200


def test_the_page_of_the_service_itself_may_ask(live: Live) -> None:
    with live.client() as client:
        answer = client.post("/v1/annotate", json={"text": "a"}, headers={"Origin": live.url})
    assert answer.status_code == 200


def test_text_is_in_no_log_and_no_metric(live: Live) -> None:
    with live.client() as client:
        body = {"documents": [{"id": CANARY, "text": CANARY, "meta": {CANARY: CANARY}}]}
        assert client.post("/v1/annotate", json=body).status_code == 200
        client.post("/v1/annotate", json={CANARY: CANARY})
        client.post("/v1/annotate", json={"text": CANARY, "model": CANARY})
        client.post("/v1/annotate", content=CANARY.encode(), headers={"Content-Type": CANARY})
        client.get(f"/v1/{CANARY}", headers={CANARY.replace(" ", "-"): CANARY})
        client.request(WORD.upper(), "/v1/annotate")
        metrics = client.get("/metrics").text
    word = WORD
    assert word not in live.said().casefold()
    assert word not in metrics.casefold()
    assert 'medspan_requests_total{method="POST",route="/v1/annotate",status="200"}' in metrics


def test_others_can_only_be_served_with_keys() -> None:
    with pytest.raises(UsageError, match="needs keys"):
        Settings(host="0.0.0.0")  # noqa: S104 - that is the point
    assert Settings(host="::1").is_local
    assert Settings(host="localhost").is_local


def test_keys_are_told_apart_and_only_their_digests_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    first, second = add_key(path, "a"), add_key(path, "b")
    assert path.stat().st_mode & 0o077 == 0
    assert first not in path.read_text(encoding="utf-8")
    keys = read_keys(path)
    assert (keys.name_of(first), keys.name_of(second), keys.name_of("x")) == ("a", "b", None)
    path.write_text(path.read_text(encoding="utf-8").rstrip(), encoding="utf-8")  # as some editors leave it
    third = add_key(path, "c")
    assert [read_keys(path).name_of(key) for key in (second, third)] == ["b", "c"]
    with pytest.raises(UsageError, match="has a key"):
        add_key(path, "a")
    with pytest.raises(UsageError, match="a name has letters"):
        add_key(path, "a b")


@pytest.mark.parametrize("text", ["", "# nothing\n", "name nodigest\n", "na/me " + "0" * 64])
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="add-key"):
        read_keys(path)


def test_keys_are_added_and_taken_back_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    first = add_key(path, "a")
    told: list[str] = []
    keys = KeyFile(path, told.append)
    second = add_key(path, "b")
    assert [keys.name_of(first), keys.name_of(second)] == ["a", "b"]
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(["broken", lines[2]]), encoding="utf-8")
    assert [keys.name_of(first), keys.name_of(second), keys.name_of(second)] == [None, "b", "b"]
    assert len(told) == 1
    assert ":1: not a name" in told[0]
    path.unlink()
    assert keys.name_of(second) is None
    assert len(told) == 2
    path.write_text("\n".join(lines), encoding="utf-8")
    assert keys.name_of(first) == "a"


def test_a_key_that_is_taken_back_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    key = add_key(path, "ward7")
    with (
        serving(tmp_path, "--keys", str(path), "--workers", "1", "--deid-model", "none") as live,
        live.client(headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        assert client.get("/v1/models").status_code == 200
        path.write_text("ward7 gone\n", encoding="utf-8")
        assert client.get("/v1/models").status_code == 401
        assert f"{path}:1: not a name" in json.loads(live.said().splitlines()[2])["error"]


def test_a_client_that_leaves_is_no_error_of_the_service(live: Live) -> None:
    port = int(live.url.rpartition(":")[2])
    head = b"POST /v1/annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + b"Content-Length: 50\r\n\r\n{")
        time.sleep(0.2)
    ends = time.monotonic() + 10
    while '"status":499' not in live.said() and time.monotonic() < ends:
        time.sleep(0.05)
    assert '"status":499' in live.said()
    assert '"status":500' not in live.said()
    assert "Exception" not in live.said()


def test_a_bug_is_answered_as_a_problem_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_service: Service, _request: object) -> None:
        raise ValueError(CANARY)

    said: list[str] = []
    monkeypatch.setattr(Service, "_health", broken)
    app = Service(Settings(deid_model="none"), said.append).app
    with httpx.Client(transport=_Direct(app), base_url="http://127.0.0.1") as client:
        answer = client.get("/healthz")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] in said[0]
    assert WORD not in (answer.text + said[0]).lower()


class _Direct(httpx.BaseTransport):
    """To an application without a server, whose errors would come through."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await httpx.ASGITransport(self._app).handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers)
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        with ThreadPoolExecutor(1) as threads:  # where a browser is tested, this thread has a loop that runs
            return threads.submit(lambda: asyncio.run(ask())).result()
