"""Documents with entities → views: what a relation model sees of a sentence. One rule for training and use.

A view is the words of a unit (`medspan.features.cut`) and the mentions in it. Mentions of some labels can be
blinded: their first word becomes the name of their label and the others go, so that a model learns from what
is said of a drug and not from its name (as is usual on DDI 2013, Segura-Bedmar et al. 2013).

A view can be marked: then it has one pair, and `MARKS` stand around its mentions as words of their own, so
that the encoder reads the sentence for this pair (entity markers: Baldini Soares et al. 2019). The encoder
then runs once a pair and not once a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from medspan.errors import ConfigError
from medspan.features.cut import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.features.cut import Unit
    from medspan.types import Document


MARKS = ("@", "#")
"""What stands before and behind the head, and the tail, of a marked pair."""


LIST_WORDS = frozenset(",;:/.()[]-") | frozenset(
    "and or other such as including like containing e.g i.e e g i".split()  # noqa: SIM905 - words are read best so
)
"""What stands between the items of a list, whose drugs hardly ever interact (Kim et al. 2015); chosen on the
training split of DDI 2013."""
_NO_LISTS = (["and"], ["-"])
"""What joins two as often as it lists them."""


class ViewSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a relation model sees of entities, and which of them it pairs.

    Raises:
        ConfigError: if no pair of labels is given, or one is not two labels.
    """

    pairs: tuple[tuple[str, str], ...]
    """Labels of head and tail of the pairs that may be related; of a mention by itself its label twice."""
    shown: dict[str, str] = {}
    """What a label is seen as, where not as itself: labels can be hidden behind a common one."""
    symmetric: bool = False
    """Whether the ends of a relation have no order; then the first mention of a pair is its head."""
    blind: bool = False
    """Whether the words of mentions are replaced by what their label is seen as."""
    marked: bool = False
    """Whether each pair is a view of its own, marks standing around its mentions."""
    same_text: bool = True
    """Whether two mentions of equal text may be related."""
    lists: bool = True
    """Whether two mentions of one list may be related: between them are only mentions and `LIST_WORDS`."""
    alone: bool = False
    """Whether each mention is read by itself, the head and the tail of its pair: what is told of it is a
    relation with itself, such as absent."""
    context: Annotated[int, Meta(ge=1)] = 12
    """Words a pair sees before its first and behind its second mention."""
    reach: Annotated[int, Meta(ge=1)] = 20
    """Distances to a mention above this many words count as this many."""

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ConfigError("relations.pairs: give at least one pair of entity labels")
        if self.alone and (self.marked or self.symmetric or not self.lists):
            raise ConfigError("relations.alone: a mention by itself is not marked, symmetric or of a list")

    @property
    def mention_labels(self) -> tuple[str, ...]:
        """What mentions are seen as, each once, in order."""
        ends = (label for pair in self.pairs for label in pair)
        return tuple(dict.fromkeys(self.shown.get(label, label) for label in ends))


class Mention(NamedTuple):
    """An entity in a view: its words, the number of what it is seen as, and its place in the document."""

    words: tuple[int, ...]
    label: int
    entity: int


class Pair(NamedTuple):
    """Two mentions of a view that may be related."""

    head: int
    tail: int


class View(NamedTuple):
    """The words of a unit of a document, the mentions in it, and which of them may be related."""

    document: int
    forms: list[str]
    mentions: list[Mention]
    pairs: list[Pair]


def read_views(documents: Sequence[Document], spec: ViewSpec, *, size: int, overlap: int) -> Iterator[View]:
    """Views that hold at least one pair; of a pair that stands in two windows, the first counts.

    Args:
        documents: with their entities.
        spec: what is seen and paired.
        size: longest unit in words.
        overlap: words two windows of a long sentence share.
    """
    labels = {label: number for number, label in enumerate(spec.mention_labels)}
    for index, document in enumerate(documents):
        if not document.entities:
            continue
        seen: set[tuple[int, int]] = set()
        for unit in cut(document, index=index, size=size, overlap=overlap):
            mentions = _mentions(document, unit, spec, labels)
            pairs = [p for p in _pairs(document, mentions, spec) if _ends(p, mentions) not in seen]
            view = View(index, unit.forms(document.text), mentions, pairs)
            if not spec.lists:
                view = _without_lists(view)
            if view.pairs:
                seen.update(_ends(pair, mentions) for pair in view.pairs)
                view = _blinded(view, spec) if spec.blind else view
                yield from (_marked(view, pair, spec) for pair in view.pairs) if spec.marked else (view,)


