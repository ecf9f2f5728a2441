"""Sorts the pairs of gold and predicted mentions into kinds of error, counts them, and quotes examples."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from medspan.report.structs import Confusion, ErrorGroup, Example, LabelErrors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.metrics import Mention, Pair
    from medspan.types import Document

GROUPS_PER_KIND = 200
EXAMPLES_PER_GROUP = 3
CONTEXT = 60  # characters on either side
WORD_SEARCH = 20  # and up to so many more, not to cut a word
LONGEST_CONTEXT = 600
LONGEST_SURFACE = 120
_SURROGATE = re.compile("[\ud800-\udfff]")


class ErrorKey(NamedTuple):
    """What makes two errors the same in the listing; surfaces are compared without case and line breaks."""

    kind: str
    gold: str
    predicted: str
    surface: str
    guess: str


class ErrorTally:
    """Counts what becomes of mentions, document after document; the three results are read at the end."""

    def __init__(self) -> None:
        self._fates: Counter[tuple[str, str]] = Counter()  # (label, fate)
        self._confusions: Counter[tuple[str, str, bool]] = Counter()
        self._counts: Counter[ErrorKey] = Counter()
        self._shown: dict[ErrorKey, tuple[str, str]] = {}
        self._examples: dict[ErrorKey, list[Example]] = {}

    def add(self, document: Document, pairs: Sequence[Pair]) -> None:
        """Count the pairs of one document."""
        for pair in pairs:
            gold, predicted = pair.gold, pair.predicted
            fate = fate_of(gold, predicted)
            label = gold.label if gold is not None else predicted.label if predicted is not None else ""
            self._fates[label, fate] += 1
            if gold is not None and predicted is not None and gold.label != predicted.label:
                self._confusions[gold.label, predicted.label, gold.spans == predicted.spans] += 1
            if fate != "correct":
                self._list(document, fate, gold, predicted)

    def _list(self, document: Document, fate: str, gold: Mention | None, predicted: Mention | None) -> None:
        surface = _surface(document, gold) if gold is not None else _surface(document, predicted)
        is_elsewhere = gold is not None and predicted is not None and gold.spans != predicted.spans
        guess = _surface(document, predicted) if is_elsewhere else ""
        key = ErrorKey(
            kind=_KIND_OF_FATE[fate],
            gold=gold.label if gold is not None else "",
            predicted=predicted.label if predicted is not None else "",
            surface=surface.casefold(),
            guess=guess.casefold(),
        )
        self._counts[key] += 1
        self._shown.setdefault(key, (surface, guess))
        examples = self._examples.setdefault(key, [])
        if len(examples) < EXAMPLES_PER_GROUP:
            examples.append(_example(document, gold, predicted))

    def label_errors(self, labels: Sequence[str]) -> tuple[LabelErrors, ...]:
        """What became of the mentions of each label."""
        return tuple(
            LabelErrors(label, **{fate: self._fates[label, fate] for fate in _KIND_OF_FATE})
            for label in labels
        )

    def confusions(self) -> tuple[Confusion, ...]:
        """Labels taken for others, most frequent first."""
        pairs = sorted({(gold, predicted) for gold, predicted, _ in self._confusions})
        found = [
            Confusion(
                gold,
                predicted,
                self._confusions[gold, predicted, True],
                self._confusions[gold, predicted, False],
            )
            for gold, predicted in pairs
        ]
        return tuple(sorted(found, key=lambda confusion: -confusion.count))

    @property
    def group_count(self) -> int:
        """How many groups of errors there are, listed or not."""
        return len(self._counts)

    def groups(self) -> tuple[ErrorGroup, ...]:
        """The most frequent errors of each kind, at most ``GROUPS_PER_KIND`` of each."""
        listed: Counter[str] = Counter()
        chosen: list[ErrorGroup] = []
        for key, count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])):
            listed[key.kind] += 1
            if listed[key.kind] <= GROUPS_PER_KIND:
                surface, guess = self._shown[key]
                examples = tuple(self._examples[key])
                chosen.append(ErrorGroup(key.kind, key.gold, key.predicted, surface, guess, count, examples))
        return tuple(chosen)


_KIND_OF_FATE = {
    "correct": "correct",
    "other_label": "label",
    "left": "border",
    "right": "border",
    "both": "border",
    "inner": "border",
    "label_and_border": "label_and_border",
    "missed": "missed",
    "invented": "invented",
}


def fate_of(gold: Mention | None, predicted: Mention | None) -> str:
    """What became of a gold mention and its partner: a field of ``LabelErrors``."""
    if gold is None:
        return "invented"
    if predicted is None:
        return "missed"
    if gold.label != predicted.label:
        return "other_label" if gold.spans == predicted.spans else "label_and_border"
    if gold.spans == predicted.spans:
        return "correct"
    left, right = gold.start != predicted.start, gold.end != predicted.end
    return {(True, True): "both", (True, False): "left", (False, True): "right"}.get((left, right), "inner")


def _surface(document: Document, mention: Mention | None) -> str:
    """The text of a mention on one line, parts joined by an ellipsis, cut where it is overlong."""
    if mention is None:
        return ""
    parts = (" ".join(document.text_of(span).split()) for span in mention.spans)
    surface = _encodable(" … ".join(parts))
    return surface if len(surface) <= LONGEST_SURFACE else surface[: LONGEST_SURFACE - 1] + "…"


def _example(document: Document, gold: Mention | None, predicted: Mention | None) -> Example:
    there = [mention for mention in (gold, predicted) if mention is not None]
    first = _word_start(document.text, min(mention.start for mention in there) - CONTEXT)
    stop = _word_stop(document.text, max(mention.end for mention in there) + CONTEXT)
    stop = min(stop, first + LONGEST_CONTEXT)
    return Example(
        document=_encodable(document.id),
        offset=first,
        context=_encodable(document.text[first:stop]),
        gold=_ranges(gold, first, stop),
        predicted=_ranges(predicted, first, stop),
    )


def _encodable(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which no encoding can write; offsets stay."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _ranges(mention: Mention | None, first: int, stop: int) -> tuple[tuple[int, int], ...]:
    """The parts of a mention inside ``[first, stop)``, counted from ``first``."""
    spans = mention.spans if mention is not None else ()
    return tuple((span.start - first, min(span.end, stop) - first) for span in spans if span.start < stop)


def _word_start(text: str, position: int) -> int:
    """The nearest start of a word at or before ``position``, looked for ``WORD_SEARCH`` characters back."""
    for before in range(position, max(0, position - WORD_SEARCH), -1):
        if text[before - 1].isspace():
            return before
    return position if position > WORD_SEARCH else 0


def _word_stop(text: str, position: int) -> int:
    for after in range(position, min(len(text), position + WORD_SEARCH)):
        if text[after].isspace():
            return after
    return min(len(text), position)
