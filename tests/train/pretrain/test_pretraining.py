"""Runs of language models on tiny text: they learn, resume to the byte, and write folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from medspan.config import BlstmCnn
from medspan.errors import ConfigError, ModelError, TrainingError, UsageError
from medspan.model.pretrained import open_pretrained
from medspan.train.pretrain.lm import LmTrainer
from medspan.train.pretrain.settings import load_lm_recipe, load_mlm_recipe, load_vector_recipe
from medspan.train.pretrain.text import read_text
from medspan.train.transfer import open_donor
from tiny_pretraining import KilledError, Watcher, learn, recipe_file

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


@pytest.mark.parametrize("verb", ["bilm", "charlm"])
def test_a_language_model_learns_and_its_folder_is_read(verb: str, tmp_path: Path):
    rows = learn(recipe_file(tmp_path, verb), tmp_path / "out", verb)
    assert len(rows) > 2
    assert rows[-1].perplexity_forward < 0.7 * rows[0].perplexity_forward
    assert rows[-1].perplexity_backward < 0.7 * rows[0].perplexity_backward
    pretrained = open_pretrained(tmp_path / "out")
    assert pretrained.spec.what == verb
    assert pretrained.spec.texts[0].name == "notes.jsonl"
    donor = open_donor(tmp_path / "out")
    assert all(name.startswith("encoder.") for name in donor.tensors)
    with_head = open_donor(tmp_path / "out", with_head=True)
    assert with_head.tensors.keys() - donor.tensors.keys() == {"head.output.weight", "head.bias.weight"}
    assert (len(donor.vocab.words) > 0) == (verb == "bilm")
    assert " " in donor.vocab.characters or verb == "bilm"
    assert "perplexity forward" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("verb", ["bilm", "charlm"])
def test_a_killed_run_ends_byte_for_byte_like_an_uninterrupted_one(verb: str, tmp_path: Path):
    path = recipe_file(tmp_path, verb)
    learn(path, tmp_path / "whole", verb)
    with pytest.raises(KilledError):
        learn(path, tmp_path / "killed", verb, Watcher(stop_at=11))
    with pytest.raises(UsageError, match="--resume"):
        learn(path, tmp_path / "killed", verb)
    learn(path, tmp_path / "killed", verb, resume=True)
    for name in ("encoder.safetensors", "vocab.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    kept = ("step", "words", "loss", "perplexity_forward", "perplexity_backward")
    histories = [
        [
            [row[key] for key in kept]
            for row in msgspec.json.decode((tmp_path / n / "metrics.json").read_bytes())["history"]
        ]
        for n in ("whole", "killed")
    ]
    assert histories[0] == histories[1]


def test_minutes_and_words_end_a_run(tmp_path: Path):
    path = recipe_file(tmp_path, "bilm", pretrain={"words": 400})
    rows = learn(path, tmp_path / "few", "bilm")
    assert 400 <= rows[-1].words < 600
    path = recipe_file(tmp_path, "bilm", pretrain={"epochs": 10_000})
    rows = learn(path, tmp_path / "late", "bilm", max_minutes=0.02)
    assert 0 < rows[-1].words < 500_000
    more = learn(path, tmp_path / "late", "bilm", max_minutes=rows[-1].minutes + 0.02, resume=True)
    assert more[-1].words > rows[-1].words


def test_a_language_model_learns_on_where_another_stopped(tmp_path: Path):
    path = recipe_file(tmp_path, "bilm")
    before = learn(path, tmp_path / "first", "bilm")
    short = recipe_file(tmp_path, "bilm", pretrain={"words": 100, "learning_rate": 1e-6})
    after = learn(short, tmp_path / "second", "bilm", start=tmp_path / "first")
    assert after[-1].perplexity_forward == pytest.approx(before[-1].perplexity_forward, rel=0.02)


def test_bfloat16_learns_too(tmp_path: Path):
    rows = learn(recipe_file(tmp_path, "bilm", pretrain={"bfloat16": True}), tmp_path / "out", "bilm")
    assert rows[-1].perplexity_forward < 0.7 * rows[0].perplexity_forward


def test_held_out_words_are_limited_and_the_same(tmp_path: Path):
    path = recipe_file(tmp_path, "bilm", pretrain={"held_out_words": 50})
    recipe = load_lm_recipe(path, "bilm")
    text = read_text(recipe.text, recipe.reading, tmp_path / "t", base=tmp_path, tell=lambda _: None)
    trainers = [LmTrainer(recipe, text, tmp_path, device=torch.device("cpu")) for _ in range(2)]
    counts = [sum(len(s) for group in trainer._held for s in group) for trainer in trainers]
    assert 50 <= counts[0] < 120
    assert trainers[0].perplexity() == trainers[1].perplexity()


def test_the_verb_and_the_encoder_must_fit(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"encoder.kind: is 'blstm_cnn'; .*charlm learns a 'char_blstm'"):
        load_lm_recipe(recipe_file(tmp_path, "bilm"), "charlm")
    path = recipe_file(tmp_path, "bilm", pretrain={"learn_rate": 1})
    with pytest.raises(ConfigError, match=r"pretrain\.learn_rate: unknown key; did you mean learning_rate"):
        load_lm_recipe(path, "bilm")
    path.write_text('name = "x"\n[encoder]\nkind = "blstm_cnn"\n[text]\n')
    with pytest.raises(ConfigError, match="text: name at least one source"):
        load_lm_recipe(path, "bilm")


def test_the_recipes_of_the_project_are_right():
    recipes = {path.name: path for path in RECIPES.glob("pretrain-*.toml")}
    vectors = load_vector_recipe(recipes.pop("pretrain-vectors-en.toml"))
    words = load_lm_recipe(recipes.pop("pretrain-bilm-en.toml"), "bilm")
    assert (words.text, words.reading) == (vectors.text, vectors.reading)  # so that they can share --text
    assert isinstance(words.encoder, BlstmCnn)
    assert words.encoder.word_width == vectors.vectors.width
    more = load_lm_recipe(recipes.pop("pretrain-bilm-bio.toml"), "bilm")
    assert more.encoder == words.encoder  # it learns on from there
    load_lm_recipe(recipes.pop("pretrain-charlm-sv.toml"), "charlm")
    load_mlm_recipe(recipes.pop("pretrain-xlnet-en.toml"))
    assert not recipes


def test_a_changed_recipe_does_not_go_on(tmp_path: Path):
    path = recipe_file(tmp_path, "bilm", pretrain={"words": 200})
    learn(path, tmp_path / "out", "bilm")
    path = recipe_file(tmp_path, "bilm", pretrain={"words": 300})
    with pytest.raises(TrainingError, match="another recipe"):
        learn(path, tmp_path / "out", "bilm", resume=True)


def test_another_text_or_start_does_not_go_on(tmp_path: Path):
    path = recipe_file(tmp_path, "bilm")
    with pytest.raises(KilledError):
        learn(recipe_file(tmp_path, "bilm"), tmp_path / "out", "bilm", Watcher(stop_at=5))
    (tmp_path / "out.run" / "text" / "text.json").unlink()
    notes = tmp_path / "notes.jsonl"
    notes.write_bytes(notes.read_bytes().replace(b"fever", b"pyrexia"))
    with pytest.raises(TrainingError, match="another text or another start"):
        learn(path, tmp_path / "out", "bilm", resume=True)


def test_a_changed_file_is_refused(tmp_path: Path):
    learn(recipe_file(tmp_path, "bilm", pretrain={"words": 200}), tmp_path / "out", "bilm")
    (tmp_path / "out" / "vocab.json").write_bytes(b'{"words":[],"counts":[],"characters":[]}')
    with pytest.raises(ModelError, match="differs from the digest"):
        open_donor(tmp_path / "out")
