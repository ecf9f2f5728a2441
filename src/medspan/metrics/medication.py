"""The scores of the i2b2 2009 medication challenge, over documents.

Uzuner, Solti and Cadag 2010 (Extracting medication information from clinical text, JAMIA 17:514-518) score
entries two by two by two ways; all are precision, recall and F1 (beta 1):

============ ========================================================================================
exact        phrase by phrase: a mention is right where it has the very tokens of the gold one
inexact      token by token: of a mention, the tokens that the gold one has too are right
vertical     one field by itself (medication, dosage, mode, frequency, duration, reason), whatever
             medication it was given to
horizontal   all fields of an entry, held against those of the same entry: a mention that was given to
             another medication is wrong
system level counts of all records added up (micro)
patient      a score for each record, and their plain mean (macro); F1 is the mean of the records' F1
============ ========================================================================================

The main figure of the challenge is exact, horizontal, at system level. Its program is not public. What the
paper leaves open is settled so, by what published outputs of that program show where they show it:

- A horizontal score has the phrases (tokens) of all six fields as its counts, not whole entries: published
  ones lie near 0.85 where durations and reasons are below 0.5. ``nm`` is no phrase, and ``ln`` is scored
  apart (`MedicationReport.passages`).
- Inexact counts tokens: published inexact scores are often below the exact ones, which no overlap count is.
- The mean of a field at patient level goes over the records whose gold has that field (the mean of the
  horizontal score over those with any gold entry, or a predicted one); a record without a prediction has
  precision 0.
- Our reading, which no output shows: a mention that several entries share counts once for each; entries are
  paired one to one, where their medications share a token, those first that agree in most phrases, then in
  most tokens.

Offsets are those of the challenge, whole tokens between blanks, so ``daily`` and ``daily.`` are the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import DataError
from medspan.formats.i2b2_entries import (
    DEFAULT_PASSAGE,
    FIELDS,
    MEDICATION,
    Entry,
    Pieces,
    TokenGrid,
    entries_of,
)
from medspan.metrics.counts import Score, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.types import Document

HORIZONTAL = "horizontal"
ROWS = (HORIZONTAL, *FIELDS.values())
"""Rows of a report: all fields within their entries, then each field by itself."""


class PatientScore(msgspec.Struct, frozen=True):
    """Plain means over ``records`` records."""

    precision: float
    recall: float
    f1: float
    records: int


class LevelScores(msgspec.Struct, frozen=True):
    """A row of the report by exact or inexact match, at both levels; counts are phrases or tokens."""

    system: Score
    patient: PatientScore


class MedicationReport(msgspec.Struct, frozen=True):
    """Scores by row (`ROWS`).

    ``passages`` counts, of paired entries, those whose list or narrative is right, and all of them.
    """

    exact: dict[str, LevelScores]
    inexact: dict[str, LevelScores]
    records: int
    gold_entries: int
    predicted_entries: int
    passages: tuple[int, int]


class RecordCounts(msgspec.Struct, frozen=True):
    """Counts of one record by row: hits, false positives and false negatives."""

    exact: dict[str, tuple[int, int, int]]
    inexact: dict[str, tuple[int, int, int]]
    entries: tuple[int, int]
    passages: tuple[int, int]


class _Phrases(msgspec.Struct, frozen=True):
    """An entry as tokens, by label of its fields."""

    tokens: dict[str, frozenset[int]]
    passage: str


def score_medications(gold: Sequence[Document], predicted: Sequence[Document]) -> MedicationReport:
    """Score medication entries as the i2b2 2009 challenge did (definitions above).

    Args:
        gold: documents with entries, as the format ``i2b2-2009`` reads them.
        predicted: the same documents (by id) with predicted entries; one that is absent has none.

    Raises:
        DataError: if ids stand twice, or texts differ, or a predicted document is in no gold.
    """
    records = record_counts(gold, predicted)
    return MedicationReport(
        exact=_levels([record.exact for record in records]),
        inexact=_levels([record.inexact for record in records]),
        records=len(records),
        gold_entries=sum(record.entries[0] for record in records),
        predicted_entries=sum(record.entries[1] for record in records),
        passages=(
            sum(record.passages[0] for record in records),
            sum(record.passages[1] for record in records),
        ),
    )


def record_counts(gold: Sequence[Document], predicted: Sequence[Document]) -> list[RecordCounts]:
    """The counts of each gold document, in order: what scores and bootstrap intervals are made of.

    Raises:
        DataError: as `score_medications`.
    """
    found = {document.id: document for document in predicted}
    known = {document.id: document for document in gold}
    if len(found) != len(predicted) or len(known) != len(gold):
        raise DataError("a document id stands twice; give each record its own")
    strange = sorted(found.keys() - known.keys())
    if strange:
        raise DataError(f"predicted document {strange[0]!r} is not in the gold; score the same records")
    counts = []
    for document in gold:
        guess = found.get(document.id, document.replace(entities=(), relations=()))
        if guess.text != document.text:
            raise DataError(
                f"document {document.id!r}: gold and predicted texts differ; score the same texts"
            )
        grid = TokenGrid(document.text)
        counts.append(_count(_phrases(entries_of(document), grid), _phrases(entries_of(guess), grid)))
    return counts


def _phrases(entries: Iterable[Entry], grid: TokenGrid) -> list[_Phrases]:
    found = []
    for entry in entries:
        tokens = {label: _tokens(grid.pieces(entity.spans)) for label, entity in entry.fields.items()}
        if tokens[MEDICATION]:
            named = {label: places for label, places in tokens.items() if places}
            found.append(_Phrases(named, entry.passage or DEFAULT_PASSAGE))
    return found


def _tokens(pieces: Pieces) -> frozenset[int]:
    return frozenset(token for first, last in pieces for token in range(first, last + 1))


def _count(gold: Sequence[_Phrases], predicted: Sequence[_Phrases]) -> RecordCounts:
    pairs = [(gold[i], predicted[j]) for i, j in pair_entries(gold, predicted)]
    exact, inexact = {}, {}
    for label in FIELDS.values():
        sides = [[e.tokens[label] for e in entries if label in e.tokens] for entries in (gold, predicted)]
        exact[label] = _compared(Counter(sides[0]), Counter(sides[1]))
        inexact[label] = _compared(*(Counter(t for phrase in side for t in phrase) for side in sides))
    shared = [
        (a.tokens[label], b.tokens[label]) for a, b in pairs for label in a.tokens.keys() & b.tokens.keys()
    ]
    exact = {HORIZONTAL: _within(exact, sum(a == b for a, b in shared)), **exact}
    inexact = {HORIZONTAL: _within(inexact, sum(len(a & b) for a, b in shared)), **inexact}
    right = sum(a.passage == b.passage for a, b in pairs)
    return RecordCounts(exact, inexact, (len(gold), len(predicted)), (right, len(pairs)))


def _compared(gold: Counter[Any], predicted: Counter[Any]) -> tuple[int, int, int]:
    hits = (gold & predicted).total()
    return hits, predicted.total() - hits, gold.total() - hits


def _within(fields: dict[str, tuple[int, int, int]], hits: int) -> tuple[int, int, int]:
    """The counts of whole entries: all that the fields have, of which so many are right."""
    returned = sum(tp + fp for tp, fp, _ in fields.values())
    wanted = sum(tp + fn for tp, _, fn in fields.values())
    return hits, returned - hits, wanted - hits


def pair_entries(gold: Sequence[_Phrases], predicted: Sequence[_Phrases]) -> list[tuple[int, int]]:
    """Positions of entries that are held against each other, one to one, by order of gold."""
    candidates = []
    for i, right in enumerate(gold):
        for j, guess in enumerate(predicted):
            if right.tokens[MEDICATION].isdisjoint(guess.tokens[MEDICATION]):
                continue
            common = [(right.tokens[k], guess.tokens[k]) for k in right.tokens.keys() & guess.tokens.keys()]
            phrases = sum(a == b for a, b in common)
            candidates.append((-phrases, -sum(len(a & b) for a, b in common), i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, i, j in sorted(candidates):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return sorted(pairs.items())


def _levels(records: Sequence[dict[str, tuple[int, int, int]]]) -> dict[str, LevelScores]:
    levels = {}
    for row in ROWS:
        scores = [Score.of(*record[row]) for record in records]
        total = Score.of(*(sum(record[row][column] for record in records) for column in range(3)))
        counted = [s for s in scores if s.support or (row == HORIZONTAL and s.predicted)]
        levels[row] = LevelScores(total, _mean(counted))
    return levels


def _mean(scores: Sequence[Score]) -> PatientScore:
    size = len(scores)
    precision, recall, f1 = (
        ratio(sum(getattr(score, name) for score in scores), size) for name in ("precision", "recall", "f1")
    )
    return PatientScore(precision, recall, f1, size)
