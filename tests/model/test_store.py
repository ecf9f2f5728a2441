"""Model folders: whole or absent, every byte checked, nothing outside the folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from medspan.errors import ModelError, UsageError
from medspan.model import store
from medspan.model.spec import FORMAT_VERSION, HeadSpec, ModelSpec
from medspan.model.store import open_model, pack_decoders, save_model
from medspan.shipped import shipped_models

if TYPE_CHECKING:
    from pathlib import Path

SpecOf = Callable[..., ModelSpec]


def crf_parts(tags: int = 5, value: float = 0.25) -> dict[str, np.ndarray]:
    return {
        "transitions": np.full((tags, tags), value, np.float32),
        "start": np.full(tags, value, np.float32),
        "end": np.full(tags, value, np.float32),
    }


def some_files(**more: bytes) -> dict[str, bytes]:
    files = {
        "vocab.json": b"{}",
        "model.onnx": b"graph",
        "decoder.safetensors": pack_decoders({"disease": crf_parts()}),
    }
    return {**files, **{name.replace("_", "."): data for name, data in more.items()}}


@pytest.fixture
def saved(tmp_path: Path, spec_of: SpecOf) -> Path:
    save_model(tmp_path / "deep" / "model", spec_of(), some_files(golden_json=b"[]"))
    return tmp_path / "deep" / "model"


def test_save_and_open(saved: Path, spec_of: SpecOf) -> None:
    model = open_model(str(saved))
    assert model.path == saved
    assert model.spec == spec_of(files=model.spec.files)
    assert {name: model.read(name) for name in model.spec.files} == some_files(golden_json=b"[]")
    assert model.problems() == []
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_same_content_gives_the_same_bytes(saved: Path, tmp_path: Path, spec_of: SpecOf) -> None:
    save_model(tmp_path / "again", spec_of(), some_files(golden_json=b"[]"))
    for entry in saved.iterdir():
        assert (tmp_path / "again" / entry.name).read_bytes() == entry.read_bytes()


def test_decoders_come_back(tmp_path: Path, spec_of: SpecOf) -> None:
    heads = (HeadSpec("a", ("X",), temperature=1.5), HeadSpec("b", ("Y", "Z"), kind="softmax"))
    data = pack_decoders({"a": crf_parts(value=0.5), "b": {}})
    save_model(tmp_path / "m", spec_of(heads=heads), some_files() | {"decoder.safetensors": data})
    decoders = open_model(tmp_path / "m").decoders()
    assert list(decoders) == ["a", "b"]
    assert decoders["a"].temperature == 1.5
    assert decoders["a"].transitions[0, 0] == 0.5
    assert decoders["a"].transitions[0, 2] == -np.inf
    assert decoders["b"].transitions[0, 0] == 0.0
    assert decoders["b"].labels == ("Y", "Z")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no tensors", "not a safetensors file"),
        (b"", "not a safetensors file"),
        (pack_decoders({}), "do not fit the heads .*disease.end, disease.start, disease.transitions"),
        (pack_decoders({"disease": crf_parts(), "gene": crf_parts()}), "do not fit the heads .*gene.end"),
        (pack_decoders({"disease": crf_parts(tags=9)}), "transitions has shape"),
        (pack_decoders({"disease": crf_parts(value=np.nan)}), "not finite"),
    ],
)
def test_wrong_decoders_are_refused(tmp_path: Path, spec_of: SpecOf, data: bytes, message: str) -> None:
    save_model(tmp_path / "m", spec_of(), some_files() | {"decoder.safetensors": data})
    with pytest.raises(ModelError, match=rf"decoder.safetensors: .*{message}"):
        open_model(tmp_path / "m").decoders()


def test_parts_of_a_decoder_are_checked_when_packed() -> None:
    with pytest.raises(ModelError, match="a CRF needs transitions, start, end"):
        pack_decoders({"a": {"start": np.zeros(5, np.float32)}})


def test_changed_byte_is_found(saved: Path) -> None:
    model = open_model(saved)
    (saved / "model.onnx").write_bytes(b"grapg")
    with pytest.raises(ModelError, match=r"model.onnx: differs from the digest.*install or export"):
        model.read("model.onnx")
    assert len(model.problems()) == 1


def test_missing_file_is_found(saved: Path) -> None:
    (saved / "vocab.json").unlink()
    with pytest.raises(ModelError, match=r"vocab.json: is missing; install or export"):
        open_model(saved).read("vocab.json")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "../secret", "/etc/passwd", ""])
def test_only_listed_files_are_read(saved: Path, name: str) -> None:
    with pytest.raises(ModelError, match="has no file"):
        open_model(saved).read(name)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "sub/vocab.json", "weights.pkl", "config.json", "..\\x"]
)
def test_config_that_lists_other_files_is_refused(saved: Path, name: str) -> None:
    config = json.loads((saved / "config.json").read_bytes())
    config["files"][name] = "0" * 64
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="not safe to open"):
        open_model(saved)


def test_config_without_a_needed_file_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_bytes())
    del config["files"]["model.onnx"]
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"model.onnx is missing"):
        open_model(saved)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["vocab.json", "config.json"])
def test_link_to_outside_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside.json"
    (saved / name).rename(outside)
    (saved / name).symlink_to(outside)
    with pytest.raises(ModelError, match="link to outside"):
        open_model(saved).read(name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_folder_that_is_itself_a_link_is_fine(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(saved)
    assert open_model(tmp_path / "latest").problems() == []


def test_folder_of_version_2_opens_with_all_its_files(saved: Path, spec_of: SpecOf) -> None:
    config = json.loads((saved / "config.json").read_bytes())
    for key in ("teachers", "unlabelled"):
        del config["provenance"][key]
    (saved / "config.json").write_text(json.dumps({**config, "format_version": 2}), encoding="utf-8")
    model = open_model(saved)
    assert model.spec == spec_of(files=model.spec.files)
    assert model.problems() == []
    assert list(model.decoders()) == ["disease"]


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_shipped_models_open_whatever_version_they_were_written_as(name: str) -> None:
    model = open_model(shipped_models()[name])
    assert json.loads((model.path / "config.json").read_bytes())["format_version"] <= FORMAT_VERSION
    assert model.spec.format_version == FORMAT_VERSION
    assert model.problems() == []


def test_what_is_no_model_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        open_model(tmp_path / "none")
    with pytest.raises(ModelError, match=r"has no config.json"):
        open_model(tmp_path)


def test_model_is_replaced_whole(saved: Path, spec_of: SpecOf) -> None:
    save_model(saved, spec_of(name="second"), some_files())
    model = open_model(saved)
    assert model.spec.name == "second"
    assert "golden.json" not in {entry.name for entry in saved.iterdir()}
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_empty_folder_is_used(tmp_path: Path, spec_of: SpecOf) -> None:
    (tmp_path / "m").mkdir()
    save_model(tmp_path / "m", spec_of(), some_files())
    assert open_model(tmp_path / "m").problems() == []


@pytest.mark.parametrize("stranger", ["thesis.txt", "checkpoints/last.safetensors"])
def test_folder_with_other_things_is_left_alone(saved: Path, spec_of: SpecOf, stranger: str) -> None:
    (saved / stranger).parent.mkdir(exist_ok=True)
    (saved / stranger).write_text("years of work")
    with pytest.raises(UsageError, match="is not replaced; name another folder"):
        save_model(saved, spec_of(name="second"), some_files())
    assert open_model(saved).spec.name == "tiny"
    assert (saved / stranger).read_text() == "years of work"


def test_folder_that_is_no_model_or_a_file_is_left_alone(tmp_path: Path, spec_of: SpecOf) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is not a model, so it is not replaced"):
        save_model(tmp_path / "notes", spec_of(), some_files())
    with pytest.raises(UsageError, match="is a file"):
        save_model(tmp_path / "file", spec_of(), some_files())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "notes"]


@pytest.mark.parametrize("fails", ["_write_durably", "sync_folder", "put_in_place"])
def test_failure_leaves_what_was_there(
    saved: Path, spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(store, fails, fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(saved, spec_of(name="second"), some_files())
    assert open_model(saved).spec.name == "tiny"
    assert open_model(saved).problems() == []
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_failed_swap_puts_the_old_model_back(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put_in_place(tmp_path / "deep" / "never.new", saved)
    assert open_model(saved).problems() == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (some_files() | {"weights.pkl": b""}, "'weights.pkl' is no file of a model"),
        (some_files() | {"config.json": b""}, "'config.json' is no file of a model"),
        (some_files() | {"../vocab.json": b""}, "is no file of a model"),
        ({"vocab.json": b""}, "a model needs model.onnx, decoder.safetensors"),
    ],
)
def test_wrong_files_are_not_saved(
    tmp_path: Path, spec_of: SpecOf, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        save_model(tmp_path / "m", spec_of(), files)
    assert list(tmp_path.iterdir()) == []
