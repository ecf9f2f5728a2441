"""Where corpora lie on this machine, and which file of a folder holds which split."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medspan.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

# Our API says train, dev, test; files say devel, valid, ... as their authors liked.
SPLIT_STEMS = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "development", "valid", "validation"),
    "test": ("test", "testing"),
}
SPLITS = tuple(SPLIT_STEMS)
# Files that stand beside a split without holding its documents.
_SIDE_FILES = (".docids.txt", ".sha256", ".md")


def split_name(split: str) -> str:
    """``train``, ``dev`` or ``test`` for any customary spelling of it (``devel``, ``validation`` ...).

    Raises:
        UsageError: if it is none of them.
    """
    for name, stems in SPLIT_STEMS.items():
        if split.lower() in stems:
            return name
    raise UsageError(f"unknown split {split!r}; {did_you_mean(split, SPLITS)}")


def user_corpora_dir(environment: Mapping[str, str] | None = None, platform: str | None = None) -> Path:
    """The folder where ``medspan corpora get`` puts corpora unless told otherwise.

    ``$XDG_DATA_HOME/medspan/corpora`` where that is set; else the data folder of the platform.
    """
    env = os.environ if environment is None else environment
    platform = sys.platform if platform is None else platform
    if env.get("XDG_DATA_HOME"):
        base = Path(env["XDG_DATA_HOME"])
    elif platform == "win32":
        base = Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path.home() / ".local" / "share"
    return base / "medspan" / "corpora"


def corpus_roots() -> list[Path]:
    """Folders that may hold corpora of the catalogue, best first; only those that exist.

    Raises:
        DataError: if MEDSPAN_DATA names a folder that is not there.
    """
    roots: list[Path] = []
    named = os.environ.get("MEDSPAN_DATA", "")
    if named:
        root = Path(named).expanduser()
        if not root.is_dir():
            raise DataError(f"MEDSPAN_DATA names {root}, which is no folder; correct or unset it")
        roots.append(root)
    if user_corpora_dir().is_dir():
        roots.append(user_corpora_dir())
    return roots


def split_files(folder: Path) -> dict[str, Path]:
    """The file or subfolder of each split in a corpus folder; splits that are absent have no key.

    Raises:
        DataError: if two files claim the same split.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith(_SIDE_FILES):
            continue
        stem = path.name.partition(".")[0].lower()
        split = next((name for name, stems in SPLIT_STEMS.items() if stem in stems), None)
        if split is None:
            continue
        if split in found and not _is_part_of(found[split], path):
            raise DataError(
                f"{folder}: both {found[split].name} and {path.name} claim the {split} split; "
                "name the file itself, or move one away"
            )
        found.setdefault(split, path)
    return found


def _is_part_of(first: Path, second: Path) -> bool:
    """Whether two files are one brat document: ``train.ann`` beside ``train.txt``."""
    return first.is_file() and second.is_file() and {first.suffix, second.suffix} == {".ann", ".txt"}
