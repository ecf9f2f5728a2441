"""Public encoders are read as data alone; whatever else a folder holds is refused with a remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from medspan.errors import ModelError, UsageError
from medspan.train import hub
from medspan.train.hub import FAMILIES, find_hub_model, licence_of, open_hub_model
from tiny_hub import ALL_FAMILIES, write_hub_model

if TYPE_CHECKING:
    from pathlib import Path

MODEL, BIN = "model.safetensors", "pytorch_model.bin"


def change(folder: Path, **keys: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def rename(folder: Path, new_name) -> None:
    tensors = {new_name(name): tensor for name, tensor in load_file(folder / MODEL).items()}
    save_file(tensors, folder / MODEL)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_every_family_is_read(family: str, tmp_path: Path):
    folder = write_hub_model(tmp_path / "tiny", family)
    found = open_hub_model(folder)
    assert (found.name, found.family, found.licence, found.rest) == ("tiny", family, "apache-2.0", {})
    assert found.spec.splits == {"weights": found.digest}
    assert (found.width, found.layers) == (16, 4 if family == "modernbert" else 2)
    assert found.most_pieces == (None if family == "xlnet" else 64)
    assert not found.model.training
    kept = load_file(folder / MODEL)
    for name, tensor in found.model.state_dict().items():
        assert torch.equal(tensor, kept[name])


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_a_file_with_a_head_gives_the_encoder_and_the_rest(family: str, tmp_path: Path):
    folder = write_hub_model(tmp_path, family)
    plain = open_hub_model(folder).model.state_dict()
    prefix = FAMILIES[family].prefixes[0]
    rename(folder, lambda name: prefix + name)
    tensors = load_file(folder / MODEL)
    save_file({**tensors, "lm_head.bias": torch.ones(3)}, folder / MODEL)
    found = open_hub_model(folder)
    assert list(found.rest) == ["lm_head.bias"]
    assert all(torch.equal(tensor, plain[name]) for name, tensor in found.model.state_dict().items())


def test_names_and_types_of_old_files_are_understood(tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    plain = open_hub_model(folder).model.state_dict()
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {
        name.replace(end, old[end]) if (end := ".".join(name.split(".")[-2:])) in old else name: tensor.half()
        for name, tensor in load_file(folder / MODEL).items()
    }
    save_file(tensors, folder / MODEL)
    for name, tensor in open_hub_model(folder).model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, plain[name].half().float())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model_type": "llama"}, "model_type: is 'llama'; encoders that are read: bert, roberta"),
        ({"model_type": ["bert"]}, "model_type"),
        ({"auto_map": {"AutoModel": "own.Model"}}, "auto_map: this model needs code of its own"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type: is 'relative_key'; only"),
        ({"is_decoder": True}, "is_decoder"),
        ({"hidden_act": "__import__('os')"}, "hidden_act: is .*; supported: gelu, relu"),
        ({"hidden_size": "16"}, "hidden_size: is '16'; it must be of the type int"),
        ({"hidden_size": True}, "hidden_size"),
        ({"hidden_size": 0}, "hidden_size: is 0, which is out of range"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: is 1000000000, which is out of range"),
        ({"num_attention_heads": 3}, "transformers cannot build it"),
        ({"num_hidden_layers": 3}, "lacks 16 tensors of the encoder, such as encoder.layer.2"),
        ({"intermediate_size": 24}, r"has the shape \(32, 16\); config.json says \(24, 16\)"),
    ],
)
def test_a_config_that_is_not_supported_is_refused(keys: dict[str, object], said: str, tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    change(folder, **keys)
    with pytest.raises(ModelError, match=said):
        open_hub_model(folder)


@pytest.mark.parametrize("key", ["bi_data", "same_length", "attn_type"])
def test_other_kinds_of_xlnet_are_refused(key: str, tmp_path: Path):
    folder = write_hub_model(tmp_path, "xlnet")
    change(folder, **{key: "uni" if key == "attn_type" else True})
    with pytest.raises(ModelError, match=key):
        open_hub_model(folder)


def test_keys_that_are_not_known_are_not_passed_on(tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    change(folder, torch_dtype="float16", id2label={"0": "x"}, use_cache=False, _attn_implementation="x/y")
    config = open_hub_model(folder).config
    assert config.use_cache
    assert config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", [BIN, "model-00001-of-00002.safetensors", None])
def test_pickled_and_missing_weights_are_refused(name: str | None, tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    (folder / MODEL).unlink()
    if name:
        (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=r"has no model\.safetensors.*save_pretrained") as caught:
        open_hub_model(folder)
    assert name is None or name in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", MODEL])
def test_damaged_files_are_named(file: str, tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    (folder / file).write_bytes(b"{")
    with pytest.raises(ModelError, match=file):
        open_hub_model(folder)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path):
    folder = write_hub_model(tmp_path, "bert")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        open_hub_model(folder)


def test_a_folder_without_a_config_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        open_hub_model(tmp_path)


@pytest.mark.parametrize("source", ["a/b/c", "../weights", "/no/such", "./tiny", "-x/y", "", "a b"])
def test_what_is_no_name_of_the_hub_is_never_asked_for(source: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(hub, "_fetch", lambda *_: pytest.fail("the hub was asked"))
    if source:
        with pytest.raises(UsageError, match="no such folder"):
            find_hub_model(source, base=tmp_path)
    else:
        assert find_hub_model(source, base=tmp_path)[0] == tmp_path / ""


def test_a_folder_wins_over_the_hub(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(hub, "_fetch", lambda *_: pytest.fail("the hub was asked"))
    write_hub_model(tmp_path / "xlnet" / "xlnet-base-cased", "xlnet")
    assert open_hub_model("xlnet/xlnet-base-cased", base=tmp_path).name == "xlnet-base-cased"


@pytest.mark.parametrize(
    ("source", "name", "revision"),
    [("xlnet/tiny", "xlnet/tiny", None), ("tiny", "tiny", None), ("o/n@refs/pr/3", "o/n", "refs/pr/3")],
)
def test_the_hub_gives_data_only_and_is_announced(source, name, revision, tmp_path: Path, monkeypatch):
    """What is fetched is said before, and no file but data is asked for."""
    import huggingface_hub  # noqa: PLC0415 - to replace what it would do

    folder, asked, told = write_hub_model(tmp_path / "cache", "xlnet"), [], []

    def snapshot_download(repo: str, **options: object) -> str:
        asked.append((repo, options))
        assert told
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    found = open_hub_model(source, base=tmp_path, tell=told.append)
    assert found.name == name
    patterns = ["config.json", MODEL, "tokenizer.json", "README.md"]
    assert asked == [(name, {"revision": revision, "allow_patterns": patterns})]
    assert "huggingface.co" in told[0]


def test_without_a_network_the_remedy_is_named(tmp_path: Path, monkeypatch):
    import huggingface_hub  # noqa: PLC0415 - to replace what it would do

    def fail(*_: object, **__: object) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(
        UsageError, match=r"xlnet/tiny cannot be had .*not known\); check .* give their folder"
    ):
        open_hub_model("xlnet/tiny", base=tmp_path)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ('---\nlanguage: en\nlicense: "apache-2.0" # text\n---\n', "apache-2.0"),
        ("license: mit\n", None),
        ("---\nlanguage: en\n---\nlicense: mit\n", None),
        ("", None),
    ],
)
def test_the_licence_is_what_the_card_states(card: str, licence: str | None, tmp_path: Path):
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == (licence or "unstated: see where the weights are from")
    assert licence_of(tmp_path / "none").startswith("unstated")
