"""The documents of a project: each added once, some held back for scoring, listed in an order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from medspan.corpora.leaks import normalized
from medspan.project.structs import Added, Listed, Mark, NotFoundError, Page
from medspan.types import Document, Entity, Span
from medspan.weak.sentences import sentences

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from medspan.project.database import Database

Split = Literal["sentences", "documents"]
Order = Literal["suggested", "given"]
Wanted = Literal["open", "done", "skipped", "all"]
HELD_BACK_EVERY = 5
"""One document in so many is held back, by its digest."""
_FEWEST_HELD_BACK = 10  # one in so many at least, where chance was unkind
_PREVIEW = 80
_IMPORTED = "imported"
_LONGEST_NAME = 300
_LARGEST_NUMBER = 2**63 - 1


class Row(NamedTuple):
    """A document of a project; ``meta`` is JSON."""

    number: int
    name: str
    text: str
    is_held_back: bool
    model: str | None
    suggestions: tuple[Mark, ...]
    meta: str = "{}"


class Suggestion(NamedTuple):
    """What a model says of a document: its entities, how unsure it is, and the place in the order."""

    marks: tuple[Mark, ...]
    uncertainty: float
    place: int


def digest_of(text: str) -> str:
    """What texts with the same letters and digits share, whatever their case; empty without any."""
    letters = normalized(text)
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest() if letters else ""


def is_held_back(digest: str) -> bool:
    """Whether a document is kept for scoring: a fixed choice of one in five."""
    return int(digest[:8], 16) % HELD_BACK_EVERY == 0


class Documents:
    """The table of documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, documents: Iterable[Document], split: Split) -> Added:
        """Add documents, or each of their sentences; entities they hold become suggestions.

        A text with the same letters and digits as one the project has is left out.
        """
        units = sentences(documents) if split == "sentences" else documents
        added = known = 0
        with self._database.writing() as connection:
            present = {row["digest"] for row in connection.execute("SELECT digest FROM documents")}
            for unit in units:
                digest = digest_of(unit.text)
                if not digest or digest in present:
                    known += 1
                    continue
                present.add(digest)
                _insert(connection, unit, digest)
                added += 1
            _hold_some_back(connection)
        return Added(added, known)

    def counts(self) -> tuple[int, int]:
        """How many documents there are, and how many of them are held back."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT count(*) AS n, coalesce(sum(is_held_back), 0) AS held FROM documents"
            ).fetchone()
        return row["n"], row["held"]

    def get(self, identity: str) -> Row:
        """A document by its id.

        Raises:
            NotFoundError: if there is none.
        """
        number = number_of(identity)
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM documents WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise NotFoundError("there is no such document in this project")
        return _row(row)

    def all(self) -> list[Row]:
        """Every document, in the order in which they were added."""
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute("SELECT * FROM documents ORDER BY number")]

    def unrated(self) -> bool:
        """Whether no model has been asked yet about some document."""
        with self._database.reading() as connection:
            found = connection.execute("SELECT 1 FROM documents WHERE uncertainty IS NULL LIMIT 1").fetchone()
        return found is not None

    def suggest(self, found: Mapping[int, Suggestion], model: str) -> int:
        """Keep what a model says of some documents; entities that were imported stay."""
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE documents SET uncertainty = :uncertainty, place = :place, "
                "suggestions = CASE WHEN model = :imported THEN suggestions ELSE :marks END, "
                "model = CASE WHEN model = :imported THEN model ELSE :model END WHERE number = :number",
                [
                    {
                        "number": number,
                        "uncertainty": each.uncertainty,
                        "place": each.place,
                        "marks": msgspec.json.encode(each.marks).decode(),
                        "model": model,
                        "imported": _IMPORTED,
                    }
                    for number, each in found.items()
                ],
            )
        return len(found)

    def page(self, annotator: str, *, wanted: Wanted, order: Order, limit: int, offset: int) -> Page:
        """A part of the list of documents, as an annotator has left them.

        Args:
            annotator: whose states are shown.
            wanted: the state of those that are listed, or ``all``.
            order: by their numbers, or as they were suggested.
            limit: documents at most.
            offset: documents of the list that are passed over.
        """
        by = "documents.place IS NULL, documents.place, " if order == "suggested" else ""
        chosen = (
            "FROM documents LEFT JOIN annotations ON annotations.document = documents.number "
            "AND annotations.annotator = :annotator "
            "LEFT JOIN revisions ON revisions.number = annotations.present "
            "WHERE :wanted = 'all' OR coalesce(revisions.state, 'open') = :wanted "
        )
        values = {"annotator": annotator, "wanted": wanted, "limit": limit, "offset": offset}
        with self._database.reading() as connection:
            total = connection.execute(f"SELECT count(*) AS n {chosen}", values).fetchone()["n"]
            rows = connection.execute(
                "SELECT documents.number, name, length(text) AS characters, uncertainty, is_held_back, "
                f"substr(text, 1, {_PREVIEW}) AS preview, coalesce(revisions.state, 'open') AS state "
                f"{chosen} ORDER BY {by}documents.number LIMIT :limit OFFSET :offset",
                values,
            ).fetchall()
        return Page(total, tuple(map(_listed, rows)))


def number_of(identity: str) -> int:
    """The number an id stands for.

    Raises:
        NotFoundError: if it is none.
    """
    if not identity.isascii() or not identity.isdigit() or int(identity) > _LARGEST_NUMBER:
        raise NotFoundError("there is no such document in this project")
    return int(identity)


def as_document(row: Row, marks: Sequence[Mark]) -> Document:
    """A document of a project with some entities."""
    entities = tuple(
        Entity(f"T{i}", mark.label, (Span(mark.start, mark.end),), mark.score)
        for i, mark in enumerate(sorted(marks), start=1)
    )
    return Document(str(row.number), row.text, entities=entities, sentences=())


def marks_of(document: Document) -> tuple[Mark, ...]:
    """The entities of a document; of a discontinuous one the range from its first character to its last."""
    return tuple(sorted({Mark(e.start, e.end, e.label, e.score) for e in document.entities}))


def _insert(connection: sqlite3.Connection, unit: Document, digest: str) -> None:
    marks = marks_of(unit)
    connection.execute(
        "INSERT INTO documents (name, text, meta, digest, is_held_back, model, suggestions) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            unit.id[:_LONGEST_NAME],
            unit.text,
            msgspec.json.encode(unit.meta).decode(),
            digest,
            is_held_back(digest),
            _IMPORTED if marks else None,
            msgspec.json.encode(marks).decode(),
        ),
    )


def _hold_some_back(connection: sqlite3.Connection) -> None:
    """Where chance held too few back, hold back those that nobody has seen and whose digest is lowest."""
    total, held = connection.execute(
        "SELECT count(*), coalesce(sum(is_held_back), 0) FROM documents"
    ).fetchone()
    missing = total // _FEWEST_HELD_BACK + (total >= HELD_BACK_EVERY and total < _FEWEST_HELD_BACK) - held
    if missing > 0:
        connection.execute(
            "UPDATE documents SET is_held_back = 1 WHERE number IN (SELECT number FROM documents "
            "WHERE NOT is_held_back AND number NOT IN (SELECT document FROM annotations) "
            "ORDER BY digest LIMIT ?)",
            (missing,),
        )


def _row(row: sqlite3.Row) -> Row:
    marks = msgspec.json.decode(row["suggestions"], type=tuple[Mark, ...])
    is_held_back = bool(row["is_held_back"])
    return Row(row["number"], row["name"], row["text"], is_held_back, row["model"], marks, row["meta"])


def _listed(row: sqlite3.Row) -> Listed:
    return Listed(
        id=str(row["number"]),
        name=row["name"],
        characters=row["characters"],
        state=row["state"],
        uncertainty=row["uncertainty"],
        is_held_back=bool(row["is_held_back"]),
        preview=row["preview"],
    )
