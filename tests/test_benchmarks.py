"""The benchmark scripts: their help, what they compute without a model, and that the plain tagger is a fair one."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import medspan
from medspan.config import parse_recipe
from medspan.types import Document, Entity, Span

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("training_speed", "parity", "shipped", "recipes")
MODULES = (*SCRIPTS, "facts", "plain_tagger", "plain_run")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Imports a module of the benchmarks folder, and forgets them all afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--help"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert f"benchmarks/{name}.py" in done.stdout
    assert "--output" in done.stdout
    assert "--child" not in done.stdout


def test_facts_name_no_place_of_this_machine(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = script("facts")
    argv = [str(ROOT / "benchmarks" / "parity.py"), str(tmp_path / "some model"), "--seeds", "13"]
    assert facts.command_line(argv) == "python benchmarks/parity.py 'some model' --seeds 13"
    monkeypatch.setattr(sys, "argv", argv)
    found = facts.facts(13, extra=1)
    assert str(tmp_path) not in json.dumps(found)
    assert found["seed"] == 13
    assert found["extra"] == 1
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["cpu"]
    assert found["versions"]["medspan"] == medspan.__version__


def test_merging_keeps_other_keys(script, tmp_path: Path) -> None:
    facts, path = script("facts"), tmp_path / "result.json"
    assert facts.read_json(path) == {}
    facts.merge_json(path, "speed", {"ratio": 3})
    facts.merge_json(path, "accuracy", {"f1": 0.8})
    assert facts.merge_json(path, "speed", {"ratio": 4}) == {"speed": {"ratio": 4}, "accuracy": {"f1": 0.8}}
    assert facts.read_json(path)["speed"] == {"ratio": 4}


def test_label_maps_score_what_the_corpus_annotates(script) -> None:
    shipped = script("shipped")
    tasks = {task.name: task for task in shipped.TASKS}
    assert tasks["ncbi"].labels == ("Disease",)
    assert tasks["cdr"].labels == ("Disease", "Chemical")
    assert tasks["bc2gm"].labels == ("Gene",)
    assert tasks["jnlpba"].labels == ("Cell",)
    assert [task.name for task in shipped.TASKS if task.is_raw] == ["ncbi", "cdr", "bc2gm"]


def test_strict_scores_under_the_label_map(script) -> None:
    task = script("shipped").TASKS[0]
    text = "grey fever and dry lung after zelvorin"
    gold = Document(
        "0",
        text,
        entities=(
            Entity("T1", "SpecificDisease", (Span(0, 10),)),
            Entity("T2", "Modifier", (Span(15, 23),)),
        ),
    )
    found = Document(
        "0",
        text,
        entities=(
            Entity("T1", "Disease", (Span(0, 10),), 0.9),
            Entity("T2", "Disease", (Span(19, 23),), 0.8),  # a wrong border
            Entity("T3", "Chemical", (Span(30, 38),), 0.9),  # a label the corpus does not annotate
        ),
    )
    report = medspan.evaluate([gold], [found], labels=task.labels, label_map=task.label_map)
    row = script("facts").figures(report)
    assert (row["precision"], row["recall"], row["f1"]) == (0.5, 0.5, 0.5)
    assert row["low"] is None  # one document has no interval


def test_bare_texts_hold_no_answers(script) -> None:
    entity = Entity("T1", "Disease", (Span(0, 3),))
    document = Document("7", "flu.", entities=(entity,), sentences=(Span(0, 4),), meta={"note": "flu"})
    (raw,) = script("shipped").bare([document], keep_sentences=False)
    (rebuilt,) = script("shipped").bare([document], keep_sentences=True)
    assert raw == Document("7", "flu.")
    assert rebuilt == Document("7", "flu.", sentences=(Span(0, 4),))


def test_numbered_ids_are_unique(script) -> None:
    documents = [Document("x", "a"), Document("x", "b")]
    assert [document.id for document in script("facts").numbered(documents)] == ["0", "1"]


def run_of(seed: int, f1: float) -> dict[str, object]:
    return {"seed": seed, "dev": {"ncbi": f1}, "test": {"ncbi": {"f1": f1}}, "minutes": 10.0}


def test_runs_are_merged_by_seed(script) -> None:
    recipes = script("recipes")
    results = {"other": {"runs": []}}
    for seed, f1 in ((15, 0.80), (13, 0.70), (13, 0.82)):
        results = recipes.merge_run(results, "ncbi", run_of(seed, f1))
    assert results["other"] == {"runs": []}
    assert [run["seed"] for run in results["ncbi"]["runs"]] == [13, 15]
    assert results["ncbi"]["summary"]["test_f1"] == {"ncbi": {"mean": 0.81, "std": 0.0141}}


def test_one_seed_has_no_deviation(script) -> None:
    assert script("recipes").spread([0.8]) == {"mean": 0.8, "std": None}


def test_ratio_of_medians_and_of_pairs(script) -> None:
    summary = script("training_speed").speed_summary({"medspan": [400, 300, 500], "plain": [100, 100, 125]})
    assert summary["ratio"] == {"median": 4.0, "min": 3.0, "max": 4.0}
    assert summary["words_per_second"]["medspan"] == {"median": 400, "min": 300, "max": 500}


def test_difference_is_in_points(script) -> None:
    summary = script("training_speed").accuracy_summary({"medspan": [0.81, 0.83], "plain": [0.80, 0.82]})
    assert summary["difference_in_points"] == 1.0


def test_compare_counts_sentences_with_other_entities(script) -> None:
    parity = script("parity")

    def sentence(end: int, score: float) -> Document:
        return Document("s", "grey fever", entities=(Entity("T1", "Disease", (Span(0, end),), score),))

    same, shorter = sentence(10, 0.9), sentence(4, 0.9)
    assert parity.compare([same, same], [same, sentence(10, 0.8)]) == {
        "differing_sentences": 0,
        "largest_score_difference": 0.1,
    }
    assert parity.compare([same, same], [same, shorter])["differing_sentences"] == 1


@pytest.fixture
def trainer(tmp_path: Path):
    """A trainer over an invented corpus with the encoder the plain tagger has."""
    torch = pytest.importorskip("torch")
    from medspan.train.loop import Trainer  # noqa: PLC0415 - needs torch
    from tiny_training import WORDS, tiny_corpus  # noqa: PLC0415 - needs torch

    recipe = parse_recipe(
        {
            "name": "tiny",
            "encoder": {"kind": "blstm_cnn", "dropout": 0.1, **WORDS, "hidden_width": 16, "layers": 1},
            "corpora": {"invented": {"source": "invented"}},
            "heads": {"disease": {"labels": ["Disease"], "corpora": ["invented"]}},
            "train": {
                "epochs": 6,
                "batch_words": 120,
                "learning_rate": 0.02,
                "head_dropout": 0.1,
                "average": 0.9,
            },
        },
        "tiny.toml",
    )
    return Trainer(recipe, [tiny_corpus(recipe)], tmp_path, torch.device("cpu"))


def copy_weights(plain, network) -> None:
    """Give medspan's network the weights of the plain tagger."""
    features, directions, head = network.encoder.features, network.encoder.directions, network.head("disease")
    for name in ("words", "chars", "case", "filters"):
        getattr(features, name).load_state_dict(getattr(plain, name).state_dict())
    lstm = plain.lstm.state_dict()
    ahead = {name: tensor for name, tensor in lstm.items() if not name.endswith("_reverse")}
    back = {name.removesuffix("_reverse"): lstm[name] for name in lstm if name.endswith("_reverse")}
    directions.forward_layers[0].load_state_dict(ahead)
    directions.backward_layers[0].load_state_dict(back)
    head.emit.load_state_dict(plain.emit.state_dict())
    head.crf.load_state_dict(plain.crf.state_dict(), strict=False)


