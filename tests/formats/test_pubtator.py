from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from bioc import pubtator as oracle
from hypothesis import given

from medspan.errors import FormatError
from medspan.formats import jsonl, pubtator
from medspan.formats.protocol import CONCEPT_RELATIONS, ReadOptions
from medspan.formats.quoting import quote, unquote, unsafe
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

if TYPE_CHECKING:
    from pathlib import Path

BC5CDR = (
    "6794356|t|Lithium toxicity.\n"
    "6794356|a|A newborn with atrial flutter.\n"
    "6794356\t0\t7\tLithium\tChemical\tD008094\n"
    "6794356\t33\t47\tatrial flutter\tDisease\tD001282\n"
    "6794356\tCID\tD008094\tD001282\n"
    "\n"
)


def entity(number, start, end, label="Disease", **more):
    return Entity(f"T{number}", label, (Span(start, end),), **more)


def read_text(tmp_path: Path, content: str, options=ReadOptions()) -> list[Document]:
    path = tmp_path / "in.pubtator"
    path.write_bytes(content.encode())
    return list(pubtator.read(path, options))


def round_trip(path: Path, *given_documents: Document) -> tuple[list[Document], dict[str, int]]:
    losses = pubtator.write(given_documents, path)
    return list(pubtator.read(path)), losses.counts


def test_a_block_of_bc5cdr(tmp_path):
    (document,) = read_text(tmp_path, BC5CDR)
    assert document == Document(
        "6794356",
        "Lithium toxicity.\nA newborn with atrial flutter.",
        (
            entity(1, 0, 7, "Chemical", concepts=(Concept("D008094"),)),
            entity(2, 33, 47, "Disease", concepts=(Concept("D001282"),)),
        ),
        meta={CONCEPT_RELATIONS: [{"type": "CID", "head_id": "D008094", "tail_id": "D001282"}]},
    )


def test_the_same_bytes_are_written_back(tmp_path):
    documents_read = read_text(tmp_path, BC5CDR)
    losses = pubtator.write(documents_read, tmp_path / "out.pubtator")
    assert (tmp_path / "out.pubtator").read_text() == BC5CDR
    assert losses.counts == {}


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ("-1", []),
        ("-", []),
        ("", []),
        ("D1|D2", ["D1", "D2"]),
        ("MESH:D1;MESH:D2", ["MESH:D1", "MESH:D2"]),
        ("2475,57521", ["2475", "57521"]),
        ("D1+D2", ["D1+D2"]),
        ("tmVar:p|SUB|V|600|E;HGVS:p.V600E", ["tmVar:p|SUB|V|600|E;HGVS:p.V600E"]),
        ("p|SUB|V|600|E", ["p|SUB|V|600|E"]),
    ],
)
def test_concepts(tmp_path, column, ids):
    (document,) = read_text(tmp_path, f"1|t|cancer\n1|a|\n1\t0\t6\tcancer\tDisease\t{column}\n")
    assert [concept.id for concept in document.entities[0].concepts] == ids
    (again,), _ = round_trip(tmp_path / "out.pubtator", document)
    assert again == document


def test_composite_mentions_name_their_concepts(tmp_path):
    line = "1\t0\t23\tcolon and breast cancers\tDisease\tD1|D2\tcolon cancers|breast cancers\n"
    (document,) = read_text(tmp_path, f"1|t|colon and breast cancers\n1|a|\n{line}\n".replace("\t23", "\t24"))
    assert document.entities[0].concepts == (Concept("D1", "colon cancers"), Concept("D2", "breast cancers"))
    pubtator.write([document], tmp_path / "out.pubtator")
    assert line.replace("\t23", "\t24") in (tmp_path / "out.pubtator").read_text()


def test_unknown_columns_are_kept_and_written_back(tmp_path):
    content = "1|t|cancer\n1|a|\n1\t0\t6\tcancer\tDisease\tD1\tx|y\tz\n1\tAssociation\tD1\tD1\tNovel\n\n"
    (document,) = read_text(tmp_path, content)
    assert document.meta["pubtator"] == {"columns": {"T1": ["x|y", "z"]}}
    assert document.meta[CONCEPT_RELATIONS][0]["columns"] == ["Novel"]
    assert pubtator.write([document], tmp_path / "out.pubtator").counts == {}
    assert (tmp_path / "out.pubtator").read_text() == content


