"""The page, all views but Annotate: answers that come late or not at all, files that are none, large texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from page_browser import asked, held, refused

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from page_browser import Watched

ANNOTATE, DEIDENTIFY = "**/v1/annotate*", "**/v1/deidentify"
VANCE, LOCKHART = "Mr. Teodor Vance, MRN 5520184, has asthma.", "Dr. Ingram Lockhart, MRN 8841907, has gout."


def test_what_is_drawn_is_of_the_text_or_goes(watched: Watched) -> None:
    watched.allowed = ("status of 500",)
    page = watched.open("read")
    box, marks = page.locator("#view-read textarea"), page.locator("#view-read .stage mark.entity")
    box.fill("He has asthma.")
    expect(marks).to_have_text(["asthmaDisease"])
    error = page.locator("#view-read .error")
    with refused(page, ANNOTATE):
        box.fill("She has gout.")
        expect(error).to_contain_text("it is refused")
        expect(marks).to_have_count(0)
    error.get_by_role("button", name="Try again").click()
    expect(marks).to_have_text(["goutDisease"])
    expect(error).to_be_hidden()
    with refused(page, ANNOTATE):
        box.fill("She has fever.")
        expect(error).to_be_visible()
        page.locator("#view-read").get_by_role("button", name="Clear").click()
        expect(error).to_be_hidden()
    expect(page.locator("#view-read").get_by_role("button", name="Try an invented note")).to_be_visible()


def test_a_text_that_is_taken_back_leaves_nothing_busy(watched: Watched) -> None:
    page = watched.open("read")
    with held(page, ANNOTATE) as waiting:
        page.fill("#view-read textarea", "He has asthma.")
        asked(page, waiting)
        expect(page.locator("#view-read .stage")).to_have_attribute("aria-busy", "true")
        page.locator("#view-read").get_by_role("button", name="Clear").click()
        expect(page.locator("#view-read .stage")).not_to_have_attribute("aria-busy", "true")


def test_only_the_view_that_is_shown_asks_and_once(watched: Watched) -> None:
    page = watched.open("deid")
    paths: list[str] = []
    page.on("request", lambda request: paths.append(request.url.partition("/v1/")[2]))
    page.fill("#view-deid textarea", VANCE)
    expect(page.locator("#status")).to_contain_text("found and replaced")
    for view in ("read", "deid", "read"):
        watched.open(view)
        page.locator(f"#view-{view} mark.entity").first.wait_for()
    page.fill("#view-read textarea", LOCKHART)
    page.locator("#view-read mark.entity", has_text="gout").wait_for()
    assert sorted(filter(None, paths)) == ["annotate", "annotate", "deidentify"]


def test_the_new_text_goes_on_only_when_it_is_that_of_the_box(watched: Watched) -> None:
    watched.allowed = ("status of 500",)
    page = watched.open("deid")
    view = page.locator("#view-deid")
    new = view.get_by_role("region", name="New text", exact=True)
    save = view.get_by_role("button", name="Save")
    view.locator("textarea").fill(VANCE)
    expect(new).to_contain_text("asthma")
    with held(page, DEIDENTIFY):
        view.locator("textarea").fill(LOCKHART)
        expect(save).to_be_disabled()
    expect(new).to_contain_text("gout")
    expect(save).to_be_enabled()
    with refused(page, DEIDENTIFY):
        view.get_by_role("button", name="Surrogates").click()
        expect(view.locator(".error")).to_contain_text("it is refused")
        expect(new).to_have_count(0)
    view.get_by_role("button", name="Try again").click()
    expect(new).to_contain_text("gout")
    expect(new).not_to_contain_text("[MRN]")


@pytest.mark.parametrize("name", ["deid", "compare"])
def test_the_box_stays_open_under_the_hands(watched: Watched, name: str) -> None:
    page = watched.open(name)
    box = page.locator(f"#view-{name} textarea")
    box.focus()
    page.keyboard.type("He has asthma.")
    page.locator(f"#view-{name} .text", has_text="asthma").first.wait_for()
    page.keyboard.type(" And gout.")
    expect(box).to_have_value("He has asthma. And gout.")
    page.locator(f"#view-{name} .text", has_text="gout").first.wait_for()
    expect(box).to_be_focused()


def test_what_was_compared_of_other_models_goes(watched: Watched) -> None:
    watched.allowed = ("status of 500",)
    page = watched.open("compare")
    view = page.locator("#view-compare")
    view.locator("textarea").fill("He takes metformin 500 mg daily for diabetes.")
    view.locator("mark.entity").first.wait_for()
    with refused(page, ANNOTATE):
        view.locator(".models select").first.select_option("clinical")
        expect(view.locator(".error")).to_contain_text("it is refused")
        expect(view.locator("mark.entity")).to_have_count(0)
    view.get_by_role("button", name="Try again").click()
    view.get_by_role("button", name="the same").click()
    view.locator("mark.entity").first.wait_for()


def test_the_focus_stays_where_it_is_when_an_answer_comes(watched: Watched) -> None:
    page = watched.open("read")
    page.locator("#view-read").get_by_role("button", name="Try an invented note").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#view-read .text")).to_be_focused()
    box = page.locator("#view-read textarea")
    box.fill("He has asthma.")
    mark = page.locator("#view-read mark.entity", has_text="asthma")
    expect(mark).to_have_attribute("tabindex", "0")
    with held(page, ANNOTATE) as waiting:
        box.fill("He has asthma. She has gout.")
        asked(page, waiting)
        mark.focus()
    page.locator("#view-read mark.entity", has_text="gout").wait_for()
    expect(mark).to_be_focused()
    with held(page, ANNOTATE) as waiting:
        box.fill("He has asthma. She has gout. Fever.")
        asked(page, waiting)
        disease = page.locator("#view-read .filters input[type=checkbox]").first
        disease.focus()
    page.locator("#view-read mark.entity", has_text="Fever").wait_for()
    expect(disease).to_be_focused()


BROKEN_FILES = """() => { const given = new DataTransfer();
    const add = (content, name) => given.items.add(new File([content], name));
    add("He has asthma.", "a.txt"); add("", "empty.txt"); add(new Uint8Array([0xff, 0xfe, 0x41, 0]), "utf16.txt");
    add(new Uint8Array([0x89, 0x50, 0, 0x0d]), "scan.png"); add("a\\0b", "zero.txt");
    add(new Uint8Array([0x46, 0xfc, 0x72]), "latin1.txt"); add("Fever. ".repeat(40), "long.txt");
    add("gone", "gone.txt");
    const real = File.prototype.arrayBuffer;
    File.prototype.arrayBuffer = function () {
        return this.name === "gone.txt" ? Promise.reject(new DOMException("", "NotReadableError")) : real.call(this);
    };
    return given; }"""


def limited(page: Page, **limits: int) -> None:
    """A service with other limits."""

    def told(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "limits": {**found["limits"], **limits}})

    page.route("**/v1/models", told)


def test_files_that_are_no_texts_are_listed_and_the_others_go_on(watched: Watched) -> None:
    limited(watched.page, characters=200)
    page = watched.open("files")
    transfer = page.evaluate_handle(BROKEN_FILES)
    page.dispatch_event("#view-files .drop", "drop", {"dataTransfer": transfer})
    bad = page.locator("#view-files .bad tbody tr")
    expect(bad).to_have_count(6)
    expect(bad.filter(has_text="empty")).to_contain_text("the document is empty")
    expect(bad.filter(has_text="gone.txt")).to_contain_text("cannot be read")
    expect(bad.filter(has_text="UTF-8")).to_have_count(3)
    expect(bad.filter(has_text="long")).to_contain_text("more than 200 characters")
    expect(page.locator("#view-files .summary")).to_contain_text("1 of 1 document")
    expect(page.locator("#view-files .summary")).to_contain_text("1 file of other kinds")
    expect(page.locator("#status")).to_have_text("Done: 1 document annotated, 6 not.")


def test_a_folder_without_a_text_is_told(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    (tmp_path / "scan.png").write_bytes(b"\x89PNG")
    page.locator("#view-files input[webkitdirectory]").set_input_files(tmp_path)
    summary = page.locator("#view-files .summary")
    expect(summary).to_contain_text("1 file of other kinds left out")
    expect(summary).to_be_visible()


def notes(path: Path, count: int) -> list[Path]:
    files = [path / f"{number:03}.txt" for number in range(count)]
    for file in files:
        file.write_text(f"Case {file.stem}: asthma.", encoding="utf-8")
    return files


def test_a_job_that_broke_off_is_gone_on_with(watched: Watched, tmp_path: Path) -> None:
    watched.allowed = ("ERR_CONNECTION_REFUSED",)
    page = watched.open("files")
    told, summary = page.locator("#status"), page.locator("#view-files .summary")
    sent: list[Route] = []

    def cut(route: Route) -> None:
        sent.append(route)
        if len(sent) == 1:
            route.fallback()
        elif len(sent) == 2:
            lines = route.fetch().text().splitlines()
            route.fulfill(body="\n".join(lines[:3]), content_type="application/x-ndjson")
        else:
            route.abort("connectionrefused")

    page.route(ANNOTATE, cut)
    page.locator("#view-files input[type=file]").first.set_input_files(notes(tmp_path, 80))
    expect(told).to_have_text("Broken off: 35 documents annotated, 0 not.")
    expect(page.locator("#view-files .error")).to_contain_text("ended too early")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#view-files .error")).to_contain_text("does not answer")
    page.unroute(ANNOTATE, cut)
    page.get_by_role("button", name="Go on").click()
    expect(told).to_have_text("Done: 80 documents annotated, 0 not.")
    expect(summary).to_contain_text("80 of 80 documents")
    expect(page.locator("#view-files .error")).to_be_hidden()
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_one_document_that_is_refused_does_not_stop_the_others(watched: Watched, tmp_path: Path) -> None:
    watched.allowed = ("status of 413",)
    page = watched.open("files")

    def refuse(route: Route) -> None:
        if "Case 001" in (route.request.post_data or ""):
            problem = {"title": "Too large", "status": 413, "detail": "it is too large"}
            route.fulfill(status=413, json=problem)
        else:
            route.fallback()

    page.route(ANNOTATE, refuse)
    page.locator("#view-files input[type=file]").first.set_input_files(notes(tmp_path, 3))
    expect(page.locator("#status")).to_have_text("Done: 2 documents annotated, 1 not.")
    expect(page.locator("#view-files .bad tbody")).to_contain_text("001")
    expect(page.locator("#view-files .bad tbody")).to_contain_text("it is too large")


def test_files_are_annotated_without_a_stage_where_none_is_chosen(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    for box in page.locator("#view-files .settings input[type=checkbox]").all():
        box.uncheck()
    with page.expect_request(ANNOTATE) as asked_for:
        page.locator("#view-files input[type=file]").first.set_input_files(notes(tmp_path, 1))
    assert "stages=" in asked_for.value.url
    with page.expect_download() as download:
        page.get_by_role("button", name="JSONL", exact=True).click()
    document = download.value.path().read_text(encoding="utf-8")
    assert "assertion" not in document


def test_a_file_that_is_no_text_is_not_opened(watched: Watched) -> None:
    page = watched.open("read")
    page.fill("#view-read textarea", "He has asthma.")
    page.locator("#view-read input[type=file]").set_input_files(
        {"name": "scan.txt", "mimeType": "text/plain", "buffer": b"\xff\xfe\x00"}
    )
    expect(page.locator("#status")).to_have_text("scan.txt was not opened: it is not text in UTF-8.")
    expect(page.locator("#view-read textarea")).to_have_value("He has asthma.")


def test_a_file_dropped_beside_the_box_does_not_take_the_page_away(watched: Watched) -> None:
    page = watched.open("files")
    assert page.evaluate(
        """() => { const dataTransfer = new DataTransfer(); dataTransfer.items.add(new File(["a"], "a.txt"));
        return ["dragover", "drop"].map((name) => document.querySelector("footer").dispatchEvent(
            new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true}))); }"""
    ) == [False, False], "the browser is told to leave it"


def test_arrow_keys_on_a_list_that_acts_choose_nothing_yet(watched: Watched) -> None:
    page = watched.open("read")
    box = page.locator("#view-read textarea")
    box.fill("He has asthma.")
    page.locator("#view-read .tools select").focus()
    for key in ("ArrowDown", "Escape", "a", "Escape"):
        page.keyboard.press(key)
    expect(box).to_have_value("He has asthma.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile("CHIEF COMPLAINT"))


def test_words_that_run_from_right_to_left_keep_apart_from_their_label(watched: Watched) -> None:
    page = watched.open("read")
    entity = {"id": "T1", "label": "Disease", "start": 2, "end": 9, "score": 0.5}
    answer = {"documents": [{"id": "text", "entities": [entity]}], "model": "default", "errors": []}
    page.route(ANNOTATE, lambda route: route.fulfill(json=answer))
    for text, side in (("כאב ראש", "left"), ("asthma.", "right")):
        page.fill("#view-read textarea", f"x\n{text}")
        mark = page.locator("#view-read .stage mark.entity", has_text=text)
        gap = mark.evaluate(
            """(mark, side) => { const range = document.createRange(); range.selectNode(mark.firstChild);
            const [words, label] = [range, mark.querySelector("b")].map((one) => one.getBoundingClientRect());
            return side === "left" ? words.left - label.right : label.left - words.right; }""",
            side,
        )
        assert gap > 2, text


def test_paper_holds_no_boxes_and_buttons(watched: Watched) -> None:
    for view in ("deid", "compare"):
        page = watched.open(view)
        page.locator(f"#view-{view} textarea").fill(VANCE)
        page.locator(f"#view-{view} .text", has_text="asthma").first.wait_for()
        page.emulate_media(media="print")
        expect(page.locator(f"#view-{view} .text").first).to_be_visible()
        expect(page.locator(f"#view-{view} .giver")).to_be_hidden()
        page.emulate_media(media="screen")
        page.reload()


def test_a_text_with_many_marks_is_drawn_in_time(watched: Watched) -> None:
    page = watched.open("read")
    entities = [{"id": f"T{n}", "label": "Disease", "start": n * 7, "end": n * 7 + 6} for n in range(60_000)]
    answer = {"documents": [{"id": "text", "entities": entities}], "model": "default", "errors": []}
    page.route(ANNOTATE, lambda route: route.fulfill(json=answer))
    page.fill("#view-read textarea", "asthma " * 60_000)
    expect(page.locator("#view-read .summary")).to_contain_text(
        "60,000 entities"
    )  # each mark looked at all: a minute
    expect(page.locator("#view-read .stage mark.entity")).to_have_count(60_000)
