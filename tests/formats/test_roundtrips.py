"""What goes out comes back: arbitrary documents through every format of this folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.types import Document, Entity, Span
from strategies import documents


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrips")


def _places(document):
    return sorted((entity.label, entity.spans) for entity in document.entities)


@given(found=st.lists(documents(), max_size=3), suffix=st.sampled_from([".jsonl", ".jsonl.gz"]))
def test_jsonl_holds_everything(folder, found, suffix):
    path = folder / f"all{suffix}"
    losses = formats.write(found, path)
    assert losses.counts == {}
    assert list(formats.read(path)) == found


@given(found=st.lists(documents(), max_size=3))
def test_conll_holds_text_and_what_it_does_not_count(folder, found):
    path = folder / "all.conll"
    losses = formats.write(found, path)
    back = list(formats.read(path))
    assert [document.text for document in back] == [document.text for document in found]
    assert [document.id for document in back] == [document.id for document in found]
    declared = sum(
        count for reason, count in losses.counts.items() if reason.startswith(("spans", "overl", "disc"))
    )
    assert sum(len(document.entities) for document in found) - declared == sum(
        len(document.entities) for document in back
    )
    for before, after in zip(found, back, strict=True):
        assert set(_places(after)) <= set(_places(before))


@given(
    found=st.lists(documents(discontinuous=False, rich=False), max_size=3),
    scheme=st.sampled_from(["IOB1", "IOB2", "IOBES"]),
)
def test_conll_read_again_gives_the_same_bytes(folder, found, scheme):
    first, second = folder / "first.conll", folder / "second.conll"
    formats.write(found, first, options=WriteOptions(tag_scheme=scheme))
    once = list(formats.read(first))
    losses = formats.write(once, second)
    assert losses.counts == {}
    assert second.read_bytes() == first.read_bytes()
    assert list(formats.read(second)) == once


_word = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs"], exclude_characters="\ufeff"), min_size=1, max_size=5
)
_tag = st.sampled_from(["O", "O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "I-a-b"])
_line = st.tuples(
    _word,
    st.sampled_from(
        ["\t", " ", "  ", "\tNN\t", " NN B-NP ", "\tSpaceAfter=No\t", "\tx|SpacesAfter=\\s\\n\t"]
    ),
    _tag,
)


@given(
    sentences=st.lists(st.lists(_line, min_size=1, max_size=4), max_size=4),
    ends=st.sampled_from(["\n", "\r\n", " \n"]),
    blank=st.sampled_from(["\n", "\n\n", "\r\n", " \t\n"]),
    has_docstarts=st.booleans(),
    has_last_end=st.booleans(),
)
def test_conll_files_of_others_come_back_byte_for_byte(  # noqa: PLR0917 - one drawn value each
    folder, sentences, ends, blank, has_docstarts, has_last_end
):
    starts = [
        "-DOCSTART- -X- O" + ends + blank if has_docstarts and number % 2 == 0 else "" for number in range(4)
    ]
    content = "".join(
        start + "".join("".join(line) + ends for line in lines) + blank
        for start, lines in zip(starts, sentences, strict=False)
    )
    if not has_last_end:
        content = content.rstrip("\r\n \t")
    first, second = folder / "theirs.conll", folder / "again.conll"
    first.write_bytes(content.encode())
    found = list(formats.read(first))
    formats.write(found, second)
    assert second.read_bytes() == first.read_bytes()
    for document in found:
        for entity in document.entities:
            assert document.text_of(entity)


@given(
    found=st.lists(documents(), max_size=3, unique_by=lambda document: document.id),
    suffix=st.sampled_from([".tsv", ".csv"]),
)
def test_tables_hold_entities(folder, found, suffix):
    path = folder / f"entities{suffix}"
    formats.write(found, path, options=WriteOptions(document_text=True))
    back = list(formats.read(path))
    assert [document.text for document in back] == [document.text for document in found]
    for before, after in zip(found, back, strict=True):
        assert [(item.id, item.label, item.spans, item.score) for item in after.entities] == [
            (item.id, item.label, item.spans, item.score) for item in before.entities
        ]
        assert [[c.id for c in item.concepts] for item in after.entities] == [
            [c.id for c in item.concepts] for item in before.entities
        ]
        assert [[(a.name, a.value) for a in item.attributes] for item in after.entities] == [
            [(a.name, a.value) for a in item.attributes] for item in before.entities
        ]
        assert sorted((r.label, r.head, r.tail) for r in after.relations) == sorted(
            (r.label, r.head, r.tail) for r in before.relations
        )


@given(found=documents(rich=False), identity=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_text_files_keep_text_and_id(tmp_path_factory, found, identity):
    folder = tmp_path_factory.mktemp("texts") / "out"
    document = found.replace(id=identity)
    losses = formats.write([document], folder, "text")
    assert losses.counts.get("entities", 0) == len(found.entities)
    (back,) = formats.read(folder)
    assert (back.id, back.text) == (identity, found.text)


def test_a_long_document_takes_linear_time(tmp_path):
    text = "Fever and p53 in IL-2 cells, 5 mg/day.\n" * 20_000
    entities = tuple(
        Entity(f"T{number + 1}", "Disease", (Span(39 * number, 39 * number + 5),)) for number in range(20_000)
    )
    path = tmp_path / "long.conll"
    assert formats.write([Document("long", text, entities)], path).counts == {}
    (back,) = formats.read(path)
    assert back.text == text
    assert _places(back) == sorted((entity.label, entity.spans) for entity in entities)


def test_a_rejected_row_takes_relations_to_it_along(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(
        "document,id,label,start,end,relations,document_text\n"
        "d,T1,Drug,0,3,of=T2|with=T3,abcdefghi\nd,T2,Dose,3,99,,\nd,T3,Dose,6,9,,\n",
        encoding="utf-8",
    )
    rejected = []
    (found,) = formats.read(path, options=ReadOptions(rejected=lambda _, unit: rejected.append(unit)))
    assert len(rejected) == 1
    assert [(r.id, r.label, r.head, r.tail) for r in found.relations] == [("R1", "with", "T1", "T3")]
