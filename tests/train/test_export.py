"""Export: a folder that does what the network does, or no folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load as load_tensors

import medspan
from medspan.config import load_recipe
from medspan.errors import ConfigError, ModelError
from medspan.model.golden import replay
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.train.encoders import cnn, mask
from medspan.train.graph import Graph
from medspan.types import Document
from tiny_training import HEAD_KINDS, KINDS, exported, tiny_corpus, tiny_document, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.export import Export

ODD = "Ж 患者 🤒 \x00 e\u0301 \ud7ff zelvorin for grey fever\r\n\u200b'K-12 oxide'"


def written(kind: str, head: str = "crf", *, half: bool = True) -> Export:
    recipe = tiny_recipe(kind, head, half=half)
    return exported(recipe, tiny_corpus(recipe, size=20))


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_finds_what_the_network_finds(kind: str, head: str, tmp_path: Path) -> None:
    export = written(kind, head)
    export.save(tmp_path / "model", {"dev": {}}, "A card.")
    nlp = medspan.load(tmp_path / "model", device="cpu", threads=1)
    documents = [*(tiny_document(n) for n in range(2000, 2020)), Document("odd", ODD)]
    wanted = export._tagger().annotate(documents)
    found = list(nlp.annotate(documents))
    assert [document.text for document in found] == [document.text for document in documents]
    for mine, theirs in zip(wanted, found, strict=True):
        assert places(mine) == places(theirs)
    assert sum(len(document.entities) for document in found) > 20
    assert replay(tmp_path / "model", threads=1) == []


def places(document: Document) -> set[tuple[int, int, str]]:
    return {(entity.start, entity.end, entity.label) for entity in document.entities}


@pytest.mark.parametrize("kind", KINDS)
def test_characters_first_seen_at_run_time_are_handled(kind: str, tmp_path: Path) -> None:
    written(kind).save(tmp_path / "model", {}, "A card.")
    nlp = medspan.load(tmp_path / "model", device="cpu", threads=1)
    alone = nlp(ODD)
    among = list(nlp.annotate(["A long day, zelvorin was given for grey fever .", ODD, "x", ""]))[1]
    assert places(alone) == places(among)
    for entity in alone.entities:
        assert alone.text_of(entity) == ODD[entity.start : entity.end]
        assert 0.0 <= (entity.score or 0.0) <= 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_makes_the_file_smaller_and_is_the_network_itself(kind: str, tmp_path: Path) -> None:
    sizes, halves = {}, {}
    for half in (True, False):
        export = written(kind, half=half)
        export.save(tmp_path / f"{half}", {}, "A card.")
        weights = onnx.load(tmp_path / f"{half}" / "model.onnx").graph.initializer
        sizes[half] = sum(len(w.raw_data) for w in weights)
        halves[half] = {w.name for w in weights if w.data_type == onnx.TensorProto.FLOAT16}
        for parameter in export.network.parameters():
            is_round = torch.equal(parameter, parameter.half().float())
            assert is_round or not half
    assert halves[True]
    assert not halves[False]
    assert sizes[True] < 0.75 * sizes[False]


def test_the_folder_holds_what_the_design_lists(tmp_path: Path) -> None:
    export = written("window")
    export.save(tmp_path / "model", {"hours": 1.5}, "A card.")
    folder = tmp_path / "model"
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "config.json",
        "decoder.safetensors",
        "forms.onnx",
        "golden.json",
        "metrics.json",
        "model.onnx",
        "model.safetensors",
        "recipe.toml",
        "vocab.json",
    }
    assert load_recipe(folder / "recipe.toml") == export.recipe
    assert (folder / "README.md").read_text(encoding="utf-8") == "A card."
    assert msgspec.json.decode((folder / "metrics.json").read_bytes()) == {"hours": 1.5}
    model = open_model(folder)
    assert model.problems() == []
    assert model.spec.encoder.settings["reach"] == 2
    assert model.spec.window.words == 30
    kept = load_tensors((folder / "model.safetensors").read_bytes())
    for name, tensor in export.network.state_dict().items():
        np.testing.assert_array_equal(kept[name].astype(np.float32), tensor.numpy(), strict=True)


def test_only_heads_that_ship_are_exported(tmp_path: Path) -> None:
    recipe = tiny_recipe("cnn")
    hidden = msgspec.structs.replace(recipe.heads["drug"], ships=False)
    recipe = msgspec.structs.replace(recipe, heads={**recipe.heads, "drug": hidden})
    exported(recipe, tiny_corpus(recipe, size=20)).save(tmp_path / "model", {}, "A card.")
    assert medspan.load(tmp_path / "model", device="cpu", threads=1).labels == ("Disease",)
    outputs = onnx.load(tmp_path / "model" / "model.onnx").graph.output
    assert [output.name for output in outputs] == ["emissions.disease"]


def test_weights_are_left_out_on_request(tmp_path: Path) -> None:
    recipe = tiny_recipe("window")
    recipe = msgspec.structs.replace(
        recipe, export=msgspec.structs.replace(recipe.export, keep_weights=False)
    )
    exported(recipe, tiny_corpus(recipe, size=20)).save(tmp_path / "model", {}, "A card.")
    assert not (tmp_path / "model" / "model.safetensors").exists()
    assert replay(tmp_path / "model", threads=1) == []


# A graph that is wrong is refused


def refused(kind: str, folder: Path) -> str:
    """Save a model whose graph is wrong; the message, once nothing was written is sure."""
    export = written(kind)
    with pytest.raises(ModelError) as caught:
        export.save(folder / "model", {}, "A card.")
    assert "nothing was written" in str(caught.value)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def test_a_wrong_weight_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Graph.weight

    def crooked(self: Graph, name: str, tensor: object) -> str:
        return honest(self, name, tensor * 1.1 if name == "disease.emit.weight" else tensor)

    monkeypatch.setattr(Graph, "weight", crooked)
    assert "head 'disease'" in refused("window", tmp_path)


def test_a_weight_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Graph.weight

    def crooked(self: Graph, name: str, tensor: object) -> str:
        return honest(self, name, tensor * float("nan") if name == "drug.emit.bias" else tensor)

    monkeypatch.setattr(Graph, "weight", crooked)
    assert "head 'drug'" in refused("cnn", tmp_path)


def test_a_graph_without_mask_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding leaks into the last words of short rows: right at 1 x 1, wrong in a ragged batch."""

    def leaky(graph: Graph, states: str, lengths: str) -> str:
        inside = mask.mask_to_graph(graph, states, lengths)
        return graph.node("Add", inside, graph.node("Sub", graph.constant(np.float32([1])), inside))

    monkeypatch.setattr(cnn, "mask_to_graph", leaky)
    refused("cnn", tmp_path)


