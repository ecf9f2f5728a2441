"""Self-training: thresholds, the choice of sentences, the guard, and going on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

pytest.importorskip("torch")

import medspan
from medspan import formats
from medspan.cli.main import main
from medspan.config import load_recipe
from medspan.errors import TrainingError, UsageError
from medspan.model.confidence import Rated
from medspan.model.tagger import load_tagger
from medspan.train import selftrain
from medspan.train.data import read_corpora
from medspan.train.pseudo import Thresholds, calibrated, choose, threshold
from medspan.train.selftrain import SelfTraining, self_train
from medspan.types import Document, Entity, Span
from medspan.weak.sentences import Sample, sentences, text_key
from tiny_training import tiny_document
from trained import model_folder, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("judged", "share", "expected"),
    [
        ([], 0.9, None),
        ([(0.9, True), (0.8, True), (0.7, False)], 0.9, 0.8),
        ([(0.9, True), (0.8, False), (0.7, True), (0.6, True)], 0.75, 0.6),
        ([(0.9, True), (0.9, False)], 0.9, None),  # equal values stand or fall together
        ([(0.9, False), (0.8, True)], 0.9, None),
        ([(0.9, True)], 0.9, None),  # too few to rest on
    ],
)
def test_threshold(judged: list[tuple[float, bool]], share: float, expected: float | None):
    assert threshold(judged, share, fewest=2) == expected


@pytest.mark.parametrize(
    ("scores", "log_probability", "is_trusted"),
    [
        ([0.95], -0.1, True),
        ([0.95], -0.3, False),  # the sentence is not sure
        ([0.95, 0.85], -0.1, False),  # a mention is not
        ([], -0.3, True),
        ([], -0.6, False),
    ],
)
def test_trust(scores: list[float], log_probability: float, is_trusted: bool):  # noqa: FBT001 - a table
    limits = Thresholds({"A": 0.9}, -0.2, -0.5)
    entities = tuple(Entity(f"T{i}", "A", (Span(i, i + 1),), score) for i, score in enumerate(scores))
    assert limits.trusts(Rated(Document("d", "text", entities), log_probability, 1)) is is_trusted


def test_nothing_is_trusted_without_reason():
    entity = Entity("T1", "B", (Span(0, 1),), 1.0)
    with_unknown_label = Rated(Document("d", "text", (entity,)), 0.0, 1)
    assert not Thresholds({"A": 0.9}, -0.2, -0.5).trusts(with_unknown_label)
    assert not Thresholds({"B": None}, -0.2, -0.5).trusts(with_unknown_label)
    assert not Thresholds({"B": 0.5}, None, None).trusts(with_unknown_label)


def test_sentences_keep_what_stands_in_them():
    document = Document(
        "n",
        "A cold. No flu.",
        (
            Entity("T1", "X", (Span(2, 6),), 0.5),
            Entity("T2", "X", (Span(11, 14),)),
            Entity("T3", "Y", (Span(2, 10),)),
        ),
        meta={"conll": 1},
    )
    first, second = sentences([document])
    assert (first.id, first.text, second.text) == ("n:0-7", "A cold.", "No flu.")
    assert [first.text_of(entity) for entity in first.entities] == ["cold"]
    assert [second.text_of(entity) for entity in second.entities] == ["flu"]
    assert second.meta == {"sentence": {"document": "n", "start": 8, "end": 15}}
    assert list(sentences([second])) == [
        second.replace(id="n:8-15:0-7", meta={"sentence": {"document": "n:8-15", "start": 0, "end": 7}})
    ]


def test_a_sample_does_not_depend_on_the_order():
    texts = [f"text {i}" for i in range(500)]
    chosen = []
    for order in (texts, texts[::-1], texts + texts):
        sample = Sample[str](20, seed=1)
        for text in order:
            sample.add(text, text)
        chosen.append(sorted(sample.items()))
        assert set(sample.items(5)) <= set(sample.items())
        assert len(sample.items(5)) == 5
    assert chosen[0] == chosen[1] == chosen[2]
    assert len(set(chosen[0])) == 20
    empty = Sample[str](0, seed=1)
    empty.add("a", "a")
    assert empty.items() == []


@pytest.fixture
def material(tmp_path: Path) -> SelfTraining:
    recipe = write_recipe(tmp_path, epochs=1, size=20)
    formats.write(map(tiny_document, range(5000, 5100)), tmp_path / "text.jsonl")
    return SelfTraining(
        str(recipe), str(model_folder()), (str(tmp_path / "text.jsonl"),), share=0.8, count=30, negatives=0.5
    )


def trainer_of(made: list[Path], *, source: Path | None = None) -> Callable[[Path, Path], None]:
    """Stands in for training: copies a model."""

    def train(recipe: Path, output: Path) -> None:
        made.append(recipe)
        shutil.copytree(source or model_folder(), output)

    return train


def test_thresholds_and_choice_of_a_real_model(material: SelfTraining):
    tagger = load_tagger(material.model)
    dev = list(formats.read(Path(material.recipe).parent / "corpus" / "dev.jsonl"))
    limits = calibrated(tagger, {"invented": dev}, {"invented": frozenset({"Disease", "Drug"})}, 0.8)
    assert set(limits.entity) == {"Disease", "Drug"}
    texts = list(formats.read(material.texts[0]))
    chosen = choose(tagger, texts, limits, count=10, negatives=0.5, seed=1)
    assert chosen.read >= 200
    assert chosen.trusted >= len(chosen.documents)
    with_entities = [document for document in chosen.documents if document.entities]
    assert len(with_entities) == 10
    assert len(chosen.documents) - len(with_entities) <= 5
    known = frozenset(text_key(document.text) for document in chosen.documents)
    again = choose(tagger, texts, limits, count=10, negatives=0.5, seed=1, known=known)
    assert not known & {text_key(document.text) for document in again.documents}


def test_a_round_trains_an_ordinary_recipe(material: SelfTraining, tmp_path: Path):
    made: list[Path] = []
    said: list[str] = []
    output = tmp_path / "out"
    result = self_train(material, output, train=trainer_of(made), tell=said.append)
    assert result.is_better  # as good as before is not worse
    assert (output / "model" / "config.json").exists()
    (path,) = made
    recipe = load_recipe(path)
    assert set(recipe.corpora) == {"invented", "pseudo-invented"}
    assert all(head.corpora == ("invented", "pseudo-invented") for head in recipe.heads.values())
    corpora = read_corpora(recipe, path.parent)  # relative paths lead from the round's folder too
    assert [corpus.name for corpus in corpora] == ["invented", "pseudo-invented"]
    assert corpora[0].dev
    assert [d.entities for d in corpora[1].dev] == [d.entities for d in corpora[0].dev]
    pseudo = list(medspan.read(path.parent / "pseudo.jsonl"))
    assert len(pseudo) == len(corpora[1].examples) == result.rounds[0].pseudo
    assert all(document.sentences for document in pseudo)
    assert any("kept" in line for line in said)


def test_a_round_that_falls_on_dev_is_dropped(
    material: SelfTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made: list[Path] = []
    said: list[str] = []
    falling = iter((0.9, 0.91, 0.85))
    monkeypatch.setattr(selftrain._Run, "dev_f1", lambda _self, _tagger: next(falling))
    settings = SelfTraining(material.recipe, material.model, material.texts, rounds=5, share=0.8)
    result = self_train(settings, tmp_path / "out", train=trainer_of(made), tell=said.append)
    assert [each.is_kept for each in result.rounds] == [True, False]
    assert (result.dev_start, result.dev_end) == (0.9, 0.91)
    assert "dropped" in said[-1]
    assert len(made) == 2


def test_a_stopped_run_goes_on(material: SelfTraining, tmp_path: Path):
    output = tmp_path / "out"
    settings = SelfTraining(
        material.recipe, material.model, material.texts, share=0.8, count=30, seeds=(1, 2), rounds=2
    )

    class Stopped(Exception):  # noqa: N818 - stands for a power cut
        pass

    def stopping(recipe: Path, model: Path) -> None:
        if recipe.name == "seed-2.toml":
            raise Stopped
        shutil.copytree(model_folder(), model)

    with pytest.raises(Stopped):
        self_train(settings, output, train=stopping, tell=lambda _: None)
    before = (output / "round-1" / "pseudo.jsonl").read_bytes()
    made: list[Path] = []
    result = self_train(settings, output, train=trainer_of(made), tell=lambda _: None)
    assert [path.parent.name + "/" + path.name for path in made] == [
        "round-1/seed-2.toml",
        "round-2/seed-1.toml",
        "round-2/seed-2.toml",
    ]
    assert (output / "round-1" / "pseudo.jsonl").read_bytes() == before
    assert len(result.rounds) == 2
    assert load_recipe(output / "round-1" / "seed-2.toml").train.seed == 2
    again: list[Path] = []
    assert self_train(settings, output, train=trainer_of(again), tell=lambda _: None) == result
    assert again == []


def test_another_run_in_the_folder_is_refused(material: SelfTraining, tmp_path: Path):
    output = tmp_path / "out"
    self_train(material, output, train=trainer_of([]), tell=lambda _: None)
    other = SelfTraining(material.recipe, material.model, material.texts, share=0.7)
    with pytest.raises(UsageError, match="other settings"):
        self_train(other, output, train=trainer_of([]), tell=lambda _: None)
    with pytest.raises(UsageError, match="is not empty"):
        self_train(material, tmp_path / "corpus", train=trainer_of([]), tell=lambda _: None)


def test_a_text_that_is_not_there_leaves_no_folder(material: SelfTraining, tmp_path: Path):
    settings = msgspec.structs.replace(material, texts=(*material.texts, "nothing.jsonl"))
    with pytest.raises(UsageError, match=r"nothing\.jsonl: no such file"):
        self_train(settings, tmp_path / "out", train=trainer_of([]), tell=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_text_without_anything_sure(material: SelfTraining, tmp_path: Path):
    (tmp_path / "empty.txt").write_text("\n")
    settings = SelfTraining(material.recipe, material.model, (str(tmp_path / "empty.txt"),), share=0.8)
    with pytest.raises(TrainingError, match="sure enough"):
        self_train(settings, tmp_path / "out", train=trainer_of([]), tell=lambda _: None)


@pytest.mark.parametrize(
    "change", [{"rounds": 0}, {"count": 0}, {"share": 0.0}, {"negatives": -1.0}, {"weight": 0.0}]
)
def test_senseless_settings_are_refused(change: dict[str, float]):
    with pytest.raises(UsageError):
        SelfTraining("r", "m", ("t",), **change)  # type: ignore[arg-type]


def test_the_command_trains(material: SelfTraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["weak", "selftrain", material.recipe, "--model", material.model, "--text", material.texts[0]]
    options = ["--precision", "0.8", "--count", "20", "--device", "cpu", "-o", str(tmp_path / "out")]
    code = main([*arguments, *options])
    said = capsys.readouterr().err
    assert code in {0, 1}, said
    assert ("no round was kept" in said) == (code == 1)
    assert (tmp_path / "out" / "model").exists() == (code == 0)
    assert (tmp_path / "out" / "result.json").exists()
    assert "pseudo-invented: " in said


def test_labels_in_brackets_are_said_as_they_are(
    material: SelfTraining,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    limits = Thresholds({"[Drug]": 0.5, "[/Dose]": None}, None, None)

    def fails(*_: object, tell: Callable[[str], None], **__: object) -> None:
        tell(selftrain._describe(limits))
        raise TrainingError("enough")

    monkeypatch.setattr(selftrain, "self_train", fails)
    arguments = ["weak", "selftrain", material.recipe, "--model", material.model, "--text", material.texts[0]]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 1
    assert "[Drug] from 0.500, [/Dose] never" in capsys.readouterr().err
