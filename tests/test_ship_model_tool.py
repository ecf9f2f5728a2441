"""A trained model put into its package: only what annotating needs, proved, within its size and licence."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tools import ship_model
from tools.ship_model import main

from medspan.model.spec import EncoderSpec
from medspan.model.store import open_model
from trained import model_folder

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = """\
[project]
name = "medspan-tiny"
license = "{licence}"
dependencies = ["medspan>=0.1"]

[project.entry-points."medspan.models"]
tiny = "medspan_tiny.model"
"""


def package(tmp_path: Path, text: str = PYPROJECT) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    licence = open_model(model_folder()).spec.licence
    (folder / "pyproject.toml").write_text(text.replace("{licence}", licence), encoding="utf-8")
    return folder


def test_what_annotating_needs_is_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = package(tmp_path)
    for _ in range(2):  # a later model takes the place of the one before
        assert main([str(model_folder()), str(target)]) == 0
    given, shipped = open_model(model_folder()), open_model(target / "src" / "medspan_tiny" / "model")
    assert "model tiny, 0." in capsys.readouterr().out
    assert shipped.spec.name == "tiny"
    assert shipped.spec.replace(name=given.spec.name, files=given.spec.files) == given.spec
    assert set(given.spec.files) - set(shipped.spec.files) == {"model.safetensors"} & set(given.spec.files)
    same = set(shipped.spec.files) - {"README.md"}
    assert {name: shipped.read(name) for name in same} == {name: given.read(name) for name in same}
    assert shipped.read("README.md").startswith(b"# tiny\n")
    assert shipped.problems() == []


def test_a_model_that_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ship_model, "MOST_BYTES", 1000)
    target = package(tmp_path)
    assert main([str(model_folder()), str(target)]) == 1
    assert "MB; a package may hold 0 MB" in capsys.readouterr().err
    assert not (target / "src").exists()


def test_a_model_under_another_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = package(tmp_path, PYPROJECT.replace("{licence}", "Other-1.0"))
    assert main([str(model_folder()), str(target)]) == 1
    assert "that of the package Other-1.0; one of them must be mended" in capsys.readouterr().err
    assert not (target / "src").exists()


def test_a_model_over_word_pieces_needs_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    given = open_model(model_folder())
    pieces = given.spec.replace(encoder=EncoderSpec("transformer"))
    monkeypatch.setattr(ship_model, "open_model", lambda _: given._replace(spec=pieces))
    target = package(tmp_path)
    assert main([str(model_folder()), str(target)]) == 1
    assert "let the package depend on medspan[transformer]" in capsys.readouterr().err
    pyproject = target / "pyproject.toml"
    pyproject.write_text(pyproject.read_text(encoding="utf-8").replace("medspan>", "medspan[transformer]>"))
    assert main([str(model_folder()), str(target)]) == 0


def test_a_model_that_is_not_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(model_folder(), tmp_path / "model")
    (tmp_path / "model" / "vocab.json").write_text(json.dumps({}))
    target = package(tmp_path)
    assert main([str(tmp_path / "model"), str(target)]) == 1
    assert "vocab.json: differs from the digest" in capsys.readouterr().err
    assert not (target / "src").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[project",
        "[project]\n",
        PYPROJECT + 'two = "medspan_tiny.two"\n',
        PYPROJECT.replace('license = "{licence}"\n', ""),
    ],
)
def test_what_is_no_package(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    assert main([str(model_folder()), str(package(tmp_path, text))]) == 1
    assert "pyproject.toml: not of a package of one model" in capsys.readouterr().err
    assert main([str(model_folder()), str(tmp_path / "nowhere")]) == 1
