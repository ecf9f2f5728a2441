"""What a project tells of itself: frozen structs, which the service writes as JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from medspan.errors import AnnotationError, MedspanError, UsageError

AnnotationState = Literal["open", "done", "skipped"]
RunState = Literal["preparing", "training", "scoring", "done", "failed", "stopped"]
Start = Literal["model", "bilm-bio", "nothing"]
GOING: frozenset[str] = frozenset({"preparing", "training", "scoring"})


class NotFoundError(MedspanError):
    """There is no such document or run."""


class ConflictError(UsageError):
    """What was asked for does not fit what has become of the project since.

    Args:
        message: what does not fit, without document text.
        revision: the present revision, where one was given that is old.
    """

    def __init__(self, message: str, revision: int | None = None) -> None:
        super().__init__(message)
        self.revision = revision


class Mark(msgspec.Struct, frozen=True, omit_defaults=True, order=True, forbid_unknown_fields=True):
    """A labelled range of a text, in code points, half-open; ``score`` where a model found it.

    Raises:
        AnnotationError: unless ``0 <= start < end`` and there is a label.
    """

    start: int
    end: int
    label: str
    score: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise AnnotationError(f"entity ({self.start}, {self.end}) is not 0 <= start < end")
        if not self.label:
            raise AnnotationError(f"entity ({self.start}, {self.end}) has an empty label")


class Saved(msgspec.Struct, frozen=True, rename={"origin": "from"}):
    """A document as an annotator finds it."""

    id: str
    name: str
    text: str
    entities: tuple[Mark, ...]
    origin: Literal["annotator", "model", "none"]
    state: AnnotationState
    revision: int
    can_undo: bool
    can_redo: bool
    is_held_back: bool


class Listed(msgspec.Struct, frozen=True):
    """A line of the list of documents; ``preview`` is the beginning of the text."""

    id: str
    name: str
    characters: int
    state: AnnotationState
    uncertainty: float | None
    is_held_back: bool
    preview: str


class Page(msgspec.Struct, frozen=True):
    """A part of the list of documents."""

    total: int
    documents: tuple[Listed, ...]


class Added(msgspec.Struct, frozen=True):
    """How many documents were added, and how many the project had, or were without a letter or digit."""

    added: int
    known: int


class Annotator(msgspec.Struct, frozen=True):
    """Who annotates, and how far."""

    name: str
    done: int
    skipped: int


class Pair(msgspec.Struct, frozen=True):
    """How far two annotators agree on the documents both have done; None where that is not defined."""

    a: str
    b: str
    documents: int
    f1: float | None
    kappa: float | None


class Disagreement(msgspec.Struct, frozen=True):
    """A mention that some who have done a document have marked and others have not."""

    id: str
    label: str
    start: int
    end: int
    by: tuple[str, ...]
    not_by: tuple[str, ...]


class Agreement(msgspec.Struct, frozen=True):
    """Agreement of annotators."""

    pairs: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]


class CurvePoint(msgspec.Struct, frozen=True):
    """An epoch of a run: mean loss, and as ``dev`` strict F1 on the documents it learns from."""

    epoch: int
    loss: float
    dev: float


class Scores(msgspec.Struct, frozen=True):
    """Strict entity scores on the held-back part; ``interval`` is the middle 95 % of the bootstrap of F1."""

    f1: float
    precision: float
    recall: float
    interval: tuple[float, float] | None = None


class LabelChange(msgspec.Struct, frozen=True):
    """Strict F1 of a label before and after."""

    before: float
    after: float


class RunScores(msgspec.Struct, frozen=True):
    """What a run was worth."""

    before: Scores | None = None
    after: Scores | None = None
    labels: dict[str, LabelChange] = {}


class Run(msgspec.Struct, frozen=True):
    """A training run, as it stands."""

    number: int
    state: RunState
    detail: str
    sentences: int
    held_back: int
    curve: tuple[CurvePoint, ...]
    before: Scores | None
    after: Scores | None
    labels: dict[str, LabelChange]
    started: str
    ended: str | None
    accepted: bool

    @property
    def is_going(self) -> bool:
        """Whether it has not come to an end."""
        return self.state in GOING


class Summary(msgspec.Struct, frozen=True):
    """A project at a glance."""

    name: str
    labels: tuple[str, ...]
    documents: int
    held_back: int
    annotators: tuple[Annotator, ...]
    model: str
    runs: tuple[Run, ...]


def to_json(value: Any) -> bytes:  # noqa: ANN401 - any struct
    """The JSON of a struct, or of values that hold some."""
    return msgspec.json.encode(value)
