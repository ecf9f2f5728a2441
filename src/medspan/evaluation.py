"""Compares predicted documents with gold ones and reports what agrees.

Gold and predicted documents are the same texts under the same ids. A mention is right under the strict score
when label and spans (all parts of a discontinuous one) are the same; a mention that stands twice in a
document counts once, on either side.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import DataError
from medspan.metrics import (
    MatchScore,
    Mention,
    Score,
    bootstrap,
    calibrate,
    covered,
    exact_score,
    macro,
    pair_mentions,
    partial_score,
    tag_counts,
    type_score,
    word_tags,
)
from medspan.report import Bucket, Counted, LabelScore, Report, Settings
from medspan.report.errors import ErrorTally
from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from medspan.metrics import Calibration
    from medspan.types import Document

DEFAULT_SEED = 20
DEFAULT_RESAMPLES = 1000
LENGTHS = ("1", "2", "3", "4", "5+")
FEW_DOCUMENTS = 20
_IDS_NAMED = 5


class _Side(NamedTuple):
    """The mentions of one side of a document with their scores, and what was left out."""

    mentions: dict[Mention, float | None]
    duplicates: int
    ignored: Counter[str]


class _Compared(NamedTuple):
    """A document, its words, and its two sides."""

    document: Document
    words: list[tuple[int, int]]
    gold: _Side
    predicted: _Side


def evaluate(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    labels: Collection[str] | None = None,
    label_map: Mapping[str, str] | None = None,
    seed: int = DEFAULT_SEED,
    resamples: int = DEFAULT_RESAMPLES,
    seen: Collection[str] | None = None,
) -> Report:
    """Score predicted documents against gold ones.

    Args:
        gold: documents with gold entities.
        predicted: the same texts under the same ids, in any order, with predicted entities.
        labels: score only these, named as after ``label_map``; every label of either side where None.
        label_map: renames labels on both sides first, e.g. ``{"SpecificDisease": "Disease"}``.
        seed: of the bootstrap draw.
        resamples: bootstrap draws of documents (sentences, where documents are sentences); 0 gives no
            intervals.
        seen: surfaces of the mentions of the training data, for the scores of seen and unseen mentions;
            ``mention_surfaces`` lists those of documents.

    Raises:
        DataError: if ids or texts of the two sides differ, an id stands twice, or a score is no probability.
    """
    wanted = None if labels is None else tuple(dict.fromkeys(labels))
    renamed = dict(sorted((label_map or {}).items()))
    compared = [
        _Compared(
            right, tokenize(right.text), *(_side(document, wanted, renamed) for document in (right, guess))
        )
        for right, guess in _pair_documents(gold, predicted)
    ]
    named = wanted if wanted is not None else _labels_of(compared)
    counts = [_label_counts(item, named) for item in compared]
    scores = [
        Score.of(*(sum(row[label][i] for row in counts) for i in range(3))) for label in range(len(named))
    ]
    intervals = bootstrap(counts, seed=seed, resamples=resamples)
    tally = ErrorTally()
    for item in compared:
        tally.add(item.document, pair_mentions(item.gold.mentions, item.predicted.mentions))
    counted = _counted(compared)
    return Report(
        model="",
        corpus="",
        notes=_notes(counted, has_intervals=intervals.f1 is not None),
        settings=Settings(wanted, renamed, seed, resamples),
        counted=counted,
        micro=_total(scores),
        macro=macro(scores),
        intervals=intervals,
        labels=tuple(map(LabelScore, named, scores, intervals.label_f1)),
        exact=_match_total(compared, exact_score),
        partial=_match_total(compared, partial_score),
        type_only=_match_total(compared, type_score),
        token_micro=_total(_token_score(item) for item in compared),
        by_length=_buckets(compared, LENGTHS, _length_name),
        by_seen=None if seen is None else _by_seen(compared, seen),
        label_errors=tally.label_errors(named),
        confusions=tally.confusions(),
        calibration=_calibration(compared),
        errors=tally.groups(),
        error_groups=tally.group_count,
    )


def mention_surfaces(documents: Iterable[Document]) -> set[str]:
    """The surfaces of all mentions of some documents, as ``evaluate`` wants them for ``seen``."""
    return {mention_key(document.text_of(entity)) for document in documents for entity in document.entities}


def mention_key(surface: str) -> str:
    """What two mentions share that count as the same surface: letters without case, blanks as one."""
    return " ".join(surface.casefold().split())


def _pair_documents(
    gold: Sequence[Document], predicted: Sequence[Document]
) -> list[tuple[Document, Document]]:
    """Gold documents in their order, each with the predicted one of the same id.

    Raises:
        DataError: if ids or texts differ, or an id stands twice; the message names ids only.
    """
    by_id = {document.id: document for document in predicted}
    for side, documents in (("gold", gold), ("predicted", predicted)):
        twice = [name for name, count in Counter(document.id for document in documents).items() if count > 1]
        _refuse(twice, f"the {side} documents have an id more than once", "give every document its own id")
    gold_ids = {document.id for document in gold}
    advice = "compare the same documents under the same ids"
    _refuse([name for name in gold_ids if name not in by_id], "gold documents have no prediction", advice)
    _refuse([name for name in by_id if name not in gold_ids], "predicted documents have no gold", advice)
    pairs = [(document, by_id[document.id]) for document in gold]
    changed = [right.id for right, guess in pairs if right.text != guess.text]
    _refuse(
        changed, "gold and predicted texts differ", "predict on the text of the gold documents, unchanged"
    )
    return pairs


def _refuse(ids: Sequence[str], problem: str, remedy: str) -> None:
    if ids:
        named = ", ".join(repr(name) for name in sorted(ids)[:_IDS_NAMED])
        more = f" and {len(ids) - _IDS_NAMED} more" if len(ids) > _IDS_NAMED else ""
        raise DataError(f"{problem}: {named}{more}; {remedy}")


def _side(document: Document, wanted: Collection[str] | None, renamed: Mapping[str, str]) -> _Side:
    """The mentions to score; of several with the same label and spans the highest score stays."""
    mentions: dict[Mention, float | None] = {}
    ignored: Counter[str] = Counter()
    duplicates = 0
    for entity in document.entities:
        mention = Mention(entity.spans, renamed.get(entity.label, entity.label))
        if wanted is not None and mention.label not in wanted:
            ignored[mention.label] += 1
            continue
        before = mentions.get(mention)
        duplicates += mention in mentions
        if before is None or (entity.score is not None and entity.score > before):
            mentions[mention] = entity.score
    return _Side(mentions, duplicates, ignored)


def _labels_of(compared: Iterable[_Compared]) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                mention.label
                for item in compared
                for mention in (*item.gold.mentions, *item.predicted.mentions)
            }
        )
    )


def _hits(item: _Compared) -> set[Mention]:
    return item.gold.mentions.keys() & item.predicted.mentions.keys()


def _label_counts(item: _Compared, labels: Sequence[str]) -> list[tuple[int, int, int]]:
    """True positives, false positives and false negatives of each label in one document."""
    hits = Counter(mention.label for mention in _hits(item))
    guesses = Counter(mention.label for mention in item.predicted.mentions)
    golds = Counter(mention.label for mention in item.gold.mentions)
    return [(hits[label], guesses[label] - hits[label], golds[label] - hits[label]) for label in labels]


def _total(scores: Iterable[Score]) -> Score:
    return sum(scores, Score.of(0, 0, 0))


def _match_total(
    compared: Iterable[_Compared], score: Callable[[Collection[Mention], Collection[Mention]], MatchScore]
) -> MatchScore:
    scores = (score(item.gold.mentions, item.predicted.mentions) for item in compared)
    return sum(scores, MatchScore.of(0, 0, 0))


def _token_score(item: _Compared) -> Score:
    return tag_counts(
        word_tags(item.gold.mentions, item.words), word_tags(item.predicted.mentions, item.words)
    )


def _buckets(
    compared: Iterable[_Compared], names: Sequence[str], name_of: Callable[[_Compared, Mention], str]
) -> tuple[Bucket, ...]:
    """Strict scores by a property of the mention itself, so a hit is in the same bucket on both sides."""
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for item in compared:
        hits = _hits(item)
        tp.update(name_of(item, mention) for mention in hits)
        fp.update(name_of(item, mention) for mention in item.predicted.mentions if mention not in hits)
        fn.update(name_of(item, mention) for mention in item.gold.mentions if mention not in hits)
    return tuple(Bucket(name, Score.of(tp[name], fp[name], fn[name])) for name in names)


def _length_name(item: _Compared, mention: Mention) -> str:
    words = len(covered(mention.spans, item.words))
    return LENGTHS[min(max(words, 1), len(LENGTHS)) - 1]


def _by_seen(compared: Iterable[_Compared], seen: Collection[str]) -> tuple[Bucket, ...]:
    known = {mention_key(surface) for surface in seen}

    def name_of(item: _Compared, mention: Mention) -> str:
        surface = " ".join(item.document.text_of(span) for span in mention.spans)
        return "seen" if mention_key(surface) in known else "unseen"

    return _buckets(compared, ("seen", "unseen"), name_of)


def _calibration(compared: Iterable[_Compared]) -> Calibration | None:
    guesses = [
        (score, mention in item.gold.mentions)
        for item in compared
        for mention, score in item.predicted.mentions.items()
    ]
    return calibrate([score for score, _ in guesses], [is_right for _, is_right in guesses])


def _counted(compared: Sequence[_Compared]) -> Counted:
    ignored_gold: Counter[str] = sum((item.gold.ignored for item in compared), Counter())
    ignored_predicted: Counter[str] = sum((item.predicted.ignored for item in compared), Counter())
    return Counted(
        documents=len(compared),
        words=sum(len(item.words) for item in compared),
        gold=sum(len(item.gold.mentions) for item in compared),
        predicted=sum(len(item.predicted.mentions) for item in compared),
        duplicates_gold=sum(item.gold.duplicates for item in compared),
        duplicates_predicted=sum(item.predicted.duplicates for item in compared),
        ignored_gold=dict(sorted(ignored_gold.items())),
        ignored_predicted=dict(sorted(ignored_predicted.items())),
    )


def _notes(counted: Counted, *, has_intervals: bool) -> tuple[str, ...]:
    """What a reader of the scores must know."""
    notes = []
    if not counted.gold:
        notes.append("There is no gold mention, so recall and F1 are 0 by definition.")
    if not counted.predicted:
        notes.append("There is no predicted mention, so precision and F1 are 0 by definition.")
    if has_intervals and counted.documents < FEW_DOCUMENTS:
        notes.append(f"Intervals drawn from only {counted.documents} documents say little.")
    for side, count in (("gold", counted.duplicates_gold), ("predicted", counted.duplicates_predicted)):
        if count:
            notes.append(
                f"{count} {side} mentions repeat another of the same label and spans and count once."
            )
    for side, ignored in (("Gold", counted.ignored_gold), ("Predicted", counted.ignored_predicted)):
        if ignored:
            listed = ", ".join(f"{label} ({count})" for label, count in ignored.items())
            notes.append(f"{side} mentions of other labels are left out: {listed}.")
    return tuple(notes)
