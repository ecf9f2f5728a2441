"""From start to end: what was accepted is answered, a worker that dies costs nobody, a bad start is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live_service import serving
from medspan.serve.keys import add_key

if TYPE_CHECKING:
    from live_service import Live

NOTE = " ".join(["The patient has asthma and takes metformin for diabetes mellitus type 2."] * 40)
LINES = "application/x-ndjson"

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers through /proc")


def workers_of(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


@needs_proc
def test_a_killed_worker_costs_nobody(live: Live) -> None:
    done: list[int] = []

    def ask() -> None:
        with live.client() as client:
            done.extend(client.post("/v1/annotate", json={"text": NOTE}).status_code for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.1)
        for worker in workers_of(live.process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert done == [200] * 80
    with live.client() as client:
        assert client.get("/readyz").json() == {"status": "ready"}


def test_what_was_accepted_is_answered_before_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", "--deid-model", "none") as live:
        found: list[str] = []
        begun = threading.Event()

        def ask() -> None:
            body = f'{{"text": "{NOTE}"}}\n' * 150
            headers = {"Content-Type": LINES}
            with (
                live.client() as client,
                client.stream("POST", "/v1/annotate", content=body, headers=headers) as answer,
            ):
                for line in answer.iter_lines():
                    found.append(line)
                    begun.set()

        asking = threading.Thread(target=ask)
        asking.start()
        assert begun.wait(30)
        live.process.send_signal(signal.SIGTERM)
        asking.join()
        assert live.process.wait(30) == 0
    assert len(found) == 150
    assert not any('"error"' in line for line in found)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "nothing"], "no model 'nothing'"),
        (["--pipeline", "sektions"], "did you mean sections?"),
        (["--stages", "sektions"], "did you mean sections?"),
        (["--host", "192.0.2.1"], "needs keys"),
        (["--keys", "absent.txt"], "absent.txt"),
        (["--keys", "keys.txt", "--host", "192.0.2.1"], "address of this machine as --host"),
        (["--policy", "absent.toml"], "absent.toml"),
        (["--pipeline", "codes=absent"], "absent"),
        (["--add-key", "a"], "--keys"),
    ],
)
def test_a_bad_start_says_why(tmp_path: Path, words: list[str], told: str) -> None:
    add_key(tmp_path / "keys.txt", "ward7")
    done = subprocess.run(
        [sys.executable, "-m", "medspan", "serve", "--port", "0", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 or (done.returncode == 1 and "bug" not in done.stderr)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(live: Live) -> None:
    port = live.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "medspan", "serve", "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "choose another --port" in done.stderr


def test_add_key_prints_a_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "medspan", "serve", "--keys", str(tmp_path / "keys"), "--add-key", "ward7"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("msk_")
    assert (tmp_path / "keys").read_text(encoding="utf-8").splitlines()[1].startswith("ward7 ")
