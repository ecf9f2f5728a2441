"""Relation models: what is learnt, that the graph equals the network, and that a run resumes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from medspan.cli.check import check
from medspan.errors import ConfigError, DataError, ModelError, UsageError
from medspan.features.vocab import build_vocab
from medspan.metrics.relations import evaluate_relations
from medspan.model import pointing
from medspan.model.golden import replay
from medspan.model.pointing import State, pointer_scores, role_scores, step
from medspan.model.relation_spec import open_relations, save_relations
from medspan.model.spec import CorpusSpec
from medspan.tasks.relations import RelationExtractor
from medspan.toml import recipe_toml
from medspan.train.hub import open_hub_model
from medspan.train.relations.data import fold_of, read_relation_corpora
from medspan.train.relations.export import RelationExport
from medspan.train.relations.loop import RelationTrainer
from medspan.train.relations.network import RelationNetwork
from medspan.train.relations.run import train_relations
from medspan.train.relations.settings import load_relation_recipe, parse_relation_recipe
from medspan.train.run import provenance_of
from medspan.train.transfer import Donor
from medspan.types import Document
from tiny_hub import write_hub_model
from tiny_relations import LABELS, relation_recipe, relation_tables, tiny_related, write_corpus
from tiny_training import PROVENANCE, Silent

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ("ade-relations", "chemprot", "ddi", "phee-relations", "phee-pointers")
KINDS = ("pairs", "pointers")


def trained(folder: Path, kind: str, **changes: object) -> Path:
    write_corpus(folder / "corpus")
    recipe = folder / "tiny.toml"
    recipe.write_text(recipe_toml(relation_recipe(kind, **changes)), encoding="utf-8")
    output = folder / "model"
    train_relations(recipe, output, watcher=Silent(), tell=lambda _: None, device="cpu")
    return output


def trainer_of(folder: Path, kind: str, **changes: object) -> RelationTrainer:
    if not (folder / "corpus").exists():
        write_corpus(folder / "corpus")
    recipe = relation_recipe(kind, **changes)
    corpora = read_relation_corpora(recipe, folder)
    return RelationTrainer(recipe, corpora, folder, torch.device("cpu"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_folder_finds_relations_it_has_not_seen(tmp_path: Path, kind: str):
    extractor = RelationExtractor(trained(tmp_path, kind), device="cpu", threads=1)
    gold = [tiny_related(2000 + i) for i in range(12)]
    bare = [document.replace(relations=()) for document in gold]
    found = list(extractor.annotate(bare))
    report = evaluate_relations(gold, found, LABELS)
    assert report.micro.f1 > 0.8  # what a model that pairs all with all gets is far below
    everything_else = [(d.id, d.text, d.entities, d.sentences) for d in found]
    assert everything_else == [(d.id, d.text, d.entities, d.sentences) for d in gold]
    scores = [relation.score for document in found for relation in document.relations]
    assert all(score is not None and 0 < score <= 1 for score in scores)
    sure = RelationExtractor(tmp_path / "model", device="cpu", threads=1, labels=["Dosage"], min_score=0.9)
    kept = {(d.id, r.head, r.tail) for d in sure.annotate(bare) for r in d.relations}
    assert kept == {
        (d.id, r.head, r.tail)
        for d in found
        for r in d.relations
        if r.label == "Dosage" and (r.score or 0.0) >= 0.9
    }
    assert sure.labels == ("Dosage",)
    with pytest.raises(UsageError, match="finds no relation 'Dosge'; did you mean Dosage"):
        RelationExtractor(tmp_path / "model", labels=["Dosge"])


@pytest.mark.parametrize("kind", KINDS)
def test_relations_do_not_depend_on_batch_or_order(tmp_path: Path, kind: str):
    extractor = RelationExtractor(trained(tmp_path, kind), device="cpu", threads=1)
    documents = [tiny_related(3000 + i, sentences=1 + i % 5) for i in range(10)]
    together = {d.id: d.relations for d in extractor.annotate(documents)}
    assert any(together.values())
    backwards = {d.id: d.relations for d in extractor.annotate(documents[::-1])}
    alone = {d.id: next(iter(extractor.annotate([d]))).relations for d in documents}
    ends = {i: {(r.label, r.head, r.tail) for r in found} for i, found in together.items()}
    for other in (backwards, alone):
        assert {i: {(r.label, r.head, r.tail) for r in found} for i, found in other.items()} == ends


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_that_differs_is_not_written(tmp_path: Path, kind: str):
    trainer = trainer_of(tmp_path, kind)
    _enliven(trainer)
    export = RelationExport(
        trainer.recipe, trainer.network, trainer.vocab, corpora=trainer.corpora, provenance=PROVENANCE
    )
    assert export.prove() == 10
    with torch.no_grad():
        export.network.relations.words.project.bias += 0.5
    with pytest.raises(ModelError, match="differs"):
        export.save(tmp_path / "model", {}, "card")
    assert not (tmp_path / "model").exists()


def _enliven(trainer: RelationTrainer) -> None:
    """Large weights, so that a wrong one shows."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in trainer.network.named_parameters():
            parameter.normal_(0.0, 0.3)
            if name.endswith(("words.weight", "chars.weight")):
                parameter[0] = 0.0


