"""HTML: the text is all there, every mention is marked, nothing comes from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given

from medspan import formats
from medspan.formats.html import hue
from medspan.formats.protocol import WriteOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents


class _Page(HTMLParser):
    """Collects the text of ``.text`` boxes without labels, and checks that tags nest."""

    def __init__(self):
        super().__init__()
        self.stack, self.texts, self.labels, self.sections = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert not {"src", "onclick", "onload"} & attrs.keys()
        assert attrs.get("href", "#").startswith("#")
        assert tag not in {"script", "link", "img", "iframe"}
        if attrs.get("class") == "text":
            self.texts.append("")
            self.labels.append([])
        if tag != "meta":
            self.stack.append((tag, attrs.get("class")))

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        if ("div", "text") not in self.stack:
            return
        if self.stack[-1][0] == "b":
            self.labels[-1].append(data)
        elif self.stack[-1][0] == "em":  # the assertion behind a label
            self.labels[-1][-1] += data
        elif ("span", "section") in self.stack:
            self.sections.append(data)
        elif self.stack[-1] == ("span", "control"):
            self.texts[-1] += chr(int(data, 16))
        else:
            self.texts[-1] += data


def _page(found, tmp_path, **options):
    path = tmp_path / "page.html"
    losses = formats.write(found, path, options=WriteOptions(**options))
    content = path.read_bytes().decode()
    page = _Page()
    page.feed(content)
    page.close()
    assert page.stack == []
    return content, page, losses


@given(document=documents())
def test_text_and_labels_are_all_there(tmp_path_factory, document):
    _, page, _ = _page([document], tmp_path_factory.mktemp("html"))
    assert page.texts == [document.text]
    parts = sum(len(entity.spans) for entity in document.entities)
    assert len(page.labels[0]) == parts
    assert {label.split(" ")[0] for label in page.labels[0]} == {entity.label for entity in document.entities}


def test_markup_in_text_labels_ids_and_titles_is_only_text(tmp_path):
    bad = "</div><script>alert('1')</script>&amp;\""
    entity = Entity(bad, bad, (Span(0, 5),), 0.5, (Attribute(bad, bad),), (Concept(bad, bad),))
    content, page, _ = _page([Document(bad, bad, (entity,))], tmp_path, title=bad)
    assert "<script" not in content
    assert page.texts == [bad]
    assert page.labels == [[bad]]


def test_nested_and_crossing_mentions(tmp_path):
    entities = (
        Entity("T1", "Disease", (Span(0, 9),)),
        Entity("T2", "Anatomy", (Span(2, 4),)),
        Entity("T3", "Chemical", (Span(6, 12),)),
    )
    content, page, _ = _page([Document("d", "abcdefghijklmn", entities)], tmp_path)
    assert page.texts == ["abcdefghijklmn"]
    assert page.labels == [["Anatomy", "Disease", "Chemical"]]
    assert content.count('class="more"') == 1  # the crossing one goes on with an open edge
    assert content.count("<i></i></mark>") == 1


def test_parts_of_a_discontinuous_mention_are_numbered(tmp_path):
    entity = Entity("T1", "Disease", (Span(0, 2), Span(4, 6)))
    _, page, losses = _page([Document("d", "abcdef", (entity,))], tmp_path)
    assert page.labels == [["Disease T1 1/2", "Disease T1 2/2"]]
    assert losses.counts == {}


def test_legend_contents_and_losses(tmp_path):
    entities = (Entity("T1", "Disease", (Span(0, 1),)), Entity("T2", "Disease", (Span(1, 2),)))
    first = Document("a", "xy", entities, (Relation("R1", "r", "T1", "T2"),), meta={"k": 1})
    content, _, losses = _page([first, Document("b", "مرض")], tmp_path, title="Notes")
    assert "2 documents · 2 entities" in content
    assert re.search(r"<b>Disease</b></mark> 2</li>", content)
    assert '<a href="#d2">b</a>' in content
    assert 'dir="auto"' in content
    assert "default-src 'none'" in content
    assert losses.counts == {"meta values": 1}


def test_sections_and_relations_are_shown(tmp_path):
    text = "Medications:\naspirin 5 mg\nPlan: rest"
    drug, dose = Entity("T1", "Medication", (Span(13, 20),)), Entity("T2", "Dosage", (Span(21, 25),))
    sections = (Section("medications", Span(0, 25)), Section("plan_of_care", Span(26, len(text))))
    relations = (Relation("R1", "of <dose>", "T1", "T2", 0.5),)
    found = Document("d", text, (drug, dose), relations, sections=sections)
    content, page, losses = _page([found], tmp_path)
    assert page.texts == [text]
    assert page.sections == ["medications", "plan of care"]
    assert content.index('"section">plan') > content.index("aspirin")
    assert "1 relation</summary>" in content
    row = re.search(r"<tr>(.*?)</tr>", content)[1]
    assert re.findall(r">([^<>]+)<", row) == ["aspirin", "Medication", "of &lt;dose&gt;", "5 mg", "Dosage"]
    assert losses.counts == {}


def test_colours_are_stable():
    assert hue("Disease") == hue("DISEASE") == 8
    assert hue("Sign_symptom") == hue("Sign_symptom")
    assert 0 <= hue("anything") < 360


def test_no_documents(tmp_path):
    content, _, _ = _page([], tmp_path)
    assert "0 documents · 0 entities" in content


@pytest.mark.parametrize("count", [1, 3000])
def test_many_mentions_at_one_place(tmp_path, count):
    entities = tuple(Entity(f"T{number}", "X", (Span(number, 2 * count),)) for number in range(count))
    _, page, _ = _page([Document("d", "ab" * count, entities)], tmp_path)
    assert len(page.labels[0]) == count
