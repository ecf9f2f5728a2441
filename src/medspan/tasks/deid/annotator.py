"""`Deidentifier`: documents → documents whose text identifies no one that was found."""

from __future__ import annotations

import secrets
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from medspan.errors import AnnotationError
from medspan.tasks.deid.actions import Actions
from medspan.tasks.deid.finder import Finder, as_entities
from medspan.tasks.deid.patterns import shipped_patterns
from medspan.tasks.deid.rewrite import Edit, Rewrite, relations_of
from medspan.tasks.deid.surrogates import Secret
from medspan.tasks.ner import as_documents
from medspan.tasks.protocols import TEXT_DEIDENTIFIED
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from medspan.tasks.deid.patterns import Candidate
    from medspan.tasks.deid.policy import Policy
    from medspan.tasks.ner import EntityRecognizer

COUNTS = "deid"
"""Key of the counts by label in the meta of a result."""

_CHUNK = 64
_PREFIX = "deid"


class Original(NamedTuple):
    """What a piece of the new text stands for."""

    start: int
    end: int
    text: str


class Change(NamedTuple):
    """Where something was changed: its place in the text that was given, and in the new one."""

    label: str
    start: int
    end: int
    new_start: int
    new_end: int


class Result(NamedTuple):
    """A changed document, the originals of what was changed, the id it had, and where it was changed."""

    document: Document
    originals: tuple[Original, ...]
    id: str
    changes: tuple[Change, ...] = ()


