"""What makes a public transformer cheaper to train: frozen levels, bfloat16 on a CPU, cheap masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from torch import nn

from medspan.config import Transformer
from medspan.errors import ConfigError
from medspan.features.batch import Featurizer
from medspan.features.vocab import build_vocab
from medspan.train.dropout import Dropout
from medspan.train.encoders.transformer import TransformerEncoder
from medspan.train.export import Export
from medspan.train.hub import open_hub_model
from medspan.train.loop import Trainer
from medspan.train.optim import Average
from tiny_hub import ALL_FAMILIES, write_hub_model
from tiny_tokenizers import TEXTS
from tiny_training import PROVENANCE, Silent, tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.config import Recipe
    from medspan.train.hub import HubModel

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HubModel]:
    folder = tmp_path_factory.mktemp("hubs")
    return {family: open_hub_model(write_hub_model(folder / family, family)) for family in ALL_FAMILIES}


def level_of(hub: HubModel, **settings: object) -> torch.Tensor:
    """The top level over a few rows, without dropout."""
    encoder = TransformerEncoder(Transformer("tiny", **settings), hub).eval()  # type: ignore[arg-type]
    featurizer = Featurizer(build_vocab([]), encoder.inputs, max_chars=1, pieces=encoder.pieces)
    arrays = featurizer.arrays([featurizer.encode(text.split()) for text in TEXTS[:3]])
    return encoder({name: torch.from_numpy(array) for name, array in arrays.items()})[-1]


def trainer_of(hub: HubModel, folder: Path, **settings: object) -> tuple[Recipe, Trainer]:
    recipe = tiny_recipe("cnn", epochs=1, warmup=0.0)
    encoder = Transformer(str(hub.folder), max_pieces=40, **settings)  # type: ignore[arg-type]
    recipe = msgspec.structs.replace(recipe, encoder=encoder)
    return recipe, Trainer(recipe, [tiny_corpus(recipe, size=6)], folder, CPU, hub=hub)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_bfloat16_is_near_single_precision_and_gives_it_back(family: str, hubs: dict[str, HubModel]):
    exact, near = level_of(hubs[family]), level_of(hubs[family], bfloat16=True)
    assert near.dtype == torch.float32
    assert not torch.equal(exact, near)
    assert (exact - near).abs().mean() < 0.02 * exact.abs().mean()
    near.square().sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_what_learnt_in_bfloat16_is_exported_in_single_precision(
    family: str, tmp_path: Path, hubs: dict[str, HubModel]
):
    recipe, trainer = trainer_of(hubs[family], tmp_path, bfloat16=True)
    trainer.run(Silent())
    assert trainer.network.encoder.in_bfloat16
    done = Export(recipe, trainer.network, trainer.vocab, corpora=trainer.corpora, provenance=PROVENANCE)
    assert not trainer.network.encoder.in_bfloat16
    assert done.prove() > 0


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_frozen_levels_stay_and_the_others_learn(family: str, tmp_path: Path, hubs: dict[str, HubModel]):
    _, trainer = trainer_of(hubs[family], tmp_path, frozen=2)
    before = {name: tensor.clone() for name, tensor in trainer.network.named_parameters()}
    trainer.run(Silent())
    moved = {n for n, tensor in trainer.network.named_parameters() if not torch.equal(tensor, before[n])}
    frozen = {name for name, tensor in trainer.network.named_parameters() if not tensor.requires_grad}
    assert any("embed" in name for name in frozen)
    assert any(".0." in name for name in frozen)
    assert not frozen & moved
    assert any(".1." in name for name in moved)
    assert not frozen & set(Average(trainer.network, 0.9).weights)


def test_more_frozen_levels_than_there_are_is_an_error(hubs: dict[str, HubModel]):
    with pytest.raises(ConfigError, match=r"encoder\.frozen: is 9; this encoder has embeddings and 2 layers"):
        level_of(hubs["bert"], frozen=9)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_every_mask_is_a_cheap_one_at_the_rate_of_the_layer(family: str, hubs: dict[str, HubModel]):
    encoder = TransformerEncoder(Transformer("tiny"), hubs[family])
    assert not any(isinstance(part, nn.Dropout) for part in encoder.modules())
    rates = {part.p for part in hubs[family].model.modules() if isinstance(part, nn.Dropout)}
    found = {part.p for part in encoder.modules() if isinstance(part, Dropout)}
    assert len(found) == len(rates)
    assert all(any(abs(a - b) <= 1 / 512 for b in rates) for a in found)
