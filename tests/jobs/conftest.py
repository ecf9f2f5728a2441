"""Bulk jobs without a model: workers are stubs (stub_worker.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from stub_worker import COMMAND

from medspan.jobs import job, pool
from medspan.jobs.manifest import Settings
from medspan.jobs.request import Request
from medspan.jobs.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from medspan.jobs.job import Outcome
    from medspan.jobs.wire import PartRow


class Listener:
    """A watcher that keeps what it hears."""

    def __init__(self, on_part: Callable[[], None] | None) -> None:
        self.first = on_part
        self.new: list[int] = []
        self.old: list[int] = []

    def on_part(self, row: PartRow, *, is_new: bool) -> None:
        (self.new if is_new else self.old).append(row.part)
        if self.first is not None:
            first, self.first = self.first, None
            first()


def settings_of(request: Request) -> Settings:
    """Settings without opening a model."""
    return Settings(
        medspan="0",
        model="stub",
        model_digest="0",
        inputs=request.inputs,
        limits=request.limits,
        types=request.types,
    )


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are stubs, and no model is opened."""
    monkeypatch.setattr(pool, "COMMAND", COMMAND)
    monkeypatch.setattr(job, "settings_of", settings_of)


@pytest.fixture
def run(stubs: None) -> Callable[..., tuple[Outcome, Listener]]:
    """Run a job; keywords go to the request."""
    del stubs  # it has patched what it patches

    def run_stub(
        source: Path,
        folder: Path,
        stop: Stop | None = None,
        *,
        on_part: Callable[[], None] | None = None,
        **options: object,
    ) -> tuple[Outcome, Listener]:
        listener = Listener(on_part)
        request = Request(inputs=(str(source),), **{"workers": 1, **options})  # type: ignore[arg-type]
        return job.run_job(request, folder, listener, stop or Stop()), listener

    return run_stub


@pytest.fixture
def write_notes(tmp_path: Path) -> Callable[..., Path]:
    """Write texts as JSONL, a text each; bytes are written as they are."""

    def write(*texts: str | bytes, name: str = "notes.jsonl") -> Path:
        lines = [
            text if isinstance(text, bytes) else json.dumps({"id": f"n{number}", "text": text}).encode()
            for number, text in enumerate(texts)
        ]
        path = tmp_path / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write
