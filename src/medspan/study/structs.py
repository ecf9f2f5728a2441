"""What a study of corpora found, as data."""

from __future__ import annotations

import msgspec

from medspan.metrics import Interval, Score

STUDY_FORMAT = 1


class Limits(msgspec.Struct, frozen=True):
    """When two corpora clash over a string."""

    at_least: int = 3
    """Mentions of the string in the corpus that labels it."""
    occurs: int = 3
    """Places of the string in the other corpus."""
    high: float = 0.8
    """Share of places labelled in the one, at least."""
    low: float = 0.2
    """Share of places labelled in the other, at most."""


class CorpusFacts(msgspec.Struct, frozen=True):
    """A corpus in the part of one entity type; ``strings`` counts distinct mentions."""

    name: str
    source: str
    labels: tuple[str, ...]
    is_public: bool
    documents: int
    words: int
    mentions: int
    strings: int
    words_per_mention: float
    one_word_share: float
    mentions_per_1000_words: float
    top: tuple[tuple[str, int], ...]
    """The most frequent mentions; empty where text is left out."""


class Clash(msgspec.Struct, frozen=True):
    """A string that ``first`` labels and ``second`` does not, or otherwise.

    ``mentions`` and ``share`` are of the first corpus: how often it is a mention there, of all its places.
    ``places``, ``exact`` and ``clashing`` are of the second: where it stands, where it is a mention with
    these borders, where it is what the cause says. ``string`` is empty where text is left out.
    """

    string: str
    cause: str
    mentions: int
    share: float
    places: int
    exact: int
    clashing: int


class Cause(msgspec.Struct, frozen=True):
    """Clashes of a pair with the same cause; ``mentions`` in the first corpus, ``places`` in the second."""

    name: str
    strings: int
    mentions: int
    places: int
    examples: tuple[str, ...]


class Borders(msgspec.Struct, frozen=True):
    """Strings the first corpus labels as they stand: what the second makes of those it labels.

    ``added`` are the words the second has and the first leaves out, most frequent first, with ``…`` for the
    string; empty where text is left out.
    """

    exact: int
    longer: int
    shorter: int
    crossing: int
    added: tuple[tuple[str, int], ...]


class Pair(msgspec.Struct, frozen=True):
    """What the conventions of ``first`` would do in the text of ``second``.

    ``shared`` strings are labelled often enough in the first and stand often enough in the second;
    ``clashing`` of them clash. ``mention_share`` is the share of the first's mentions with such a string,
    ``places`` the places in the second where it would label otherwise, ``per_100`` the same to a hundred
    mentions of the second. ``dictionary`` is the strict score of the first's strings, longest first, on the
    second's text; ``own_precision`` that of the same strings on the first's own text; ``wrong_bare`` counts
    wrong marks where the second labels nothing, the others cut across its mentions.
    """

    first: str
    second: str
    shared: int
    clashing: int
    mention_share: float
    places: int
    per_100: float
    dictionary: Score
    own_precision: float
    wrong_bare: int
    borders: Borders
    causes: tuple[Cause, ...]
    clashes: tuple[Clash, ...]


class TypeStudy(msgspec.Struct, frozen=True):
    """The corpora of an entity type, each pair in both directions, and what that means for each corpus."""

    type: str
    corpora: tuple[CorpusFacts, ...]
    pairs: tuple[Pair, ...]

    def pair(self, first: str, second: str) -> Pair | None:
        """The pair in this direction."""
        return next((pair for pair in self.pairs if (pair.first, pair.second) == (first, second)), None)


class Gain(msgspec.Struct, frozen=True):
    """Dev F1 of ``target`` trained together with ``helpers``, and by itself.

    ``gain`` is the difference of means over seeds, ``interval`` the middle 95 % of resampled documents (and
    seeds, where there are several).
    """

    target: str
    helpers: tuple[str, ...]
    single: float
    joint: float
    gain: float
    interval: Interval | None
    seeds: tuple[int, ...]


class Conflict(msgspec.Struct, frozen=True):
    """Mean cosine of two corpora's gradients of the shared encoder over ``rows`` rows of a run."""

    first: str
    second: str
    cosine: float
    rows: int


class Study(msgspec.Struct, frozen=True):
    """All that was found."""

    recipe: str
    split: str
    limits: Limits
    types: tuple[TypeStudy, ...]
    gains: tuple[Gain, ...] = ()
    budget: str = ""
    """What the runs behind the gains were limited to."""
    conflicts: dict[str, tuple[Conflict, ...]] = {}
    """By run."""
    format: int = STUDY_FORMAT

    def to_json(self) -> str:
        """The study as JSON; the same study gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"
