"""Reads the mentions of NOTE_NLP again, as ``omop`` writes it: where each stands and what is said of it.

NOTE_NLP has no texts, so no documents come back, and the format is none that ``medspan convert`` reads.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import AnnotationError, FormatError
from medspan.formats import files
from medspan.formats.columns import allow_long_fields
from medspan.formats.parquet_rows import read_rows
from medspan.types import Attribute, Concept, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OMOP = "OMOP:"
_NEEDED = ("note_nlp_id", "note_id", "offset", "lexical_variant", "note_nlp_concept_id", "term_modifiers")
_PART = re.compile(r"((?:[^\\,=]|\\.)*)=((?:[^\\,=]|\\.)*)(?:,|\Z)", re.DOTALL)
_MARKED = re.compile(r"\\(.)", re.DOTALL)
_ATTRIBUTES = ("assertion", "temporality")


class Mention(NamedTuple):
    """A row: the note it is of, and its entity, whose id is ``T`` and the number of the row.

    The entity has label, spans, score, the attributes assertion and temporality and its OMOP concept; other
    modifiers stand in ``modifiers``, those of the entity too.
    """

    note_id: str
    entity: Entity
    modifiers: tuple[tuple[str, str], ...]


def mentions(path: Path) -> Iterator[Mention]:
    """The mentions of a CSV file or, by its name, of a Parquet file.

    Raises:
        FormatError: if a column is missing, or a row has no offset; names the line, or the row of Parquet.
        MissingExtraError: if it is Parquet and pyarrow is not installed.
        UsageError: if the file cannot be read.
    """
    is_parquet = path.suffix == ".parquet"
    for line, row in read_rows(path, _NEEDED) if is_parquet else _csv_rows(path):
        try:
            yield _mention(row)
        except (ValueError, AnnotationError):
            problem = f"row {line} has" if is_parquet else "the row has"
            raise FormatError(
                path,
                None if is_parquet else line,
                f"{problem} no offset, label or mention as medspan writes it",
                "read what medspan wrote",
            ) from None


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    allow_long_fields()
    with files.reading(path) as handle:
        reader = csv.DictReader(io.TextIOWrapper(handle, encoding="utf-8", newline=""), restval="")
        missing = sorted(set(_NEEDED) - set(reader.fieldnames or ()))
        if missing:
            raise FormatError(path, 1, f"there is no column {missing[0]!r}", "read a table of NOTE_NLP")
        for row in reader:
            yield reader.line_num, row


def _mention(row: Mapping[str, str]) -> Mention:
    """Raises ValueError or AnnotationError where something is not as we write it."""
    modifiers = tuple((_plain(name), _plain(value)) for name, value in _PART.findall(row["term_modifiers"]))
    said = dict(reversed(modifiers))  # of a name that stands twice the first
    if "label" not in said:
        raise ValueError("label")
    start = int(row["offset"])
    spans = [(start, start + len(row["lexical_variant"]))]
    if "spans" in said:
        spans = [tuple(map(int, part.split("-"))) for part in said["spans"].split(";")]  # type: ignore[misc]
    number = int(row["note_nlp_concept_id"])
    entity = Entity(
        f"T{row['note_nlp_id']}",
        said["label"],
        tuple(Span(*span) for span in spans),
        float(said["score"]) if "score" in said else None,
        tuple(Attribute(name, said[name]) for name in _ATTRIBUTES if name in said),
        (Concept(f"{OMOP}{number}"),) if number else (),
    )
    return Mention(row["note_id"], entity, modifiers)


def _plain(value: str) -> str:
    return _MARKED.sub(r"\1", value)
