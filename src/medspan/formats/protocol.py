"""What every reader and writer of a format looks like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from medspan.errors import FormatError, UsageError
from medspan.types import Document

Rejected = Callable[[FormatError, str], None]
_Kept = TypeVar("_Kept", bound=msgspec.Struct)

# Where readers keep relations between concepts of the whole document (not between mentions), in
# Document.meta: a list of {"type": …, "head_id": …, "tail_id": …}.
CONCEPT_RELATIONS = "concept_relations"


class ReadOptions(msgspec.Struct, frozen=True):
    """How to read.

    ``rejected`` receives the error and the raw unit (a line, a document block, a file's text) of every
    malformed unit, and reading goes on; where it is None the error is raised instead.

    ``text_column`` and ``id_column`` (notes, Parquet) name the columns of the text and of the id; the
    latter need not be there. A document of more than ``max_chars`` characters is rejected, where the
    format allows it without being read into memory; its raw unit is then empty.
    """

    rejected: Rejected | None = None
    text_column: str = "text"
    id_column: str = "id"
    max_chars: int | None = None


class WriteOptions(msgspec.Struct, frozen=True):
    """How to write.

    ``tag_scheme`` (CoNLL): IOB1, IOB2 or IOBES; None keeps the scheme a document was read with, or IOB2.
    ``spacing`` (CoNLL): add a column that records the blanks between words where the source recorded none,
    so that the text can be rebuilt exactly. ``document_text`` (table): a column with each document's text,
    so that the table can be read again by itself. ``title`` is for HTML. ``date`` (OMOP, FHIR): day of the
    annotation, ISO; None for now, by UTC. ``model`` (OMOP, FHIR): the model that found the entities.
    ``source_text`` (FHIR): the text itself, not only its digest. ``fhir_tables``: files that say what
    becomes of labels in FHIR, after the one that comes with medspan. ``split`` (hf): that of documents
    whose ``meta["split"]`` names none.
    """

    tag_scheme: str | None = None
    spacing: bool = True
    document_text: bool = False
    title: str = "medspan"
    date: str | None = None
    model: str | None = None
    source_text: bool = True
    fhir_tables: tuple[Path, ...] = ()
    split: str = "train"


class Losses(msgspec.Struct):
    """What a writer could not express, counted by reason, e.g. ``{"discontinuous spans": 3}``."""

    counts: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """Count something the format cannot hold."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + count


Reader = Callable[[Path, ReadOptions], Iterator[Document]]
Writer = Callable[[Iterable[Document], Path, WriteOptions], Losses]


def day_of(options: WriteOptions) -> str:
    """The day of the annotation, ISO.

    Raises:
        UsageError: if ``options.date`` is none.
    """
    if options.date is None:
        return dt.datetime.now(dt.UTC).date().isoformat()
    try:
        return dt.date.fromisoformat(options.date).isoformat()
    except ValueError:
        raise UsageError(f"{options.date!r} is no day; write it as 2026-11-22") from None


def reject(options: ReadOptions, error: FormatError, unit: str) -> None:
    """Hand a malformed unit over, or raise its error where nobody asked to go on."""
    if options.rejected is None:
        raise error
    options.rejected(error, unit)


def kept_of(document: Document, key: str, kind: type[_Kept]) -> _Kept:
    """What a reader left for the writer of its format in ``Document.meta``.

    Args:
        document: maybe of another format, or changed since.
        key: of the meta value.
        kind: its shape; an empty one is given where the value is absent or of another shape.
    """
    try:
        return msgspec.convert(document.meta.get(key, {}), kind)
    except msgspec.ValidationError:
        return kind()


def is_too_long(document: Document, options: ReadOptions) -> bool:
    """Whether a document has more characters than the options allow."""
    return options.max_chars is not None and len(document.text) > options.max_chars


def unless_too_long(
    document: Document, options: ReadOptions, path: Path | str, line: int | None = None
) -> Iterator[Document]:
    """A document that is read; nothing where it is too long, which rejects it.

    Args:
        document: what was read.
        options: may say how long it can be.
        path: where it was read, for the error.
        line: its line, for the error.
    """
    if is_too_long(document, options):
        reject(options, too_long(path, line, options.max_chars), "")
    else:
        yield document


def too_long(path: Path | str, line: int | None, max_chars: int | None) -> FormatError:
    """The error for a document of more than ``max_chars`` characters."""
    problem = f"the document is longer than {max_chars or 0:,} characters"
    return FormatError(path, line, problem, "split it, or allow longer ones (max_chars)")


def count_unheld(document: Document, losses: Losses, holds: frozenset[str]) -> None:
    """Count what a document has and a format cannot hold, entities themselves excepted.

    Args:
        document: what is about to be written.
        losses: where to count.
        holds: of ``relations``, ``attributes``, ``concepts``, ``scores``, ``sections``, ``sentences``
            and ``meta``, those the format keeps.
    """
    entities = document.entities
    present = {
        "relations": len(document.relations),
        "attributes": sum(len(entity.attributes) for entity in entities),
        "concepts": sum(len(entity.concepts) for entity in entities),
        "scores": sum(entity.score is not None for entity in entities),
        "sections": len(document.sections),
        "sentences": len(document.sentences),
        "meta": len(document.meta.keys() - {"conll"}),
    }
    for part, count in present.items():
        if part not in holds:
            losses.add("meta values" if part == "meta" else part, count)
