"""Runs of `medspan pretrain mlm` on tiny text: they learn, resume to the byte, and learn on."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch

pytest.importorskip("transformers")

from medspan import formats
from medspan.errors import ConfigError, DataError, ModelError, TrainingError, UsageError
from medspan.train.hub import open_hub_model
from medspan.train.pretrain.mlm import MlmTrainer
from medspan.train.pretrain.mlm_families import own_tensors, with_head
from medspan.train.pretrain.mlm_folder import MlmSpec
from medspan.train.pretrain.settings import MlmChanges, load_mlm_recipe, mlm_recipe_of
from medspan.train.pretrain.text import read_text
from medspan.types import Document
from tiny_mlm import Watcher, mlm_recipe, pretrain, tiny_hub, tiny_tokenizer
from tiny_pretraining import KilledError

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.pretrain.mlm import MlmRow

SAME = ("step", "words", "pieces", "loss", "held_out_loss", "learning_rate")


def spec_of(folder: Path) -> MlmSpec:
    return msgspec.json.decode((folder / "medspan.json").read_bytes(), type=MlmSpec)


def entropy_of_pieces(texts: list[str]) -> float:
    """Nats a piece, of the words of some texts."""
    tokenizer = tiny_tokenizer("xlnet")
    counts = Counter(
        piece for text in texts for piece in tokenizer.encode(text, add_special_tokens=False).ids
    )
    return sum(-n * math.log(n / counts.total()) for n in counts.values()) / counts.total()


def trainer_of(path: Path, folder: Path, start: Path) -> MlmTrainer:
    recipe = load_mlm_recipe(path)
    text = read_text(recipe.text, recipe.reading, folder / "t", base=path.parent, tell=lambda _: None)
    hub = open_hub_model(start)
    return MlmTrainer(
        recipe,
        text,
        folder,
        model=with_head(hub),
        tokenizer=hub.tokenizer_json,
        device=torch.device("cpu"),
        start="0" * 64,
    )


@pytest.mark.parametrize("objective", ["mlm", "permutation"])
def test_a_new_network_learns(objective: str, tmp_path: Path):
    """Each sentence says two words again and again: who sees some of them knows the others."""
    path = mlm_recipe(tmp_path, mlm={"objective": objective, "epochs": 5, "pieces": 24, "batch_blocks": 8})
    pairs = [("fever", "grey"), ("dry", "lung"), ("mild", "week"), ("low", "patients")]
    texts = [" ".join(pairs[i % 4] * 4) + "." for i in range(320)]
    formats.write([Document(f"d{i}", text) for i, text in enumerate(texts)], tmp_path / "notes.jsonl")
    rows = pretrain(path, tmp_path / "out").rows
    assert rows[0].step == 0
    assert rows[0].loss is None
    assert len(rows) > 2
    assert rows[0].held_out_loss > 4
    assert rows[-1].held_out_loss < 0.7 * entropy_of_pieces(texts[:4])  # that of pieces without neighbours
    assert rows[-1].loss is not None
    assert rows[-1].loss < 0.4 * rows[0].held_out_loss
    spec = spec_of(tmp_path / "out")
    assert (spec.objective, spec.family, spec.start) == (objective, "xlnet", None)
    assert (spec.steps, spec.words, spec.pieces) == (rows[-1].step, rows[-1].words, rows[-1].pieces)
    assert spec.texts[0].name == "notes.jsonl"
    assert len(spec.texts[0].splits["train"]) == 64
    assert open_hub_model(tmp_path / "out").family == "xlnet"


@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_a_network_that_is_there_learns_on(family: str, tmp_path: Path):
    tiny_hub(tmp_path / "start", family, with_head=False)
    said: list[str] = []
    path = mlm_recipe(tmp_path, start="start", mlm={"objective": "mlm", "learning_rate": 0.01})
    rows = pretrain(path, tmp_path / "first", tell=said.append).rows
    assert rows[-1].held_out_loss < 0.8 * rows[0].held_out_loss
    assert "start at random: " in said[-1]
    spec = spec_of(tmp_path / "first")
    assert spec.start is not None
    assert (spec.start.name, spec.start.licence) == ("start", "mit")
    path = mlm_recipe(tmp_path, start="first", mlm={"objective": "mlm", "words": 50, "seed": 13})
    more = pretrain(path, tmp_path / "second", tell=said.append).rows
    assert "; 0 start at random" in said[-1]
    assert (
        more[0].held_out_loss == rows[-1].held_out_loss
    )  # tensors, head, pieces and hidden words are the same
    assert [text.name for text in spec_of(tmp_path / "second").texts] == ["notes.jsonl"]


@pytest.mark.parametrize("objective", ["mlm", "permutation"])
def test_a_killed_run_ends_byte_for_byte_like_an_uninterrupted_one(objective: str, tmp_path: Path):
    path = mlm_recipe(tmp_path, mlm={"objective": objective, "epochs": 3, "accumulate": 2, "batch_blocks": 3})
    whole = pretrain(path, tmp_path / "whole")
    assert len(whole.losses) > 12
    with pytest.raises(KilledError):
        pretrain(path, tmp_path / "killed", Watcher(stop_at=11))
    assert not (tmp_path / "killed").exists()
    with pytest.raises(UsageError, match="--resume"):
        pretrain(path, tmp_path / "killed")
    pretrain(path, tmp_path / "killed", resume=True)
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    histories = [
        [
            [row[key] for key in SAME]
            for row in msgspec.json.decode((tmp_path / n / "metrics.json").read_bytes())["history"]
        ]
        for n in ("whole", "killed")
    ]
    assert histories[0] == histories[1]
    before = (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert pretrain(path, tmp_path / "whole", resume=True).losses == []  # it is done
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == before


def test_a_learnt_tokenizer_is_kept_for_resuming(tmp_path: Path):
    path = mlm_recipe(tmp_path, mlm={"epochs": 1})
    path.write_text(path.read_text().replace('tokenizer = "tokenizer.json"', "vocabulary = 90"))
    with pytest.raises(KilledError):
        pretrain(path, tmp_path / "out", Watcher(stop_at=5))
    kept = (tmp_path / "out.run" / "tokenizer.json").read_bytes()
    pretrain(path, tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == kept
    assert open_hub_model(tmp_path / "out").config.vocab_size <= 90


def test_batches_that_are_accumulated_make_the_step_of_a_large_one(tmp_path: Path):
    tiny_hub(tmp_path / "start", "xlnet")
    found = []
    for name, settings in {"one": {"batch_blocks": 6}, "two": {"batch_blocks": 2, "accumulate": 3}}.items():
        mlm = {**settings, "words": 400}
        path = mlm_recipe(tmp_path, start="start", mlm=mlm)
        trainer = trainer_of(path, tmp_path / name, tmp_path / "start")
        for module in trainer.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        watcher = Watcher()
        trainer.run(watcher)
        found.append((watcher.losses, own_tensors(trainer.network)))
    (losses, tensors), (others, other_tensors) = found
    assert len(losses) > 2
    assert losses == pytest.approx(others, rel=1e-4)
    assert all(torch.allclose(tensors[name], other_tensors[name], atol=1e-3) for name in tensors)


def test_minutes_and_words_end_a_run(tmp_path: Path):
    rows = pretrain(mlm_recipe(tmp_path, mlm={"words": 400}), tmp_path / "few").rows
    assert 400 <= rows[-1].words < 700
    path = mlm_recipe(tmp_path, mlm={"epochs": 10_000})
    rows = pretrain(path, tmp_path / "late", max_minutes=0.02).rows
    assert 0 < rows[-1].words < 500_000
    assert spec_of(tmp_path / "late").words == rows[-1].words
    more = pretrain(path, tmp_path / "late", max_minutes=rows[-1].minutes + 0.02, resume=True).rows
    assert more[-1].words > rows[-1].words


def test_the_learning_rate_rises_and_falls(tmp_path: Path):
    mlm = {"evaluate_steps": 1, "warmup": 0.3, "final_rate": 0.1, "held_out_words": 10, "words": 1500}
    path = mlm_recipe(tmp_path, mlm=mlm)
    rates = [row.learning_rate for row in pretrain(path, tmp_path / "out").rows]
    highest = rates.index(max(rates))
    assert 0.2 < highest / len(rates) < 0.4
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[-1] == pytest.approx(5e-4)


def test_bfloat16_learns_too(tmp_path: Path):
    path = mlm_recipe(tmp_path, mlm={"bfloat16": True, "objective": "mlm", "epochs": 4})
    rows = pretrain(path, tmp_path / "out").rows
    assert rows[-1].held_out_loss < 0.8 * rows[0].held_out_loss


def test_held_out_words_are_limited_and_the_same(tmp_path: Path):
    tiny_hub(tmp_path / "start", "xlnet")
    path = mlm_recipe(tmp_path, start="start", mlm={"held_out_words": 60})
    losses, counts = [], []
    for name in ("a", "b"):
        trainer = trainer_of(path, tmp_path / name, tmp_path / "start")
        losses.append(trainer.held_out_loss())
        counts.append(sum(int((task.inputs["attention_mask"] > 0).sum()) for task in trainer._held))
    assert losses[0] == losses[1]
    assert counts[0] == counts[1] < 600


def test_a_changed_recipe_or_start_does_not_go_on(tmp_path: Path):
    tiny_hub(tmp_path / "start", "bert")
    path = mlm_recipe(tmp_path, start="start", mlm={"words": 200, "objective": "mlm"})
    pretrain(path, tmp_path / "out")
    other = mlm_recipe(tmp_path, start="start", mlm={"words": 300, "objective": "mlm"})
    with pytest.raises(TrainingError, match="another recipe"):
        pretrain(other, tmp_path / "out", resume=True)
    path = mlm_recipe(tmp_path, start="start", mlm={"words": 200, "objective": "mlm"})
    weights = tmp_path / "start" / "model.safetensors"
    tiny_hub(tmp_path / "b" / "start", "bert", with_head=False)
    weights.write_bytes((tmp_path / "b" / "start" / "model.safetensors").read_bytes())
    with pytest.raises(TrainingError, match="started from other weights or another tokenizer"):
        pretrain(path, tmp_path / "out", resume=True)
    with pytest.raises(TrainingError, match="start the run without --resume"):
        pretrain(path, tmp_path / "never", resume=True)


def test_a_run_that_diverges_says_so(tmp_path: Path):
    path = mlm_recipe(tmp_path, mlm={"learning_rate": 1e9, "warmup": 0.0, "clip": 1e9, "objective": "mlm"})
    with pytest.raises(TrainingError, match=r"lower mlm\.learning_rate or mlm\.clip"):
        pretrain(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"mlm": {"objectiv": "mlm"}}, r"mlm\.objectiv: unknown key; did you mean objective"),
        (
            {"mlm": {"objective": "permutations"}},
            r"mlm\.objective: 'permutations' is not allowed; did you mean",
        ),
        ({"mlm": {"masked": 0.9}}, r"mlm\.masked"),
        ({"new": {"family": "bert"}}, r"'permutation' is learnt by xlnet only; bert learns 'mlm'"),
        ({"new": {"width": 30, "heads": 4}}, r"new\.width: 30 is no even multiple of new\.heads \(4\)"),
    ],
)
def test_a_wrong_recipe_is_refused(parts: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message):
        load_mlm_recipe(mlm_recipe(tmp_path, **parts))


def test_one_thing_is_started_from(tmp_path: Path):
    for change in (MlmChanges(), MlmChanges("x", new={"layers": 2})):
        with pytest.raises(ConfigError, match="give one thing to start from"):
            mlm_recipe_of(["notes.jsonl"], "tiny", change)
    path = mlm_recipe(tmp_path)
    assert load_mlm_recipe(path, MlmChanges("start")).new is None
    path = mlm_recipe(tmp_path, start="start")
    changed = load_mlm_recipe(path, MlmChanges(new={"family": "xlnet", "layers": 3}, mlm={"pieces": 64}))
    assert changed.start is None
    assert changed.new is not None
    assert (changed.new.layers, changed.mlm.pieces, changed.mlm.batch_blocks) == (3, 64, 4)


def test_texts_need_no_recipe():
    recipe = mlm_recipe_of(["a/notes", "b/notes", "ner/x y"], "tiny", MlmChanges("start"))
    assert {name: text.source for name, text in recipe.text.items()} == {
        "notes": "a/notes",
        "notes-2": "b/notes",
        "x-y": "ner/x y",
    }


def test_a_start_that_does_not_fit_is_refused(tmp_path: Path):
    tiny_hub(tmp_path / "start", "bert")
    with pytest.raises(ConfigError, match="'permutation' is learnt by xlnet only; start is a bert"):
        pretrain(mlm_recipe(tmp_path, start="start"), tmp_path / "out")
    path = mlm_recipe(tmp_path, start="start", mlm={"objective": "mlm", "pieces": 67})
    with pytest.raises(ConfigError, match=r"mlm\.pieces: is 67; this network sees 66 at most"):
        pretrain(path, tmp_path / "out", resume=False)
    tiny_hub(tmp_path / "other", "mpnet")
    (tmp_path / "start" / "tokenizer.json").write_bytes((tmp_path / "other" / "tokenizer.json").read_bytes())
    path = mlm_recipe(tmp_path, start="start", mlm={"objective": "mlm"})
    with pytest.raises(
        ModelError, match=r"lacks the special piece '\[CLS\]'|more pieces than the vocab_size"
    ):
        pretrain(path, tmp_path / "out")
    with pytest.raises(UsageError, match="is the folder it starts from"):
        pretrain(path, tmp_path / "start")
    path = mlm_recipe(tmp_path, new={"tokenizer": "nowhere.json"})
    with pytest.raises(DataError, match=r"nowhere\.json: cannot be read .*names a tokenizer\.json"):
        pretrain(path, tmp_path / "out2")


def test_nothing_is_random_between_runs(tmp_path: Path):
    path = mlm_recipe(tmp_path, mlm={"words": 400})
    one: list[MlmRow] = pretrain(path, tmp_path / "one").rows
    torch.manual_seed(99)
    two = pretrain(path, tmp_path / "two").rows
    assert one[-1].held_out_loss == two[-1].held_out_loss
    names = ("model.safetensors", "recipe.toml")
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in names)
