"""What `medspan bench --tune` found out about this machine, kept in the user's cache folder.

A file a model and machine: losing it costs a little speed, never a result.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from medspan.model.session import available_cores

if TYPE_CHECKING:
    from medspan.model.store import StoredModel

DEFAULT_BATCH_WORDS = 2000
Positive = Annotated[int, Meta(ge=1)]


class Tuning(msgspec.Struct, frozen=True):
    """The fastest settings that were found, and when (ISO date).

    ``threads`` of one process by itself; ``batch_words`` by number of threads, so that a worker of a bulk
    job, which has one, finds its own.
    """

    threads: Positive
    batch_words: dict[int, Positive]
    words_per_second: float
    date: str


def cache_folder() -> Path:
    """Where medspan keeps what it can make again: ``MEDSPAN_CACHE``, or the system's place for caches."""
    if own := os.environ.get("MEDSPAN_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "medspan"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "medspan"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medspan"


def tuning_file(model: StoredModel) -> Path:
    """The file for a model on this machine under these versions; another of any has another file."""
    parts = (
        model.spec.files["model.onnx"],
        version("onnxruntime"),
        platform.machine(),
        platform.processor(),
        str(available_cores()),
    )
    return cache_folder() / "tuning" / f"{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:24]}.json"


def read_tuning(model: StoredModel) -> Tuning | None:
    """What was found for a model on this machine; None where nothing was, or the file cannot be read."""
    try:
        return msgspec.json.decode(tuning_file(model).read_bytes(), type=Tuning)
    except (OSError, RuntimeError, msgspec.MsgspecError):  # RuntimeError: there is no home folder
        return None


def settings_for(
    model: StoredModel, *, threads: int | None = None, batch_words: int | None = None
) -> tuple[int, int]:
    """Threads and padded words of a forward pass: as asked for, else the fastest here, else the usual."""
    found = read_tuning(model)
    if threads is None:
        threads = found.threads if found else available_cores()
    tuned = found.batch_words.get(threads) if found else None
    return threads, batch_words or tuned or DEFAULT_BATCH_WORDS


def write_tuning(model: StoredModel, tuning: Tuning) -> Path:
    """Keep what was found.

    Raises:
        OSError: if the cache folder cannot be written.
    """
    path = tuning_file(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    part.write_bytes(msgspec.json.encode(tuning))
    part.replace(path)
    return path
