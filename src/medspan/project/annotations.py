"""What annotators have made of the documents: every saving is kept, a pointer says which one counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import AnnotationError, UsageError
from medspan.project.documents import Documents
from medspan.project.structs import AnnotationState, Annotator, ConflictError, Mark, Saved

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from medspan.project.database import Database
    from medspan.project.documents import Row

_LONGEST_NAME = 100
_MOST_ENTITIES = 20_000
_BEFORE = "SELECT previous AS number FROM revisions WHERE number = :present"
"""What an undo goes to: what the present revision was made from, which is null for the first."""
_AFTER = (
    "SELECT number FROM revisions WHERE document = :document AND annotator = :annotator "
    "AND previous IS :present ORDER BY number DESC LIMIT 1"
)
"""What a redo goes to: the last revision that was made from the present one."""


class Annotations:
    """The tables of revisions and of who stands at which.

    Args:
        database: the project file.
        labels: gives the labels the project has.
    """

    def __init__(self, database: Database, labels: Callable[[], tuple[str, ...]]) -> None:
        self._database = database
        self._documents = Documents(database)
        self._labels = labels

    def get(self, identity: str, annotator: str) -> Saved:
        """A document as an annotator has left it; else with what the model suggests.

        Raises:
            NotFoundError: if there is no such document.
            UsageError: if the annotator's name is none.
        """
        check_annotator(annotator)
        with self._database.reading() as connection:
            document = self._documents.get(identity)
            return self._saved(connection, document, annotator)

    def save(
        self,
        identity: str,
        annotator: str,
        *,
        marks: Sequence[Mark],
        state: AnnotationState,
        revision: int,
    ) -> Saved:
        """Save what an annotator made of a document.

        Args:
            identity: of the document.
            annotator: who did it.
            marks: all entities; one that stands twice counts once.
            state: whether it is done.
            revision: the one it was made from.

        Raises:
            NotFoundError: if there is no such document.
            UsageError: if the annotator's name is none, or there are too many entities.
            AnnotationError: if an entity ends past the text or has a label the project lacks.
            ConflictError: if it was saved, undone or redone since; it names the present revision.
        """
        check_annotator(annotator)
        with self._database.writing() as connection:
            document = self._documents.get(identity)
            kept = self._checked(marks, document)
            present, writes = _pointer(connection, document.number, annotator)
            if revision != writes:
                raise ConflictError(
                    f"document {identity} has been changed since: it stands at revision {writes}, not at "
                    f"{revision}; load it again",
                    writes,
                )
            new = connection.execute(
                "INSERT INTO revisions (document, annotator, previous, entities, state, saved) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (document.number, annotator, present, msgspec.json.encode(kept).decode(), state, now()),
            ).lastrowid
            _point(connection, document.number, annotator, new, writes)
            return self._saved(connection, document, annotator)

    def undo(self, identity: str, annotator: str) -> Saved:
        """Go back to the saving before the present one, or to what the model suggests before the first.

        Raises:
            NotFoundError: if there is no such document.
            ConflictError: if there is nothing to undo.
        """
        return self._move(identity, annotator, _BEFORE, "undo")

    def redo(self, identity: str, annotator: str) -> Saved:
        """Go forward to the saving that was undone last.

        Raises:
            NotFoundError: if there is no such document.
            ConflictError: if there is nothing to redo.
        """
        return self._move(identity, annotator, _AFTER, "redo")

    def _move(self, identity: str, annotator: str, query: str, verb: str) -> Saved:
        """Point at the revision that a query finds from the present one."""
        check_annotator(annotator)
        with self._database.writing() as connection:
            document = self._documents.get(identity)
            present, writes = _pointer(connection, document.number, annotator)
            place = {"document": document.number, "annotator": annotator, "present": present}
            found = connection.execute(query, place).fetchone()
            if found is None:
                raise ConflictError(f"document {identity}: there is nothing to {verb}", writes)
            _point(connection, document.number, annotator, found["number"], writes)
            return self._saved(connection, document, annotator)

    def annotators(self) -> tuple[Annotator, ...]:
        """Who has saved something, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT annotations.annotator AS name, coalesce(sum(state = 'done'), 0) AS done, "
                "coalesce(sum(state = 'skipped'), 0) AS skipped FROM annotations "
                "LEFT JOIN revisions ON revisions.number = present GROUP BY name ORDER BY name"
            ).fetchall()
        return tuple(Annotator(row["name"], row["done"], row["skipped"]) for row in rows)

    def labels_in_use(self) -> set[str]:
        """Labels of entities that annotators have saved and not undone."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT entities FROM annotations JOIN revisions ON revisions.number = present"
            ).fetchall()
        return {mark.label for row in rows for mark in _marks(row["entities"])}

    def done(self, annotator: str | None = None) -> dict[int, tuple[Mark, ...]]:
        """The entities of the documents that are done, by number.

        Args:
            annotator: whose; where None, of each document what was saved last by anyone.
        """
        return dict(self._rows(annotator, latest=annotator is None))

    def done_by(self) -> dict[str, dict[int, tuple[Mark, ...]]]:
        """The same by annotator."""
        return {each.name: self.done(each.name) for each in self.annotators()}

    def _rows(self, annotator: str | None, *, latest: bool) -> list[tuple[int, tuple[Mark, ...]]]:
        whose = "" if latest else "AND revisions.annotator = ? "
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT revisions.document, entities FROM annotations "  # noqa: S608 - constants
                f"JOIN revisions ON revisions.number = present WHERE state = 'done' {whose}"
                "ORDER BY revisions.document, revisions.number",
                () if latest else (annotator,),
            ).fetchall()
        return [(row["document"], _marks(row["entities"])) for row in rows]

    def _checked(self, marks: Sequence[Mark], document: Row) -> tuple[Mark, ...]:
        if len(marks) > _MOST_ENTITIES:
            raise UsageError(f"entities: at most {_MOST_ENTITIES:,} in a document")
        known = set(self._labels())
        for mark in marks:
            if mark.end > len(document.text):
                raise AnnotationError(
                    f"document {document.number}: the entity ({mark.start}, {mark.end}) ends past the text "
                    f"({len(document.text)} characters)"
                )
            if mark.label not in known:
                raise AnnotationError(
                    f"document {document.number}: the entity ({mark.start}, {mark.end}) has a label the "
                    "project lacks; add the label first"
                )
        return tuple(sorted({Mark(mark.start, mark.end, mark.label) for mark in marks}))

    def _saved(self, connection: sqlite3.Connection, document: Row, annotator: str) -> Saved:
        present, writes = _pointer(connection, document.number, annotator)
        place = {"document": document.number, "annotator": annotator, "present": present}
        row = connection.execute(
            "SELECT entities, state FROM revisions WHERE number = :present", place
        ).fetchone()
        known = set(self._labels())
        suggested = tuple(mark for mark in document.suggestions if mark.label in known)
        return Saved(
            id=str(document.number),
            name=document.name,
            text=document.text,
            entities=_marks(row["entities"]) if row else suggested,
            origin="annotator" if row else "model" if document.model else "none",
            state=row["state"] if row else "open",
            revision=writes,
            can_undo=present is not None,
            can_redo=connection.execute(_AFTER, place).fetchone() is not None,
            is_held_back=document.is_held_back,
        )


def check_annotator(name: str) -> None:
    """Refuse what is no name.

    Raises:
        UsageError: if it is empty, too long, or holds what cannot be printed.
    """
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"annotator: give a name of 1 to {_LONGEST_NAME} printable characters")


def now() -> str:
    """The time in UTC, as ISO 8601 writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _marks(text: str) -> tuple[Mark, ...]:
    return msgspec.json.decode(text, type=tuple[Mark, ...])


def _pointer(connection: sqlite3.Connection, document: int, annotator: str) -> tuple[int | None, int]:
    """The present revision of an annotator's document, and how often the pointer was moved."""
    row = connection.execute(
        "SELECT present, writes FROM annotations WHERE document = ? AND annotator = ?", (document, annotator)
    ).fetchone()
    return (row["present"], row["writes"]) if row else (None, 0)


def _point(
    connection: sqlite3.Connection, document: int, annotator: str, revision: int | None, writes: int
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO annotations (document, annotator, present, writes) VALUES (?, ?, ?, ?)",
        (document, annotator, revision, writes + 1),
    )
