"""Golden documents of relation models: invented sentences with entities, and the relations found in them.

The entities have the labels a model pairs, so what is proved is its own arithmetic (views, graph, decoder),
not that the relations are right. All sentences are invented for this file.
"""

from __future__ import annotations

from functools import partial
from itertools import islice, product
from typing import TYPE_CHECKING, Protocol

import msgspec

from medspan.errors import MedspanError
from medspan.model.golden import GOLDEN, SCORE_TOLERANCE, compared, decoded_golden
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from medspan.features.views import ViewSpec
    from medspan.model.session import Device

MOST_DOCUMENTS = 60
_MOST_ENTITIES = 12
_SENTENCES = (
    "{0} was seen after {1} .",
    "We saw no effect of {1} on {0} , nor of {0} on {1} .",
    "{0} / {1}",
    "Given {1} ( twice daily ) , the patient\u2019s {0} \U0001f912 rose ; then {1} was stopped .",
    "{1} inhibits {0} , and {0} is cleared by the kidney . Later , {0} was given with {1} .",
)
_WORDS = (
    "lithium",
    "serum creatinine",
    "50 mg",
    "CYP3A4",
    "a severe rash",
    "Ibuprofen 400 mg",
    "men\u00e9ndez",
)


class Relates(Protocol):
    """What golden documents need of a relater."""

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the relations found in them, in the same order."""
        ...


class GoldenRelation(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A relation a model must find: its label, the ids of head and tail."""

    label: str
    head: str
    tail: str
    score: float


class GoldenPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entity of a golden document; offsets are code points."""

    start: int
    end: int
    label: str


class GoldenDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, its entities, which are numbered E0, E1 and so on, and the relations between them, sorted."""

    text: str
    entities: tuple[GoldenPart, ...]
    relations: tuple[GoldenRelation, ...]


def golden_documents(spec: ViewSpec) -> list[Document]:
    """Invented documents with entities of the labels a model pairs, odd ones among them."""
    chosen = islice(product(_SENTENCES, spec.pairs), MOST_DOCUMENTS)
    parts = [list(_parts(number, sentence, pair)) for number, (sentence, pair) in enumerate(chosen)]
    longest = [part for piece in parts for part in (*piece, ("and", "")) if part][: 20 * _MOST_ENTITIES]
    nothing: list[list[tuple[str, str]]] = [[], [("No entity here .", "")]]
    return [_document(number, piece) for number, piece in enumerate([*parts, longest, *nothing])]


def _parts(number: int, sentence: str, pair: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Words of a sentence in turn, each with the label of the entity it is, or an empty one."""
    for place, word in enumerate(sentence.split()):
        if word in {"{0}", "{1}"}:
            end = int(word[1])
            yield _WORDS[(number + 3 * end + place) % len(_WORDS)], pair[end]
        else:
            yield word, ""


def _document(number: int, parts: Sequence[tuple[str, str]]) -> Document:
    text = ""
    entities: list[Entity] = []
    for word, label in parts:
        text += " " if text else ""
        if label and len(entities) < _MOST_ENTITIES:
            entities.append(Entity(f"E{len(entities)}", label, (Span(len(text), len(text) + len(word)),)))
        text += word
    return Document(f"golden-{number}", text, entities=tuple(entities))


def make_relation_golden(relater: Relates, documents: Sequence[Document]) -> bytes:
    """The bytes of ``golden.json``: what a relater finds in documents whose entities are one span each."""
    golden = [
        GoldenDocument(
            document.text,
            tuple(GoldenPart(e.start, e.end, e.label) for e in document.entities),
            tuple(sorted(found)),
        )
        for document, found in zip(documents, _found(relater, documents), strict=True)
    ]
    return msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n"


def read_relation_golden(data: bytes) -> list[GoldenDocument]:
    """Read ``golden.json`` of a relation model.

    Raises:
        ModelError: if it does not hold golden documents.
    """
    return decoded_golden(data, GoldenDocument)


def replay_relations(folder: Path | str, *, device: Device = "cpu", threads: int | None = None) -> list[str]:
    """What a relation model finds otherwise than when it was saved, a line each; empty where it is sound.

    Checks every file's digest, the relations of all golden documents, and that they do not depend on the
    other documents of a batch or on their order.
    """
    from medspan.model.relater import load_relater  # noqa: PLC0415 - checking digests needs no runtime
    from medspan.model.relation_spec import open_relations  # noqa: PLC0415 - as above

    try:
        model = open_relations(folder)
        if problems := model.problems():
            return problems
        golden = read_relation_golden(model.read(GOLDEN))
        return compare_relations(load_relater(folder, device=device, threads=threads), golden)
    except MedspanError as error:
        return [str(error)]


def compare_relations(relater: Relates, golden: Sequence[GoldenDocument]) -> list[str]:
    """Where a relater differs from golden documents, or from itself in other batches; one line a problem."""
    if not golden:
        return [f"{GOLDEN}: holds no document, so nothing is proved; train the model again"]
    documents = [_restored(number, item) for number, item in enumerate(golden)]
    saved = [list(item.relations) for item in golden]
    return compared(documents, saved, partial(_found, relater), _differences, noun="document")


def _restored(number: int, item: GoldenDocument) -> Document:
    entities = tuple(
        Entity(f"E{i}", part.label, (Span(part.start, part.end),)) for i, part in enumerate(item.entities)
    )
    return Document(f"golden-{number}", item.text, entities=entities)


def _found(relater: Relates, documents: Sequence[Document]) -> list[list[GoldenRelation]]:
    return [
        [GoldenRelation(r.label, r.head, r.tail, r.score or 0.0) for r in document.relations]
        for document in relater.annotate(documents)
    ]


def _differences(
    what: str, expected: Sequence[Sequence[GoldenRelation]], found: Sequence[Sequence[GoldenRelation]]
) -> list[str]:
    problems = []
    for number, (before, now) in enumerate(zip(expected, found, strict=True)):
        wanted, got = ({(r.label, r.head, r.tail): r.score for r in part} for part in (before, now))
        for (label, head, tail), score in sorted({**got, **wanted}.items()):
            key = label, head, tail
            place = f"golden document {number}: {what}: {label} ({head}, {tail})"
            if key not in got:
                problems.append(f"{place} is missing")
            elif key not in wanted:
                problems.append(f"{place} is new")
            elif abs(got[key] - score) > SCORE_TOLERANCE:
                problems.append(f"{place} scores {got[key]:.4f}, not {score:.4f}")
    return problems