@pytest.mark.parametrize(
    ("text", "kept", "breaks"),
    [
        ("", "", 0),
        ("one line", "one line", 0),
        ("title\nabstract", "title\nabstract", 0),
        ("\nabstract", "\nabstract", 0),
        ("title\n", "title ", 1),
        ("\n", " ", 1),
        ("a\nb\nc\r\nd", "a\nb c  d", 3),
        ("a\u2028b\x0cc\x85d", "a b c d", 3),
        ("a|t|b\n1|a|c", "a|t|b\n1|a|c", 0),
        ("a\tb\n\tc", "a\tb\n\tc", 0),
        ("\ufeffa", "\ufeffa", 0),
        ("   ", "   ", 0),
    ],
)
def test_texts(tmp_path, text, kept, breaks):
    (document,), counts = round_trip(tmp_path / "t.pubtator", Document("7", text))
    assert document == Document("7", kept)
    assert counts == ({"line breaks": breaks} if breaks else {})


@pytest.mark.parametrize(
    "name", ["", "a/b", "a|b", "a\tb", "..", "50%", "%41", "%u0000", "é\u2028", "\x00", "a b"]
)
def test_names_with_separators_read_back(tmp_path, name):
    document = Document(
        name,
        "cancer",
        (entity(1, 0, 6, name or "x", concepts=(Concept(name, name), Concept("-"), Concept("-1"))),),
        meta={CONCEPT_RELATIONS: [{"type": "CID", "head_id": name, "tail_id": "D1"}]},
    )
    (again,), counts = round_trip(tmp_path / "n.pubtator", document)
    assert (again, counts) == (document, {})


@pytest.mark.parametrize(
    ("name", "plain"), [("%41", "%41"), ("a%20b", "a%20b"), ("%7C", "|"), ("%2541", "%41")]
)
def test_foreign_names_that_look_quoted_stay(name, plain):
    forbidden = unsafe("|")
    assert unquote(name, forbidden) == plain
    assert unquote(quote(name, forbidden), forbidden) == name


def test_losses_are_counted(tmp_path):
    spans = (Span(0, 5), Span(10, 16))
    document = Document(
        "1",
        "colon and cancer",
        (
            Entity(
                "e7", "Disease", spans, 0.5, (Attribute("assertion", "absent"),), (Concept("D1", None, 0.1),)
            ),
            entity(2, 0, 5, concepts=(Concept("D2"),)),
            entity(3, 0, 5),
        ),
        (Relation("R1", "CID", "e7", "T2", 0.4), Relation("R2", "CID", "e7", "T3")),
        (Span(0, 16),),
        (Section("history", Span(0, 16)),),
        {"source": "x"},
    )
    (again,), counts = round_trip(tmp_path / "l.pubtator", document)
    assert counts == {
        "attributes": 1,
        "concept scores": 1,
        "discontinuous spans": 1,
        "entity ids": 1,
        "meta values": 1,
        "relation scores": 1,
        "relations of mentions without a concept": 1,
        "scores": 1,
        "sections": 1,
        "sentences": 1,
        "which mentions a relation is between": 1,
    }
    assert again.entities[0] == entity(1, 0, 16, concepts=(Concept("D1"),))
    assert again.meta == {CONCEPT_RELATIONS: [{"type": "CID", "head_id": "D1", "tail_id": "D2"}]}


def test_byte_order_mark_and_crlf_files(tmp_path):
    (document,) = read_text(tmp_path, "\ufeff" + BC5CDR.replace("\n", "\r\n"))
    assert document == read_text(tmp_path, BC5CDR)[0]


