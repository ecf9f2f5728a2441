"""CoNLL: what is read, and what happens to text that came without words."""

from __future__ import annotations

import pytest

from medspan import formats
from medspan.formats import conll
from medspan.formats.protocol import WriteOptions
from medspan.types import Document, Entity, Relation, Span


def _read(tmp_path, content, name="a.conll"):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return list(formats.read(path, "conll"))


@pytest.mark.parametrize(
    ("tags", "places"),
    [
        (["I-X", "I-X", "B-X"], [(0, 3), (4, 5)]),  # IOB1
        (["B-X", "I-X", "B-X"], [(0, 3), (4, 5)]),  # IOB2
        (["B-X", "E-X", "S-X"], [(0, 3), (4, 5)]),  # IOBES
        (["I-X", "I-Y", "I-X"], [(0, 1), (2, 3), (4, 5)]),
        (["E-X", "O", "E-X"], [(0, 1), (4, 5)]),  # invalid, read as conlleval does
        (["O", "O", "O"], []),
    ],
)
@pytest.mark.parametrize("separator", ["\t", " ", "   ", "\tNN\tB-NP\t", " NN B-NP "])
def test_schemes_and_columns(tmp_path, tags, places, separator):
    content = "".join(f"{word}{separator}{tag}\n" for word, tag in zip("abc", tags, strict=True))
    (document,) = _read(tmp_path, content)
    assert document.text == "a b c"
    assert [(entity.start, entity.end) for entity in document.entities] == places
    formats.write([document], tmp_path / "b.conll")
    assert (tmp_path / "b.conll").read_text() == content


def test_documents_ids_and_sentences(tmp_path):
    (tmp_path / "a.docids.txt").write_text("17\n-\n19\n")
    content = "-DOCSTART- -X- O\n\na O\n\nb O\n\n-DOCSTART- -X- O\n\n-DOCSTART- -X- O\n\nc O\n"
    first, second, third = _read(tmp_path, content)
    assert [first.id, second.id, third.id] == ["17", "a-2", "19"]
    assert [first.text, second.text, third.text] == ["a\nb", "", "c"]
    assert first.sentences == (Span(0, 1), Span(2, 3))
    assert conll.words_of(first) == [[(0, 1)], [(2, 3)]]


def test_recorded_spacing(tmp_path):
    content = "IL\tSpaceAfter=No\tB-Gene\n-\tx=1|SpaceAfter=No\tI-Gene\n2\tSpacesAfter=\\s\\s\\n\tI-Gene\nup\t_\tO\n"
    (document,) = _read(tmp_path, content)
    assert document.text == "IL-2  \nup"
    assert document.text_of(document.entities[0]) == "IL-2"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_line_feeds_end_lines(tmp_path, end):
    content = f"\ufeffa\u2028b\tO{end}c\x85d\x0b\tB-X{end}{end}\u3000e\xa0f\tO{end}"
    found = _read(tmp_path, content)
    assert [document.text for document in found] == ["a\u2028b c\x85d\x0b", "\u3000e\xa0f"]
    formats.write(found, tmp_path / "b.conll")
    assert (tmp_path / "b.conll").read_bytes() == content.encode()


def test_new_annotations_of_recorded_words(tmp_path):
    (document,) = _read(tmp_path, "a NN O\nb NN I-X\nc NN O\n")
    changed = document.replace(entities=(Entity("T1", "Y", (Span(0, 1),)), Entity("T2", "Y", (Span(2, 5),))))
    assert formats.write([changed], tmp_path / "b.conll").counts == {}
    assert (tmp_path / "b.conll").read_text() == "a NN I-Y\nb NN B-Y\nc NN I-Y\n"
    formats.write([changed], tmp_path / "b.conll", options=WriteOptions(tag_scheme="IOBES"))
    assert (tmp_path / "b.conll").read_text() == "a NN S-Y\nb NN B-Y\nc NN E-Y\n"


def test_a_layout_that_no_longer_fits_is_not_used(tmp_path):
    (document,) = _read(tmp_path, "ab\tO\ncd\tO\n")
    for text in ("ab  cd", "ab\ncd", "ab c", "a\tbcd"):
        assert conll.words_of(document.replace(text=text, sentences=())) is None
    damaged = [{"words": "x"}, {"words": [2, 2], "sentences": [1]}, {"words": [5, 0], "sentences": [2]}, 7]
    for layout in damaged:
        assert conll.words_of(document.replace(meta={"conll": layout})) is None
        formats.write([document.replace(meta={"conll": layout})], tmp_path / "b.conll")
        assert next(formats.read(tmp_path / "b.conll")).text == "ab cd"


