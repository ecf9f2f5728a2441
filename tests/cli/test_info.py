"""What ``medspan info`` says of the installation and of a model."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from medspan.cli import info as cli_info
from medspan.cli.main import main
from medspan.model.spec import CorpusSpec, EncoderSpec, HeadSpec, ModelSpec, Provenance
from medspan.model.store import save_model
from medspan.shipped import shipped_models, shipped_starts

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def names_of(requirements: list[str]) -> tuple[str, ...]:
    return tuple(re.match(r"[A-Za-z0-9_-]+", each)[0] for each in requirements)


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    spec = ModelSpec(
        name="tiny",
        language="en",
        encoder=EncoderSpec("blstm_cnn"),
        heads=(HeadSpec("Disease", ("Disease",), corpora=("NCBI-disease",)),),
        tokenizer="medspan-1",
        inputs=("words",),
        provenance=Provenance(
            medspan="0.1.0",
            torch="2.6",
            seed=1,
            date="2026-01-01",
            command="medspan train",
            recipe="0" * 64,
            corpora=(CorpusSpec("NCBI-disease", "public domain"),),
        ),
        licence="Apache-2.0",
    )
    files = {
        "vocab.json": b"{}",
        "model.onnx": b"x",
        "decoder.safetensors": b"y",
        "metrics.json": b'{"test": {"NCBI-disease": {"f1": 0.8123456, "interval": [0.8, 0.82]}}}',
    }
    save_model(tmp_path / "tiny", spec, files)
    return tmp_path / "tiny"


def test_the_tables_are_those_of_pyproject():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    assert names_of(project["dependencies"]) == cli_info.NEEDED
    extras = {
        name: names_of(each) for name, each in project["optional-dependencies"].items() if name != "dev"
    }
    assert extras == cli_info.EXTRAS


def test_installation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MEDSPAN_DATA", str(tmp_path / "none"))
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "medspan 0." in shown
    assert "onnxruntime" in shown
    assert "there is no such folder" in shown
    assert all(name in shown for name in [*shipped_models(), *shipped_starts()])


def test_a_missing_extra_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cli_info, "EXTRAS", {"train": ("no-such-package-zzz",)})
    assert main(["info"]) == 0
    assert 'missing no-such-package-zzz; to install: pip install "medspan[train]"' in capsys.readouterr().out


def test_installation_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MEDSPAN_DATA", raising=False)
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["corpora"] == {"MEDSPAN_DATA": None, "is_there": False}
    assert facts["packages"]["numpy"]


def test_model(model_folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(model_folder)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "tiny",
        "Disease",
        "NCBI-disease",
        "public domain",
        "Apache-2.0",
        "F1 0.812",
        "interval 0.800 to 0.820",
        "MB",
    ):
        assert part in shown
    assert "PROBLEMS" not in shown


def test_model_as_json(model_folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(model_folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["labels"] == ["Disease"]
    assert facts["bytes"] == sum(path.stat().st_size for path in model_folder.iterdir())
    assert facts["can_be_trained_on"] is False
    assert facts["problems"] == []


def test_a_changed_file_is_a_problem(model_folder: Path, capsys: pytest.CaptureFixture[str]):
    (model_folder / "model.onnx").write_bytes(b"z")
    assert main(["info", str(model_folder)]) == 0
    assert "model.onnx: differs from the digest" in capsys.readouterr().out


def test_no_such_model(capsys: pytest.CaptureFixture[str]):
    assert main(["info", "no-such-model"]) == 1
    assert "no model 'no-such-model'" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_pretrained(as_json: bool, capsys: pytest.CaptureFixture[str]):  # noqa: FBT001 - pytest calls it
    assert main(["info", "bilm-bio", *(["--json"] if as_json else [])]) == 0
    shown = capsys.readouterr().out
    assert "unlabelled/pmc-trials" in shown
    if as_json:
        assert json.loads(shown)["what"] == "bilm"
    else:
        assert "perplexity forward" in shown


def test_a_damaged_pretrained_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(shipped_starts()["bilm-bio"], tmp_path / "copy")
    (tmp_path / "copy" / "vocab.json").write_bytes(b"{}")
    assert main(["info", str(tmp_path / "copy")]) == 1
    assert "differs from the digest" in capsys.readouterr().err
