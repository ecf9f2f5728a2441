"""From one's own annotations to a model, through the command line; and a run killed on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import medspan
from trained import write_recipe

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(medspan.__file__).parent.parent),
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
COMMAND = [sys.executable, "-m", "medspan"]


def run(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return done


def test_from_annotations_to_a_model(tmp_path: Path):
    recipe = write_recipe(tmp_path, epochs=6, size=60)
    (tmp_path / "mine").mkdir()
    for split in ("train", "dev", "test"):
        run(tmp_path, "convert", f"corpus/{split}.jsonl", f"mine/{split}.conll")
    recipe.write_text(recipe.read_text(encoding="utf-8").replace('"corpus"', '"mine"'), encoding="utf-8")

    checked = run(tmp_path, "check", "mine", code=1)  # invented sentences repeat, and it says so
    assert "are in dev too" in checked.stdout
    assert "Disease" in checked.stdout
    trained = run(tmp_path, "train", "tiny.toml", "-o", "model", "--device", "cpu")
    assert trained.stdout == ""
    assert "invented: " in trained.stderr
    assert "epoch 6: " in trained.stderr
    assert "model written to model" in trained.stderr
    assert "every golden text gives its entities" in run(tmp_path, "check", "model").stdout

    scored = run(tmp_path, "evaluate", "model", "mine", "--split", "test")
    assert "Disease" in scored.stdout
    (tmp_path / "note.txt").write_text("No sign of grey fever after zelvorin.", encoding="utf-8")
    (row,) = map(json.loads, run(tmp_path, "annotate", "--model", "model", "note.txt").stdout.splitlines())
    assert {e["label"] for e in row["entities"]} == {"Disease", "Drug"}


def kill_at_random(folder: Path, output: str) -> bool:
    """Start training and kill it once there is a checkpoint; whether it was killed before its end."""
    checkpoint = folder / f"{output}.run" / "checkpoint.safetensors"
    words = ["train", "tiny.toml", "-o", output, "--device", "cpu"]
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(random.random() * 0.3)  # noqa: S311 - any moment will do
    process.kill()
    return process.wait() == -signal.SIGKILL


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path):
    write_recipe(tmp_path, epochs=6, size=40)
    run(tmp_path, "train", "tiny.toml", "-o", "whole", "--device", "cpu")
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert kill_at_random(tmp_path, "parts"), "it ended before it was killed"
    assert not (tmp_path / "parts").exists()
    run(tmp_path, "train", "tiny.toml", "-o", "parts", "--device", "cpu", code=2)
    run(tmp_path, "train", "tiny.toml", "-o", "parts", "--device", "cpu", "--resume")
    assert (tmp_path / "parts" / "model.safetensors").read_bytes() == whole
    for name in ("model.onnx", "decoder.safetensors", "vocab.json", "golden.json", "recipe.toml"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
