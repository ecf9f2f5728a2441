"""The i2b2 2009 entries: places, discontinuous fields, what comes back, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.corpora.discharge import discharge_notes
from medspan.errors import FormatError, UsageError
from medspan.formats.i2b2_entries import FIELDS, MEDICATION, PASSAGE, PASSAGES, TokenGrid, entries_of
from medspan.formats.i2b2_lines import entry_lines, parse
from medspan.formats.protocol import Losses, ReadOptions
from medspan.types import Attribute, Document, Entity, Relation, Span
from strategies import documents, texts

NOTE = "DRUGS :\nAspirin 81 mg daily, taken\nfor pain as needed.\n"
LINE = (
    'm="aspirin" 2:0 2:0||do="81 mg" 2:1 2:2||mo="nm"||f="daily ... as needed" 2:3 2:3,3:2 3:3||du="nm"||'
    'r="pain" 3:1 3:1||ln="narrative"\n'
)
PLACE = Path("note.entries")


def read_one(entries: str, text: str = NOTE) -> Document:
    return parse(text, entries, identity="note", path=PLACE)


def test_an_entry_becomes_entities_and_relations():
    document = read_one(LINE)
    assert [(e.label, document.text_of(e)) for e in document.entities] == [
        ("Medication", "Aspirin"),
        ("Dosage", "81 mg"),
        ("Frequency", "daily as needed"),
        ("Reason", "pain"),
    ]
    assert [(r.label, r.head, r.tail) for r in document.relations] == [
        ("Dosage", "T1", "T2"),
        ("Frequency", "T1", "T3"),
        ("Reason", "T1", "T4"),
    ]
    assert document.entities[0].attributes == (Attribute("passage", "narrative"),)
    assert entry_lines(document, Losses()) == [LINE]


def test_a_mention_over_a_line_end():
    document = read_one('m="taken for" 2:4 3:0||do="nm"||mo="nm"||f="nm"||du="nm"||r="nm"||ln="list"')
    assert document.entities[0].spans == (Span(NOTE.index("taken"), NOTE.index(" pain")),)


def test_two_entries_of_one_mention_and_a_shared_reason():
    plain = 'm="{}" {}||do="{}" {}||mo="nm"||f="nm"||du="nm"||r="pain" 3:1 3:1||ln="narrative"\n'
    lines = plain.format("aspirin", "2:0 2:0", "81", "2:1 2:1")
    lines += plain.format("aspirin", "2:0 2:0", "mg", "2:2 2:2")
    document = read_one(lines)
    assert [e.label for e in document.entities] == [MEDICATION, "Dosage", "Reason", MEDICATION, "Dosage"]
    assert [r.tail for r in document.relations] == ["T2", "T3", "T5", "T3"]
    assert "".join(entry_lines(document, Losses())) == lines


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("nonsense", "field 'm' is not where"),
        (LINE.replace('m="aspirin" 2:0 2:0', 'm="nm"'), "without a medication"),
        (LINE.replace("2:0 2:0", "2:0"), "no quoted text with places"),
        (LINE.replace("do=", "dose="), "field 'do' is not where"),
        (LINE.replace("2:0 2:0", "2:9 2:9"), "no token 2:9"),
        (LINE.replace("2:0 2:0", "0:0 0:0"), "no token 0:0"),
        (LINE.replace("2:1 2:2", "2:2 2:1"), "ends before it begins"),
        (LINE.replace("81 mg", "82 mg"), "not what stands at its place"),
        (LINE.replace("2:3 2:3,3:2 3:3", "2:3 2:3,2:3 2:3").replace("as needed", "daily"), "overlap"),
        (LINE.replace("narrative", "table"), "kind of passage"),
        (LINE.replace('||ln="narrative"', ""), "field 'ln' is not where"),
    ],
)
def test_errors_name_file_line_and_remedy_and_hold_no_text(broken: str, problem: str):
    with pytest.raises(FormatError, match=problem) as caught:
        read_one("\n" + broken)
    assert caught.value.path == str(PLACE)
    assert caught.value.line == 2
    assert caught.value.remedy
    assert "spirin" not in str(caught.value).replace('m="aspirin" 1:4 1:4', "")


@pytest.mark.parametrize(
    ("token", "written", "kept"),
    [
        ("daily,", "daily", "daily"),
        ("daily,", "daily,", "daily,"),
        ("(p.o.)", "p.o.", "p.o."),
        ("a.", "a", "a"),
    ],
)
def test_marks_at_the_ends_of_tokens(token: str, written: str, kept: str):
    entry = f'm="{written}" 1:1 1:1||do="nm"||mo="nm"||f="nm"||du="nm"||r="nm"||ln="list"\n'
    document = read_one(entry, f"x {token} y")
    assert document.text_of(document.entities[0]) == kept
    assert entry_lines(document, Losses()) == [entry]


def test_what_entries_cannot_hold_is_counted():
    entities = (
        Entity("a", MEDICATION, (Span(8, 12),), 0.5),
        Entity("b", "Dosage", (Span(16, 18),)),
        Entity("c", "Disease", (Span(31, 35),)),
    )
    losses = Losses()
    lines = entry_lines(Document("x", NOTE, entities), losses)
    assert len(lines) == 1
    assert lines[0].startswith('m="aspirin" 2:0 2:0||do="nm"')
    assert losses.counts == {"scores": 1, "entities": 2, "spans off word borders": 1}


def test_several_fields_of_a_kind_make_several_entries():
    words = [Span(0, 1), Span(2, 3), Span(4, 5), Span(6, 7)]
    labels = [MEDICATION, "Dosage", "Dosage", "Reason"]
    entities = tuple(
        Entity(f"T{i}", label, (span,)) for i, (label, span) in enumerate(zip(labels, words, strict=True))
    )
    relations = tuple(Relation(f"R{i}", labels[i], "T0", f"T{i}") for i in (1, 2, 3))
    entries = entries_of(Document("x", "m d e r", entities, relations))
    assert [{label: e.id for label, e in entry.fields.items()} for entry in entries] == [
        {MEDICATION: "T0", "Dosage": "T1", "Reason": "T3"},
        {MEDICATION: "T0", "Dosage": "T2", "Reason": "T3"},
    ]


@given(text=texts())
def test_places_are_those_of_lines_and_blanks(text: str):
    grid = TokenGrid(text)
    position = 0
    for number, line in enumerate(text.split("\n"), 1):
        for place, token in enumerate(line.split()):
            assert grid.position(number, place) == position
            assert grid.place(position) == f"{number}:{place}"
            start, end = grid.offsets(position, position)
            assert text[start:end] == token
            assert grid.pieces([Span(start, end)]) == ((position, position),)
            position += 1
        assert grid.position(number, len(line.split())) is None


@st.composite
def annotated(draw: st.DrawFn) -> Document:
    """A document as the reader gives it: entries of whole tokens over any text."""
    text = draw(texts())
    grid, size = TokenGrid(text), len(text.split())
    if not size:
        return Document("note", text)
    tokens = st.integers(0, size - 1)

    def mention() -> tuple[Span, ...]:
        cuts = sorted(draw(st.lists(tokens, min_size=2, max_size=4)))
        pieces = [(cuts[0], cuts[1])] + ([(cuts[2], cuts[3])] if len(cuts) == 4 and cuts[2] > cuts[1] else [])
        return tuple(Span(*grid.offsets(*piece)) for piece in pieces)

    entities: list[Entity] = []
    relations: list[Relation] = []
    known: dict[tuple[str, tuple[Span, ...]], str] = {}
    for _ in range(draw(st.integers(0, 3))):
        passage = (Attribute(PASSAGE, draw(st.sampled_from(PASSAGES))),)
        head = f"T{len(entities) + 1}"
        entities.append(Entity(head, MEDICATION, mention(), None, passage))
        for label in [label for label in [*FIELDS.values()][1:] if draw(st.booleans())]:
            spans = mention()
            if (label, spans) not in known:
                known[label, spans] = f"T{len(entities) + 1}"
                entities.append(Entity(known[label, spans], label, spans))
            relations.append(Relation(f"R{len(relations) + 1}", label, head, known[label, spans]))
    return Document("note", text, tuple(entities), tuple(relations))


@given(document=annotated())
def test_what_is_read_comes_back_equal(document: Document):
    losses = Losses()
    entries = "".join(entry_lines(document, losses))
    back = parse(document.text, entries, identity="note", path=PLACE)
    if not losses.counts:  # a mention with the joint of pieces in it cannot be told from pieces
        assert back == document
        assert "".join(entry_lines(back, Losses())) == entries
    else:
        assert losses.counts.keys() == {"spans off word borders"}
        assert " ... " in " ".join(document.text.split())


@given(document=documents())
def test_any_document_can_be_written_and_read_again(document: Document):
    losses = Losses()
    entries = "".join(entry_lines(document, losses))
    once = parse(document.text, entries, identity="doc", path=PLACE)
    assert "".join(entry_lines(once, Losses())) == entries
    assert losses.counts.get("entities", 0) == len(document.entities)  # none is a medication


def test_invented_notes_come_back_equal(tmp_path: Path):
    notes = list(discharge_notes("test", 5))
    assert formats.write(notes, tmp_path / "notes", "i2b2-2009").counts == {}
    assert formats.guess_format(tmp_path / "notes") == "i2b2-2009"
    assert list(formats.read(tmp_path / "notes")) == sorted(notes, key=lambda note: note.id)


def test_files_as_the_challenge_names_them(tmp_path: Path):
    (tmp_path / "11995").write_text(NOTE)
    (tmp_path / "11995_gold.entries").write_text(LINE)
    (document,) = formats.read(tmp_path)
    assert document.id == "11995"
    assert list(formats.read(tmp_path / "11995_gold.entries")) == [document]
    (tmp_path / "11995.i2b2.entries").write_text(LINE)
    with pytest.raises(FormatError, match="same note; keep one"):
        list(formats.read(tmp_path))


def test_a_bad_note_is_rejected_and_others_are_read(tmp_path: Path):
    for name, entries in {"a": LINE, "b": "nonsense\n", "c": LINE}.items():
        (tmp_path / f"{name}.txt").write_text(NOTE)
        (tmp_path / f"{name}.entries").write_text(entries)
    (tmp_path / "d.entries").write_text(LINE)
    seen: list[str] = []
    options = ReadOptions(rejected=lambda error, unit: seen.append(f"{error.line} {unit}"))
    assert [d.id for d in formats.read(tmp_path, options=options)] == ["a", "c"]
    assert seen == ["1 nonsense\n", "None "]
    with pytest.raises(FormatError, match=r"note d\.txt is missing; put it beside"):
        list(formats.read(tmp_path / "d.entries"))
    with pytest.raises(UsageError, match="name a folder"):
        formats.write([], tmp_path / "out.entries")


@pytest.mark.corpora
def test_the_published_description_of_the_format(corpora_dir: Path, tmp_path: Path):
    source = corpora_dir / "medication"
    notes = list(formats.read(source, "i2b2-2009"))
    assert len(notes) == 2
    formats.write(notes, tmp_path / "out", "i2b2-2009")
    for note in notes:
        for ending in (".txt", ".i2b2.entries"):
            name = note.id + ending
            assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