def test_every_loss_is_counted(tmp_path):
    text = "Acute renal failure. IL-2 up."
    entities = (
        Entity("T1", "Disease", (Span(0, 19),)),
        Entity("T2", "Disease", (Span(6, 19),)),  # inside the first
        Entity("T3", "Disease", (Span(0, 5), Span(12, 19))),  # discontinuous
        Entity("T4", "Gene", (Span(21, 22),)),  # half a word
        Entity("T5", "Cell type", (Span(26, 28),), 0.5),  # a label with a blank is fine between tabs
        Entity("T9", "x\ty", (Span(28, 29),)),
    )
    document = Document("d", text, entities, (Relation("R1", "r", "T1", "T2"),))
    losses = formats.write([document], tmp_path / "a.conll")
    assert losses.counts == {
        "overlapping spans": 1,
        "discontinuous spans": 1,
        "spans off word borders": 1,
        "spans whose label holds a tab, a line end or a blank the columns cannot hold": 1,
        "entity ids": 1,
        "relations": 1,
        "scores": 1,
    }
    (back,) = formats.read(tmp_path / "a.conll")
    assert (back.id, back.text) == ("d", text)
    assert [(entity.label, entity.start) for entity in back.entities] == [("Disease", 0), ("Cell type", 26)]


def test_a_mention_across_given_sentences_stays_whole(tmp_path):
    document = Document("d", "a b c", (Entity("T1", "X", (Span(2, 5),)),), sentences=(Span(0, 3), Span(4, 5)))
    assert formats.write([document], tmp_path / "a.conll").counts == {"sentence borders inside a mention": 1}
    assert next(formats.read(tmp_path / "a.conll")).entities == document.entities


def test_without_a_spacing_column_the_loss_is_counted(tmp_path):
    found = [Document("d", "IL-2"), Document("e", "a b")]
    losses = formats.write(found, tmp_path / "a.conll", options=WriteOptions(spacing=False))
    assert losses.counts == {"documents whose spacing is not recorded": 1}
    assert (tmp_path / "a.conll").read_text().startswith("-DOCSTART-\tO\n\nIL\tO\n-\tO\n2\tO\n")
    assert (tmp_path / "a.docids.txt").read_text() == "d\ne\n"


def test_ids_a_list_cannot_hold_are_counted(tmp_path):
    found = [Document(identity, "x") for identity in ("a\nb", "", "-", "fine")]
    assert formats.write(found, tmp_path / "a.conll").counts == {"document ids": 3}
    assert [document.id for document in formats.read(tmp_path / "a.conll")] == ["a-1", "a-2", "a-3", "fine"]


def test_sentences_then_documents_in_one_file(tmp_path):
    bare = _read(tmp_path, "a\tO\n\nb\tO")
    found = [*bare, Document("d", "c")]
    formats.write(found, tmp_path / "b.conll")
    back = list(formats.read(tmp_path / "b.conll"))
    assert [document.text for document in back] == ["a", "b", "c"]
    assert back[2].id == "d"
    formats.write([found[2], *bare], tmp_path / "b.conll")
    assert [document.text for document in formats.read(tmp_path / "b.conll")] == ["c", "a", "b"]


def test_folders_and_gzip(tmp_path):
    (tmp_path / "in").mkdir()
    formats.write(_read(tmp_path, "b\tO\n"), tmp_path / "in" / "2.conll.gz")
    formats.write(_read(tmp_path, "a\tO\n"), tmp_path / "in" / "1.iob2")
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert [(document.id, document.text) for document in formats.read(tmp_path / "in", "conll")] == [
        ("1-1", "a"),
        ("2-1", "b"),
    ]
    first = (tmp_path / "in" / "2.conll.gz").read_bytes()
    formats.write(_read(tmp_path, "b\tO\n"), tmp_path / "in" / "2.conll.gz")
    assert (tmp_path / "in" / "2.conll.gz").read_bytes() == first
