"""Annotated documents → the columns of schema v1 as Arrow arrays, without an object a value."""

from __future__ import annotations

from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from medspan.jobs.annotating import Failure
from medspan.spark.schema import COLUMNS, SCHEMA_VERSION, arrow_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from medspan.types import Document, Entity

    Result = Document | Failure


def added_columns(results: Sequence[Result], gives: Collection[str]) -> list[pa.Array]:
    """The columns that are added for some rows.

    Args:
        results: of each row its annotated document, or why there is none.
        gives: layers the annotator gives.
    """
    documents = [None if isinstance(result, Failure) else result for result in results]
    layers = {
        "entities": [None if document is None else document.entities for document in documents],
        "relations": _layer(documents, "relations", gives),
        "sections": _layer(documents, "sections", gives),
    }
    reasons = [result.reason if isinstance(result, Failure) else None for result in results]
    plain: dict[str, list[Any]] = {
        "text_deidentified": [None] * len(results),
        "error": reasons,
        "schema_version": [SCHEMA_VERSION] * len(results),
    }
    makers = {"entities": _entities, "relations": _relations, "sections": _sections}
    return [
        makers[name](layers[name]) if name in makers else pa.array(plain[name], arrow_type(kind))
        for name, kind in COLUMNS.items()
    ]


def _layer(documents: Sequence[Document | None], name: str, gives: Collection[str]) -> list[Any]:
    is_given = name in gives
    return [None if document is None or not is_given else getattr(document, name) for document in documents]


def _entities(rows: Sequence[Sequence[Entity] | None]) -> pa.Array:
    entities = _flat(rows)
    return _lists(
        rows,
        COLUMNS["entities"],
        {
            "id": [entity.id for entity in entities],
            "label": [entity.label for entity in entities],
            "start": [entity.start for entity in entities],
            "end": [entity.end for entity in entities],
            "score": [entity.score for entity in entities],
            "attributes": _named(
                [e.attributes or None for e in entities], "attributes", ("name", "value", "score")
            ),
            "concepts": _named([e.concepts or None for e in entities], "concepts", ("id", "name", "score")),
        },
    )


def _named(rows: Sequence[Sequence[Any] | None], name: str, fields: Sequence[str]) -> pa.Array:
    """Attributes or concepts of entities; most have none."""
    items = _flat(rows)
    kind = COLUMNS["entities"][name]  # type: ignore[index]
    return _lists(rows, kind, {field: [getattr(item, field) for item in items] for field in fields})


def _relations(rows: Sequence[Sequence[Any] | None]) -> pa.Array:
    items = _flat(rows)
    fields = ("id", "label", "head", "tail", "score")
    return _lists(
        rows, COLUMNS["relations"], {field: [getattr(item, field) for item in items] for field in fields}
    )


def _sections(rows: Sequence[Sequence[Any] | None]) -> pa.Array:
    items = _flat(rows)
    values = {
        "label": [item.label for item in items],
        "start": [item.span.start for item in items],
        "end": [item.span.end for item in items],
    }
    return _lists(rows, COLUMNS["sections"], values)


def _flat(rows: Sequence[Sequence[Any] | None]) -> list[Any]:
    return list(chain.from_iterable(row for row in rows if row))


def _lists(rows: Sequence[Sequence[Any] | None], kind: object, values: Mapping[str, Any]) -> pa.Array:
    """Arrays of structures: a list a row, null where the row is None."""
    of_list = arrow_type(kind)
    of_struct = of_list.value_type
    children = [
        values[field.name]
        if isinstance(values[field.name], pa.Array)
        else pa.array(values[field.name], field.type)
        for field in of_struct
    ]
    structs = pa.StructArray.from_arrays(children, fields=list(of_struct))
    offsets = [0, *accumulate(len(row) if row else 0 for row in rows)]
    # A list that is null is told by a null in the place of its start.
    starts = [None if row is None else start for row, start in zip(rows, offsets, strict=False)]
    return pa.ListArray.from_arrays(pa.array([*starts, offsets[-1]], pa.int32()), structs, type=of_list)


def entity_records(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    """Entities as the records of their column."""
    return [
        {
            "id": entity.id,
            "label": entity.label,
            "start": entity.start,
            "end": entity.end,
            "score": entity.score,
            "attributes": [_record(a, ("name", "value", "score")) for a in entity.attributes] or None,
            "concepts": [_record(c, ("id", "name", "score")) for c in entity.concepts] or None,
        }
        for entity in entities
    ]


def _record(item: Any, fields: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401 - attributes or concepts
    return {field: getattr(item, field) for field in fields}