class Deidentifier:
    """Finds what identifies someone and changes the text by a policy.

    The result holds the entities the document had, where their text stays, and one of each mention that was
    found, labelled and at its place in the new text. Its meta is dropped but for `Policy.keep_meta`, for it
    may say what the text no longer says; it gets the counts by label.

    Args:
        policy: what becomes of each label.
        recognizer: a trained model; None for patterns alone.
        key: the secret of hashes, surrogates and moved days; a random one where None, so that two runs agree
            only if they are given the same.
        as_column: leave the documents as they are, with what was found as entities, and put the new text into
            their meta under ``text_deidentified``.

    Raises:
        UsageError: if the model finds labels that are not known.
    """

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities", TEXT_DEIDENTIFIED})

    def __init__(
        self,
        policy: Policy,
        recognizer: EntityRecognizer | None = None,
        *,
        key: bytes | None = None,
        as_column: bool = False,
    ) -> None:
        self.policy = policy
        self._finder = Finder(recognizer, label_map=policy.model_labels)
        self._secret = Secret(key or secrets.token_bytes(32))
        self._as_column = as_column

    def __call__(self, text: str, *, id: str = "text") -> Document:  # noqa: A002 - the document's id
        """De-identify one text."""
        return next(self.annotate([Document(id, text)]))

    def annotate(self, documents: Iterable[Document | str]) -> Iterator[Document]:
        """De-identify many documents, in order and in flat memory."""
        for result in self.results(documents):
            yield result.document

    def results(self, documents: Iterable[Document | str]) -> Iterator[Result]:
        """As `annotate`, with the originals, which only a vault should be given."""
        stream = as_documents(documents)
        while chunk := list(islice(stream, _CHUNK)):
            for document, found in zip(chunk, self._finder.find(chunk), strict=True):
                yield self._result(document, found)

    def _result(self, document: Document, found: Sequence[Candidate]) -> Result:
        mentions = [document.text[each.start : each.end] for each in found]
        actions = self._actions(document, found, mentions)
        written = [actions.replacement(each.label, text) for each, text in zip(found, mentions, strict=True)]
        changed = [
            (each, new)
            for each, new, old in zip(found, written, mentions, strict=True)
            if new not in {None, old}
        ]
        rewrite = Rewrite(document.text, [Edit(each.start, each.end, new or "") for each, new in changed])
        counts = self._counts(each for each, _ in changed)
        if self._as_column:
            meta = {**document.meta, TEXT_DEIDENTIFIED: rewrite.text}
            return Result(
                document.replace(entities=as_entities(found), relations=(), meta=meta), (), document.id
            )
        originals = tuple(
            Original(*span, document.text[each.start : each.end])
            for (each, _), span in zip(changed, rewrite.spans, strict=True)
        )
        removed = [original.text for original in originals]
        changes = tuple(
            Change(each.label, each.start, each.end, *span)
            for (each, _), span in zip(changed, rewrite.spans, strict=True)
        )
        new = self._rewritten(document, found, rewrite, counts, removed)
        return Result(new, originals, document.id, changes)

    def _actions(self, document: Document, found: Sequence[Candidate], mentions: Sequence[str]) -> Actions:
        people = [text for each, text in zip(found, mentions, strict=True) if each.label == "NAME"]
        return Actions(self.policy, self._secret, self._patient(document), people)

    def _patient(self, document: Document) -> Secret:
        """The patient's own secret: of the id in the meta, else of the text, so no other document matters.

        Raises:
            AnnotationError: if the policy names a key that the document's meta does not have.
        """
        key = self.policy.patient
        if key is None:
            return self._secret.derived(f"text/{document.text}")
        patient = document.meta.get(key)
        if patient is None or isinstance(patient, dict | list):
            raise AnnotationError(
                f"a document's meta has no value {key!r}, by which the policy tells patients apart"
            )
        return self._secret.derived(f"patient/{patient}")

    @staticmethod
    def _counts(changed: Iterable[Candidate]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for each in changed:
            counts[each.label] = counts.get(each.label, 0) + 1
        return dict(sorted(counts.items()))

    def _rewritten(
        self,
        document: Document,
        found: Sequence[Candidate],
        rewrite: Rewrite,
        counts: dict[str, int],
        removed: list[str],
    ) -> Document:
        clean = _Clean(removed)
        kept = [clean.entity(entity) for entity in rewrite.entities(document.entities)]
        marks = [
            msgspec.structs.replace(mark, id=f"{_PREFIX}{mark.id}", spans=(span,))
            for mark in as_entities(found)
            if (span := _mark(rewrite, mark))
        ]
        taken = {mark.id for mark in marks}
        kept = [entity for entity in kept if entity.id not in taken]
        meta: dict[str, Any] = {
            key: document.meta[key] for key in self.policy.keep_meta if key in document.meta
        }
        return Document(
            self.new_id(document, removed),
            rewrite.text,
            entities=tuple(sorted([*kept, *marks], key=lambda each: (each.start, each.end, each.id))),
            relations=relations_of(document.relations, kept),
            sentences=rewrite.sentences(document.sentences),
            sections=rewrite.sections(document.sections),
            meta={**meta, COUNTS: counts},
        )

    def id_of_failed(self, document_id: str) -> str:
        """The id of a document that could not be changed, or of a file that could not be read.

        It is hashed unless the policy keeps ids: nothing was found, so what it tells is not known.
        """
        return document_id if self.policy.ids == "keep" else self._hashed(document_id)

    def new_id(self, document: Document, removed: Iterable[str] = ()) -> str:
        """The id of the result: kept, or hashed where the policy or its own text asks for it."""
        wanted = self.policy.ids
        is_telling = wanted == "auto" and (
            _holds(document.id, removed) or bool(shipped_patterns().find(document.id))
        )
        if wanted == "hash" or is_telling:
            return self._hashed(document.id)
        return document.id

    def _hashed(self, name: str) -> str:
        return f"{_PREFIX}-{self._secret.digest('id', name).hex()[:16]}"


def _mark(rewrite: Rewrite, mark: Entity) -> Span | None:
    start, end = rewrite.moved(mark.start), rewrite.moved(mark.end)
    return Span(start, end) if start is not None and end is not None and start < end else None


_SHORTEST_PART = 4


def _holds(text: str, removed: Iterable[str]) -> bool:
    """Whether a text holds something that was removed, or a longer part of it."""
    folded = text.casefold()
    parts = (part for each in removed for part in (each, *each.replace(",", " ").split()))
    return any(len(part) >= _SHORTEST_PART and part.casefold() in folded for part in parts)


class _Clean:
    """Takes out of an entity's values what was removed from the text."""

    def __init__(self, removed: Sequence[str]) -> None:
        self._removed = removed

    def entity(self, entity: Entity) -> Entity:
        attributes = tuple(each for each in entity.attributes if not _holds(each.value, self._removed))
        concepts = tuple(
            each for each in entity.concepts if not _holds(f"{each.id} {each.name}", self._removed)
        )
        return msgspec.structs.replace(entity, attributes=attributes, concepts=concepts)
