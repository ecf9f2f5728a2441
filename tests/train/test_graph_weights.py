"""A network rebuilt from the graphs of a model is that model: same emissions, same entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from medspan.config import TransferConfig, parse_recipe
from medspan.errors import ModelError
from medspan.features.batch import Featurizer
from medspan.features.vocab import read_vocab
from medspan.metrics.matching import Mention
from medspan.model.golden import GOLDEN_TEXTS
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger, tagger_of
from medspan.shipped import shipped_models
from medspan.toml import read_toml
from medspan.train.graph_weights import PROJECT, graph_tensors, widened
from medspan.train.loop import Trainer
from medspan.train.network import Network
from medspan.train.scorer import TorchScorer
from medspan.train.transfer import Donor, fit_first_layer, open_donor, transfer
from medspan.types import Document
from tiny_training import exported, tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.config import Recipe

TOLERANCE = 2e-3


def without_weights(recipe: Recipe, **export: object) -> Recipe:
    changed = msgspec.structs.replace(recipe.export, keep_weights=False, **export)
    return msgspec.structs.replace(recipe, export=changed, transfer=TransferConfig(source="x", heads=True))


def rebuilt(folder: Path, recipe: Recipe) -> tuple[Network, Donor]:
    """The network of a recipe with all its weights from the graphs of a folder."""
    donor = open_donor(folder)
    exported_heads = {name: head for name, head in recipe.heads.items() if head.ships}
    recipe = msgspec.structs.replace(recipe, heads=exported_heads)
    network = Network(recipe, donor.vocab).eval()
    fit_first_layer(network, donor, recipe)
    done = transfer(network, donor, donor.vocab, with_heads=True)
    assert not done.mis_shaped
    assert not done.left_over
    assert not [name for name in done.new if ".crf." not in name]
    return network, donor


def assert_same_model(folder: Path, network: Network) -> None:
    """Emissions within the tolerance of an export, equal entities on the golden texts."""
    graph, model = load_tagger(folder, device="cpu", threads=1), open_model(folder)
    spec, max_chars = model.spec, int(model.spec.encoder.settings["max_chars"])  # type: ignore[arg-type]
    featurizer = Featurizer(read_vocab(model.read("vocab.json")), network.inputs, max_chars=max_chars)
    torch_tagger = tagger_of(spec, model.decoders(), featurizer, TorchScorer(network))
    documents = [Document(str(i), text) for i, text in enumerate(GOLDEN_TEXTS) if text.strip()]
    for left, right in zip(graph.score(documents), torch_tagger.score(documents), strict=True):
        for head, emissions in left.emissions.items():
            for row, length in enumerate(left.lengths):
                gap = np.abs(emissions[row, :length] - right.emissions[head][row, :length]).max()
                assert gap <= TOLERANCE
    for a, b in zip(graph.annotate(documents), torch_tagger.annotate(documents), strict=True):
        assert [Mention(e.spans, e.label) for e in a.entities] == [
            Mention(e.spans, e.label) for e in b.entities
        ]


@pytest.mark.parametrize("kind", ["blstm_cnn", "char_blstm", "window", "cnn"])
def test_every_encoder_comes_back_from_its_graphs(tmp_path: Path, kind: str):
    recipe = without_weights(tiny_recipe(kind))
    export = exported(recipe, tiny_corpus(recipe))
    export.save(tmp_path / "model", {}, "card")
    network, donor = rebuilt(tmp_path / "model", recipe)
    assert_same_model(tmp_path / "model", network)
    given = export.network.state_dict()
    assert all(torch.equal(tensor, given[name]) for name, tensor in network.state_dict().items())
    assert donor.spec.splits["weights"] == open_model(tmp_path / "model").spec.files["model.onnx"]


@pytest.mark.parametrize("kind", ["blstm_cnn", "window"])
def test_a_narrowed_model_goes_on_narrow_or_is_widened(tmp_path: Path, kind: str):
    recipe = without_weights(tiny_recipe(kind), input_rank=6, word_bits=8)
    exported(recipe, tiny_corpus(recipe)).save(tmp_path / "model", {}, "card")
    assert PROJECT in graph_tensors(open_model(tmp_path / "model"))
    wide, _ = rebuilt(tmp_path / "model", recipe)  # narrows after training, so begins wide
    assert wide.features is not None
    assert wide.features.project is None
    assert_same_model(tmp_path / "model", wide)
    narrow_first = msgspec.structs.replace(
        recipe, train=msgspec.structs.replace(recipe.train, narrow_first=True)
    )
    narrow, _ = rebuilt(tmp_path / "model", narrow_first)
    assert narrow.features is not None
    assert narrow.features.width == 6
    assert_same_model(tmp_path / "model", narrow)


def test_a_run_goes_on_with_the_narrow_layer_of_its_start(tmp_path: Path):
    recipe = without_weights(tiny_recipe("blstm_cnn"), input_rank=6)
    corpus = tiny_corpus(recipe)
    exported(recipe, corpus).save(tmp_path / "model", {}, "card")
    recipe = msgspec.structs.replace(recipe, train=msgspec.structs.replace(recipe.train, narrow_first=True))
    donor = open_donor(tmp_path / "model")
    trainer = Trainer(recipe, [corpus], tmp_path, torch.device("cpu"), donor=donor)
    weights = trainer.network.state_dict()
    assert torch.equal(weights[PROJECT], donor.tensors[PROJECT])


@pytest.mark.parametrize("name", ["default", "clinical", "deid"])
def test_shipped_models_start_others(name: str):
    folder = shipped_models()[name]
    recipe = parse_recipe(read_toml(folder / "recipe.toml"), name)
    network, _ = rebuilt(folder, recipe)
    assert network.features is not None
    assert network.features.project is not None
    assert_same_model(folder, network)


def test_widening_changes_no_state():
    torch.manual_seed(3)
    narrow = {
        PROJECT: torch.randn(4, 9),
        "encoder.directions.forward_layers.0.weight_ih_l0": torch.randn(12, 4),
        "encoder.layers.0.weight": torch.randn(5, 3 * 4),
    }
    wide, features = widened(narrow), torch.randn(9)
    name = "encoder.directions.forward_layers.0.weight_ih_l0"
    assert torch.allclose(wide[name] @ features, narrow[name] @ (narrow[PROJECT] @ features), atol=1e-5)
    places = torch.randn(3, 9)
    seen = (places @ narrow[PROJECT].T).flatten()
    first = "encoder.layers.0.weight"
    assert torch.allclose(wide[first] @ places.flatten(), narrow[first] @ seen, atol=1e-4)
    assert PROJECT not in wide


def test_heads_are_copied_by_label(tmp_path: Path):
    """A head with other labels, or with another name for one, takes the rows of the tags it knows."""
    recipe = without_weights(tiny_recipe("blstm_cnn"))
    corpus = tiny_corpus(recipe)
    exported(recipe, corpus).save(tmp_path / "model", {}, "card")
    donor = open_donor(tmp_path / "model")
    name, head = next(iter(recipe.heads.items()))
    known = head.labels[0]
    other = msgspec.structs.replace(head, labels=("Fresh", "Other name"), begins_as={"Other name": known})
    network = Network(msgspec.structs.replace(recipe, heads={"mine": other}), donor.vocab)
    fresh = network.head("mine").emit.weight.detach().clone()
    done = transfer(network, donor, donor.vocab, with_heads=True)
    emit, given = network.head("mine").emit.weight.detach(), donor.tensors[f"heads.{name}.emit.weight"]
    assert torch.equal(emit[0], given[0])  # O
    assert torch.equal(emit[5:9], given[1:5])
    assert torch.equal(emit[1:5], fresh[1:5])
    moves = network.head("mine").crf.transitions.detach()
    assert torch.equal(moves[5:9, 5:9], donor.tensors[f"heads.{name}.crf.transitions"][1:5, 1:5])
    assert "heads.mine.emit.weight" in done.loaded


def test_a_graph_of_another_make_is_refused(tmp_path: Path):
    recipe = without_weights(tiny_recipe("blstm_cnn"))
    export = exported(recipe, tiny_corpus(recipe))
    graph = onnx.load_model_from_string(export.model)
    graph.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "stranger"))
    export.model = graph.SerializeToString()
    export.save(tmp_path / "model", {}, "card")
    with pytest.raises(ModelError, match="'stranger', which no encoder"):
        open_donor(tmp_path / "model")


def test_heads_that_were_not_exported_are_copied_by_name(tmp_path: Path):
    """A head that helps and does not ship is in ``model.safetensors`` alone."""
    recipe = tiny_recipe("blstm_cnn")
    hidden = msgspec.structs.replace(recipe.heads["drug"], ships=False)
    recipe = msgspec.structs.replace(recipe, heads={**recipe.heads, "drug": hidden})
    exported(recipe, tiny_corpus(recipe)).save(tmp_path / "model", {}, "card")
    donor = open_donor(tmp_path / "model")
    assert set(donor.labels) == {"disease"}
    network = Network(recipe, donor.vocab)
    transfer(network, donor, donor.vocab, with_heads=True)
    for name in ("disease", "drug"):
        assert torch.equal(network.head(name).emit.weight, donor.tensors[f"heads.{name}.emit.weight"])
