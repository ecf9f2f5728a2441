"""The report shown: JSON, Markdown, HTML, terminal table."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan.errors import DataError
from medspan.evaluation import evaluate
from medspan.report import Report
from medspan.report.errors import EXAMPLES_PER_GROUP, GROUPS_PER_KIND
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br"}
PATIENT = "Svensson <b>&amp;"
TEXT = f"Anna {PATIENT} has | renal failure and `fever`.\nShe takes lithium daily."


def span_of(part: str, label: str, score: float | None = None) -> Entity:
    start = TEXT.index(part)
    return Entity(f"{part}-{label}", label, (Span(start, start + len(part)),), score)


GOLD = Document(
    "doc<1>", TEXT, tuple(span_of(part, "Dis<ease>") for part in ("renal failure", "`fever`", PATIENT))
)
PREDICTED = Document(
    "doc<1>",
    TEXT,
    (
        span_of("| renal failure", "Dis<ease>", 0.9),
        span_of("`fever`", "Dr|ug", 0.4),
        span_of("lithium", "Dr|ug", 0.95),
        span_of("Anna", "Dis<ease>", 0.2),
    ),
)


@pytest.fixture(scope="module")
def report() -> Report:
    found = evaluate([GOLD], [PREDICTED], seen=["lithium"], resamples=20)
    return found.named(model="<script>alert(1)</script>", corpus="A & B", notes=("a <note>",))


class Checker(HTMLParser):
    """Holds that tags are closed in order, and gathers elements, texts and what would load something."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parse(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def test_html_is_well_formed_and_escapes_everything(report: Report):
    page = report.to_html()
    found = parse(page)
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "Dis<ease>" not in page
    text = "".join(found.texts)
    for shown in (PATIENT, "Dis<ease>", "A & B", "a <note>", "<script>alert(1)</script>", "doc<1>"):
        assert shown in text


def test_html_loads_nothing(report: Report):
    found = parse(report.to_html())
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(found.seen)
    assert not {"src", "href", "onclick", "onload"} & {name for name, _ in found.attributes}
    assert "url(" not in report.to_html()
    assert found.seen.count("svg") == 2


def test_html_marks_gold_and_predicted_where_they_are(report: Report):
    page = report.to_html()
    assert '<mark class="p">| </mark><mark class="g p">renal failure</mark>' in page
    assert '<mark class="g p">`fever`</mark>' in page
    assert '<mark class="p">lithium</mark>' in page
    assert '<mark class="g">Svensson &lt;b&gt;&amp;amp;</mark>' in page


@pytest.mark.parametrize(
    "show",
    [Report.to_json, Report.to_markdown, Report.table, lambda report: report.to_html(include_text=False)],
)
def test_text_stays_out_unless_asked_for(report: Report, show):
    shown = show(report)
    assert "doc<1>" not in shown
    assert not any(word in shown for word in ("Anna", "Svensson", "renal", "fever", "lithium"))


def test_markdown_with_text_escapes_it(report: Report):
    page = report.to_markdown(include_text=True)
    assert "\\`fever\\`" in page
    assert "\\| renal failure" in page
    assert "Svensson \\<b\\>" in page


def test_markdown_tables_have_as_many_cells_in_every_row(report: Report):
    for block in report.to_markdown(include_text=True).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1
        assert len(rows) == 0 or len(rows) > 2


def test_json_holds_all_that_the_other_forms_show(report: Report):
    again = Report.from_json(report.to_json(include_text=True))
    assert again == report
    assert again.to_html() == report.to_html()
    assert again.to_json(include_text=True) == report.to_json(include_text=True)
    bare = Report.from_json(report.to_json())
    assert bare == report.without_text()
    assert bare.to_markdown() == report.to_markdown()
    assert bare.table() == report.table()


def test_same_input_gives_same_bytes(report: Report):
    again = evaluate([GOLD], [PREDICTED], seen=["lithium"], resamples=20)
    again = again.named(model=report.model, corpus=report.corpus, notes=("a <note>",))
    assert again.to_html() == report.to_html()
    assert again.to_json(include_text=True) == report.to_json(include_text=True)
    assert again.to_markdown(include_text=True) == report.to_markdown(include_text=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"micro": "Anna"}', b"\xff"])
