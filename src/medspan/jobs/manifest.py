"""``manifest.jsonl``: the settings of a job, then a row for each finished part, then the sums.

Rows are only ever added, each brought to the disk before the job goes on, so that a killed job loses at most
the last row, torn. A torn last row is cut off when the job is resumed.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import IO, TYPE_CHECKING

import msgspec

from medspan.errors import DataError, UsageError
from medspan.jobs.annotating import sums
from medspan.jobs.output import WriteError, digest_of, new_file
from medspan.jobs.parts import Limits
from medspan.jobs.wire import PartRow

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.jsonl"
FORMAT_VERSION = 1
_ENCODER = msgspec.json.Encoder()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the output of a job depends on.

    ``batch_words`` is what was fastest when the job was begun (`medspan bench --tune`); a job keeps its own.
    ``deid_policy`` and ``deid_key`` are digests (`medspan.jobs.deid`), None where nothing is de-identified.
    """

    format_version: int = FORMAT_VERSION
    medspan: str
    model: str
    model_digest: str
    inputs: tuple[str, ...]
    read_as: str | None = None
    text_column: str = "text"
    id_column: str = "id"
    types: tuple[str, ...] | None = None
    min_score: float = 0.0
    stages: tuple[str, ...] = ()
    device: str = "auto"
    compress: str | None = None
    limits: Limits = Limits()
    batch_words: int | None = None
    deid_policy: str | None = None
    deid_key: str | None = None


class Totals(msgspec.Struct):
    """Sums over the finished parts; ``changed`` only where they were de-identified."""

    parts: int = 0
    documents: int = 0
    characters: int = 0
    entities: int = 0
    errors: int = 0
    changed: dict[str, int] | msgspec.UnsetType = msgspec.UNSET

    def add(self, row: PartRow) -> None:
        """Add a part."""
        self.parts += 1
        self.documents += row.documents
        self.characters += row.characters
        self.entities += row.entities
        self.errors += row.errors
        if row.changed:
            self.changed = sums((self.changed or {}, row.changed))


class _First(msgspec.Struct, frozen=True):
    job: Settings


class _Last(msgspec.Struct, frozen=True):
    complete: bool
    totals: Totals


class Manifest:
    """The manifest of a folder, open for adding rows; `create` and `resume` open one.

    ``rows`` are those of the finished parts, by number. Adding is safe from several threads.
    """

    def __init__(self, path: Path, settings: Settings, handle: IO[bytes]) -> None:
        self.path = path
        self.settings = settings
        self.rows: dict[int, PartRow] = {}
        self.is_complete = False
        self._lock = Lock()
        self._handle = handle

    @classmethod
    def create(cls, path: Path, settings: Settings) -> Manifest:
        """A new manifest.

        Raises:
            WriteError: if it cannot be written.
        """
        with new_file(path) as file:
            file.write(_ENCODER.encode(_First(settings)) + b"\n")
        return cls(path, settings, _open_to_add(path))

    @classmethod
    def resume(cls, path: Path, settings: Settings) -> Manifest:
        """The manifest of a job that was begun with the same settings.

        Raises:
            UsageError: if a setting differs, naming it.
            DataError: if it is damaged.
        """
        manifest = cls(path, settings, _open_to_add(path))
        try:
            manifest.settings, manifest.rows, manifest.is_complete, size = _read(path, settings)
            manifest._handle.truncate(size)
        except BaseException:
            manifest.close()
            raise
        return manifest

    def add(self, row: PartRow) -> None:
        """Add a finished part.

        Raises:
            WriteError: if the disk is full, or the like; what was there stays whole.
        """
        with self._lock:
            if self.rows.get(row.part) != row:
                self._append(row)
                self.is_complete = False  # sums that stand there are of before
            self.rows[row.part] = row

    def complete(self) -> Totals:
        """Add the sums, once; returns them."""
        totals = self.totals()
        with self._lock:
            if not self.is_complete:
                self._append(_Last(complete=True, totals=totals))
            self.is_complete = True
        return totals

    def totals(self) -> Totals:
        """Sums over the finished parts."""
        totals = Totals()
        for row in self.rows.values():
            totals.add(row)
        return totals

    def discard(self) -> None:
        """Remove the file of a job that has not come to anything."""
        if not self.is_complete:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _append(self, row: msgspec.Struct) -> None:
        size = os.fstat(self._handle.fileno()).st_size
        try:
            _write_all(self._handle, _ENCODER.encode(row) + b"\n")
            os.fsync(self._handle.fileno())
        except OSError as error:
            self._handle.truncate(size)  # a torn row must not stand before others
            raise WriteError(self.path, error) from None


