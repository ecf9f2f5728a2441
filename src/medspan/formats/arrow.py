"""Documents → an Arrow table, a row an entity, for pandas, polars and others; needs the extra ``arrow``.

    table = to_table(documents)
    table.to_pandas()            # pandas
    polars.from_arrow(table)     # polars

Neither of the two is needed here. The columns, the same whatever the documents hold:

    document     string    the document's id
    id           string    the entity's id
    label        string
    start, end   int32     half-open, in code points of the text
    spans        list of {start, end}   one, or several where it is discontinuous
    text         string    the mention, its parts joined by a blank
    score        double    null where there is none
    assertion    string    null where nobody judged it
    temporality  string    as assertion
    section      string    of the innermost section that holds it, null where none does
    attributes   list of {name, value, score}   all, assertion and temporality too
    concepts     list of {id, name, score}      best first
    relations    list of {id, label, tail, score}   that begin at it; tail is the id of an entity
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from medspan.errors import MissingExtraError
from medspan.formats.surface import joined, section_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from medspan.types import Document, Relation

_BATCH_ROWS = 8192


def to_table(documents: Iterable[Document]) -> pa.Table:
    """A table with a row an entity; documents without entities have none.

    Args:
        documents: in the order of the rows.

    Raises:
        MissingExtraError: if pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("making Arrow tables", "pyarrow", "arrow") from error
    schema = _schema(pa)
    rows = (row for document in documents for row in _rows(document))
    batches = []
    while batch := list(islice(rows, _BATCH_ROWS)):
        batches.append(pa.RecordBatch.from_pylist(batch, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _schema(pa: Any) -> Any:  # noqa: ANN401 - of an extra
    text, number = pa.string(), pa.float64()
    span = [("start", pa.int32()), ("end", pa.int32())]

    def several(**fields: Any) -> Any:  # noqa: ANN401 - as above
        return pa.list_(pa.struct(list(fields.items())))

    return pa.schema(
        [
            *((name, text) for name in ("document", "id", "label")),
            *span,
            ("spans", several(**dict(span))),
            ("text", text),
            ("score", number),
            *((name, text) for name in ("assertion", "temporality", "section")),
            ("attributes", several(name=text, value=text, score=number)),
            ("concepts", several(id=text, name=text, score=number)),
            ("relations", several(id=text, label=text, tail=text, score=number)),
        ]
    )


def _rows(document: Document) -> Iterator[dict[str, Any]]:
    tails: dict[str, list[Relation]] = {}
    for relation in document.relations:
        tails.setdefault(relation.head, []).append(relation)
    for entity in document.entities:
        said = {item.name: item.value for item in entity.attributes}
        yield {
            "document": document.id,
            **_fields(entity, ("id", "label", "start", "end", "score")),
            "spans": [_fields(span, ("start", "end")) for span in entity.spans],
            "text": joined(entity, document.text),
            "assertion": said.get("assertion"),
            "temporality": said.get("temporality"),
            "section": section_of(document, entity),
            "attributes": [_fields(item, ("name", "value", "score")) for item in entity.attributes],
            "concepts": [_fields(item, ("id", "name", "score")) for item in entity.concepts],
            "relations": [
                _fields(item, ("id", "label", "tail", "score")) for item in tails.get(entity.id, ())
            ],
        }


def _fields(item: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}