def test_the_plain_tagger_is_the_same_model(script, trainer) -> None:
    """Same weights, same sentences: the same emissions, loss and gradient as medspan's network."""
    import torch  # noqa: PLC0415 - the fixture skips where there is none

    from medspan.train.scorer import TorchScorer, to_tensors  # noqa: PLC0415 - needs torch

    plain_tagger, run = script("plain_tagger"), script("plain_run").PlainRun(trainer)
    with torch.no_grad():
        for name in ("transitions", "start", "end"):
            getattr(run.network.crf, name).normal_(0, 0.5)
    copy_weights(run.network, trainer.network)
    chosen = list(range(0, 60, 7))
    encoded = [trainer.examples[0][i] for i in chosen]
    arrays = trainer.featurizer.arrays([example.row for example in encoded])
    ours = TorchScorer(trainer.network.eval()).score(arrays)["disease"]
    theirs = plain_tagger.PlainScorer(run.network, "disease").score(arrays)["disease"]
    for row, length in enumerate(arrays["lengths"]):
        assert abs(ours[row, :length] - theirs[row, :length]).max() < 1e-5
    run.network.eval()
    batch = plain_tagger.pad([run.sentences[i] for i in chosen])
    loss = run.network.loss(batch)
    loss.backward()
    targets = to_tensors({"disease": batch.tags.numpy()}, trainer.device)
    expected = trainer.network.loss(to_tensors(arrays, trainer.device), targets)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    dense = trainer.network.encoder.features.words.weight.grad.to_dense()
    assert torch.allclose(run.network.words.weight.grad, dense, atol=1e-5)
    crf = trainer.network.head("disease").crf
    assert torch.allclose(run.network.crf.transitions.grad, crf.transitions.grad, atol=1e-5)


def test_both_systems_learn_and_are_scored_alike(script, trainer) -> None:
    speed, plain_run = script("training_speed"), script("plain_run")
    plain = plain_run.PlainRun(trainer)
    steps = plain.steps()
    lengths = [len(sentence.words) for sentence in plain.sentences]
    assert sum(next(steps) for _ in range(plain.batches)) == sum(lengths)
    assert abs(plain.batches - len(trainer._groups(0))) <= 2  # as many sentences a batch, on average
    ours = speed.MedspanRun(trainer).steps()
    assert sum(next(ours) for _ in range(len(trainer._groups(0)))) == sum(lengths)
    trainer.state.epoch = trainer.state.position = 0
    scores = SimpleNamespace(
        plain=plain_run.PlainRun(trainer).best_dev_f1(), medspan=speed.MedspanRun(trainer).best_dev_f1()
    )
    assert scores.plain > 0.8
    assert scores.medspan > 0.8
