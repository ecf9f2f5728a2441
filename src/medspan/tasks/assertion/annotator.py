"""The annotator: gives each entity the attributes ``assertion`` and ``temporality``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from medspan.errors import UsageError, did_you_mean
from medspan.tasks.assertion.cues import CueFinder
from medspan.tasks.assertion.features import features_of
from medspan.tasks.assertion.head import Head
from medspan.tasks.assertion.rules import ORDER, assertion_of, temporality_of
from medspan.tasks.assertion.view import View
from medspan.tasks.phrases import packaged_table
from medspan.types import Attribute, Document, Entity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from medspan.tasks.assertion.cues import Status
    from medspan.tasks.assertion.rules import Context

Method = Literal["rules", "head", "both"]
ASSERTION = "assertion"
TEMPORALITY = "temporality"
PRESENT = "present"
ASSERTIONS = (*ORDER, PRESENT)
TEMPORALITIES = ("historical", "current")
SURE = 0.7
"""From this probability on the head overrules the cues; chosen on devel of the NegEx kit and BioScope."""

_ABSENT: Status = "absent"
_HEAD = Path(__file__).with_name("head-en.json")
_ATTRIBUTES = {
    (name, value): Attribute(name, value)
    for name, values in ((ASSERTION, ASSERTIONS), (TEMPORALITY, TEMPORALITIES))
    for value in values
}


class Assertion:
    """Says of each entity whether it is present, absent, possible, hypothetical ..., and whether it is past.

    That is its attribute ``assertion``; its attribute ``temporality`` is current or historical. Attributes of
    these names that an entity had are replaced, others stay. Where a document has sections, some of them say
    something of all their entities (family history, past history). Sentences a document has are used; others
    are found.

    Args:
        languages: of the tables of cues that come with medspan: ``en``, ``sv``; one at a time is best, as
            a word may be a cue in one and none in the other.
        tables: files of your own, in the same form; a phrase in one of them wins over those before.
        method: ``rules`` asks the cues, ``head`` a trained model that looks at the same cues and at words
            around them, ``both`` the cues, overruled where the model is sure that an entity is absent or is
            not. Only an assertion that the model decides has a score, its probability. ``both`` where None,
            there is a head (given, or for English alone) and no table of your own, else ``rules``.
        head: file of a model of your own; else the one that comes with medspan, for English.

    Raises:
        ConfigError: if a table is malformed, or there is none in a language.
        ModelError: if the head is damaged.
        UsageError: if the method is unknown, or there is no head in the language.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"assertion"})

    def __init__(
        self,
        *,
        languages: Sequence[str] = ("en",),
        tables: Sequence[Path] = (),
        method: Method | None = None,
        head: Path | None = None,
    ) -> None:
        has_head = head is not None or tuple(languages) == ("en",)
        if method is None:  # a cue of one's own is not to be overruled by who has never seen it
            method = "both" if has_head and not tables else "rules"
        if method not in get_args(Method):
            raise UsageError(f"method {method!r}: unknown; {did_you_mean(method, get_args(Method))}")
        if method != "rules" and not has_head:
            raise UsageError(f"method {method!r} has a head for English only; give a head, or use the rules")
        self.finder = CueFinder([*(packaged_table("cues", language) for language in languages), *tables])
        self._method = method
        self._head = None if method == "rules" else Head(head or _HEAD)

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Add the attributes to the entities of many documents, in order."""
        return map(self._assert, documents)

    def _assert(self, document: Document) -> Document:
        if not document.entities:
            return document
        view = View(document, self.finder)
        return document.replace(entities=tuple(self._judged(entity, view) for entity in document.entities))

    def _judged(self, entity: Entity, view: View) -> Entity:
        """The entity with its two attributes, behind its others."""
        context = view.context(entity)
        statuses = view.statuses(entity, context)
        own: tuple[Attribute, ...] = (
            self._assertion(entity, view, context, statuses),
            _ATTRIBUTES[TEMPORALITY, temporality_of(statuses)],
        )
        if entity.attributes:
            others = (item for item in entity.attributes if item.name not in {ASSERTION, TEMPORALITY})
            own = (*others, *own)
        return Entity(entity.id, entity.label, entity.spans, entity.score, own, entity.concepts)

    def _assertion(
        self, entity: Entity, view: View, context: Context | None, statuses: Collection[Status]
    ) -> Attribute:
        by_rule = _ATTRIBUTES[ASSERTION, assertion_of(statuses)]
        if self._head is None or context is None:
            return by_rule
        features = features_of(context, entity.start, entity.end)
        if not features:
            return by_rule
        chances = self._head.probabilities(features)
        if self._method == "head":
            # What a section says stays: the head does not look at sections.
            best = max(chances, key=lambda label: chances[label])
            said = assertion_of(view.of_section(entity))
            return Attribute(ASSERTION, best if best != PRESENT else said, chances[best])
        if chances[_ABSENT] >= SURE:
            return Attribute(ASSERTION, _ABSENT, chances[_ABSENT])
        if 1 - chances[_ABSENT] >= SURE and _ABSENT in statuses:
            return Attribute(ASSERTION, assertion_of({*statuses} - {_ABSENT}), 1 - chances[_ABSENT])
        return by_rule