def test_a_step_in_numpy_is_the_step_in_torch(tmp_path: Path):
    head = trainer_of(tmp_path, "pointers").network.relations.eval()
    torch.manual_seed(1)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    width = head.memory.out_features
    hidden, cell, memory, mentions = (torch.randn(3, *more, width) for more in ((), (), (5,), (4,)))
    given = torch.randn(3, 2 * width)
    inside = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]
    free = torch.ones(3, 4, dtype=torch.bool)
    with torch.no_grad():
        wanted = head.cell(given, (hidden, cell))
        mixed = head._mixed(wanted[0], memory, inside)
        scores = head._scores(mixed, mentions, free)
        roles = head._roles(mixed, mentions[:, 2])
    decoder = head.pointing()
    state, ours = step(
        decoder, State(hidden.numpy(), cell.numpy()), given.numpy(), memory.numpy(), inside.numpy()
    )
    for got, want in (
        (state.hidden, wanted[0]),
        (state.cell, wanted[1]),
        (ours, mixed),
        (pointer_scores(decoder, ours, mentions.numpy(), free.numpy()), scores),
        (role_scores(decoder, ours, mentions[:, 2].numpy()), roles),
    ):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-5)
    assert all((a == b).all() for a, b in zip(pointing.Pointing.read(decoder.pack()), decoder, strict=True))


class Stopping(Silent):
    """A watcher that ends a run in the midst of an epoch."""

    def on_step(self, *given: object) -> None:
        state = given[0]
        if getattr(state, "epoch", 0) == 1 and getattr(state, "position", 0) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path, kind: str):
    write_corpus(tmp_path / "corpus", train=12, dev=3)
    whole = trainer_of(tmp_path, kind)
    whole.run(Silent())
    (tmp_path / "checkpoint.safetensors").unlink()
    with pytest.raises(KeyboardInterrupt):
        trainer_of(tmp_path, kind).run(Stopping())
    second = trainer_of(tmp_path, kind)
    second.resume()
    assert 0 < second.state.step < whole.state.step
    second.run(Silent())
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name


def test_folds_part_the_training_documents(tmp_path: Path):
    write_corpus(tmp_path / "corpus", train=30, dev=2)
    parts = [
        {d.id for d in read_relation_corpora(relation_recipe(folds=3, fold=fold), tmp_path)[0].dev}
        for fold in range(3)
    ]
    assert set.union(*parts) == {f"invented-{i}" for i in range(30)}
    assert sum(map(len, parts)) == 30
    assert all(parts)


def test_counts_say_what_cannot_be_learnt(tmp_path: Path):
    write_corpus(tmp_path / "corpus")
    views = {"pairs": [["Drug", "Dosage"]]}
    counts = read_relation_corpora(relation_recipe(views=views), tmp_path)[0].counts
    assert counts.unpaired > 0  # effects are between no such pair
    assert counts.related + counts.unpaired == counts.relations


