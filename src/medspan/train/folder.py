"""Folders of long work: begun with settings that stay, filled file by file, each whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medspan.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def claim(folder: Path, name: str, settings: bytes, *, what: str) -> None:
    """Begin a folder, or make sure that it was begun with the same settings.

    Args:
        folder: made where it is absent.
        name: the file of the folder that keeps the settings.
        settings: their bytes, equal for equal settings.
        what: what the settings are of, for the message.

    Raises:
        UsageError: if it was begun with other settings, or holds something else.
    """
    path = folder / name
    if path.exists():
        if path.read_bytes() != settings:
            raise UsageError(f"{folder}: holds a run with {what}; name another folder, or remove this one")
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty and holds no run; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, settings)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, so that its being there means that a step is done."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
