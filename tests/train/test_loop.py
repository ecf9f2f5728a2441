"""The loop: a run stopped anywhere and resumed is the run nobody stopped."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from medspan.config import parse_recipe
from medspan.errors import ConfigError, TrainingError
from medspan.features.vocab import build_vocab
from medspan.train import loop
from medspan.train.checkpoint import NAME, EpochRow, State
from medspan.train.loop import Trainer, strict_micro
from medspan.train.network import Network
from medspan.types import Document, Entity, Span
from tiny_training import tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from medspan.config import Recipe

CPU = torch.device("cpu")


class Stopped(Exception):  # noqa: N818 - stands for a kill
    """Thrown where a run is killed."""


class Watch:
    """Counts steps; throws at one of them, or behind an epoch."""

    def __init__(self, step: int = -1, epoch: int = -1) -> None:
        self.step, self.epoch = step, epoch
        self.losses: list[float] = []
        self.rows: list[tuple[EpochRow, bool]] = []

    def on_step(self, state: State, total_steps: int, loss: float) -> None:
        self.losses.append(loss)
        self.total = total_steps
        if state.step == self.step:
            raise Stopped

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        self.rows.append((row, is_best))
        if row.epoch == self.epoch:
            raise Stopped


def trainer_of(recipe: Recipe, folder: Path) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(recipe, [tiny_corpus(recipe, size=16)], folder, CPU)


def tensors_of(trainer: Trainer) -> dict[str, Tensor]:
    parts = {
        "model": trainer.network.state_dict(),
        "optimizer": trainer.optimizer.tensors(),
        "average": trainer.average.weights,
        "best": trainer.best,
    }
    return {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}


def assert_same(one: Trainer, other: Trainer) -> None:
    left, right = tensors_of(one), tensors_of(other)
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert tensor.dtype == right[name].dtype
        assert torch.equal(tensor, right[name]), name
    timeless = [
        [(row.epoch, row.step, row.loss, row.dev, row.learning_rate) for row in trainer.state.history]
        for trainer in (one, other)
    ]
    assert timeless[0] == timeless[1]


CASES = {
    "blstm_cnn": tiny_recipe("blstm_cnn", epochs=3, checkpoint_steps=3, average=0.9),
    "softmax": tiny_recipe("window", "softmax", epochs=3, checkpoint_steps=3, weight_decay=0.01),
    "accumulate": tiny_recipe("cnn", epochs=3, checkpoint_steps=2, accumulate=2, average=0.5),
    "char_blstm": tiny_recipe("char_blstm", epochs=2, checkpoint_steps=4),
}


@pytest.mark.parametrize(
    ("case", "watch"),
    [
        ("blstm_cnn", Watch(step=4)),
        ("blstm_cnn", Watch(step=6)),
        ("blstm_cnn", Watch(step=11)),
        ("blstm_cnn", Watch(epoch=0)),
        ("blstm_cnn", Watch(epoch=2)),
        ("softmax", Watch(step=5)),
        ("accumulate", Watch(step=3)),
        ("char_blstm", Watch(step=7)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"step{value.step}-epoch{value.epoch}",
)
def test_a_resumed_run_has_the_same_bytes(case: str, watch: Watch, tmp_path: Path):
    recipe = CASES[case]
    whole = trainer_of(recipe, tmp_path / "whole")
    whole.run(Watch())
    with pytest.raises(Stopped):
        trainer_of(recipe, tmp_path / "parts").run(watch)
    resumed = trainer_of(recipe, tmp_path / "parts")
    torch.manual_seed(999)  # nothing may hang on the generator's state
    resumed.resume()
    resumed.run(Watch())
    assert_same(whole, resumed)


def test_a_run_may_be_stopped_many_times(tmp_path: Path):
    recipe = tiny_recipe("window", epochs=3, checkpoint_steps=1)
    whole = trainer_of(recipe, tmp_path / "whole")
    whole.run(Watch())
    for stop in count(2, 3):
        trainer = trainer_of(recipe, tmp_path / "parts")
        if stop > 2:
            trainer.resume()
        try:
            trainer.run(Watch(step=stop))
        except Stopped:
            continue
        break
    assert stop > 5
    assert_same(whole, trainer)


def test_a_finished_run_resumes_to_its_best_weights(tmp_path: Path):
    recipe = tiny_recipe("window", epochs=2)
    whole = trainer_of(recipe, tmp_path / "run")
    whole.run(Watch())
    again = trainer_of(recipe, tmp_path / "run")
    again.resume()
    watch = Watch()
    again.run(watch)
    assert watch.losses == []
    assert_same(whole, again)


def test_the_best_epoch_ends_in_the_network_and_the_log_has_a_line_an_epoch(tmp_path: Path):
    trainer = trainer_of(tiny_recipe("window", epochs=3), tmp_path / "run")
    watch = Watch()
    trainer.run(watch)
    best = max(row.dev_mean for row, _ in watch.rows)
    assert trainer.state.best_score == best
    assert trainer.dev_score(trainer.corpora[0]).f1 == best
    assert next(is_best for _, is_best in watch.rows)
    assert len((tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    assert watch.total == trainer.state.step == len(watch.losses)
    assert [row.step for row, _ in watch.rows] == [watch.total // 3, 2 * watch.total // 3, watch.total]


def test_training_learns_with_either_head(tmp_path: Path):
    for head in ("crf", "softmax"):
        recipe = tiny_recipe("window", head, epochs=8, learning_rate=0.02)
        trainer = Trainer(recipe, [tiny_corpus(recipe, size=40)], tmp_path, CPU)
        trainer.run(Watch())
        assert trainer.state.best_score > 0.9
        assert bool(trainer.network.head("drug").decoder_parts()) == (head == "crf")


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trainer = trainer_of(tiny_recipe("window", epochs=9, patience=2), tmp_path / "run")
    scores = iter([0.1, 0.3, 0.3, 0.2, 0.9])
    monkeypatch.setattr(trainer, "dev_score", lambda *_: type("Score", (), {"f1": next(scores)}))
    trainer.run(Watch())
    assert [row.dev_mean for row in trainer.state.history] == [0.1, 0.3, 0.3, 0.2]
    assert trainer.state.best_epoch == 1


def test_a_run_without_time_scores_what_it_has_and_may_go_on(tmp_path: Path):
    recipe = tiny_recipe("window", epochs=2)
    trainer = trainer_of(recipe, tmp_path / "run")
    watch = Watch()
    trainer.run(watch, max_minutes=1e-9)
    assert len(watch.losses) == 1
    assert len(watch.rows) == 1
    assert all(
        torch.equal(tensor, trainer.best[name]) for name, tensor in trainer.network.state_dict().items()
    )
    resumed = trainer_of(recipe, tmp_path / "run")
    resumed.resume()
    resumed.run(Watch(), max_minutes=1e-9)  # still no time: straight to the end
    assert len(resumed.state.history) == 1
    resumed.run(Watch())
    assert len(resumed.state.history) == 2


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path):
    with pytest.raises(Stopped):
        trainer_of(tiny_recipe("window", epochs=2), tmp_path / "run").run(Watch(epoch=0))
    other = trainer_of(tiny_recipe("window", epochs=3), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"another recipe; compare resolved\.toml, or start anew"):
        other.resume()


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path):
    with pytest.raises(
        TrainingError, match=r"has no checkpoint\.safetensors; start the run without --resume"
    ):
        trainer_of(tiny_recipe("window"), tmp_path / "run").resume()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "no state", "wrong state"])
def test_a_damaged_checkpoint_is_refused(damage: str, tmp_path: Path):
    trainer = trainer_of(tiny_recipe("window"), tmp_path / "run")
    trainer.save()
    path = tmp_path / "run" / NAME
    content = path.read_bytes()
    if damage in {"empty", "cut", "text"}:
        path.write_bytes(
            {"empty": b"", "cut": content[: len(content) // 2], "text": b"weights\n" * 9}[damage]
        )
    else:
        save_file(
            {"model/x": torch.zeros(1)}, path, None if damage == "no state" else {"state": '{"step": "x"}'}
        )
    with pytest.raises(TrainingError, match=r"checkpoint\.safetensors: damaged .*; delete it and start anew"):
        trainer.resume()


def test_a_crash_while_saving_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trainer = trainer_of(tiny_recipe("window"), tmp_path / "run")
    trainer.save()
    before = (tmp_path / "run" / NAME).read_bytes()

    def crash(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr("os.fsync", crash)
    trainer.state.step = 5
    with pytest.raises(Stopped):
        trainer.save()
    assert (tmp_path / "run" / NAME).read_bytes() == before


def test_a_diverged_run_stops_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trainer = trainer_of(tiny_recipe("window"), tmp_path / "run")
    inside = trainer._loss
    monkeypatch.setattr(trainer, "_loss", lambda *batch: inside(*batch) * float("nan"))
    with pytest.raises(TrainingError, match=r"step 0 is not finite.*lower train\.learning_rate"):
        trainer.run(Watch())


def raw_recipe(**head: object) -> dict[str, object]:
    return {
        "name": "tiny",
        "encoder": {"kind": "window", "layers": 2},
        "corpora": {"own": {"source": "own"}},
        "heads": {head.pop("name", "h"): {"labels": ["A"], "corpora": ["own"], **head}},
    }


@pytest.mark.parametrize("level", [2, -3])
def test_a_level_the_encoder_lacks_is_refused(level: int):
    recipe = parse_recipe(raw_recipe(level=level), "r")
    with pytest.raises(ConfigError, match=rf"heads\.h\.level: is {level}; this encoder has levels 0 to 1"):
        Network(recipe, build_vocab([["a"]]))


@pytest.mark.parametrize("name", ["keys", "type", "training"])
def test_a_name_torch_keeps_is_refused(name: str):
    recipe = parse_recipe(raw_recipe(name=name), "r")
    with pytest.raises(ConfigError, match=f"heads.{name}: torch keeps this name"):
        Network(recipe, build_vocab([["a"]]))


def test_strict_micro_counts_only_the_labels_asked_for():
    def document(*entities: tuple[str, int, int]) -> Document:
        found = (Entity(f"T{i}", label, (Span(a, b),)) for i, (label, a, b) in enumerate(entities))
        return Document("d", "x" * 20, tuple(found))

    gold = [document(("A", 0, 3), ("B", 4, 6)), document(("A", 1, 2))]
    predicted = [document(("A", 0, 3), ("A", 7, 9)), document(("B", 1, 2))]
    score = strict_micro(gold, predicted, frozenset({"A"}))
    assert (score.tp, score.fp, score.fn) == (1, 1, 1)
    assert loop.strict_micro([], [], frozenset()).f1 == 0.0


def test_corpora_whose_heads_do_not_ship_choose_nothing(tmp_path: Path):
    recipe = tiny_recipe("cnn", epochs=2)
    helper = msgspec.structs.replace(recipe.heads["drug"], ships=False, corpora=("helper",))
    recipe = msgspec.structs.replace(
        recipe,
        corpora={**recipe.corpora, "helper": recipe.corpora["invented"]},
        heads={"disease": recipe.heads["disease"], "drug": helper},
    )
    corpora = [
        msgspec.structs.replace(tiny_corpus(recipe, size=10), name=name, heads=(head,))
        for name, head in (("invented", "disease"), ("helper", "drug"))
    ]
    trainer = Trainer(recipe, corpora, tmp_path, CPU)
    trainer.run(Watch())
    assert all(set(row.dev) == {"invented"} for row in trainer.state.history)
    assert trainer.state.best_score == max(row.dev["invented"] for row in trainer.state.history)
    assert trainer.best_dev_scores() == {"invented": trainer.state.best_score}


def test_a_corpus_that_does_not_judge_chooses_nothing(tmp_path: Path):
    recipe = tiny_recipe("cnn", epochs=2)
    own = recipe.corpora["invented"]
    aside = msgspec.structs.replace(own, judges=False)
    heads = {n: msgspec.structs.replace(h, corpora=("invented", "aside")) for n, h in recipe.heads.items()}
    recipe = msgspec.structs.replace(recipe, corpora={"invented": own, "aside": aside}, heads=heads)
    corpora = [msgspec.structs.replace(tiny_corpus(recipe, size=10), name=name) for name in recipe.corpora]
    trainer = Trainer(recipe, corpora, tmp_path, CPU)
    trainer.run(Watch())
    assert all(set(row.dev) == {"invented"} for row in trainer.state.history)


def test_a_run_that_need_not_go_on_writes_its_log_alone(tmp_path: Path):
    trainer = trainer_of(tiny_recipe("cnn", epochs=2, resumable=False), tmp_path / "run")
    trainer.run(Watch())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["metrics.jsonl"]
    assert len((tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
