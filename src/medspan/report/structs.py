"""The report as data. Everything but ``errors`` is numbers, labels and settings; ``errors`` holds text."""

from __future__ import annotations

import msgspec

from medspan.errors import DataError
from medspan.metrics import (
    Calibration,
    Interval,
    MacroScore,
    MatchScore,
    Score,
    StrictIntervals,
)

REPORT_FORMAT = 1


class Settings(msgspec.Struct, frozen=True):
    """What was asked for; with the same documents it gives the same report.

    ``labels`` is None where every label of gold and prediction was scored.
    """

    labels: tuple[str, ...] | None
    label_map: dict[str, str]
    seed: int
    resamples: int


class Counted(msgspec.Struct, frozen=True):
    """What was compared.

    ``gold`` and ``predicted`` are the mentions scored, ``duplicates_*`` those left out because a mention with
    the same label and spans already stood there, ``ignored_*`` those with a label that was not asked for.
    """

    documents: int
    words: int
    gold: int
    predicted: int
    duplicates_gold: int
    duplicates_predicted: int
    ignored_gold: dict[str, int]
    ignored_predicted: dict[str, int]


class LabelScore(msgspec.Struct, frozen=True):
    """The strict score of one label."""

    label: str
    score: Score
    f1_interval: Interval | None


class Bucket(msgspec.Struct, frozen=True):
    """The strict score of some mentions, e.g. those of two words; gold and predictions are both sorted in."""

    name: str
    score: Score


class LabelErrors(msgspec.Struct, frozen=True):
    """What became of the gold mentions of a label, and what was made up.

    Each gold mention is ``correct``, has another label on the same span (``other_label``), the right label
    with a wrong border (``left``, ``right``, ``both``, or ``inner``: only inner borders of a discontinuous
    mention differ), another label on an overlapping span (``label_and_border``), or is ``missed``.
    ``invented`` counts predictions of this label without a gold partner.
    """

    label: str
    correct: int
    other_label: int
    left: int
    right: int
    both: int
    inner: int
    label_and_border: int
    missed: int
    invented: int

    def fates(self) -> tuple[int, ...]:
        """The counts, in the order of the fields."""
        return msgspec.structs.astuple(self)[1:]


class Confusion(msgspec.Struct, frozen=True):
    """How often a gold label was predicted as another, on the same span and on an overlapping one."""

    gold: str
    predicted: str
    same_span: int
    overlapping: int

    @property
    def count(self) -> int:
        """How often in all."""
        return self.same_span + self.overlapping


class Example(msgspec.Struct, frozen=True):
    """An error in its context. Ranges are ``(start, end)`` in ``context``, which begins at ``offset``."""

    document: str
    offset: int
    context: str
    gold: tuple[tuple[int, int], ...]
    predicted: tuple[tuple[int, int], ...]


class ErrorGroup(msgspec.Struct, frozen=True):
    """Errors of one kind on the same surface.

    ``kind`` is missed, invented, label, border or label_and_border. ``surface`` is the gold mention's text
    (an invented one's own), ``guess`` the predicted one's where it differs; ``gold`` and ``predicted`` are
    labels, empty where there is none.
    """

    kind: str
    gold: str
    predicted: str
    surface: str
    guess: str
    count: int
    examples: tuple[Example, ...]


class Report(msgspec.Struct, frozen=True):
    """The result of ``medspan.evaluate``.

    ``micro`` is the figure to compare with other systems: strict entity scores, equal to conlleval and to
    seqeval. ``token_micro`` is the lenient word-level protocol of some published figures; ``exact``,
    ``partial`` and ``type_only`` are those of SemEval-2013 task 9.1. ``by_seen`` is None where no training
    mentions were given, ``calibration`` where predictions have no score. A score with nothing to divide by
    is 0.

    ``errors`` quotes the documents, so JSON and Markdown leave it out unless asked; HTML, made to be read by
    someone who may see the text, holds it unless told not to. Document ids stand only in ``errors``.
    """

    model: str
    corpus: str
    notes: tuple[str, ...]
    settings: Settings
    counted: Counted
    micro: Score
    macro: MacroScore
    intervals: StrictIntervals
    labels: tuple[LabelScore, ...]
    exact: MatchScore
    partial: MatchScore
    type_only: MatchScore
    token_micro: Score
    by_length: tuple[Bucket, ...]
    by_seen: tuple[Bucket, ...] | None
    label_errors: tuple[LabelErrors, ...]
    confusions: tuple[Confusion, ...]
    calibration: Calibration | None
    errors: tuple[ErrorGroup, ...] = ()
    error_groups: int = 0
    format: int = REPORT_FORMAT

    def named(self, *, model: str = "", corpus: str = "", notes: tuple[str, ...] = ()) -> Report:
        """A copy that says what was scored on what; notes are added to those it has."""
        return msgspec.structs.replace(
            self,
            model=model or self.model,
            corpus=corpus or self.corpus,
            notes=(*self.notes, *notes),
        )

    def without_text(self) -> Report:
        """A copy without what quotes the documents."""
        return msgspec.structs.replace(self, errors=())

    def to_json(self, *, include_text: bool = False) -> str:
        """The report as JSON; the same report gives the same bytes.

        Args:
            include_text: also write ``errors``, which quote the documents.
        """
        report = self if include_text else self.without_text()
        return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read what ``to_json`` wrote, to show it again.

        Raises:
            DataError: if it is no report, or one of another format.
        """
        try:
            report = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # msgspec's message may quote the text; `from None` keeps it out of tracebacks
            raise DataError("this is no medspan report; write one with Report.to_json()") from None
        if report.format != REPORT_FORMAT:
            raise DataError(
                f"report has format {report.format}, this medspan reads {REPORT_FORMAT}; evaluate again"
            )
        return report

    def to_markdown(self, *, include_text: bool = False) -> str:
        """The report as Markdown tables.

        Args:
            include_text: also list the surfaces of the most frequent errors, which come from the documents.
        """
        from medspan.report.markdown import render_markdown  # noqa: PLC0415 - it imports this module

        return render_markdown(self if include_text else self.without_text())

    def to_html(self, *, include_text: bool = True) -> str:
        """The report as one HTML page without scripts or outside files, with plots and errors in context.

        Args:
            include_text: show missed and invented spans in their context, which quotes the documents.
        """
        from medspan.report.html import render_html  # noqa: PLC0415 - it imports this module

        return render_html(self if include_text else self.without_text())

    def table(self) -> str:
        """The scores in a few lines, for a terminal."""
        from medspan.report.markdown import render_table  # noqa: PLC0415 - it imports this module

        return render_table(self)
