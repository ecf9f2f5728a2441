"""Runs of vectors on tiny text: they learn, resume to the byte, and start language models and taggers."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import torch

from medspan import formats
from medspan.errors import DataError, TrainingError, UsageError
from medspan.train.pretrain import vectors as learning
from medspan.train.pretrain.pairs import Pairs, draw_pairs
from medspan.train.pretrain.settings import load_vector_recipe
from medspan.train.pretrain.subwords import Subwords, follow, hash_of, n_grams
from medspan.train.pretrain.text import Text
from medspan.train.transfer import WORDS, open_donor
from medspan.types import Document
from tiny_pretraining import KilledError, VectorWatcher, Watcher, learn, learn_vectors, recipe_file

if TYPE_CHECKING:
    from pathlib import Path

fasttext = pytest.importorskip("gensim.models.fasttext")


@pytest.mark.parametrize("subwords", [(3, 5), (0, 0)])
def test_vectors_learn_and_their_loss_is_kept(
    subwords: tuple[int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    path = recipe_file(tmp_path, "vectors", vectors={"subwords": subwords, "epochs": 12})
    rows = learn_vectors(path, tmp_path / "vec")
    assert [row.epoch for row in rows] == list(range(1, 13))
    losses = [row.held_out_loss for row in rows]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < 0.9 * losses[0]
    assert rows[-1].learning_rate == pytest.approx(1e-4)
    lines = (tmp_path / "vec.run" / "metrics.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["held_out_loss"] for line in lines] == losses
    metrics = msgspec.json.decode((tmp_path / "vec" / "metrics.json").read_bytes())
    assert metrics["held_out_loss"] == losses[-1]
    assert len(metrics["history"]) == 12
    assert "held out loss" in (tmp_path / "vec" / "README.md").read_text()
    assert not caplog.records
    assert (open_donor(tmp_path / "vec").subwords is None) == (subwords == (0, 0))


def test_a_killed_run_of_vectors_ends_byte_for_byte_like_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(learning, "_TELL_WORDS", 100)
    path = recipe_file(tmp_path, "vectors", vectors={"sample": 0.01})
    whole = learn_vectors(path, tmp_path / "whole")
    with pytest.raises(KilledError):
        learn_vectors(path, tmp_path / "killed", VectorWatcher(stop_at=1))
    with pytest.raises(UsageError, match="--resume"):
        learn_vectors(path, tmp_path / "killed")
    middle = whole[1].words + 300  # in the third epoch, on gensim's thread
    with pytest.raises(KilledError):
        learn_vectors(path, tmp_path / "killed", VectorWatcher(stop_words=middle), resume=True)
    rest = learn_vectors(path, tmp_path / "killed", resume=True)
    assert [row.epoch for row in rest] == [3, 4]
    assert [row.held_out_loss for row in rest] == [row.held_out_loss for row in whole[2:]]
    assert learn_vectors(path, tmp_path / "killed", resume=True) == []  # nothing is left to learn
    for name in ("encoder.safetensors", "subwords.safetensors", "vocab.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_the_learning_rate_falls_as_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rates: list[tuple[float, float]] = []
    train = fasttext.FastText.train

    def spy(model: object, *given: object, start_alpha: float, end_alpha: float, **named: object) -> object:
        rates.append((start_alpha, end_alpha))
        return train(model, *given, start_alpha=start_alpha, end_alpha=end_alpha, **named)

    monkeypatch.setattr(fasttext.FastText, "train", spy)
    learn_vectors(recipe_file(tmp_path, "vectors"), tmp_path / "vec")
    points = np.linspace(0.05, 1e-4, 5)
    assert rates == [(pytest.approx(a), pytest.approx(b)) for a, b in pairwise(points)]


def test_another_recipe_or_text_does_not_go_on(tmp_path: Path):
    path = recipe_file(tmp_path, "vectors")
    with pytest.raises(KilledError):
        learn_vectors(path, tmp_path / "vec", VectorWatcher(stop_at=1))
    with pytest.raises(TrainingError, match="another recipe"):
        learn_vectors(recipe_file(tmp_path, "vectors", vectors={"width": 8}), tmp_path / "vec", resume=True)
    path = recipe_file(tmp_path, "vectors")
    (tmp_path / "vec.run" / "text" / "text.json").unlink()
    notes = tmp_path / "notes.jsonl"
    notes.write_bytes(notes.read_bytes().replace(b"fever", b"pyrexia"))
    with pytest.raises(TrainingError, match="another text"):
        learn_vectors(path, tmp_path / "vec", resume=True)


def test_a_text_that_cannot_be_read_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """gensim reads on a thread of its own and would wait for ever."""

    def broken(_: Text) -> object:
        raise DataError("train-00000 cannot be read")

    monkeypatch.setattr(Text, "stream", broken)
    with pytest.raises(DataError, match="train-00000"):
        learn_vectors(recipe_file(tmp_path, "vectors"), tmp_path / "vec")


def test_the_loss_of_pairs_is_that_of_negative_sampling():
    centres, contexts = np.eye(3, dtype=np.float32), np.diag([2.0, 1.0, -1.0]).astype(np.float32)
    pairs = Pairs(np.array([0, 2]), np.array([0, 1]), np.array([[0, 1], [2, 1]]))
    right = np.logaddexp(0, [-2.0, 0.0])
    wrong = [np.logaddexp(0, 0), np.logaddexp(0, -1.0)]  # what is the target does not count
    assert pairs.loss(centres, contexts) == pytest.approx(np.mean(right + wrong), rel=1e-6)
    empty = draw_pairs([], kept=np.ones(3), drawn=np.ones(3), reach=2, negatives=2, seed=1)
    assert empty.loss(centres, contexts) is None


def test_pairs_are_drawn_as_training_draws_them():
    rng = np.random.default_rng(0)
    sentences = [rng.integers(0, 4, 9) for _ in range(3000)]
    often = np.array([0.1, 0.2, 0.3, 0.4])
    kept = np.array([1.0, 1.0, 1.0, 0.25])
    pairs = draw_pairs(sentences, kept=kept, drawn=often.cumsum(), reach=3, negatives=2, seed=7)
    again = draw_pairs(sentences, kept=kept, drawn=often.cumsum(), reach=3, negatives=2, seed=7)
    assert all(np.array_equal(a, b) for a, b in zip(pairs, again, strict=True))
    negatives = np.bincount(pairs.negatives.ravel(), minlength=4) / pairs.negatives.size
    np.testing.assert_allclose(negatives, often, atol=0.01)
    centres = np.bincount(pairs.centres, minlength=4) / len(pairs.centres)
    np.testing.assert_allclose(centres, kept / kept.sum(), atol=0.01)
    ordered = draw_pairs(
        [np.arange(6)] * 500, kept=np.ones(6), drawn=np.linspace(0.2, 1, 6), reach=3, negatives=1, seed=7
    )
    distance = np.abs(ordered.centres - ordered.targets)
    found = np.bincount(distance, minlength=4)[1:] / 500
    np.testing.assert_allclose(found, [2 * 5, 2 * 4 * 2 / 3, 2 * 3 / 3], rtol=0.1)


def test_vectors_have_subwords_that_equal_those_of_gensim(tmp_path: Path):
    path = recipe_file(tmp_path, "vectors")
    learn_vectors(path, tmp_path / "vec")
    donor = open_donor(tmp_path / "vec")
    (table,) = donor.tensors.values()
    assert table.shape == (donor.vocab.n_words, 12)
    assert abs(float(table[2:].square().mean().sqrt()) - load_vector_recipe(path).vectors.spread) < 1e-2
    assert not table[0].any()
    assert donor.subwords is not None
    found, has_some = donor.subwords.vectors(["feverish", ""])
    assert has_some.tolist() == [True, False]
    assert found.shape == (2, 12)
    for word in ("fever", "β-blocker", "ö", "日本"):
        for shortest, longest in ((3, 5), (1, 4)):
            own = [hash_of(gram) % 97 for gram in n_grams(word, shortest, longest)]
            assert own == list(fasttext.ft_ngram_hashes(word, shortest, longest, 97))


def test_subwords_follow_the_table_they_came_with():
    rng = np.random.default_rng(3)
    before = rng.normal(size=(200, 8)).astype(np.float32)
    subwords = Subwords(rng.normal(size=(50, 8)).astype(np.float32), (3, 5))
    noise = rng.normal(size=before.shape).astype(np.float32)
    moved = follow(subwords, before, before * 1.7 + 0.3 * noise)
    assert moved.lengths == (3, 5)
    np.testing.assert_allclose(moved.buckets, subwords.buckets * 1.7, rtol=0.05)
    assert follow(subwords, np.zeros((2, 8), np.float32), before[:2]).buckets is subwords.buckets


def test_vectors_start_a_language_model_which_passes_their_subwords_on(tmp_path: Path):
    learn_vectors(recipe_file(tmp_path, "vectors"), tmp_path / "vec")
    path = recipe_file(tmp_path, "bilm", transfer={"from": "vec"})
    lines: list[str] = []
    learn(path, tmp_path / "lm", "bilm", tell=lines.append)
    assert any("transfer from tiny: 1 loaded" in line for line in lines)
    vectors, donor = open_donor(tmp_path / "vec"), open_donor(tmp_path / "lm")
    assert vectors.subwords is not None
    assert donor.subwords is not None
    assert donor.subwords.lengths == vectors.subwords.lengths == (3, 5)
    first, last = vectors.tensors[WORDS][2:], donor.tensors[WORDS][2 : vectors.vocab.n_words]
    scale = float((first * last).sum() / first.square().sum())
    np.testing.assert_allclose(donor.subwords.buckets, vectors.subwords.buckets * scale, atol=2e-3)
    assert not torch.equal(first, last)
    again = recipe_file(tmp_path, "bilm", transfer={"from": "lm"}, pretrain={"words": 100})
    learn(again, tmp_path / "more", "bilm")
    assert open_donor(tmp_path / "more").subwords is not None


def test_a_language_model_without_subwords_has_none_to_pass_on(tmp_path: Path):
    learn(recipe_file(tmp_path, "bilm", pretrain={"words": 100}), tmp_path / "lm", "bilm", Watcher())
    assert open_donor(tmp_path / "lm").subwords is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
def test_vectors_start_a_language_model_on_a_gpu_which_goes_on_there(tmp_path: Path):
    learn_vectors(recipe_file(tmp_path, "vectors", vectors={"width": 12}), tmp_path / "vec")
    documents = [Document("new", "Feverish zelvorinic oxidation."), *formats.read(tmp_path / "notes.jsonl")]
    path = recipe_file(tmp_path, "bilm", reading={"min_count": 1})
    formats.write(documents, tmp_path / "notes.jsonl")
    options = {"start": tmp_path / "vec", "device": "cuda"}
    with pytest.raises(KilledError):
        learn(path, tmp_path / "out", "bilm", Watcher(stop_at=6), **options)
    rows = learn(path, tmp_path / "out", "bilm", resume=True, **options)
    assert rows[-1].perplexity_forward > 1
