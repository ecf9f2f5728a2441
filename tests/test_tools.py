"""The set-up script: what it says when something is missing, and that it does nothing twice."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medspan.model.pretrained import HEAD
from medspan.train.transfer import open_donor
from tiny_pretraining import learn, recipe_file

TOOLS = Path(__file__).resolve().parents[1] / "tools"


def load_file(name: str):
    spec = importlib.util.spec_from_file_location(f"tools_{name.strip('_')}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def entry():
    return load_file("__main__")


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The script, working in a folder of the test's own."""
    module = load_file("bootstrap")
    (tmp_path / "src" / "medspan").mkdir(parents=True)
    (tmp_path / "src" / "medspan" / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for name, path in {"VENV": "", "STAMP": "stamp.txt", "LOG": "install.log"}.items():
        monkeypatch.setattr(module, name, tmp_path / ".venv" / path)
    return module


def options(verb: str = "annotate", wheels: str = "") -> argparse.Namespace:
    return argparse.Namespace(verb=verb, wheels=wheels)


@pytest.mark.parametrize("name", ["__init__", "__main__"])
def test_the_entry_can_be_read_by_any_old_python(name: str):
    source = (TOOLS / f"{name}.py").read_bytes()
    assert source.isascii()
    ast.parse(source, feature_version=(3, 4))
    assert b"f'" not in source
    assert b'f"' not in source


def test_too_old_a_python_says_what_to_do(
    entry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(entry, "NEEDED", (99, 0))
    assert entry.main() == 1
    message = capsys.readouterr().err
    assert "medspan needs Python 99.0 or newer; this is 3." in message
    assert "make annotate PYTHON=" in message


def test_too_old_a_python_hands_over_to_a_newer_one(entry, monkeypatch: pytest.MonkeyPatch):
    started = []
    monkeypatch.setattr(entry, "NEEDED", (99, 0))
    monkeypatch.setattr(entry, "is_new_enough", lambda command: command == ["python3.12"])
    monkeypatch.setattr(entry.subprocess, "call", lambda command, **_: started.append(command) or 7)
    monkeypatch.setattr(sys, "argv", ["tools", "test", "-x"])
    assert entry.main() == 7
    assert started == [["python3.12", "-m", "tools", "test", "-x"]]


def test_a_python_that_cannot_start_is_not_new_enough(entry, tmp_path: Path):
    assert entry.is_new_enough([sys.executable])
    assert not entry.is_new_enough([str(tmp_path / "python3.99")])


@pytest.mark.parametrize("words", [[], ["--help"], ["annotat"], ["annotate", "--no-such"]])
def test_wrong_words_show_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        load_file("bootstrap").main(words)
    assert stop.value.code == (0 if "--help" in words else 2)
    captured = capsys.readouterr()
    assert "python -m tools" in captured.out + captured.err


def test_a_wheel_folder_that_is_not_there(bootstrap, capsys: pytest.CaptureFixture[str]):
    assert bootstrap.main(["annotate", "--wheels", "/no/such/folder"]) == 1
    assert capsys.readouterr().err == "WHEELS=/no/such/folder: there is no such folder\n"
    assert not bootstrap.VENV.exists()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv(bootstrap, module: str, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(
        bootstrap.importlib.util, "find_spec", lambda name: None if name == module else object()
    )
    assert bootstrap.main(["test"]) == 1
    message = capsys.readouterr().err
    assert f"{module} is missing" in message
    assert f"sudo apt install python3.{sys.version_info[1]}-venv" in message
    assert "make test PYTHON=" in message


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        (
            "WARNING: Retrying ... NewConnectionError ...\nERROR: No matching distribution found for numpy",
            "WHEELS=",
        ),
        ("WARNING: Retrying after ProxyError", "PIP_PROXY"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: something else", "run this again"),
        ("", "run this again"),
    ],
)
def test_a_failed_pip_is_explained(bootstrap, log: str, hint: str):
    message = bootstrap.explain(log, ".[train,dev]", "test")
    assert hint in message
    assert log.splitlines()[-1:] == [] or log.splitlines()[-1] in message


def test_what_is_installed_is_not_installed_again(bootstrap, monkeypatch: pytest.MonkeyPatch):
    installed = []
    monkeypatch.setattr(bootstrap, "make_venv", lambda _: bootstrap.VENV.mkdir(exist_ok=True))
    monkeypatch.setattr(bootstrap, "works", lambda _: True)
    monkeypatch.setattr(bootstrap, "pip_install", lambda requirement, _: installed.append(requirement))
    bootstrap.install("", options())
    bootstrap.install("", options())
    assert installed == ["."]
    bootstrap.install("train,dev", options("test"))
    bootstrap.install("train,dev", options("test"))
    bootstrap.install("", options())
    assert installed == [".", ".[train,dev]"]
    (bootstrap.ROOT / "pyproject.toml").write_text("changed")
    bootstrap.install("", options())
    assert installed == [".", ".[train,dev]", "."]


def test_a_failed_installation_is_tried_again(bootstrap, monkeypatch: pytest.MonkeyPatch):
    def fail(requirement: str, _: argparse.Namespace) -> None:
        raise bootstrap.SetupError(requirement)

    monkeypatch.setattr(bootstrap, "make_venv", lambda _: bootstrap.VENV.mkdir())
    monkeypatch.setattr(bootstrap, "pip_install", fail)
    with pytest.raises(bootstrap.SetupError):
        bootstrap.install("", options())
    assert bootstrap.read_stamp(bootstrap.digest_of_clone()) is None


def test_wheels_are_the_only_source_where_given(bootstrap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    commands = []
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command, **_: commands.append(command) or 0)
    bootstrap.VENV.mkdir()
    bootstrap.pip_install(".", options(wheels=str(tmp_path)))
    assert commands[0][-5:] == ["-e", ".", "--no-index", "--find-links", str(tmp_path)]


def test_wheels_are_of_medspan_and_of_packages_that_hold_a_model(
    bootstrap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, inside in {"full": "full_pkg/model", "none": "none_pkg"}.items():
        folder = tmp_path / "models" / name / "src" / inside
        folder.mkdir(parents=True)
        (folder / ("config.json" if name == "full" else "__init__.py")).touch()
    installed, built = [], []
    monkeypatch.setattr(bootstrap, "install", lambda extras, _: installed.append(extras))
    monkeypatch.setattr(bootstrap, "run", lambda *words: built.append(words[-2:]) or 0)
    assert bootstrap.main(["wheels"]) == 0
    assert installed == ["dev"]
    assert built == [(str(bootstrap.DIST), str(tmp_path)), ("--wheel", str(tmp_path / "models" / "full"))]
    monkeypatch.setattr(bootstrap, "run", lambda *words: built.append(words) or 3)
    assert bootstrap.main(["wheels"]) == 3
    assert len(built) == 3


def test_make_shows_its_targets():
    try:
        shown = subprocess.run(["make"], cwd=TOOLS.parent, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("there is no make on this machine")
    assert "make annotate" in shown
    assert "make test" in shown
    assert "make wheels" in shown


def test_a_shipped_start_is_the_folder_without_its_head(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    learn(recipe_file(tmp_path, "bilm"), tmp_path / "tiny", "bilm")
    assert load_file("ship_start").main([str(tmp_path / "tiny"), str(tmp_path / "shipped")]) == 0
    assert "MB" in capsys.readouterr().out
    assert not (tmp_path / "shipped" / HEAD).exists()
    given, shipped = open_donor(tmp_path / "tiny"), open_donor(tmp_path / "shipped")
    assert given.vocab == shipped.vocab
    assert given.tensors.keys() == shipped.tensors.keys()
    assert all(torch.equal(given.tensors[name], shipped.tensors[name]) for name in given.tensors)


ALL = {"apt-get", "javac", "node", "npm", "curl", "chromium"}


@pytest.mark.parametrize(
    ("there", "user", "expected"),
    [
        (ALL, 0, []),
        (ALL - {"chromium"} | {"google-chrome"}, 0, []),
        (ALL - {"javac"}, 0, ["update", "default-jdk-headless"]),
        (ALL - {"node", "npm"}, 0, ["update", "nodejs", "npm"]),
        ({"apt-get"}, 0, ["update", "default-jdk-headless", "nodejs", "npm", "curl", "chromium"]),
        ({"apt-get"}, 1000, []),
        (set(), 0, []),
    ],
)
def test_programs_are_only_fetched_where_they_lack_and_it_may_be(
    bootstrap, monkeypatch: pytest.MonkeyPatch, there: set[str], user: int, expected: list[str]
):
    called: list[list[str]] = []
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: user)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda words, **_: called.append(words) or 0)
    bootstrap.get_programs()
    assert [words[-1] for words in called] == expected


def test_a_java_may_be_where_java_home_says(bootstrap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert not bootstrap.is_there(("javac",))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "javac").touch()
    assert bootstrap.is_there(("javac",))


def test_a_package_this_system_lacks_keeps_no_other_from_coming(
    bootstrap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda words, **_: int(words[-1] == "npm"))
    bootstrap.get_programs()
    said = capsys.readouterr().err.splitlines()
    assert "npm could not be installed; its tests will be skipped" in said
    assert said[-1] == "Installing chromium for the tests of the page ..."
