"""A project: what is to be annotated, who has annotated what, and what was trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import UsageError
from medspan.project.annotations import Annotations
from medspan.project.database import Database
from medspan.project.documents import Documents
from medspan.project.runs import Runs
from medspan.project.structs import ConflictError, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_LABELS = 200
_LONGEST_LABEL = 100
_MODEL, _FOLDER = "model", "folder"


class Project:
    """A project file, and the folder ``NAME.medspan.runs`` beside it with what was trained.

    Several threads may share one; a second process may not open the file.

    Args:
        path: made where it is absent.
        labels: those of a new project.

    Raises:
        DataError: if the file is no project, is damaged, or was written by a newer medspan.
        UsageError: if another process has it open.
    """

    def __init__(self, path: Path, *, labels: Sequence[str] = ()) -> None:
        self.path = path.absolute()
        self.name = path.name.removesuffix(".medspan")
        self._database = Database(self.path)
        self.documents = Documents(self._database)
        self.annotations = Annotations(self._database, self.labels)
        self.runs = Runs(self._database, self.path.with_name(f"{path.name}.runs"))
        if labels and not self.labels():
            self.set_labels(labels)

    def labels(self) -> tuple[str, ...]:
        """The labels, in their order."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT name FROM labels ORDER BY place").fetchall()
        return tuple(row["name"] for row in rows)

    def set_labels(self, labels: Sequence[str]) -> None:
        """Put other labels in the place of the present ones.

        Raises:
            UsageError: if a label is empty, stands twice, is too long, or there are none or too many.
            ConflictError: if one that is left out is in use.
        """
        _check_labels(labels)
        with self._database.writing() as connection:
            if used := sorted(self.annotations.labels_in_use() - set(labels)):
                raise ConflictError(
                    f"the label {used[0]!r} is in use and cannot be removed; remove its entities first"
                )
            connection.execute("DELETE FROM labels")
            connection.executemany("INSERT INTO labels (place, name) VALUES (?, ?)", enumerate(labels))

    def model(self) -> tuple[str, Path] | None:
        """Name and folder of the model of the last run that was accepted; None before any was."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE key = ?", (_MODEL,)).fetchone()
        if row is None:
            return None
        number = int(row["value"])
        return self.runs.model_name(number), self.runs.model_folder(number)

    def accept(self, number: int) -> None:
        """Make the model of a run the project's.

        Raises:
            NotFoundError: if there is no such run.
            ConflictError: if it has no model.
        """
        with self._database.writing() as connection:
            self.runs.mark_accepted(number)
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_MODEL, str(number)))

    def summary(self, default_model: str) -> Summary:
        """The project at a glance; ``default_model`` is the model's name before a run was accepted."""
        with self._database.reading():
            count, held_back = self.documents.counts()
            found = self.model()
            return Summary(
                name=self.name,
                labels=self.labels(),
                documents=count,
                held_back=held_back,
                annotators=self.annotations.annotators(),
                model=found[0] if found else default_model,
                runs=self.runs.all(),
            )

    def close(self) -> None:
        """Stop a run that goes on, and close the file."""
        self.runs.stop_all()
        self._database.close()


def _check_labels(labels: Sequence[str]) -> None:
    if not 0 < len(labels) <= _MOST_LABELS:
        raise UsageError(f"labels: give 1 to {_MOST_LABELS} of them")
    for label in labels:
        if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise UsageError(
                f"labels: each is 1 to {_LONGEST_LABEL} printable characters and not only blanks"
            )
    if len(set(labels)) != len(labels):
        raise UsageError("labels: one stands twice")
