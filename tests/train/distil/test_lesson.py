"""The two stages: what a student learns, which batches it sees, and that a resumed run has the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from medspan.config import DistilConfig, Transformer
from medspan.errors import DataError, UsageError
from medspan.features.cut import cut
from medspan.model.spec import TeacherSpec
from medspan.text.tokenize import tokenize
from medspan.train.distil import lesson as lessons
from medspan.train.distil.label import LabelSettings, SoftText, label
from medspan.train.distil.lesson import SOFT, Lesson, lesson_of, note_labels
from medspan.train.hub import open_hub_model
from medspan.train.loop import Trainer
from medspan.types import Document
from tiny_hub import write_hub_model
from tiny_training import tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.config import Recipe
    from medspan.train.checkpoint import EpochRow, State

CPU = torch.device("cpu")
NEW_DRUGS = ("quorvex", "tellumab", "oxandrin", "veritane")


class Knows:
    """A teacher that knows drugs no corpus annotates."""

    def __init__(self, heads: dict[str, tuple[str, ...]]) -> None:
        self.heads = heads

    def marginals(self, documents: Sequence[Document], words: np.ndarray) -> dict[str, np.ndarray]:
        found = {head: np.zeros((int(words.sum()), 5), np.float32) for head in self.heads}
        forms = [document.text[start:end] for document in documents for start, end in tokenize(document.text)]
        found["drug"][:, 4] = [0.95 if form in NEW_DRUGS else 0.0 for form in forms]
        for shares in found.values():
            shares[:, 0] = 1 - shares[:, 1:].sum(1)
        return found


def frame(number: int) -> str:
    drug = NEW_DRUGS[number % len(NEW_DRUGS)]
    frames = (
        "We saw {0} in {1} of 90 patients .",
        "{1} mg of {0} a day.",
        "Day {1} went by without any drug .",
    )
    return frames[number % 3].format(drug, number)


def soft_text(recipe: Recipe, folder: Path, *, size: int = 60) -> SoftText:
    heads = {name: head.labels for name, head in recipe.heads.items()}
    teacher = TeacherSpec("t", "MIT", "0" * 64)
    settings = LabelSettings((teacher,), (), heads, {}, recipe.window.words, keep_leaks=True, shard_words=120)

    def documents() -> object:
        return (Document(f"d{number}", frame(number)) for number in range(size))

    return label(settings, documents, folder, teachers=lambda: Knows(heads), tell=lambda _: None)  # type: ignore[arg-type,return-value]


def recipe_of(
    kind: str = "window", head: str = "crf", *, distil: dict[str, object], **train: object
) -> Recipe:
    return msgspec.structs.replace(tiny_recipe(kind, head, **train), distil=DistilConfig(**distil))  # type: ignore[arg-type]


def trainer_of(recipe: Recipe, folder: Path, *, size: int = 16) -> Trainer:
    folder.mkdir(exist_ok=True)
    lesson = Lesson(soft_text(recipe, folder / "soft"), recipe)
    return Trainer(recipe, [tiny_corpus(recipe, size=size)], folder, CPU, lesson=lesson)


class Stopped(Exception):  # noqa: N818 - stands for a kill
    pass


class Watch:
    def __init__(self, step: int = -1, epoch: int = -1) -> None:
        self.step, self.epoch = step, epoch
        self.rows: list[EpochRow] = []
        self.losses: list[float] = []

    def on_step(self, state: State, total_steps: int, loss: float) -> None:
        self.losses.append(loss)
        assert state.step <= total_steps
        if state.step == self.step:
            raise Stopped

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:  # noqa: ARG002 - a Watcher's signature
        self.rows.append(row)
        if row.epoch == self.epoch:
            raise Stopped


def assert_same(one: Trainer, other: Trainer) -> None:
    for left, right in (
        (one.network.state_dict(), other.network.state_dict()),
        (one.optimizer.tensors(), other.optimizer.tensors()),
        (one.average.weights, other.average.weights),
        (one.best, other.best),
    ):
        assert left.keys() == right.keys()
        for name, tensor in left.items():
            assert torch.equal(tensor, right[name]), name
    assert [row.dev for row in one.state.history] == [row.dev for row in other.state.history]


def new_drugs(trainer: Trainer) -> int:
    texts = [Document(drug, f"We saw {drug} in 12 of 40 patients.") for drug in NEW_DRUGS]
    found = trainer.tagger().annotate(texts)
    return sum(
        document.text_of(e) == document.id and e.label == "Drug"
        for document in found
        for e in document.entities
    )


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_a_student_learns_what_only_its_teacher_knows(head: str, tmp_path: Path):
    recipe = recipe_of(head=head, distil={"epochs": 8, "gold_epochs": 1, "words": 0}, learning_rate=0.02)
    taught = trainer_of(recipe, tmp_path / "taught", size=40)
    watch = Watch()
    taught.run(watch)
    alone = Trainer(recipe, [tiny_corpus(recipe, size=40)], tmp_path, CPU)
    alone.run(Watch())
    assert new_drugs(taught) == len(NEW_DRUGS)
    assert new_drugs(alone) == 0  # gold has diseases there
    assert taught.state.best_score > 0.9  # the student knows what gold says too
    assert len(watch.rows) == 9
    assert len(watch.losses) == taught.total_steps == taught.state.step


@pytest.mark.parametrize("family", ["mpnet", "roberta"])
def test_a_transformer_is_taught_too(family: str, tmp_path: Path):
    recipe = recipe_of(distil={"epochs": 1, "gold_epochs": 1, "words": 0})
    encoder = Transformer("public", max_pieces=40)
    recipe = msgspec.structs.replace(recipe, encoder=encoder)
    hub = open_hub_model(write_hub_model(tmp_path / "public", family))
    lesson = Lesson(soft_text(recipe, tmp_path / "soft"), recipe)
    trainer = Trainer(recipe, [tiny_corpus(recipe, size=16)], tmp_path, CPU, lesson=lesson, hub=hub)
    trainer.run(Watch())
    assert trainer.state.step == trainer.total_steps
    for sentence in range(6):
        soft = lesson.batch([sentence], seed=1, step=0)
        document = Document("d", frame(sentence))
        (unit,) = cut(document)
        row = trainer.featurizer.encode(unit.forms(document.text), unit.glued(document.text))
        for name, array in trainer.featurizer.arrays([row]).items():
            np.testing.assert_array_equal(soft.arrays[name], array, err_msg=name)


CASES = {
    "crf": recipe_of(
        "blstm_cnn",
        distil={"epochs": 2, "gold_epochs": 2, "words": 300, "keep_empty": 0.5},
        checkpoint_steps=3,
        average=0.9,
    ),
    "softmax": recipe_of(
        "window",
        "softmax",
        distil={"epochs": 2, "gold_epochs": 1, "words": 0, "text_words": 30},
        checkpoint_steps=4,
        accumulate=2,
        word_dropout=2.0,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "watch", [{"step": 5}, {"step": 9}, {"epoch": 0}, {"epoch": 1}, {"epoch": 2}, {"step": -2}]
)
def test_a_resumed_run_has_the_same_bytes(case: str, watch: dict[str, int], tmp_path: Path):
    recipe = CASES[case]
    whole = trainer_of(recipe, tmp_path / "whole")
    whole.run(Watch())
    stop = (
        Watch(**watch) if watch != {"step": -2} else Watch(step=whole.total_steps - 2)
    )  # in the second stage
    with pytest.raises(Stopped):
        trainer_of(recipe, tmp_path / "parts").run(stop)
    resumed = trainer_of(recipe, tmp_path / "parts")
    torch.manual_seed(999)
    resumed.resume()
    resumed.run(Watch())
    assert_same(whole, resumed)


def test_stages_have_batches_and_rates_of_their_own(tmp_path: Path):
    recipe = recipe_of(
        distil={"epochs": 2, "gold_epochs": 2, "words": 0, "gold_rate": 0.1}, warmup=0.0, final_rate=0.5
    )
    trainer = trainer_of(recipe, tmp_path / "run")
    groups = [trainer._groups(epoch) for epoch in range(4)]
    soft = [[members for corpus, members in each if corpus == SOFT] for each in groups]
    gold = [len(each) - len(other) for each, other in zip(groups, soft, strict=True)]
    assert soft[0]
    assert soft[0] != soft[1]
    assert not soft[2]
    assert not soft[3]
    sentences = trainer.lesson.text.counts.taught  # type: ignore[union-attr]
    assert sorted(i for members in soft[0] for i in members) == list(range(sentences))
    assert min(gold) > 0
    watch = Watch()
    trainer.run(watch)
    assert trainer.total_steps == sum(map(len, groups)) == len(watch.losses)
    high = recipe.train.learning_rate
    ends = [row.learning_rate for row in trainer.state.history]
    assert high > ends[0] > ends[1] == pytest.approx(0.5 * high)
    assert 0.1 * high > ends[2] > ends[3] == pytest.approx(0.05 * high)


def drawn(recipe: Recipe, folder: Path, **distil: object) -> tuple[int, int, int]:
    """Soft sentences, words and gold batches of an epoch."""
    changed = msgspec.structs.replace(recipe, distil=DistilConfig(**distil))  # type: ignore[arg-type]
    trainer = trainer_of(changed, folder)
    members = [members for corpus, members in trainer._groups(0) if corpus == SOFT]
    lengths = np.concatenate(trainer.lesson._lengths)  # type: ignore[union-attr]
    chosen = [i for group in members for i in group]
    assert len(set(chosen)) == len(chosen)
    return len(chosen), int(lengths[chosen].sum()), len(trainer._groups(0)) - len(members)


def test_how_much_of_the_text_an_epoch_draws(tmp_path: Path):
    recipe = tiny_recipe("window")
    every, words, gold = drawn(recipe, tmp_path / "a", words=0)
    fewer, fewer_words, _ = drawn(recipe, tmp_path / "b", words=150)
    assert 150 <= fewer_words < words
    assert fewer < every
    with_mentions, _, _ = drawn(recipe, tmp_path / "c", words=0, keep_empty=0.0)
    assert with_mentions == every * 2 // 3
    assert drawn(recipe, tmp_path / "d", words=0, keep_empty=0.5)[0] in range(with_mentions + 1, every)
    assert drawn(recipe, tmp_path / "e", gold_weight=0.0)[2] == 0
    assert drawn(recipe, tmp_path / "f", gold_weight=2.0)[2] > gold


def test_one_shard_is_read_at_a_time_and_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = recipe_of(distil={"epochs": 2, "gold_epochs": 0, "words": 0})
    trainer = trainer_of(recipe, tmp_path / "run")
    read: list[Path] = []
    load = lessons.load_shard
    monkeypatch.setattr(lessons, "load_shard", lambda path: (read.append(path), load(path))[1])
    trainer.run(Watch())
    shards = trainer.lesson.text.shards  # type: ignore[union-attr]
    assert shards > 2
    assert len(set(read[:shards])) == len(set(read[shards - 1 :])) == shards
    assert len(read) <= 2 * shards  # the last of an epoch may be the first of the next


def test_a_gold_head_is_not_taught(tmp_path: Path):
    trainer = trainer_of(recipe_of(distil={"gold_heads": ("disease",)}), tmp_path)
    lesson = trainer.lesson
    assert lesson
    assert set(lesson.text.heads) == {"disease", "drug"}
    assert lesson.heads == {"drug"}
    soft = next(members for corpus, members in lesson.mixed([], 0) if corpus == SOFT)
    assert set(lesson.batch(soft, seed=1, step=0).targets) == {"drug"}
    trainer.run(Watch())
    both = recipe_of(distil={"gold_heads": ("disease", "drug")})
    with pytest.raises(UsageError, match="leave them one"):
        Lesson(lesson.text, both)


def test_words_of_the_text_may_join_the_vocabulary(tmp_path: Path):
    for most, joins in ((0, False), (50, True)):
        recipe = recipe_of(distil={"text_words": most})
        trainer = trainer_of(recipe, tmp_path / str(most))
        assert ("quorvex" in trainer.vocab.words) == joins
        place = trainer.vocab.word_id("quorvex") - 2
        if joins:
            seen = trainer.lesson.seen(trainer.vocab)  # type: ignore[union-attr]
            assert seen[place + 2] == sum("quorvex" in frame(i) for i in range(60)) > 1


def test_the_first_stage_runs_whole_and_the_second_may_lose_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = recipe_of(distil={"epochs": 4, "gold_epochs": 6, "words": 150}, patience=2)
    trainer = trainer_of(recipe, tmp_path / "run")
    scores = iter([0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.95])
    monkeypatch.setattr(trainer, "dev_score", lambda *_: type("Score", (), {"f1": next(scores)}))
    trainer.run(Watch())
    assert len(trainer.state.history) == 6
    assert trainer.state.best_epoch == 0


def test_a_run_knows_what_it_learnt_from(tmp_path: Path):
    recipe = recipe_of(distil={})
    assert lesson_of(tmp_path, tiny_recipe("window")) is None
    with pytest.raises(DataError, match=r"taught\.json: cannot be read"):
        lesson_of(tmp_path, recipe)
    text = soft_text(recipe, tmp_path / "labels")
    run = tmp_path / "run"
    run.mkdir()
    note_labels(run, text.folder)
    note_labels(run, text.folder)
    found = lesson_of(run, recipe)
    assert found is not None
    assert found.text.counts == text.counts
    other = tmp_path / "other"
    other.mkdir()
    (other / "settings.json").write_bytes(
        (text.folder / "settings.json").read_bytes().replace(b"MIT", b"CC0")
    )
    with pytest.raises(UsageError, match="was begun with other soft labels"):
        note_labels(run, other)
