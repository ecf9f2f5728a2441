from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from bioc import biocjson, biocxml
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import AnnotationError, FormatError
from medspan.formats import bioc_json, bioc_xml, brat, jsonl, pubtator
from medspan.formats.protocol import ReadOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents, texts

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {"xml": bioc_xml, "json": bioc_json}
both = pytest.mark.parametrize("kind", ["xml", "json"])

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>PubTator</source><date></date><key>BioC.key</key><infon key="x">y</infon>
<document><id>6794356</id><infon key="journal">Clin</infon>
<passage><infon key="type">title</infon><infon key="year">1981</infon><offset>0</offset><text>Lithium toxicity.</text>
<annotation id="1"><infon key="type">Chemical</infon><infon key="identifier">MESH:D008094</infon><infon key="nci">C1</infon>
<location offset="0" length="7"/><text>Lithium</text></annotation></passage>
<passage><infon key="type">abstract</infon><offset>18</offset><text>A newborn with atrial flutter.</text>
<annotation id="2"><infon key="type">Disease</infon><infon key="MESH">D001282|D2</infon><infon key="score">0.5</infon>
<location offset="33" length="6"/><location offset="40" length="4"/><text>atrial flut</text></annotation>
<annotation id="9"><infon key="type">Document class</infon><text/></annotation>
</passage>
<relation id="R0"><infon key="relation">CID</infon><node refid="1" role="Chemical"/><node refid="2" role="Disease"/></relation>
<relation id="R1"><infon key="relation">CID</infon><infon key="Chemical">D008094</infon></relation>
<relation id="R2"><infon key="type">Meta</infon><node refid="R0" role="a"/><node refid="1" role="b"/></relation>
</document></collection>
"""


def read_text(tmp_path: Path, content: str, kind: str, options=ReadOptions()) -> list[Document]:
    path = tmp_path / f"in.{kind}"
    path.write_bytes(content.encode())
    return list(FORMATS[kind].read(path, options))


def round_trip(path: Path, kind: str, *given_documents: Document) -> tuple[list[Document], dict[str, int]]:
    losses = FORMATS[kind].write(given_documents, path)
    return list(FORMATS[kind].read(path)), losses.counts


def test_every_part_of_a_foreign_file(tmp_path):
    (document,) = read_text(tmp_path, XML, "xml")
    assert document.text == "Lithium toxicity.\nA newborn with atrial flutter."
    assert document.sections == (Section("title", Span(0, 17)), Section("abstract", Span(18, 48)))
    assert document.entities == (
        Entity("1", "Chemical", (Span(0, 7),), concepts=(Concept("MESH:D008094"),)),
        Entity(
            "2",
            "Disease",
            (Span(33, 39), Span(40, 44)),
            0.5,
            concepts=(Concept("MESH:D001282"), Concept("MESH:D2")),
        ),
    )
    assert document.relations == (Relation("R0", "CID", "1", "2"),)
    kept = document.meta["bioc"]
    assert kept["infons"] == {"journal": "Clin"}
    assert kept["entity_infons"] == {"1": {"nci": "C1"}}
    assert kept["roles"] == {"R0": ["Chemical", "Disease"]}
    assert [item["id"] for item in kept["annotations"]] == ["9"]
    assert [item["id"] for item in kept["relations"]] == ["R1", "R2"]
    assert kept["passages"][0] == {"start": 0, "end": 17, "infons": {"type": "title", "year": "1981"}}


@both
def test_a_foreign_file_round_trips(tmp_path, kind):
    (document,) = read_text(tmp_path, XML, "xml")
    (again,), counts = round_trip(tmp_path / f"o.{kind}", kind, document)
    assert (again, counts) == (document, {})
    jsonl.write([document], tmp_path / "d.jsonl")
    assert list(jsonl.read(tmp_path / "d.jsonl")) == [document]


SPAN = Span(0, 6)
ODD_NAMES = [
    "",
    "a b",
    "a;b",
    "a,b",
    "-",
    "-1",
    "tmVar:p|SUB|V|600|E;HGVS:p.V600E",
    "\x00",
    "tab\tline\nend\r",
    "<&\"'>]]>",
    "é\u2028",
    "\ufffe",
    "%41",
    "%u0000",
    "medspan",
    "type",
    "score",
    "attribute:x",
]


@both
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back(tmp_path, kind, name):
    entity = Entity(
        name,
        name or "x",
        (SPAN,),
        0.25,
        (Attribute(name, name, 0.5), Attribute(name + "b", "x")),
        (Concept(name, name, 0.1), Concept(name)),
    )
    document = Document(
        name,
        "cancer",
        (entity, Entity("T1", "X", (Span(0, 2), Span(3, 6)), concepts=(Concept(name),))),
        (Relation(name, name, name, "T1", 0.5),),
        (SPAN,),
        (Section(name, Span(0, 3)),),
        {name: [name, None, 1.5]} if name != "bioc" else {},
    )
    (again,), counts = round_trip(tmp_path / "o", kind, document)
    assert (again, counts) == (document, {})


@both
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a\nb",
        "a\r\nb\rc",
        "\ufeffx",
        "  \n x \t",
        "<b>&amp;</b>]]>",
        "\U0001d6fc👩\u200d⚕é\u0301",
        "\x85\u2028",
    ],
)
def test_texts_are_not_touched(tmp_path, kind, text):
    (again,), counts = round_trip(tmp_path / "o", kind, Document("1", text))
    assert (again, counts) == (Document("1", text), {})


def test_what_xml_cannot_hold_keeps_its_place(tmp_path):
    document = Document("1", "a\x00b\x0bc\ufffed", (Entity("T1", "X", (Span(1, 4),)),))
    (again,), counts = round_trip(tmp_path / "o", "xml", document)
    assert again == document.replace(text="a\ufffdb c\ufffdd")
    assert counts == {"characters XML cannot hold": 3}


@both
def test_sections_that_part_the_text_become_passages(tmp_path, kind):
    sections = (Section("title", Span(0, 5)), Section("abstract", Span(6, 14)))
    crossing = Entity("c", "X", (Span(3, 8),))
    document = Document(
        "1", "Title\nabstract", (crossing, Entity("a", "X", (Span(0, 5),))), sections=sections
    )
    (again,), _ = round_trip(tmp_path / f"o.{kind}", kind, document)
    assert again == document
    module = biocxml if kind == "xml" else biocjson
    with (tmp_path / f"o.{kind}").open() as handle:
        (theirs,) = module.load(handle).documents
    assert [(p.offset, p.text, p.infons) for p in theirs.passages] == [
        (0, "Title", {"type": "title"}),
        (6, "abstract", {"type": "abstract"}),
    ]
    assert [a.id for a in theirs.annotations] == ["c"]


@both
@pytest.mark.parametrize(
    "spans",
    [
        [(0, 5)],
        [(0, 5), (5, 14)],
        [(0, 8), (6, 14)],
        [(6, 14), (0, 5)],
        [(0, 14), (0, 5)],
        [(1, 5), (6, 14)],
        [(0, 14)],
    ],
)
def test_any_sections_come_back(tmp_path, kind, spans):
    sections = tuple(Section("s", Span(*span)) for span in spans)
    document = Document("1", "Title\nabstract", sections=sections)
    (again,), _ = round_trip(tmp_path / "o", kind, document)
    assert again == document


@both
def test_a_document_changed_since_it_was_read(tmp_path, kind):
    (document,) = read_text(tmp_path, XML, "xml")
    for changed in (
        document.replace(sections=()),
        document.replace(entities=document.entities[1:], relations=()),
        document.replace(text=document.text.replace("\n", " ")),
        document.replace(meta={"bioc": 5}, sections=()),
    ):
        (again,), _ = round_trip(tmp_path / "o", kind, changed)
        assert again.replace(meta={}) == changed.replace(meta={})


def test_gaps_and_sentences(tmp_path):
    passages = [
        {"offset": 3, "infons": {}, "text": "One.", "sentences": [], "annotations": [], "relations": []},
        {
            "offset": 10,
            "infons": {"section_type": "INTRO", "type": "paragraph"},
            "sentences": [
                {
                    "offset": 10,
                    "infons": {"n": "1"},
                    "text": "Two a.",
                    "annotations": [
                        {
                            "id": 1,
                            "infons": {"type": "X"},
                            "text": "Two",
                            "locations": [{"offset": 10, "length": 3}],
                        }
                    ],
                    "relations": [],
                },
                {"offset": 18, "infons": {}, "text": "Three.", "annotations": [], "relations": []},
            ],
        },
    ]
    (document,) = read_text(tmp_path, json.dumps({"documents": [{"id": 7, "passages": passages}]}), "json")
    assert document.id == "7"
    assert document.text == "\n  One.\n  Two a.  Three."
    assert document.sentences == (Span(10, 16), Span(18, 24))
    assert document.sections == (Section("INTRO", Span(10, 24)),)
    assert document.entities == (Entity("1", "X", (Span(10, 13),)),)
    for kind in FORMATS:
        (again,), _ = round_trip(tmp_path / "o", kind, document)
        assert again == document


def test_repeated_ids_mean_their_own_passage_first(tmp_path):
    def passage(offset: int) -> dict[str, object]:
        place = {"offset": offset, "length": 1}
        nodes = [{"refid": "1", "role": "tail"}, {"refid": "1", "role": "head"}]
        return {
            "offset": offset,
            "text": "x",
            "annotations": [{"id": "1", "infons": {"type": "X"}, "locations": [place]}],
            "relations": [{"id": "", "infons": {"type": "same"}, "nodes": nodes}],
        }

    (document,) = read_text(tmp_path, json.dumps({"id": "d", "passages": [passage(0), passage(2)]}), "json")
    assert [entity.id for entity in document.entities] == ["1", "1.2"]
    assert [(r.id, r.head, r.tail) for r in document.relations] == [("", "1", "1"), (".2", "1.2", "1.2")]


DOC = {"id": "1", "infons": {}, "passages": [{"offset": 0, "text": "x"}]}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"documents": [DOC, DOC]}),
        json.dumps([DOC, DOC]),
        json.dumps({"PubTator3": [DOC, DOC]}),
        json.dumps(DOC) + "\n" + json.dumps(DOC) + "\n",
        "\ufeff" + json.dumps({"documents": [DOC, DOC]}),
    ],
)
def test_shapes_of_json(tmp_path, content):
    assert read_text(tmp_path, content, "json") == [Document("1", "x")] * 2


def test_infons_that_are_not_text(tmp_path):
    value = {**DOC, "infons": {"pmid": 5, "list": [1, None]}}
    (document,) = read_text(tmp_path, json.dumps(value), "json")
    assert document.meta["bioc"]["infons"] == {"pmid": 5, "list": [1, None]}
    (again,), counts = round_trip(tmp_path / "o.json", "json", document)
    assert (again, counts) == (document, {})
    assert round_trip(tmp_path / "o.xml", "xml", document)[1] == {"infons that are not text": 2}


def annotation(offset: object, length: object, text: str = "cancer", infon: str = "type") -> str:
    place = f'<location offset="{offset}" length="{length}"/>'
    return f'<annotation id="1">\n<infon key="{infon}">X</infon>{place}<text>{text}</text></annotation>'


def passage(inside: str = "", offset: object = 0, text: str = "cancer") -> str:
    return f"<passage><offset>{offset}</offset><text>{text}</text>{inside}</passage>"


GOOD = "<document><id>good</id></document>"


@pytest.mark.parametrize(
    ("inside", "line", "words"),
    [
        (passage(annotation(1, 6)), 3, "ends at 7, past the text (6 characters)"),
        (passage(annotation(0, 3)), 3, "not what stands at 0 to 3"),
        (passage(annotation(0, 0)), 3, "span (0, 0)"),
        (passage(annotation("x", 6)), 4, "a location has no whole number as offset"),
        (passage(annotation(-1, 6)), 4, "a location has no whole number as offset"),
        (passage(annotation(0, "9" * 5000)), 4, "no whole number as length"),
        (passage(annotation(0, 6, infon="kind")), 3, "has no infon 'type'"),
        (
            passage(annotation(0, 6).replace("<location", '<location offset="5" length="1"/><location')),
            3,
            "overlap",
        ),
        (passage(offset="") + "", 3, "a passage has no whole number as offset"),
        ("<passage><text>cancer</text></passage>", 3, "a passage has no whole number as offset"),
        (passage() + "\n" + passage(offset=3), 4, "begins at 3, inside the text before it (6 characters)"),
        (passage(offset=10**9), 3, "begins 1000000000 characters after the text"),
        ('<infon key="medspan">{"sentences": [[0, 9]]}</infon>' + passage(), 3, "ends past the text"),
        (passage() + "&bad;", 3, "not well-formed XML (undefined entity)"),
        (passage() + "a & b", 3, "not well-formed XML"),
        ("<passage>", 3, "not well-formed XML (mismatched tag)"),
        ("<a>" * 40 + "</a>" * 40, 3, "nested too deeply"),
    ],
)
def test_malformed_xml(tmp_path, inside, line, words):
    content = (
        f"<collection>{GOOD}\n{GOOD}\n<document><id>d</id>{inside}</document>\n{GOOD}\n{GOOD}</collection>"
    )
    with pytest.raises(FormatError) as caught:
        read_text(tmp_path, content, "xml")
    assert f"in.xml:{line}: " in str(caught.value)
    assert words in str(caught.value)
    assert "cancer" not in str(caught.value)
    units: list[str] = []
    found = read_text(tmp_path, content, "xml", ReadOptions(lambda _, unit: units.append(unit)))
    assert [document.id for document in found] == ["good"] * 4
    assert len(units) == 1
    assert units[0].startswith("<document>")
    assert "<id>d</id>" in units[0]


BOMB = (
    '<!DOCTYPE collection [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<collection><document><id>&b;</id></document></collection>"
)
FILE = '<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><collection><document><id>&x;</id></document></collection>'
NEEDS = '<!DOCTYPE c SYSTEM "BioC.dtd"><collection><document><id>&alpha;</id></document></collection>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB, "declares its own entities"),
        (FILE, "declares its own entities"),
        (NEEDS, "declares its own entities or needs some"),
        ("", "no element found"),
        ("not xml", "not well-formed"),
        ('<?xml version="1.0" encoding="nonsense"?><collection/>', "encoding"),
        ('<?xml version="1.0" encoding="utf-16le"?><collection/>', "encoding"),
        ("<collection><document>", "no element found"),
    ],
)
def test_files_that_are_refused(tmp_path, content, words):
    with pytest.raises(FormatError, match=words):
        read_text(tmp_path, content, "xml")
    errors: list[FormatError] = []
    assert read_text(tmp_path, content, "xml", ReadOptions(lambda error, _: errors.append(error))) == []
    assert errors


def test_other_encodings(tmp_path):
    content = '<?xml version="1.0" encoding="{}"?><collection><document><id>é</id></document></collection>'
    for encoding in ("iso-8859-1", "utf-16", "utf-8"):
        (tmp_path / "x.xml").write_bytes(content.format(encoding).encode(encoding))
        assert list(bioc_xml.read(tmp_path / "x.xml")) == [Document("é", "")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"id": "d", "passages": 3}, "document 'd' has no list of passages"),
        ({}, "document number 2 has no list of passages"),
        (5, "document number 2 has no list of passages"),
        ({"id": "d", "passages": [{"text": "x"}]}, "missing required field `offset`"),
        ({"id": "d", "passages": [{"offset": "0", "text": "x"}]}, "Expected `int`, got `str`"),
        ({"id": "d", "passages": [{"offset": -1, "text": "x"}]}, "begins at -1"),
        (
            {"id": "d", "passages": [{"offset": 0, "text": "x", "sentences": [{"offset": -5, "text": "x"}]}]},
            "at -5",
        ),
    ],
)
def test_malformed_json_documents(tmp_path, value, words):
    content = json.dumps({"documents": [DOC, value, DOC]})
    with pytest.raises(FormatError) as caught:
        read_text(tmp_path, content, "json")
    assert words in str(caught.value)
    units: list[str] = []
    assert len(read_text(tmp_path, content, "json", ReadOptions(lambda _, unit: units.append(unit)))) == 2
    assert units == [json.dumps(value)]


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("", ":1: ", "not JSON (Expecting value)"),
        ('{"documents": [\n{]}', ":2: ", "not JSON"),
        ("[" * 100_000, ": ", "nested too deeply"),
        ('{"documents": [' + "9" * 5000 + "]}", ": ", "a number is too long"),
        (json.dumps(DOC) + "\n{", ":2: ", "not JSON"),
    ],
)
def test_files_that_are_not_json(tmp_path, content, place, words):
    with pytest.raises(FormatError) as caught:
        read_text(tmp_path, content, "json")
    assert words in str(caught.value)
    assert "in.json" + place in str(caught.value)


@both
def test_meta_that_is_not_json(tmp_path, kind):
    with pytest.raises(AnnotationError, match="meta holds a value that is not JSON"):
        FORMATS[kind].write([Document("1", "x", meta={"a": object()})], tmp_path / "o")
    assert list(tmp_path.iterdir()) == []


def clean(document: Document) -> Document:
    """What XML can hold of a document."""
    bad = {chr(n): "\ufffd" for n in (*range(9), *range(14, 28), 0xFFFE, 0xFFFF)}
    blanks = dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x1f", " ")
    return document.replace(text=document.text.translate(str.maketrans(bad | blanks)))


@both
@given(st.data())
def test_any_documents_survive(tmp_path_factory, kind, data):
    given_documents = data.draw(st.lists(documents(), max_size=2))
    again, _ = round_trip(tmp_path_factory.mktemp("bioc") / "o", kind, *given_documents)
    assert again == [clean(d) if kind == "xml" else d for d in given_documents]


@both
@given(documents(text=texts().map(lambda text: clean(Document("", text)).text)))
def test_an_independent_reader_finds_the_same_and_is_read_back(tmp_path_factory, kind, document):
    folder = tmp_path_factory.mktemp("bioc")
    FORMATS[kind].write([document], folder / "ours")
    module = biocxml if kind == "xml" else biocjson
    with (folder / "ours").open("rb") as handle:
        theirs = module.load(handle)
    (found,) = theirs.documents
    assert "".join(p.text or "" for p in found.passages) == document.text or document.sections
    attached = [a for home in (*found.passages, found) for a in home.annotations]
    spans = [(a.id, a.infons["type"], tuple(Span(x.offset, x.end) for x in a.locations)) for a in attached]
    assert sorted(spans) == sorted((e.id, e.label, e.spans) for e in document.entities)
    assert [(r.id, [n.refid for n in r.nodes]) for r in found.relations] == [
        (r.id, [r.head, r.tail]) for r in document.relations
    ]
    if kind == "xml" and "\r" in document.text:
        return  # the reference writer leaves carriage returns bare
    (folder / "theirs").write_bytes(module.dumps(theirs).encode())
    assert list(FORMATS[kind].read(folder / "theirs")) == [document]


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["standoff/bc5cdr", "standoff/maccrobat2020"])
def test_no_span_of_a_corpus_is_lost_or_moved(corpora_dir, tmp_path, corpus):
    gold = [
        document
        for file in sorted((corpora_dir / corpus).glob("*.jsonl.gz"))
        for document in jsonl.read(file)
    ]
    for kind in FORMATS:
        again, counts = round_trip(tmp_path / f"o.{kind}", kind, *gold)
        assert again == gold
        assert counts == {}


def test_every_format_in_turn(tmp_path):
    (document,) = read_text(tmp_path, XML, "xml")
    brat.write([document], tmp_path / "brat")
    (by_brat,) = brat.read(tmp_path / "brat")
    assert (by_brat.entities, by_brat.relations) == (document.entities, document.relations)
    pubtator.write([document], tmp_path / "p")
    (by_pubtator,) = pubtator.read(tmp_path / "p")
    assert by_pubtator.text == document.text
