"""Models in packages of their own: found by name, none of their code run, and what is said where they lack."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import medspan
from medspan import formats, packaged
from medspan.cli.main import main
from medspan.errors import ModelError
from medspan.packaged import GROUP, OURS, clone_models, model_names, named_model
from medspan.pipeline import find_model, load
from medspan.types import Document
from model_packages import offer
from trained import TEXTS, model_folder

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
IN_A_CLONE = pytest.mark.skipif(not MODELS.is_dir(), reason="models/ is only in a clone")


@pytest.fixture(autouse=True)
def no_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What models/ of this clone holds plays no part."""
    monkeypatch.setattr(packaged, "_SOURCE", tmp_path / "no-clone" / "src")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that Python looks in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "entry_points", lambda *, group: [])  # noqa: ARG005 - its name


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder that passes for a model until it is opened."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_an_installed_model_is_loaded_by_name(site: Path):
    folder = offer(site, "medspan-accurate", "accurate", "medspan_accurate.model", model=model_folder())
    assert find_model("accurate") == folder
    assert [e.label for e in load("accurate", threads=1)(TEXTS[0]).entities] == ["Disease", "Drug"]
    assert "medspan_accurate" not in sys.modules


def test_every_verb_takes_the_name(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = offer(site, "our-models", "ward-7", "our_models.small.fast", model=model_folder())
    (tmp_path / "note.txt").write_text(TEXTS[0], encoding="utf-8")
    output = str(tmp_path / "found.jsonl")
    assert main(["annotate", str(tmp_path / "note.txt"), "--model", "ward-7", "-o", output]) == 0
    assert main(["evaluate", "ward-7", output, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["micro"]["f1"] == 1
    assert main(["check", "ward-7"]) == 0
    assert main(["info", "ward-7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("its entities\n")[1])["folder"] == str(folder)
    assert main(["info"]) == 0
    assert f"ward-7        {folder}" in capsys.readouterr().out
    assert "our_models" not in sys.modules


def test_a_package_may_be_the_folder_itself(site: Path, bare: Path):
    assert named_model("x") is None
    assert offer(site, "flat", "x", "flat", model=bare) == named_model("x")


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", OURS)
def test_a_model_of_ours_that_is_not_installed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    gold = tmp_path / "gold.jsonl"
    formats.write([Document("d", "grey")], gold, "jsonl")
    wanted = (
        f"the model '{name}' comes in a package of its own, which is not installed; get it with: "
        f"pip install medspan-{name}, or in a clone: pip install ./models/{name}"
    )
    with pytest.raises(ModelError) as caught:
        load(name)
    assert str(caught.value) == wanted
    for words in (["info", name], ["annotate", "-", "--model", name], ["evaluate", name, str(gold)]):
        assert main(words) == 1
        assert wanted in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("acurate", "accurate"), ("wad-7", "ward-7")])
def test_a_mistyped_name(site: Path, bare: Path, typed: str, meant: str):
    offer(site, "our-models", "ward-7", "our_models.model", model=bare)
    with pytest.raises(ModelError, match=rf"^no model '{typed}': .* \(did you mean {meant}\?\)$"):
        find_model(typed)


@pytest.mark.parametrize(
    "value",
    ["broken", "broken.model", "broken.no_such", "elsewhere.model", "broken.model:x", "..", "json.tool"],
)
def test_a_broken_package_is_named(site: Path, value: str, capsys: pytest.CaptureFixture[str]):
    offer(site, "broken", "x", value)
    (site / "broken" / "model").mkdir()
    with pytest.raises(ModelError) as caught:
        find_model("x")
    assert str(caught.value) == (
        f"the model 'x' is offered by broken, but there is no config.json in {value!r}; "
        "install the package again, or tell those who made it"
    )
    assert main(["info"]) == 0
    assert f"x             BROKEN: {caught.value}" in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken_models"] == {"x": str(caught.value)}


def test_a_name_two_packages_offer(site: Path, bare: Path):
    offer(site, "one", "x", "one.model", model=bare)
    offer(site, "two", "x", "two.model", model=bare)
    assert model_names().count("x") == 1
    with pytest.raises(ModelError, match="offered by one and two; uninstall all but one"):
        find_model("x")


def test_a_package_cannot_take_a_shipped_name(site: Path, bare: Path, monkeypatch: pytest.MonkeyPatch):
    offer(site, "greedy", "default", "greedy.model", model=bare)
    monkeypatch.setattr(packaged, "shipped_models", lambda: {"default": Path("/shipped")})
    assert find_model("default") == Path("/shipped")


def test_a_package_cannot_take_a_path(site: Path, bare: Path, tmp_path: Path):
    offer(site, "greedy", str(tmp_path), "greedy.model", model=bare)
    assert find_model(tmp_path) == tmp_path
    assert str(tmp_path) not in model_names()


def test_a_name_wins_over_a_folder(site: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = offer(site, "our-models", "ward-7", "our_models.model", model=bare)
    (tmp_path / "ward-7").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("ward-7") == folder
    assert find_model("./ward-7") == Path("ward-7")


def test_a_clone_finds_what_its_models_folder_holds(
    site: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    offer(site, "medspan-accurate", "accurate", "medspan_accurate.model", model=bare)
    inside = tmp_path / "clone" / "models" / "accurate" / "src" / "medspan_accurate" / "model"
    shutil.copytree(bare, inside)
    monkeypatch.setattr(packaged, "_SOURCE", tmp_path / "clone" / "src")
    assert clone_models() == {}
    (tmp_path / "clone" / "pyproject.toml").touch()
    assert clone_models() == {"accurate": inside}
    assert find_model("accurate") == inside
    monkeypatch.setattr(packaged, "_SOURCE", tmp_path / "clone" / "site-packages")
    assert clone_models() == {}


@IN_A_CLONE
@pytest.mark.parametrize("name", OURS)
def test_packages_of_ours_fit_medspan(name: str):
    project = tomllib.loads((MODELS / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = OURS[name].replace("-", "_")
    assert project["name"] == OURS[name]
    assert project["version"].split(".")[:2] == medspan.__version__.split(".")[:2]
    assert project["entry-points"] == {GROUP: {name: f"{package}.model"}}
    assert project["license"] == "CC-BY-SA-4.0"
    minor = ".".join(medspan.__version__.split(".")[:2])
    assert project["dependencies"] in ([f"medspan>={minor}"], [f"medspan[transformer]>={minor}"])
    assert [path.name for path in (MODELS / name / "src").glob("*/*.py")] == ["__init__.py"]


def test_the_package_of_the_documentation_can_be_filled(tmp_path: Path):
    from tools.ship_model import package_of  # noqa: PLC0415 - beside the packages it fills

    page = (ROOT / "docs" / "model-packages.md").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    package = package_of(tmp_path)
    assert package.folder == tmp_path / "src" / "ward_models" / "model"
    assert (package.name, package.licence) == ("ward-7", "LicenseRef-Ours")


@IN_A_CLONE
def test_packages_of_medspan_hold_no_other_package():
    pytest.importorskip("hatchling")
    from hatchling.builders.sdist import SdistBuilder  # noqa: PLC0415 - may be absent
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - may be absent

    for builder in (SdistBuilder(str(ROOT)), WheelBuilder(str(ROOT))):
        inside = [file.distribution_path for file in builder.recurse_included_files()]
        assert "medspan/models/default/config.json" in "\n".join(inside)
        assert [path for path in inside if path.startswith("models/") or "accurate/" in path] == []


@IN_A_CLONE
def test_a_wheel_is_built_installed_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for needed in ("build", "hatchling", "pip"):
        pytest.importorskip(needed)
    from tools import ship_model  # noqa: PLC0415 - beside the packages it fills

    package = tmp_path / "accurate"
    shutil.copytree(MODELS / "accurate", package, ignore=shutil.ignore_patterns("model"))
    build = ["-m", "build", "--no-isolation", "--wheel", "-o", str(tmp_path / "dist"), str(package)]
    assert subprocess.run([sys.executable, *build], capture_output=True, check=False).returncode != 0
    pyproject = package / "pyproject.toml"
    licence = load(model_folder()).spec.licence
    pyproject.write_text(pyproject.read_text(encoding="utf-8").replace("CC-BY-SA-4.0", licence))
    assert ship_model.main([str(model_folder()), str(package)]) == 0
    subprocess.run([sys.executable, *build], capture_output=True, check=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, *pip, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_model("accurate") == tmp_path / "site" / "medspan_accurate" / "model"
    recognizer = load("accurate", threads=1)
    assert recognizer.spec.name == "accurate"
    assert recognizer(TEXTS[0]).entities == load(model_folder(), threads=1)(TEXTS[0]).entities
    assert main(["check", "accurate"]) == 0