def test_a_label_the_corpus_lacks_is_named(tmp_path: Path):
    write_corpus(tmp_path / "corpus")
    with pytest.raises(DataError, match=r"has a relation labelled Route; there are: Dosage, Effect"):
        read_relation_corpora(relation_recipe(labels=["Dosage", "Route"]), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, r"relations\.labels: give at least one"),
        ({"labels": ["A", "A"]}, r"relations\.labels"),
        ({"views": {"pairs": []}}, r"relations\.pairs: give at least one pair"),
        ({"folds": 1}, r"relations\.fold: must be below relations\.folds"),
        ({"folds": 3, "fold": 3}, r"relations\.fold"),
        ({"kind": "pointers", "negatives": False}, r"relations\.negatives"),
        ({"kind": "pointers", "views": {"pairs": [["A", "B"]], "marked": True}}, r"views\.marked: marks one"),
        ({"widht": 3}, r"relations\.widht: unknown key; did you mean width"),
    ],
)
def test_a_wrong_recipe_names_its_key(change: dict[str, object], message: str):
    tables = relation_tables()
    tables["relations"] = {**tables["relations"], **change}  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=message):
        parse_relation_recipe(tables, "tiny.toml")


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipes_round_trip(name: str):
    recipe = load_relation_recipe(ROOT / "recipes" / f"{name}.toml")
    assert parse_relation_recipe(tomllib.loads(recipe_toml(recipe)), "resolved") == recipe


def test_golden_documents_are_replayed(tmp_path: Path):
    model = trained(tmp_path, "pairs")
    assert replay(model) == []
    app = typer.Typer()
    app.command()(check)
    said = CliRunner().invoke(app, [str(model)])
    assert (said.exit_code, "gives its relations" in said.output.replace("\n", "")) == (0, True)
    spec = open_relations(model).spec
    files = {name: (model / name).read_bytes() for name in spec.files}
    golden = msgspec.json.decode(files["golden.json"], type=list[dict[str, object]])
    assert any(item["relations"] for item in golden)
    for item in golden:
        item["relations"] = []
    save_relations(model, spec, {**files, "golden.json": msgspec.json.encode(golden)})
    assert "differs from when the model was saved" in replay(model)[0]
    (model / "vocab.json").write_bytes(b"{}")
    assert "differs from the digest" in replay(model)[0]


def with_pieces(folder: Path, **relations: object) -> Path:
    """A relation model over a tiny transformer, each pair marked and pooled without an LSTM."""
    write_hub_model(folder / "public", "bert")
    write_corpus(folder / "corpus", train=30, dev=6)
    tables = relation_tables("pairs", **relations)
    tables["encoder"] = {"kind": "transformer", "source": "public", "dropout": 0.0, "bfloat16": True}
    recipe = folder / "tiny.toml"
    recipe.write_text(recipe_toml(parse_relation_recipe(tables, "tiny")), encoding="utf-8")
    train_relations(recipe, folder / "model", watcher=Silent(), tell=lambda _: None, device="cpu")
    return folder / "model"


@pytest.mark.parametrize("marked", [False, True])
def test_a_transformer_relates(tmp_path: Path, marked: bool):  # noqa: FBT001 - a table
    views = {"pairs": [["Drug", "Dosage"], ["Drug", "Effect"]], "marked": marked, "context": 9}
    model = with_pieces(tmp_path, views=views, upper=not marked)
    assert replay(model) == []
    assert open_relations(model).spec.provenance.start.licence == "apache-2.0"
    gold = [tiny_related(2000 + i) for i in range(6)]
    extractor = RelationExtractor(model, device="cpu", threads=1)
    found = list(extractor.annotate(document.replace(relations=()) for document in gold))
    assert any(document.relations for document in found)
    backwards = list(extractor.annotate(document.replace(relations=()) for document in gold[::-1]))
    ends = [{(r.label, r.head, r.tail) for r in d.relations} for d in found]
    assert ends == [{(r.label, r.head, r.tail) for r in d.relations} for d in backwards[::-1]]


def trainer_with_two_starts(folder: Path) -> RelationTrainer:
    """A public encoder whose weights a donor's take the place of."""
    hub = open_hub_model(write_hub_model(folder / "public", "bert"))
    write_corpus(folder / "corpus", train=4, dev=1)
    tables = relation_tables()
    tables["encoder"] = {"kind": "transformer", "source": "public", "encoder_rate": 0.5, "layer_decay": 0.8}
    tables["transfer"] = {"from": "donor", "encoder_rate": 0.4}
    tables["train"] = {**tables["train"], "warmup": 0.0, "weight_decay": 0.0}  # type: ignore[dict-item]
    recipe = parse_relation_recipe(tables, "tiny.toml")
    corpora = read_relation_corpora(recipe, folder)
    vocab = build_vocab([])
    copied = RelationNetwork(recipe, vocab, hub).state_dict()
    donor = Donor(CorpusSpec("donor", "CC0-1.0", {}), vocab, copied, (CorpusSpec("read", "CC0-1.0", {}),))
    return RelationTrainer(recipe, corpora, folder, torch.device("cpu"), donor=donor, hub=hub)