@pytest.mark.parametrize("kind", ["window", "cnn"])
def test_a_network_without_mask_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides are wrong alike, so only the comparison with each row alone can tell."""
    monkeypatch.setattr(mask, "word_mask", _everything)
    monkeypatch.setattr(cnn, "word_mask", _everything)

    def leaky(graph: Graph, states: str, lengths: str) -> str:
        inside = mask.mask_to_graph(graph, states, lengths)
        return graph.node("Add", inside, graph.node("Sub", graph.constant(np.float32([1])), inside))

    monkeypatch.setattr(cnn, "mask_to_graph", leaky)
    refused(kind, tmp_path)


def _everything(lengths: torch.Tensor, words: int) -> torch.Tensor:
    return torch.ones(len(lengths), words, 1, dtype=torch.bool)


def test_an_lstm_that_ignores_lengths_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Graph.lstm

    def crooked(
        self: Graph, name: str, layer: torch.nn.LSTM, states: str, *, lengths: str, reverse: bool
    ) -> str:
        words = self.node("Shape", states, start=0, end=1)
        rows = self.node("Shape", lengths)
        return honest(self, name, layer, states, lengths=self.node("Expand", words, rows), reverse=reverse)

    monkeypatch.setattr(Graph, "lstm", crooked)
    for kind in ("blstm_cnn", "char_blstm"):
        refused(kind, tmp_path)


def test_an_existing_folder_survives_a_refused_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("cnn").save(tmp_path / "model", {}, "The first.")
    honest = Graph.weight
    monkeypatch.setattr(
        Graph, "weight", lambda self, name, tensor: honest(self, name, tensor * (2 if "emit" in name else 1))
    )
    with pytest.raises(ModelError):
        written("cnn").save(tmp_path / "model", {}, "The second.")
    assert (tmp_path / "model" / "README.md").read_text(encoding="utf-8") == "The first."
    assert replay(tmp_path / "model", threads=1) == []


def test_windows_of_long_sentences_are_stitched_alike(tmp_path: Path) -> None:
    export = written("blstm_cnn")
    export.save(tmp_path / "model", {}, "A card.")
    text = "zelvorin and grey fever , " * 60
    wanted = export._tagger().annotate([Document("long", text)])[0]
    found = load_tagger(tmp_path / "model", device="cpu", threads=1).annotate([Document("long", text)])[0]
    assert places(wanted) == places(found)


@pytest.mark.parametrize("kind", ["blstm_cnn", "window"])
def test_a_narrowed_model_is_smaller_and_finds_nearly_the_same(kind: str, tmp_path: Path) -> None:
    recipe = tiny_recipe(kind)
    narrow = msgspec.structs.replace(recipe, export=msgspec.structs.replace(recipe.export, input_rank=36))
    corpus = tiny_corpus(recipe, size=40)
    documents = [tiny_document(number) for number in range(2000, 2040)]
    found = {}
    for name, each in (("full", recipe), ("narrow", narrow)):
        exported(each, corpus).save(tmp_path / name, {}, "A card.")
        model = open_model(tmp_path / name)
        assert model.spec.forms is not None
        assert (model.spec.forms.width == 36) == (name == "narrow")
        found[name] = [
            places(d) for d in medspan.load(tmp_path / name, device="cpu", threads=1).annotate(documents)
        ]
    same = sum(len(a & b) for a, b in zip(*found.values(), strict=True))
    assert same > 0.9 * sum(len(a | b) for a, b in zip(*found.values(), strict=True))
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in ("full", "narrow")]
    assert sizes[1] < sizes[0]
    kept = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("full", "narrow")]
    assert kept[0] == kept[1]  # what training goes on from is never narrowed


@pytest.mark.parametrize(
    ("kind", "rank", "problem"), [("cnn", 4, "only blstm_cnn and window"), ("window", 400, "saves nothing")]
)
def test_a_rank_that_cannot_be_is_refused(kind: str, rank: int, problem: str) -> None:
    recipe = tiny_recipe(kind)
    wrong = msgspec.structs.replace(recipe, export=msgspec.structs.replace(recipe.export, input_rank=rank))
    with pytest.raises(ConfigError, match=problem):
        exported(wrong, tiny_corpus(recipe, size=20))
