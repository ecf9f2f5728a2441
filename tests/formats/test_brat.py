from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from bioc import brat as bioc_brat
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import FormatError, UsageError
from medspan.formats import brat, jsonl
from medspan.formats.protocol import ReadOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # bratly uses pydantic's old configuration
    import bratly

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Colon and breast cancer was not\nseen; lithium helped.\n"
ANN = (
    "T1\tDisease 0 5;17 23\tColon cancer\n"
    "T2\tDisease 10 23\tbreast cancer\n"
    "T3\tChemical 38 45\tlithium\n"
    "T4\tVerb 28 36\tnot seen\n"
    "R1\tTreats Drug:T3 Disease:T2\n"
    "A1\tNegation T1\n"
    "M7\tLevel T2 very high\n"
    "N2\tReference T3 MESH:D008094\tLithium\n"
    "N9\tReference T3 RxNorm:6448\t\n"
    "*\tEquiv T1 T2\n"
    "E1\tHelp:T4 Theme:T3 Goal:T1\n"
    "A3\tSpeculation E1\n"
    "R2\tPartOf Arg1:E1 Arg2:T1\n"
    "#1\tAnnotatorNotes T1\tsure?\twith a tab\n"
    "#2\tAnnotatorNotes A1\tabout an attribute\n"
)


def entity(number, start, end, label="Disease", **more):
    return Entity(f"T{number}", label, (Span(start, end),), **more)


def pair(folder: Path, text: str, ann: str, name: str = "a") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_bytes(text.encode())
    (folder / f"{name}.ann").write_bytes(ann.encode())
    return folder


def round_trip(folder: Path, *given_documents: Document) -> tuple[list[Document], dict[str, int]]:
    losses = brat.write(given_documents, folder)
    return list(brat.read(folder)), losses.counts


def test_every_kind_of_line(tmp_path):
    (document,) = brat.read(pair(tmp_path / "in", TEXT, ANN))
    assert document.id == "a"
    assert document.text == TEXT
    assert document.entities == (
        Entity("T1", "Disease", (Span(0, 5), Span(17, 23)), attributes=(Attribute("Negation", "true"),)),
        entity(2, 10, 23, attributes=(Attribute("Level", "very high"),)),
        entity(3, 38, 45, "Chemical", concepts=(Concept("MESH:D008094", "Lithium"), Concept("RxNorm:6448"))),
        entity(4, 28, 36, "Verb"),
    )
    assert document.relations == (Relation("R1", "Treats", "T3", "T2"),)
    assert document.meta["brat"]["roles"] == {"R1": ["Drug", "Disease"]}
    assert [line.split("\t")[0] for line in document.meta["brat"]["lines"]] == [
        "*",
        "E1",
        "A3",
        "R2",
        "#1",
        "#2",
    ]


def test_the_same_bytes_are_written_back(tmp_path):
    read = list(brat.read(pair(tmp_path / "in", TEXT, ANN)))
    assert brat.write(read, tmp_path / "out").counts == {}
    assert (tmp_path / "out" / "a.ann").read_text() == ANN
    assert (tmp_path / "out" / "a.txt").read_text() == TEXT
    assert list(brat.read(tmp_path / "out")) == read


def test_kept_lines_survive_jsonl_and_go_when_their_annotations_go(tmp_path):
    (document,) = brat.read(pair(tmp_path / "in", TEXT, ANN))
    jsonl.write([document], tmp_path / "d.jsonl")
    (document,) = jsonl.read(tmp_path / "d.jsonl")
    without = document.replace(entities=document.entities[:2], relations=())
    losses = brat.write([without], tmp_path / "out")
    assert losses.counts == {"brat lines about what is no longer there": 3}
    (again,) = brat.read(tmp_path / "out")
    assert again.entities == without.entities
    assert [line.split("\t")[0] for line in again.meta["brat"]["lines"]] == ["*", "#1", "#2"]


@pytest.mark.parametrize(
    "kept", [None, 5, [], {"lines": 3}, {"ids": {"T1": []}}, {"lines": ["E1\tX:T9\nT7\tY"]}]
)
def test_strange_meta_harms_nothing(tmp_path, kept):
    document = Document("a", "cancer", (entity(1, 0, 6),), meta={"brat": kept})
    (again,), _ = round_trip(tmp_path / "out", document)
    assert again == document.replace(meta={})


