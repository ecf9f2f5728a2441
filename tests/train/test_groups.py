"""Layers of entity types: identity at first, shared by their heads, the same in the graph; gradient conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from medspan.config import parse_recipe
from medspan.errors import ConfigError
from medspan.train.conflict import conflicts
from medspan.train.loop import Trainer
from medspan.train.scorer import to_tensors
from tiny_training import Silent, exported, lively_network, tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from medspan.config import Recipe

WORDS = ["no", "sign", "of", "grey", "fever"]


def raw(**groups: Any) -> dict[str, Any]:
    return {
        "name": "grouped",
        "encoder": {"kind": "window", "word_width": 8, "hidden_width": 8, "max_chars": 8, "min_count": 1},
        "corpora": {"invented": {"source": "invented"}},
        "heads": {
            "disease": {"labels": ["Disease"], "corpora": ["invented"], "group": "both"},
            "drug": {"labels": ["Drug"], "corpora": ["invented"], "group": "both"},
            "other": {"labels": ["Drug"], "corpora": ["invented"]},
        },
        "groups": {"both": {"width": 4}, **groups},
        "train": {"epochs": 2, "batch_words": 120, "head_dropout": 0.0},
    }


def grouped() -> Recipe:
    return parse_recipe(raw(), "r")


def emissions(network: torch.nn.Module, arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        return network(to_tensors(arrays, torch.device("cpu")))


def test_a_layer_begins_as_the_identity(tmp_path: Path):
    trainer = Trainer(grouped(), [tiny_corpus(grouped(), size=8)], tmp_path, torch.device("cpu"))
    network = trainer.network.eval()
    arrays = trainer.featurizer.arrays([trainer.featurizer.encode(WORDS)])
    found = emissions(network, arrays)
    with torch.inference_mode():
        level = network.encoder(to_tensors(arrays, torch.device("cpu")))[-1]
        assert torch.equal(found["disease"], network.head("disease")(level))


def test_only_the_heads_of_a_type_read_its_layer():
    network, featurizer = lively_network(grouped(), tiny_corpus(grouped(), size=8))
    arrays = featurizer.arrays([featurizer.encode(WORDS)])
    before = emissions(network, arrays)
    with torch.no_grad():
        network.groups["both"].up.bias += 1.0
    after = emissions(network, arrays)
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"disease", "drug"}


def test_only_the_layers_of_heads_with_targets_learn():
    network, featurizer = lively_network(grouped(), tiny_corpus(grouped(), size=8))
    arrays = to_tensors(featurizer.arrays([featurizer.encode(WORDS)]), torch.device("cpu"))
    network.loss(arrays, {"other": torch.zeros(1, 5, dtype=torch.int64)}).backward()
    assert all(p.grad is None for p in network.groups.parameters())
    network.loss(arrays, {"drug": torch.zeros(1, 5, dtype=torch.int64)}).backward()
    assert all(p.grad is not None for p in network.groups.parameters())


def test_the_exported_model_has_them(tmp_path: Path):
    finished = exported(grouped(), tiny_corpus(grouped(), size=8))
    finished.prove()  # graph and network agree
    assert b"groups.both.down" in finished.model
    finished.save(tmp_path / "model", {"dev": {}}, "card")


def test_a_layer_no_shipped_head_reads_is_left_out():
    tables = raw(alone={})
    tables["heads"]["other"] |= {"group": "alone", "ships": False}
    recipe = parse_recipe(tables, "r")
    assert b"groups.alone" not in exported(recipe, tiny_corpus(recipe, size=8)).model


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"heads": {"drug": {"group": "bth"}}}, "no .groups.bth. in this recipe; did you mean"),
        ({"groups": {"lonely": {}}}, "groups.lonely: no head names it"),
        ({"groups": {"a b": {}}}, "the name may hold"),
        ({"heads": {"drug": {"level": 0}}}, "its heads read several levels"),
        ({"groups": {"both": {"wdth": 3}}}, "wdth: unknown key; did you mean"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], problem: str):
    tables = raw()
    for table, rows in change.items():
        for name, row in rows.items():
            tables[table][name] = {**tables[table].get(name, {}), **row}
    with pytest.raises(ConfigError, match=problem):
        parse_recipe(tables, "r")


def test_a_name_torch_keeps_is_refused():
    tables = raw()
    tables["groups"] = {"forward": {}}
    for head in ("disease", "drug"):
        tables["heads"][head]["group"] = "forward"
    recipe = parse_recipe(tables, "r")
    with pytest.raises(ConfigError, match="torch keeps this name"):
        lively_network(recipe, tiny_corpus(recipe, size=8))


def test_conflict_is_the_cosine_of_the_gradients():
    recipe = tiny_recipe("blstm_cnn")
    network, featurizer = lively_network(recipe, tiny_corpus(recipe, size=8))
    arrays = to_tensors(featurizer.arrays([featurizer.encode(WORDS)]), torch.device("cpu"))

    def loss(sign: float) -> torch.Tensor:
        return sign * network(arrays)["disease"].square().sum()

    found = conflicts(network, {"a": lambda: loss(1.0), "b": lambda: loss(2.0), "c": lambda: loss(-1.0)})
    assert found == {"a|b": 1.0, "a|c": -1.0, "b|c": -1.0}
    assert all(p.grad is None for p in network.parameters())


def test_conflict_stands_in_the_log_and_changes_no_weight(tmp_path: Path):
    weights = []
    for sentences in (0, 8):
        recipe = tiny_recipe("blstm_cnn", conflict_sentences=sentences, epochs=2)
        corpora = [tiny_corpus(recipe, size=8), tiny_corpus(recipe, size=6)]
        corpora[1].name = "second"
        folder = tmp_path / str(sentences)
        folder.mkdir()
        trainer = Trainer(recipe, corpora, folder, torch.device("cpu"))
        trainer.run(Silent())
        rows = [set(row.conflict) for row in trainer.state.history]
        assert rows == [{"invented|second"} if sentences else set()] * 2
        weights.append(trainer.network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
