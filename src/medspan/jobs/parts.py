"""Documents → parts. Where a part ends depends on the input alone, and so does every byte of the output."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from medspan.jobs.annotating import reason_of
from medspan.jobs.wire import ErrorRow, Goal, Task
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.errors import FormatError

PART_DOCUMENTS = 1000
PART_CHARACTERS = 4_000_000
MOST_CHARACTERS = 20_000_000

_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()


class Limits(msgspec.Struct, frozen=True):
    """Where parts end, and which documents are too long.

    A part has at most ``documents`` units (documents and rejected ones) and ``characters`` characters; a
    longer document is a part by itself. One of more than ``document_characters`` is not read at all.
    """

    documents: int = PART_DOCUMENTS
    characters: int = PART_CHARACTERS
    document_characters: int = MOST_CHARACTERS


DEFAULT_LIMITS = Limits()


class Part:
    """A run of units of the input: documents, packed, and rows of those that cannot be annotated.

    Args:
        number: its number, from 0.
        first: the place of its first unit in the whole input.
        order: what is to be done with it, where workers can do several things.
    """

    def __init__(self, number: int, first: int, order: bytes = b"") -> None:
        self.number = number
        self.next = first
        self.documents: list[msgspec.Raw] = []
        self.places: list[int] = []
        self.errors: list[ErrorRow] = []
        self.characters = 0
        self._order = order

    def __len__(self) -> int:
        return len(self.documents) + len(self.errors)

    def add(self, document: Document) -> None:
        """Add a document; one that cannot be sent becomes an error row."""
        try:
            packed = _ENCODER.encode(document)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self.errors.append(ErrorRow(self.number, self.next, reason_of(error), id=document.id))
        else:
            self.documents.append(msgspec.Raw(packed))
            self.places.append(self.next)
            self.characters += len(document.text)
        self.next += 1

    def reject(self, error: FormatError) -> None:
        """Add a unit that could not be read."""
        reason = f"{error.problem}; {error.remedy}"
        self.errors.append(ErrorRow(self.number, self.next, reason, path=error.path, line=error.line))
        self.next += 1

    def digest(self) -> str:
        """SHA-256 of what was read for this part."""
        digest = hashlib.sha256()
        for document in self.documents:
            digest.update(len(document).to_bytes(8, "little"))
            digest.update(document)
        for row in self.errors:
            digest.update(_JSON.encode(row))
        return digest.hexdigest()

    def task(self, goal: Goal) -> Task:
        """What a worker is asked to do with it."""
        digest = self.digest() if goal == "part" else ""  # only the row of a part has it
        return Task(goal, self.number, digest, self.documents, self.places, self.errors, order=self._order)


def cut(units: Iterable[Document | FormatError], limits: Limits = DEFAULT_LIMITS) -> Iterator[Part]:
    """Consecutive units as parts; no part is empty."""
    part = Part(0, 0)
    for unit in units:
        length = len(unit.text) if isinstance(unit, Document) else 0
        if len(part) and part.characters + length > limits.characters:
            yield part
            part = Part(part.number + 1, part.next)
        if isinstance(unit, Document):
            part.add(unit)
        else:
            part.reject(unit)
        if len(part) >= limits.documents:
            yield part
            part = Part(part.number + 1, part.next)
    if len(part):
        yield part


def part_name(number: int, suffix: str) -> str:
    """``part-00007.jsonl``."""
    return f"part-{number:05}{suffix}"


def errors_name(number: int) -> str:
    """``part-00007.errors.jsonl``."""
    return f"part-{number:05}.errors.jsonl"