def test_what_is_no_report_is_refused_without_quoting_it(text: str | bytes):
    with pytest.raises(DataError, match="no medspan report") as caught:
        Report.from_json(text)
    assert "Anna" not in str(caught.value)


def test_a_report_of_another_format_is_refused(report: Report):
    newer = msgspec.structs.replace(report, format=99)
    with pytest.raises(DataError, match="format 99, this medspan reads 1"):
        Report.from_json(newer.to_json())


def test_terminal_table(report: Report):
    lines = report.table().splitlines()
    assert lines[0].startswith("<script>alert(1)</script> on A & B: 1 document, ")
    assert lines[3].split() == ["strict", "micro", "0.00", "0.00", "0.00", "\N{EN DASH}", "3"]
    assert any(line.startswith("token-micro") for line in lines)
    assert lines[-1] == "a <note>"
    assert all(line == line.rstrip() for line in lines)


def test_terminal_table_is_cut_at_many_labels():
    entities = tuple(Entity(str(i), f"L{i:02}", (Span(i, i + 1),)) for i in range(40))
    many = Document("d", "x" * 40, entities)
    table = evaluate([many], [many], resamples=0).table()
    assert "L29" in table
    assert "L30" not in table
    assert "… and 10 more labels" in table


def test_errors_are_grouped_counted_and_sorted():
    gold = [Document(str(i), "Fever again", (Entity("e", "A", (Span(0, 5),)),)) for i in range(6)]
    gold += [Document("other", "pain", (Entity("e", "A", (Span(0, 4),)),))]
    gold += [Document("small", "fever", (Entity("e", "A", (Span(0, 5),)),))]
    bare = [document.replace(entities=()) for document in gold]
    first, second = evaluate(gold, bare, resamples=0).errors
    assert (first.kind, first.surface, first.count, len(first.examples)) == (
        "missed",
        "Fever",
        7,
        EXAMPLES_PER_GROUP,
    )
    assert (second.surface, second.count) == ("pain", 1)


def test_the_listing_is_cut_and_says_so():
    text = " ".join(f"w{i:03}" for i in range(GROUPS_PER_KIND + 10))
    entities = tuple(Entity(str(i), "A", (Span(5 * i, 5 * i + 4),)) for i in range(GROUPS_PER_KIND + 10))
    report = evaluate([Document("d", text, entities)], [Document("d", text)], resamples=0)
    assert len(report.errors) == GROUPS_PER_KIND
    assert report.error_groups == GROUPS_PER_KIND + 10
    assert "200 of 210 different errors" in report.to_html()
    assert "Missed: 210" in report.to_html()


def test_contexts_keep_their_offsets_and_end_at_words():
    text = "aaaa " * 40 + "needle" + " bbbb" * 40
    gold = Document("d", text, (Entity("e", "A", (Span(200, 206),)),))
    example = evaluate([gold], [gold.replace(entities=())], resamples=0).errors[0].examples[0]
    ((start, end),) = example.gold
    assert example.context[start:end] == "needle"
    assert text[example.offset :].startswith(example.context)
    assert example.context.startswith("aaaa ")
    assert example.context.endswith(" bbbb")
    assert len(example.context) < 170


def test_contexts_reach_back_to_the_start_of_the_text():
    text = "Renal failure after lithium; renal failure again, and chest and back pain."
    gold = Document("d", text, (Entity("e", "A", (Span(64, 73),)),))
    assert evaluate([gold], [gold.replace(entities=())]).errors[0].examples[0].context == text


def test_overlong_mentions_are_cut():
    text = "x" * 5000
    gold = Document("d", text, (Entity("e", "A", (Span(0, 2000), Span(3000, 5000))),))
    group = evaluate([gold], [gold.replace(entities=())], resamples=0).errors[0]
    assert len(group.surface) == 120
    assert group.examples[0].gold == ((0, 600),)


def test_lone_surrogates_and_controls_can_be_written(tmp_path: Path):
    text = "bad \ud800 \x00 \x1b[31m text"
    gold = Document("d\udfff", text, (Entity("e", "A", (Span(4, 7),)),))
    report = evaluate([gold], [gold.replace(entities=())], resamples=5)
    for shown in (report.to_html(), report.to_json(include_text=True), report.to_markdown(include_text=True)):
        (tmp_path / "page").write_text(shown, encoding="utf-8")
    assert "\x1b" not in report.to_html()
    assert "\x00" not in report.to_html()