def _open_to_add(path: Path) -> IO[bytes]:
    handle = path.open("ab", buffering=0)
    try:
        _lock(handle)
    except OSError:
        handle.close()
        raise UsageError(
            f"{path.parent}: another medspan job is writing there; wait for it, or name another folder"
        ) from None
    return handle


def _lock(handle: IO[bytes]) -> None:
    """Lock a file until it is closed or its process ends."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_all(handle: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[handle.write(rest) :]


def _read(path: Path, settings: Settings) -> tuple[Settings, dict[int, PartRow], bool, int]:
    """Settings, rows by part, whether the job is complete, and how many bytes of the file are whole rows."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not _is_whole(lines[-1]):
        lines.pop()
    if not lines:
        raise DataError(f"{path}: holds no row; delete it and start the job anew")
    before = _settings(path, lines[0], settings)
    rows: dict[int, PartRow] = {}
    is_complete = False
    for number, line in enumerate(lines[1:], 2):
        row = _row(path, number, line)
        is_complete = isinstance(row, _Last)
        if isinstance(row, PartRow):
            rows[row.part] = row
    return before, rows, is_complete, sum(map(len, lines))


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(msgspec.json.decode(line), dict)
    except msgspec.DecodeError:
        return False


def _row(path: Path, number: int, line: bytes) -> PartRow | _Last:
    try:
        if b'"complete"' in line:
            return msgspec.json.decode(line, type=_Last)
        return msgspec.json.decode(line, type=PartRow)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{path}:{number}: not a row of a manifest ({error}); start the job anew in another folder"
        ) from None


def _settings(path: Path, line: bytes, settings: Settings) -> Settings:
    """Those the job was begun with, which are to be the same as those it is resumed with."""
    try:
        version = msgspec.json.decode(line)["job"]["format_version"]
        if version != FORMAT_VERSION:
            raise UsageError(
                f"{path}: written by another medspan (format {version}, this one has {FORMAT_VERSION}); go "
                "on with that one, or start the job anew in another folder"
            )
        before = msgspec.json.decode(line, type=_First).job
    except (msgspec.DecodeError, KeyError, TypeError):
        raise DataError(f"{path}:1: not the settings of a job; start it anew in another folder") from None
    differing = differences(before, settings)
    if differing:
        raise UsageError(
            f"{path.parent}: the job there was begun with other settings: {'; '.join(differing)}; resume it "
            "with the same command, or name another folder"
        )
    return before


def differences(before: Settings, now: Settings) -> list[str]:
    """The settings that differ, each with both values."""
    return [
        f"{name} was {_shown(old)}, is {_shown(new)}"
        for name in Settings.__struct_fields__
        if name != "batch_words" and (old := getattr(before, name)) != (new := getattr(now, name))
    ]


def _shown(value: object) -> str:
    return _ENCODER.encode(value).decode()


def is_intact(folder: Path, row: PartRow) -> bool:
    """Whether the files of a part are there with the digests its row gives."""
    part = digest_of(folder / row.file)
    if part is None or (part.sha256, part.size) != (row.sha256, row.bytes):
        return False
    if row.errors_file is None:
        return True
    errors = digest_of(folder / row.errors_file)
    return errors is not None and errors.sha256 == row.errors_sha256
