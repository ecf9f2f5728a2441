"""Documents → annotated documents, or lines, and a reason for each document that fails."""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from medspan.errors import MedspanError, ModelError
from medspan.formats import jsonl
from medspan.jobs.wire import ErrorRow
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from medspan.jobs.wire import Task
    from medspan.tasks.protocols import Annotator

_DECODER = msgspec.msgpack.Decoder(Document)
_ENCODER = msgspec.json.Encoder()
_PACKAGE = str(Path(__file__).parent.parent)

T = TypeVar("T")

# A document that no model fails on unless it fails on all.
PLAIN = Document("plain", "No sign of fever after aspirin.")
BLAME = "the fault is in the model, its runtime or this machine's memory, not in the documents"


class Line(NamedTuple):
    """An annotated document as it goes to a file, its line end included; ``changed`` where de-identified."""

    data: bytes
    characters: int
    entities: int
    changed: Mapping[str, int] = MappingProxyType({})


class Failure(NamedTuple):
    """Stands for a document that the annotator fails on."""

    reason: str


class Annotating:
    """Runs an annotator so that a document that makes it fail costs that document only.

    All documents go through it together, as that is fast. Where that fails, each goes alone; those that fail
    alone are given up, and the others go together once more, so that what comes out depends on the documents
    and not on the way taken.

    Args:
        annotator: what the documents go through.
        line: makes the line of an annotated document.
        reason: says what went wrong, without document text.
        plain: a document that the annotator passes unless it fails on all.
    """

    def __init__(
        self,
        annotator: Annotator,
        *,
        line: Callable[[Document], Line] | None = None,
        reason: Callable[[Exception], str] | None = None,
        plain: Document = PLAIN,
    ) -> None:
        self._annotator = annotator
        self._line, self._reason, self._plain = line or line_of, reason or reason_of, plain

    def lines(self, task: Task) -> tuple[list[Line], list[ErrorRow]]:
        """The documents as JSON lines, and rows of those that failed.

        Raises:
            ModelError: if the annotator fails on a plain text too.
        """
        return self._of_task(task, self._line)

    def documents(self, task: Task) -> tuple[list[Document], list[ErrorRow]]:
        """The documents, and rows of those that failed.

        Raises:
            ModelError: if the annotator fails on a plain text too.
        """
        return self._of_task(task, same)

    def _of_task(self, task: Task, convert: Callable[[Document], T]) -> tuple[list[T], list[ErrorRow]]:
        documents = list(map(_DECODER.decode, task.documents))
        results = self.each(documents, convert, is_alone=task.is_alone)
        errors = [
            ErrorRow(task.part, place, result.reason, id=document.id)
            for place, document, result in zip(task.places, documents, results, strict=True)
            if isinstance(result, Failure)
        ]
        return [result for result in results if not isinstance(result, Failure)], errors

    def each(
        self, documents: Sequence[Document], convert: Callable[[Document], T], *, is_alone: bool = False
    ) -> list[T | Failure]:
        """What becomes of each document.

        Args:
            documents: any number of them.
            convert: of an annotated document; it may fail too.
            is_alone: whether none should go through together with another.

        Raises:
            ModelError: if the annotator fails on a plain text too.
        """
        if not is_alone and (found := self._together(documents, convert)) is not None:
            return list(found)
        results = [self._alone(document, convert) for document in documents]
        places = [place for place, result in enumerate(results) if not isinstance(result, Failure)]
        if not is_alone and (again := self._together([documents[place] for place in places], convert)):
            for place, result in zip(places, again, strict=True):
                results[place] = result
        return results

    def _together(self, documents: Sequence[Document], convert: Callable[[Document], T]) -> list[T] | None:
        try:
            return [convert(found) for found in self._annotator.annotate(documents)]
        except Exception:  # noqa: BLE001 - which document sets off what is found out by `_alone`
            return None

    def _alone(self, document: Document, convert: Callable[[Document], T]) -> T | Failure:
        try:
            (found,) = (convert(each) for each in self._annotator.annotate([document]))
        except Exception as error:  # noqa: BLE001 - its reason goes into a row
            reason = self._reason(error)
            self._check(reason)
            return Failure(reason)
        return found

    def _check(self, reason: str) -> None:
        """Blame a document only where a plain text passes; else a fault of the model would cost them all."""
        try:
            list(self._annotator.annotate([self._plain]))
        except Exception:  # noqa: BLE001 - whatever it is, it is not the document
            raise ModelError(
                f"the model fails on every text, also on a plain one ({reason}); {BLAME}"
            ) from None


def sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts added up, by name in order."""
    found: Counter[str] = Counter()
    for each in counts:
        found.update(each)
    return dict(sorted(found.items()))


def same(document: Document) -> Document:
    """The document as it is."""
    return document


def line_of(document: Document) -> Line:
    """A document as a line of JSONL."""
    data = _ENCODER.encode(jsonl.as_json(document)) + b"\n"
    return Line(data, len(document.text), len(document.entities))


def reason_of(error: Exception) -> str:
    """What went wrong, without document text: only our own messages are known to hold none."""
    if isinstance(error, MedspanError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, UnicodeEncodeError):
        return "the text holds half of a surrogate pair; repair it where it was made"
    if isinstance(error, OverflowError):
        return "it holds a number of more than 64 bits"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}"