ODD_NAMES = [
    "",
    "Drug name",
    "a:b",
    "a;b",
    " x ",
    "tab\tbed",
    "line\nend\r",
    "é\u2028",
    "\x00",
    "_",
    "true",
    "_:1",
    "a:",
    ":a",
    "-",
    "::",
    "Å\x85",
    "%20",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_brat_cannot_hold_come_back(tmp_path, name):
    document = Document(
        "a",
        "cancer",
        (
            Entity(
                name,
                name or "x",
                (Span(0, 6),),
                0.25,
                (Attribute(name, name, 0.5), Attribute("Other" + name, "a  b " + name)),
                (Concept(name, name, 0.1), Concept("MESH:" + name), Concept(name)),
            ),
            entity(1, 0, 3),
        ),
        (Relation(name, name, name, "T1", 1.0),),
    )
    (again,), counts = round_trip(tmp_path / "out", document)
    assert again == document
    assert counts == {}
    ann = (tmp_path / "out" / "a.ann").read_text()
    assert all(line.count("\t") <= 2 for line in ann.split("\n"))
    (theirs,) = bioc_brat.listdir(tmp_path / "out")
    assert [(e.total_span, e.text) for e in theirs.entities] == [((0, 6), "cancer"), ((0, 3), "can")]


def test_a_field_edited_in_brat_speaks_for_itself(tmp_path):
    document = Document("a", "cancer", (Entity("T1", "Drug name", (Span(0, 6),), 0.5),))
    brat.write([document], tmp_path / "out")
    ann = tmp_path / "out" / "a.ann"
    assert ann.read_text() == (
        "T1\tDrug_name 0 6\tcancer\n"
        '#1\tmedspan T1\t{"score": 0.5, "was": {"label": ["Drug_name", "Drug name"]}}\n'
    )
    ann.write_text(ann.read_text().replace("T1\tDrug_name 0 6", "T1\tDisease 0 6"))
    (again,) = brat.read(tmp_path / "out")
    assert again.entities == (Entity("T1", "Disease", (Span(0, 6),), 0.5),)


def test_ids_never_collide(tmp_path):
    document = Document(
        "a",
        "cancer",
        (Entity("e1", "X", (Span(0, 1),)), entity(1, 0, 6), Entity("T2-x", "X", (Span(2, 3),))),
        (Relation("rel", "L", "e1", "T1"), Relation("R1", "L", "T1", "T2-x")),
    )
    (again,), _ = round_trip(tmp_path / "out", document)
    assert again == document


@pytest.mark.parametrize(
    "identity",
    [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "/abs",
        "a/b",
        "a\\b",
        "C:\\x",
        "é",
        "e\u0301",
        "50%",
        "%2F",
        "%",
        "%~2",
        "x%~3",
        "\x00",
        "a\nb",
        " a ",
        "a.",
        ".hidden",
        "CON",
        "x.txt",
        "患者",
    ],
)
def test_document_ids_become_file_names(tmp_path, identity):
    folder = tmp_path / "deep" / "out"
    folder.parent.mkdir()
    (again,), counts = round_trip(folder, Document(identity, "x"))
    assert (again.id, counts) == (identity, {})
    assert sorted(file.suffix for file in folder.iterdir()) == [".ann", ".txt"]
    assert [file.name for file in folder.parent.iterdir()] == ["out"]


def test_ids_that_would_share_a_file_name(tmp_path):
    names = ["a", "A", "a", "", "", "é", "e\u0301", "a%~2"]
    found, counts = round_trip(tmp_path / "out", *(Document(name, str(n)) for n, name in enumerate(names)))
    assert sorted((d.id, d.text) for d in found) == sorted((name, str(n)) for n, name in enumerate(names))
    assert counts == {}


def test_an_id_too_long_for_a_file_name(tmp_path):
    found, counts = round_trip(tmp_path / "out", Document("é" * 300, "1"), Document("é" * 300, "2"))
    assert {d.text for d in found} == {"1", "2"}
    assert counts == {"document ids too long for a file name": 2}


@pytest.mark.parametrize("name", ["a%20b", "50%", "%zz", "a~2"])
def test_foreign_file_names_stay(tmp_path, name):
    (document,) = brat.read(pair(tmp_path / "in", "x", "", name))
    assert document.id == name


def test_folders_in_folders_and_single_files(tmp_path):
    folder = pair(tmp_path / "in", "x", "", "b")
    pair(folder / "sub", "y", "", "a")
    pair(folder / ".hidden", "z", "", "a")
    (folder / "notes.md").write_text("no")
    assert [(d.id, d.text) for d in brat.read(folder)] == [("b", "x"), ("sub/a", "y")]
    for name in ("b.txt", "b.ann"):
        assert [d.id for d in brat.read(folder / name)] == ["b"]


def test_losses_are_counted(tmp_path):
    span = Span(0, 1)
    document = Document("a", "x", sentences=(span,), sections=(Section("h", span),), meta={"source": "s"})
    (again,), counts = round_trip(tmp_path / "out", document)
    assert again == Document("a", "x")
    assert counts == {"sentences": 1, "sections": 1, "meta values": 1}


def test_byte_order_mark_and_crlf_stay_in_the_text(tmp_path):
    folder = pair(tmp_path / "in", "\ufeffA\r\ncancer", "\ufeffT1\tDisease 4 10\tcancer\r\n\r\n")
    (document,) = brat.read(folder)
    assert document.text == "\ufeffA\r\ncancer"
    assert document.entities == (entity(1, 4, 10),)
    pair(folder, "A\r\ncancer", "T1\tDisease 2 8\tcancer\n")
    with pytest.raises(FormatError, match=r"a\.ann:1: .* 2 to 8; the text has CRLF line ends"):
        list(brat.read(folder))


@pytest.mark.parametrize(
    ("ann", "line", "words"),
    [
        ("nonsense", 1, "does not begin with an id and a tab"),
        ("T1 Disease 0 6 cancer", 1, "does not begin with an id and a tab"),
        ("X1\tDisease 0 6\tcancer", 1, "begin with T, R, E, A, M, N, * or #"),
        ("T\tDisease 0 6\tcancer", 1, "does not begin with an id"),
        ("T1\tDisease 0 6", 1, "no third column"),
        ("T1\tDisease 0\tcancer", 1, "malformed line 'T1'; write it like T1<tab>Label 0 5<tab>text"),
        ("T1\tDrug name 0 6\tcancer", 1, "malformed line 'T1'"),
        ("T1\tDisease -1 6\tcancer", 1, "malformed line 'T1'"),
        ("T1\tDisease 0 6;\tcancer", 1, "malformed line 'T1'"),
        ("T1\tDisease 6 0\tcancer", 1, "span (6, 0)"),
        ("T1\tDisease 0 0\t", 1, "span (0, 0)"),
        ("T1\tDisease 0 4;3 6\tcanccer", 1, "unsorted or overlap"),
        ("T1\tDisease 0 99\tcancer", 1, "ends at 99, past the text (13 characters)"),
        ("T1\tDisease 0 " + "9" * 5000 + "\tcancer", 1, "malformed line 'T1'"),
        ("\nT1\tDisease 1 7\tcancer", 2, "not what stands at 1 to 7"),
        ("T1\tDisease 0 6\tcancer\nT1\tDisease 0 6\tcancer", 2, "id 'T1' stands already on line 1"),
        ("T1\tDisease 0 6\tcancer\nR1\tX Arg1:T1 Arg2:T9", 2, "'R1' names 'T9'"),
        ("T1\tDisease 0 6\tcancer\nR1\tX T1 T1", 2, "malformed line 'R1'"),
        ("A1\tNegation T1", 1, "'A1' names 'T1', which is not in this file"),
        ("A1\tNegation", 1, "malformed line 'A1'"),
        ("N1\tReference T1 MESH\tx", 1, "malformed line 'N1'"),
        ("N1\tReference T1 MESH:D1\tx", 1, "'N1' names 'T1'"),
        ("E1\tHelp:T1", 1, "'E1' names 'T1'"),
        ("E1\tHelp", 1, "malformed line 'E1'"),
        ("*\tEquiv", 1, "malformed line '*'"),
        ("T1\tDisease 0 6\tcancer\n#1\tmedspan T1\t{", 2, "not as medspan writes it"),
        ("T1\tDisease 0 6\tcancer\n#1\tmedspan T1\t[]", 2, "not as medspan writes it"),
        ('T1\tDisease 0 6\tcancer\n#1\tmedspan T1\t{"score": "x"}', 2, "not as medspan writes it"),
        ('T1\tDisease 0 6\tcancer\n#1\tmedspan T1\t{"was": {"id": "T2"}}', 2, "not as medspan writes it"),
    ],
)
def test_malformed_annotations(tmp_path, ann, line, words):
    folder = pair(pair(tmp_path / "in", "cancer, cough", ann), "good", "", "b")
    with pytest.raises(FormatError) as caught:
        list(brat.read(folder))
    assert f"a.ann:{line}: " in str(caught.value)
    assert words in str(caught.value)
    assert "cancer" not in str(caught.value)
    units: list[str] = []
    assert [d.id for d in brat.read(folder, ReadOptions(lambda _, unit: units.append(unit)))] == ["b"]
    assert units == [ann]


def test_two_entities_that_claim_one_id(tmp_path):
    note = '#1\tmedspan T2\t{"was": {"id": ["T2", "T1"]}}\n'
    folder = pair(tmp_path / "in", "cancer", "T1\tX 0 6\tcancer\nT2\tX 0 6\tcancer\n" + note)
    with pytest.raises(FormatError, match="entity id twice"):
        list(brat.read(folder))


@pytest.mark.parametrize(
    ("missing", "words"), [("a.txt", "its text a.txt is missing"), ("a.ann", "a.ann are missing")]
)
def test_half_a_pair(tmp_path, missing, words):
    folder = pair(pair(tmp_path / "in", "x", ""), "good", "", "b")
    (folder / missing).unlink()
    with pytest.raises(FormatError, match=words):
        list(brat.read(folder))
    assert [d.id for d in brat.read(folder, ReadOptions(lambda *_: None))] == ["b"]


def test_not_utf8(tmp_path):
    folder = pair(tmp_path / "in", "x", "")
    (folder / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(FormatError, match=r"a\.txt: byte 3 is not UTF-8"):
        list(brat.read(folder))


@pytest.mark.parametrize("name", ["absent", "empty", "x.md", "-"])
def test_nothing_to_read(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.md").write_text("x")
    path = brat.files.STANDARD if name == "-" else tmp_path / name
    with pytest.raises(UsageError):
        list(brat.read(path))


@pytest.mark.parametrize("name", ["a.ann", "a.txt"])
def test_a_file_is_no_folder(tmp_path, name):
    with pytest.raises(UsageError, match="name a folder"):
        brat.write([], tmp_path / name)


def test_a_failing_source_leaves_nothing(tmp_path):
    def failing():
        yield Document("a", "x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        brat.write(failing(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@given(st.lists(documents(), max_size=3))
def test_any_documents_survive(tmp_path_factory, found):
    given_documents = [d.replace(id=f"{number}{d.id}") for number, d in enumerate(found)]
    folder = tmp_path_factory.mktemp("brat") / "out"
    if not given_documents:
        return
    again, _ = round_trip(folder, *given_documents)
    assert again == [d.replace(sentences=(), sections=(), meta={}) for d in given_documents]


def test_independent_readers_find_the_same(tmp_path):
    (document,) = brat.read(pair(tmp_path / "in", TEXT, ANN.replace("\twith", " with")))
    brat.write([document], tmp_path / "out")
    (theirs,) = bioc_brat.listdir(tmp_path / "out")
    assert theirs.text == TEXT
    assert [
        (e.id, e.type, e.text, sorted((i.begin, i.end) for i in e.locations)) for e in theirs.entities
    ] == [
        (e.id, e.label, document.text_of(e).replace("\n", " "), [(s.start, s.end) for s in e.spans])
        for e in document.entities
    ]
    assert next(r.arguments for r in theirs.relations) == {"Drug": "T3", "Disease": "T2"}
    assert [(a.type, a.refid) for a in theirs.attributes] == [
        ("Negation", "T1"),
        ("Level", "T2"),
        ("Speculation", "E1"),
    ]


def by_bratly(ann: str) -> list[object]:
    """The lines as bratly parses them."""
    found: dict[str, bratly.Annotation] = {}
    kinds = {"T": bratly.EntityAnnotation, "R": bratly.RelationAnnotation, "A": bratly.AttributeAnnotation}
    kinds |= {"N": bratly.NormalizationAnnotation, "#": bratly.NoteAnnotation}
    for line in ann.splitlines():
        kind = kinds[line[0]]
        item = kind.from_line(line) if line[0] == "T" else kind.from_line(line, found)
        found[item.id] = item
    return list(found.values())


@given(documents())
def test_bratly_reads_what_we_write_and_we_what_it_writes(tmp_path_factory, document):
    named = tuple(
        Entity(
            e.id,
            e.label,
            e.spans,
            e.score,
            tuple(Attribute(a.name, a.value.replace(".", "_"), a.score) for a in e.attributes),
            tuple(Concept("UMLS:" + c.id.replace(":", "_"), c.name or "x", c.score) for c in e.concepts),
        )
        for e in document.entities
    )
    document = document.replace(entities=named, sentences=(), sections=(), meta={})
    folder = tmp_path_factory.mktemp("brat") / "out"
    brat.write([document], folder)
    theirs = by_bratly((folder / "doc.ann").read_bytes().decode())
    spans = {
        t.id: [(f.start, f.end) for f in t.fragments]
        for t in theirs
        if isinstance(t, bratly.EntityAnnotation)
    }
    assert spans == {e.id: [(s.start, s.end) for s in e.spans] for e in document.entities}
    (folder / "doc.ann").write_bytes("".join(f"{item}\n" for item in theirs).encode())
    assert list(brat.read(folder)) == [document]


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["standoff/maccrobat2020", "standoff/bc5cdr"])
def test_no_span_of_a_corpus_is_lost_or_moved(corpora_dir, tmp_path, corpus):
    gold = [
        document
        for file in sorted((corpora_dir / corpus).glob("*.jsonl.gz"))
        for document in jsonl.read(file)
    ]
    again, counts = round_trip(tmp_path / "out", *gold)
    by_id = {document.id: document for document in again}
    assert [by_id[document.id] for document in gold] == [document.replace(meta={}) for document in gold]
    assert counts.keys() <= {"meta values"}