def _ends(pair: Pair, mentions: Sequence[Mention]) -> tuple[int, int]:
    return mentions[pair.head].entity, mentions[pair.tail].entity


def _mentions(document: Document, unit: Unit, spec: ViewSpec, labels: dict[str, int]) -> list[Mention]:
    """Entities of labels that take part in pairs and lie inside the unit, in text order."""
    known = {label for pair in spec.pairs for label in pair}
    first, last = unit.words[0][0], unit.words[-1][1]
    found = []
    for place, entity in enumerate(document.entities):
        if entity.label not in known or entity.start >= last or entity.end <= first:
            continue
        words = tuple(
            i
            for i, (start, end) in enumerate(unit.words)
            if any(start < span.end and span.start < end for span in entity.spans)
        )
        if words and first <= entity.start and entity.end <= last:
            found.append(Mention(words, labels[spec.shown.get(entity.label, entity.label)], place))
    return sorted(found, key=lambda m: (m.words[0], m.words[-1], m.label, m.entity))


def _pairs(document: Document, mentions: Sequence[Mention], spec: ViewSpec) -> Iterator[Pair]:
    allowed = set(spec.pairs)
    if spec.alone:
        labels = [document.entities[mention.entity].label for mention in mentions]
        yield from (Pair(i, i) for i, label in enumerate(labels) if (label, label) in allowed)
        return
    entities = [document.entities[mention.entity] for mention in mentions]
    texts = [document.text_of(entity).lower() for entity in entities] if not spec.same_text else []
    for i, head in enumerate(entities):
        for j, tail in enumerate(entities):
            if i == j or (spec.symmetric and j < i):
                continue
            ends = (head.label, tail.label)
            if ends not in allowed and not (spec.symmetric and ends[::-1] in allowed):
                continue
            if not texts or texts[i] != texts[j]:
                yield Pair(i, j)


def _without_lists(view: View) -> View:
    """The view without pairs of mentions of one list."""
    inside = {word for mention in view.mentions for word in mention.words}

    def is_list(pair: Pair) -> bool:
        head, tail = sorted((view.mentions[pair.head].words, view.mentions[pair.tail].words))
        between = [view.forms[i].lower() for i in range(head[-1] + 1, tail[0]) if i not in inside]
        return between not in _NO_LISTS and LIST_WORDS.issuperset(between)

    return view._replace(pairs=[pair for pair in view.pairs if not is_list(pair)])


def _blinded(view: View, spec: ViewSpec) -> View:
    """The view with the first word of each mention replaced and its other words gone."""
    index, forms, mentions, pairs = view
    names = spec.mention_labels
    replaced: dict[int, str] = {}
    inside: set[int] = set()
    for mention in mentions:
        replaced.setdefault(mention.words[0], names[mention.label])
        inside.update(mention.words)
    kept = [i for i in range(len(forms)) if i in replaced or i not in inside]
    place = {old: new for new, old in enumerate(kept)}
    moved = [
        mention._replace(words=tuple(place[word] for word in mention.words if word in place))
        for mention in mentions
    ]
    return View(index, [replaced.get(i, forms[i]) for i in kept], moved, pairs)


def _marked(view: View, pair: Pair, spec: ViewSpec) -> View:
    """The view of one pair: the words it sees, and the marks around its mentions, which count as of them."""
    ends = (pair.head, pair.tail)
    low = min(view.mentions[end].words[0] for end in ends)
    high = max(view.mentions[end].words[-1] for end in ends)
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for end in ends:
        words = view.mentions[end].words
        before[words[0]].append(end)
        behind[words[-1]].insert(0, end)  # what was opened last is closed first
    mark = dict(zip(ends, MARKS, strict=True))
    forms: list[str] = []
    place: dict[int, int] = {}
    marks: dict[int, list[int]] = {end: [] for end in ends}
    for number in range(max(0, low - spec.context), min(len(view.forms), high + 1 + spec.context)):
        for end in before[number]:
            marks[end].append(len(forms))
            forms.append(mark[end])
        place[number] = len(forms)
        forms.append(view.forms[number])
        for end in behind[number]:
            marks[end].append(len(forms))
            forms.append(mark[end])
    mentions = [
        mention._replace(
            words=tuple(sorted([*(place[w] for w in mention.words if w in place), *marks.get(i, ())]))
        )
        for i, mention in enumerate(view.mentions)
    ]
    return View(view.document, forms, mentions, [pair])


def by_head(pairs: Sequence[Pair]) -> dict[int, list[int]]:
    """The tails of each head that has some, in order."""
    tails: dict[int, list[int]] = defaultdict(list)
    for head, tail in pairs:
        tails[head].append(tail)
    return dict(tails)
