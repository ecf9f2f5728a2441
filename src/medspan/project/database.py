"""The SQLite file of a project: opened, checked, and shared by threads that take turns."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING

from medspan.errors import DataError, MedspanError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA_VERSION = 1
_APPLICATION = 0x6D647370  # "mdsp": what tells our files from other SQLite files
_WAIT_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE labels (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    meta TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    is_held_back INTEGER NOT NULL,
    model TEXT,
    suggestions TEXT NOT NULL DEFAULT '[]',
    uncertainty REAL,
    place INTEGER
) STRICT;
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (number),
    annotator TEXT NOT NULL,
    previous INTEGER REFERENCES revisions (number),
    entities TEXT NOT NULL,
    state TEXT NOT NULL,
    saved TEXT NOT NULL
) STRICT;
CREATE INDEX revisions_by_previous ON revisions (document, annotator, previous);
CREATE TABLE annotations (
    document INTEGER NOT NULL REFERENCES documents (number),
    annotator TEXT NOT NULL,
    present INTEGER REFERENCES revisions (number),
    writes INTEGER NOT NULL,
    PRIMARY KEY (document, annotator)
) STRICT;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    pid INTEGER,
    sentences INTEGER NOT NULL DEFAULT 0,
    held_back INTEGER NOT NULL DEFAULT 0,
    scores TEXT NOT NULL DEFAULT '{}',
    started TEXT NOT NULL,
    ended TEXT,
    accepted INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_TABLES = {"facts", "labels", "documents", "revisions", "annotations", "runs"}


class Database:
    """A project file. Threads may share it: each holds its lock for as long as one reading or writing takes.

    Args:
        path: made where it is absent, for its owner alone to read.

    Raises:
        DataError: if the file is no project, is damaged, or was written by a newer medspan.
        UsageError: if another process has it open, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._had_bytes = path.stat().st_size > 0
            self._connection = sqlite3.connect(
                path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            problem = getattr(error, "strerror", None) or "is no file that can be opened"
            raise UsageError(
                f"{path}: {problem}; name a file NAME.medspan in a folder that is there"
            ) from None
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" in str(error):
                raise UsageError(
                    f"{path}: is open in another medspan; stop that one, or name another project"
                ) from None
            raise DataError(f"{path}: cannot be opened ({error}); check its permissions") from None
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise DataError(f"{path}: is no project file, or is damaged ({error}); name another") from None
        except DataError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        """Keep the file to this process, and make or check its tables."""
        connection = self._connection
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Not WAL: what is saved then stands beside the file for long, and a copy of the file would lack it.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        with self.writing():
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = {
                row["name"]
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if not row["name"].startswith("sqlite_")
            }
            if not version and not tables:
                if self._had_bytes:
                    raise DataError(f"{self.path}: holds nothing, as a copy that was cut off; name another")
                self._make()
                return
            self._check(version, tables)

    def _make(self) -> None:
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check(self, version: int, tables: set[str]) -> None:
        application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if application != _APPLICATION:
            raise DataError(f"{self.path}: is a database of another program; name another file")
        if version > SCHEMA_VERSION:
            raise DataError(
                f"{self.path}: was written by a newer medspan (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); upgrade with: pip install -U medspan"
            )
        if missing := sorted(_TABLES - tables):
            raise DataError(f"{self.path}: lacks the table {missing[0]!r}; restore the file from a copy")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock:
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction, which an error undoes.

        Raises:
            MedspanError: if the file cannot be written: the disk is full.
        """
        with self._lock:
            if self._connection.in_transaction:  # inside another of this thread
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:  # SQLite has undone it by itself where the disk is full
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise MedspanError(
                        f"the project cannot be written ({error}); nothing was changed"
                    ) from None
                raise

    def close(self) -> None:
        """Close the file; nothing may be asked of it any more."""
        with self._lock:
            self._connection.close()