def test_a_title_begins_a_document_without_a_blank_line(tmp_path):
    found = read_text(tmp_path, "1|t|a\n1|a|b\n2|t|c\n\n\n3|t|d\n3|a|\n")
    assert [(document.id, document.text) for document in found] == [("1", "a\nb"), ("2", "c"), ("3", "d")]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ("1\t0\t6\tcancer\tDisease\tD1", 1, "does not begin with a title"),
        ("1|a|cancer", 1, "does not begin with a title"),
        ("1|t|cancer\n2|a|more", 2, "different ids"),
        ("1|t|cancer\n1|a|\n2\t0\t6\tcancer\tDisease\tD1", 3, "another document"),
        ("1|t|cancer\n1|a|\n1\t0\t6", 3, "3 columns"),
        ("1|t|cancer\n1|a|\n1\tx\t6\tcancer", 3, None),
        ("1|t|cancer\n1|a|\n1\t0\tsix\tcancer\tDisease\tD1", 3, "neither"),
        ("1|t|cancer\n1|a|\n1\t6\t0\tcancer\tDisease\tD1", 3, "0 <= start < end"),
        ("1|t|cancer\n1|a|\n1\t0\t7\tcancer\tDisease\tD1", 3, "past the text (6 characters)"),
        ("1|t|cancer\n1|a|\n1\t1\t6\tcancer\tDisease\tD1", 3, "not what stands at 1 to 6"),
        ("1|t|cancer\n1|a|\n1|a|more", 3, "a second abstract"),
        ("1|t|cancer\n1|a|\nstray", 3, "another document"),
    ],
)
def test_malformed_blocks(tmp_path, lines, line, words):
    content = f"{lines}\n\n9|t|good\n9|a|\n"
    if words is None:
        assert len(read_text(tmp_path, content)) == 2
        return
    with pytest.raises(FormatError) as caught:
        read_text(tmp_path, content)
    assert f"in.pubtator:{line}: " in str(caught.value)
    assert words in str(caught.value)
    assert "cancer" not in str(caught.value)
    units: list[str] = []
    (good,) = read_text(tmp_path, content, ReadOptions(lambda _, unit: units.append(unit)))
    assert good.id == "9"
    assert units == [lines + "\n"]


def test_not_utf8(tmp_path):
    (tmp_path / "x.pubtator").write_bytes(b"1|t|caf\xe9\n")
    with pytest.raises(FormatError, match="byte 7 is not UTF-8"):
        list(pubtator.read(tmp_path / "x.pubtator"))


def flat(document: Document) -> Document:
    """What PubTator can hold of a document."""
    title, _, abstract = document.text.partition("\n")
    if not abstract:
        title = document.text
    breaks = dict.fromkeys(map(ord, "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), " ")
    text = title.translate(breaks) + ("\n" + abstract.translate(breaks) if abstract else "")
    kept = tuple(
        Entity(
            item.id,
            item.label,
            (Span(item.start, item.end),),
            concepts=tuple(Concept(concept.id, concept.name) for concept in item.concepts),
        )
        for item in document.entities
    )
    return Document(document.id, text, kept)


def test_a_mention_without_letters_across_title_and_abstract(tmp_path):
    document = Document("1", "+\n-\t+", (entity(1, 0, 5),))
    (again,), counts = round_trip(tmp_path / "m.pubtator", document)
    assert (again, counts) == (document, {})


@given(documents())
def test_any_document_survives(tmp_path_factory, document):
    (again,), _ = round_trip(tmp_path_factory.mktemp("p") / "d.pubtator", document)
    assert again.replace(meta={}) == flat(document)


def test_an_independent_reader_finds_the_same(tmp_path):
    (document,) = read_text(tmp_path, BC5CDR)
    pubtator.write([document], tmp_path / "o.pubtator")
    with (tmp_path / "o.pubtator").open() as handle:
        (theirs,) = oracle.load(handle)
    assert theirs.text == document.text
    assert [(a.start, a.end, a.type, a.id, a.text) for a in theirs.annotations] == [
        (e.start, e.end, e.label, e.concepts[0].id, document.text_of(e)) for e in document.entities
    ]
    assert [(r.type, r.id1, r.id2) for r in theirs.relations] == [("CID", "D008094", "D001282")]
    stream = io.StringIO()
    oracle.dump([theirs], stream)
    theirs_written = stream.getvalue().replace("\tNone\n", "\n").replace("\t\n", "\n")
    assert read_text(tmp_path, theirs_written) == [document]


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["standoff/ncbi-disease", "standoff/bc5cdr"])
def test_no_span_of_a_corpus_is_lost_or_moved(corpora_dir, tmp_path, corpus):
    gold = [
        document
        for file in sorted((corpora_dir / corpus).glob("*.jsonl.gz"))
        for document in jsonl.read(file)
    ]
    again, counts = round_trip(tmp_path / "c.pubtator", *gold)
    known = {CONCEPT_RELATIONS}
    without = [d.replace(meta={key: d.meta[key] for key in d.meta.keys() & known}) for d in gold]
    assert again == without
    assert counts.keys() <= {"meta values"}
    with (tmp_path / "c.pubtator").open() as handle:
        theirs = oracle.load(handle)
    spans = [(a.pmid, a.start, a.end, a.type) for document in theirs for a in document.annotations]
    assert spans == [(d.id, e.start, e.end, e.label) for d in gold for e in d.entities]
