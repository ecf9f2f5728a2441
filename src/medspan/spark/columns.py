"""Annotated documents → the columns of schema v1 as Arrow arrays, without an object a value."""

from __future__ import annotations

from functools import partial
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from medspan.jobs.annotating import Failure
from medspan.spark.schema import COLUMNS, SCHEMA_VERSION, arrow_type
from medspan.tasks.protocols import TEXT_DEIDENTIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

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
        TEXT_DEIDENTIFIED: _changed_texts(documents, gives),
        "error": reasons,
        "schema_version": [SCHEMA_VERSION] * len(results),
    }
    makers: dict[str, Callable[[Any], pa.Array]] = {
        "entities": entity_column,
        "relations": partial(_records, kind=COLUMNS["relations"]),
        "sections": _sections,
    }
    return [
        makers[name](layers[name]) if name in makers else pa.array(plain[name], arrow_type(kind))
        for name, kind in COLUMNS.items()
    ]


def _changed_texts(documents: Sequence[Document | None], gives: Collection[str]) -> list[str | None]:
    """What an annotator that changes texts left in their meta (`medspan.tasks.deid`)."""
    is_given = TEXT_DEIDENTIFIED in gives
    return [
        document.meta.get(TEXT_DEIDENTIFIED) if document is not None and is_given else None
        for document in documents
    ]


def _layer(documents: Sequence[Document | None], name: str, gives: Collection[str]) -> list[Any]:
    is_given = name in gives
    return [None if document is None or not is_given else getattr(document, name) for document in documents]


def entity_column(rows: Sequence[Sequence[Entity] | None]) -> pa.Array:
    """The column ``entities`` of some rows; null where there is None."""
    entities = _flat(rows)
    kinds: Any = COLUMNS["entities"]
    plain = [name for name, kind in kinds.items() if isinstance(kind, str)]
    values: dict[str, Any] = {name: [getattr(entity, name) for entity in entities] for name in plain}
    for name in ("attributes", "concepts"):  # most have none
        values[name] = _records([getattr(e, name) or None for e in entities], kinds[name])
    return _lists(rows, kinds, values)


def _records(rows: Sequence[Sequence[Any] | None], kind: Any) -> pa.Array:  # noqa: ANN401 - as in COLUMNS
    """Structures whose fields are those of the objects."""
    items = _flat(rows)
    return _lists(rows, kind, {field: [getattr(item, field) for item in items] for field in kind})


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
