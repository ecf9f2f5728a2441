"""The OpenAPI document: valid, with examples that work; the service does what it says (schemathesis)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from live_service import Live, serving

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def document(live: Live) -> dict[str, Any]:
    with live.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_it_names_what_this_service_offers(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    asked = document["components"]["schemas"]["AnnotateRequest"]["properties"]
    assert asked["model"]["enum"] == ["default", "clinical", None]
    assert asked["stages"]["anyOf"][0]["items"]["enum"] == ["sections", "assertion", "relations"]


def test_its_examples_work(document: dict[str, Any], live: Live) -> None:
    with live.client() as client:
        for path, methods in document["paths"].items():
            content = methods.get("post", {}).get("requestBody", {}).get("content", {})
            for example in content.get("application/json", {}).get("examples", {}).values():
                answer = client.post(path, json=example["value"])
                assert answer.status_code == 200, answer.text


def run_schemathesis(live: Live, folder: Path, *words: str) -> None:
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--seed", "8", "--no-color"]
    done = subprocess.run(
        [*program, "run", f"{live.url}/openapi.json", *options, *words],
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_lines", "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Test cases:" in done.stdout
    assert "Traceback" not in live.said()


def test_the_service_does_what_it_says(live: Live, tmp_path: Path) -> None:
    run_schemathesis(live, tmp_path)


def test_a_project_does_what_it_says(tmp_path: Path) -> None:
    words = ("--workers", "1", "--project", str(tmp_path / "p.medspan"), "--deid-model", "none")
    with serving(tmp_path, *words) as live:
        run_schemathesis(
            live, tmp_path, "--include-path-regex", "project", "--exclude-path-regex", "train$|accept"
        )
