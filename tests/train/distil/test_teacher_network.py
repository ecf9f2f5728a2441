"""A transformer that teaches is read by torch where that is faster, and says what its graph says."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from medspan.config import ExportConfig, Transformer
from medspan.errors import ModelError
from medspan.features.vocab import build_vocab
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.train.distil.network import network_tagger
from medspan.train.distil.teachers import Teacher, Teachers
from medspan.train.export import Export
from medspan.train.hub import open_hub_model
from medspan.train.network import Network
from medspan.types import Document
from tiny_hub import write_hub_model
from tiny_tokenizers import TEXTS
from tiny_training import PROVENANCE, tiny_corpus, tiny_recipe
from trained import model_folder

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.config import Recipe


def exported(folder: Path, *, keep_weights: bool = True, **settings: object) -> Path:
    """A transformer of random weights, as a model folder beside the public one."""
    hub = open_hub_model(write_hub_model(folder / "public", "mpnet"))
    encoder = Transformer("public", max_pieces=40, **settings)  # type: ignore[arg-type]
    recipe: Recipe = msgspec.structs.replace(
        tiny_recipe("cnn"), encoder=encoder, export=ExportConfig(keep_weights=keep_weights)
    )
    network, vocab = Network(recipe, build_vocab([]), hub), build_vocab([])
    done = Export(recipe, network, vocab, corpora=[tiny_corpus(recipe, size=6)], provenance=PROVENANCE)
    done.save(folder / "m", {}, "A card.")
    return folder / "m"


def test_it_says_what_the_graph_says(tmp_path: Path):
    model = open_model(exported(tmp_path, bfloat16=True))
    found = network_tagger(model, (tmp_path / "nowhere", tmp_path), "cpu")
    assert found is not None
    heads = {head.name: head.labels for head in model.spec.heads}
    documents = [Document(f"{i}", text) for i, text in enumerate(TEXTS)]
    words = np.array([scored.lengths[0] for d in documents for scored in found.score([d])])
    marginals = [
        Teachers([Teacher(tagger)], heads).marginals(documents, words)
        for tagger in (found, load_tagger(model.path, device="cpu", threads=1))
    ]
    for name in heads:
        assert np.abs(marginals[0][name] - marginals[1][name]).max() < 0.02


@pytest.mark.parametrize("settings", [{"bfloat16": False}, {"bfloat16": True, "keep_weights": False}])
def test_elsewhere_the_graph_has_to_do(settings: dict[str, bool], tmp_path: Path):
    assert network_tagger(open_model(exported(tmp_path, **settings)), (tmp_path,), "cpu") is None


def test_without_its_public_folder_and_for_other_encoders_too(tmp_path: Path):
    model = exported(tmp_path, bfloat16=True)
    shutil.rmtree(tmp_path / "public")
    assert network_tagger(open_model(model), (tmp_path,), "cpu") is None
    assert network_tagger(open_model(model_folder()), (tmp_path,), "cpu") is None


def test_another_public_folder_is_refused(tmp_path: Path):
    model = exported(tmp_path, bfloat16=True)
    shutil.rmtree(tmp_path / "public")
    write_hub_model(tmp_path / "public", "bert")
    with pytest.raises(ModelError, match="does not fit the encoder of"):
        network_tagger(open_model(model), (tmp_path,), "cpu")
