"""Two processes that are one run: the same weights everywhere, the F1 of one process, resumed byte for byte."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

import torch

from medspan import formats
from medspan.train.replicas import ALONE
from medspan.train.run import train
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "tests/train"))
DRUGS = ("aspirin", "warfarin", "insulin", "heparin", "digoxin")
RECIPE = """
name = "drugs"
threads = 1

[encoder]
kind = "blstm_cnn"
word_width = 16
hidden_width = 16

[corpora.mine]
source = "data"

[corpora.other]
source = "data"

[heads.drug]
labels = ["Drug"]
corpora = ["mine"]

[heads.other]
labels = ["Drug"]
corpora = ["other"]

[train]
epochs = 6
batch_words = 80
learning_rate = 0.02
average = 0.9
checkpoint_steps = 5
"""


def document(number: int) -> Document:
    drug = DRUGS[number % len(DRUGS)]
    text = f"Day {number}: {drug} was given to patient {number * 7}."
    start = text.index(drug)
    return Document(str(number), text, (Entity("T1", "Drug", (Span(start, start + len(drug)),)),))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    train_folder = tmp_path / "data" / "train"
    train_folder.mkdir(parents=True)
    for part in range(2):
        documents = [document(number) for number in range(part, 80, 2)]
        formats.write(documents, train_folder / f"part-{part}.jsonl")
    (tmp_path / "data" / "dev").mkdir()
    formats.write([document(number) for number in range(200, 230)], tmp_path / "data" / "dev" / "dev.jsonl")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(
    recipe: Path, output: Path, *, size: int = 2, resume: bool = False, last_step: int = -1
) -> Sequence[int]:
    port = str(free_port())
    program = str(Path(__file__).parent / "replica_run.py")
    command = [
        sys.executable,
        program,
        str(recipe),
        str(output),
        "resume" if resume else "new",
        str(last_step),
    ]
    shared = {"PYTHONPATH": SOURCES, "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank)}, stdout=subprocess.DEVNULL)
        for rank in range(size)
    ]
    return [process.wait(timeout=300) for process in processes]


def rows(output: Path) -> list[dict[str, object]]:
    lines = (
        (output.with_name(f"{output.name}.run") / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    )
    return [
        {k: v for k, v in json.loads(line).items() if k not in {"minutes", "words_per_second"}}
        for line in lines
    ]


def test_two_processes_learn_what_one_does(recipe: Path, tmp_path: Path):
    assert run(recipe, tmp_path / "two") == [0, 0]

    class Quiet:
        def on_step(self, state: object, total_steps: int, loss: float) -> None:
            pass

        def on_epoch(self, row: object, *, is_best: bool) -> None:
            pass

    train(recipe, tmp_path / "one", watcher=Quiet(), tell=lambda _: None, device="cpu")
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert one[-1]["dev_mean"] == two[-1]["dev_mean"] == 1.0
    # As many words a step, so as many steps, give or take how batches fall.
    assert abs(one[-1]["step"] - two[-1]["step"]) <= 0.25 * one[-1]["step"]
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.3)


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(recipe: Path, tmp_path: Path):
    assert run(recipe, tmp_path / "whole") == [0, 0]
    codes = run(recipe, tmp_path / "cut", last_step=17)
    assert all(codes)
    assert run(recipe, tmp_path / "cut", resume=True) == [0, 0]
    whole, cut = ((tmp_path / name / "model.onnx").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    assert rows(tmp_path / "whole") == rows(tmp_path / "cut")


def test_a_process_alone_shares_with_nobody():
    parameter = torch.nn.Parameter(torch.ones(2))
    ALONE.average([parameter])
    assert parameter.grad is None
    assert ALONE.gather(b"x") == [b"x"]
    assert ALONE.first({"a": 1.5}, dict[str, float]) == {"a": 1.5}
    assert ALONE.all((0.1, 2), tuple[float, int]) == [(0.1, 2)]