def test_provenance_names_a_donor_and_the_public_encoder(tmp_path: Path):
    trainer = trainer_with_two_starts(tmp_path)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text("", encoding="utf-8")
    found = provenance_of(trainer, recipe, "medspan train tiny.toml")
    assert found.start is not None
    assert found.start.name == "donor"
    assert [text.name for text in found.texts] == ["read", trainer.public.name]  # type: ignore[union-attr]


def test_rates_of_the_encoder_and_of_a_transfer_multiply(tmp_path: Path):
    """Adam's first step is as long as its learning rate."""
    trainer = trainer_with_two_starts(tmp_path)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer._step(trainer._groups(0), Silent())
    moved = {n: float((t - before[n]).abs().max()) for n, t in trainer.network.state_dict().items()}
    rate = trainer.recipe.train.learning_rate
    layer = "encoder.model.encoder.layer.{}.output.dense.weight"
    assert moved["relations.words.project.weight"] == pytest.approx(rate, rel=0.05)
    assert moved[layer.format(1)] == pytest.approx(rate * 0.4 * 0.5, rel=0.05)
    assert moved[layer.format(0)] == pytest.approx(rate * 0.4 * 0.4, rel=0.05)


def test_a_run_of_relations_scores_its_start_and_need_not_be_resumable(tmp_path: Path):
    """A start that no epoch betters is kept, and a run that need not go on writes no checkpoint."""
    write_corpus(tmp_path / "corpus", train=4, dev=3)
    tables = relation_tables()
    tables["train"] = {"epochs": 2, "score_start": True, "resumable": False, "learning_rate": 1e-9}
    recipe = parse_relation_recipe(tables, "tiny.toml")
    corpora = read_relation_corpora(recipe, tmp_path)
    trainer = RelationTrainer(recipe, corpora, tmp_path, torch.device("cpu"))
    trainer.run(Silent())
    assert trainer.state.best_epoch == -1
    assert trainer.best_dev_scores() == trainer.state.start == {"invented": trainer.state.best_score}
    assert (tmp_path / "metrics.jsonl").exists()
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_unrelated_pairs_are_drawn_anew(tmp_path: Path):
    trainer = trainer_of(tmp_path, "pairs", kept_negatives=0.5)
    related = sum(int((e.classes > 0).sum()) for e in trainer.examples)
    draws = [trainer._drawn(trainer.examples, number) for number in range(2)]
    pairs = [[(id(e.row), pair) for e in drawn for pair in e.view.pairs] for drawn in draws]
    assert pairs[0] != pairs[1]
    for drawn in draws:
        assert sum(int((e.classes > 0).sum()) for e in drawn) == related
        assert all(len(e.view.pairs) == len(e.classes) > 0 for e in drawn)
    assert trainer._drawn(trainer.examples, 1)[0].view == draws[1][0].view


def test_labels_may_stand_in_one_of_several_corpora(tmp_path: Path):
    write_corpus(tmp_path / "corpus")
    tables = relation_tables(folds=3)
    tables["corpora"] = {"invented": {"source": "corpus"}, "dev": {"source": "corpus", "train": "dev"}}
    recipe = parse_relation_recipe(tables, "tiny.toml")
    first, second = read_relation_corpora(recipe, tmp_path)
    assert len(first.dev) + len(second.dev) == 50 - first.counts.documents - second.counts.documents


def test_documents_of_equal_text_are_in_one_part():
    one = tiny_related(3)
    assert fold_of(one, 7) == fold_of(Document("other", one.text), 7)
    assert len({fold_of(tiny_related(i), 7) for i in range(60)}) == 7


def test_a_changed_file_is_refused(tmp_path: Path):
    model = trained(tmp_path, "pairs")
    (model / "model.onnx").write_bytes((model / "model.onnx").read_bytes() + b" ")
    with pytest.raises(ModelError, match="differs from the digest"):
        open_relations(model).read("model.onnx")
    with pytest.raises(ModelError, match="is no relation model"):
        open_relations(tmp_path)
