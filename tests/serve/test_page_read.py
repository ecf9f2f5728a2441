"""The page, Read: somebody pastes a note and sees what is in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from page_browser import asked

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from page_browser import Watched

NOTE = "No sign of lithium toxicity. Father had colon cancer. He has asthma. 😀 Fever too."
BOX = "#view-read textarea"
STAGE = "#view-read .stage"


def given(watched: Watched, text: str = NOTE) -> Page:
    page = watched.open("read")
    page.fill(BOX, text)
    page.locator(f"{STAGE} mark.entity").first.wait_for()
    return page


def words_of(page: Page) -> str:
    """What is drawn, without labels."""
    return page.evaluate(
        """() => { const copy = document.querySelector('#view-read .text').cloneNode(true);
        copy.querySelectorAll('b, .band-name').forEach((one) => one.remove()); return copy.textContent; }"""
    )


def test_entities_appear_as_the_text_is_typed(watched: Watched) -> None:
    page = given(watched)
    assert words_of(page) == NOTE
    expect(page.locator(f"{STAGE} mark.entity", has_text="asthma")).to_have_count(1)
    expect(page.locator(f"{STAGE} mark.absent").first).to_contain_text("lithium")
    expect(page.locator(f"{STAGE} mark.other").first).to_contain_text("someone else")
    expect(page.locator("#status")).to_contain_text("found")
    page.fill(BOX, NOTE + " Also gout.")
    expect(page.locator(f"{STAGE} mark.entity", has_text="gout")).to_have_count(1)


def test_places_after_an_emoji_are_right(watched: Watched) -> None:
    page = given(watched, "😀😀 asthma. 𠮷 Fever.")
    mark = page.locator(f"{STAGE} mark.entity").first
    assert mark.evaluate("(one) => one.firstChild.textContent") == "asthma"
    assert words_of(page) == "😀😀 asthma. 𠮷 Fever."


def test_markup_in_a_note_stays_text(watched: Watched) -> None:
    page = given(watched, "<img src=x onerror=alert(1)> <b>asthma</b> &amp; fever")
    assert words_of(page) == "<img src=x onerror=alert(1)> <b>asthma</b> &amp; fever"
    assert page.locator(f"{STAGE} img").count() == 0


def test_the_example_is_one_click_away_and_shows_sections(watched: Watched) -> None:
    page = watched.open("read")
    page.locator("#view-read").get_by_role("button", name="Try an invented note").click()
    page.locator(f"{STAGE} .band-name", has_text="medications").wait_for()
    watched.shot("read-wide-light")
    assert page.locator(f"{STAGE} mark.absent").count() > 1
    assert page.locator(f"{STAGE} mark.entity mark.entity").count() > 0, "nested entities are both drawn"


def test_details_by_pointer_and_by_keyboard(watched: Watched) -> None:
    page = given(watched)
    card = page.locator("#read-card")
    page.locator(f"{STAGE} mark.entity", has_text="asthma").hover()
    expect(card).to_contain_text("asthma")
    expect(card).to_contain_text("Score")
    page.mouse.move(1, 1)
    expect(card).to_be_hidden()
    page.locator(f"{STAGE} mark[tabindex='0']").focus()
    expect(card).to_be_visible()
    first = card.text_content() or ""
    page.keyboard.press("ArrowRight")
    expect(card).to_be_visible()
    expect(card).not_to_have_text(first)
    page.keyboard.press("End")
    expect(card).to_contain_text("Fever")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_a_note_is_typed_and_read_with_keys_alone(watched: Watched) -> None:
    page = watched.open("read")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    tab_to(page, "textarea")
    page.keyboard.type("He has asthma and fever.")
    page.locator(
        f"{STAGE} mark.entity", has_text="fever"
    ).wait_for()  # what was typed until then may come before
    tab_to(page, "mark.entity")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#read-card")).to_contain_text("fever")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"Tab does not come to {selector}")


def test_relations_as_arcs_and_as_a_table(watched: Watched) -> None:
    page = watched.open("read")
    page.locator("#view-read .settings select").select_option("clinical")
    page.fill(BOX, "Medications:\nMetformin 500 mg by mouth twice daily for diabetes.\n")
    page.locator("#view-read svg.arcs path").first.wait_for(state="attached")
    arcs = page.locator("#view-read svg.arcs g.arc").count()
    table = page.locator("#view-read table", has_text="Relations")
    assert table.locator("tbody tr").count() == arcs > 1
    table.get_by_role("button").first.click()
    expect(page.locator("#read-card")).to_contain_text("Metformin")
    expect(page.locator("#view-read g.arc.lit")).not_to_have_count(0)
    page.get_by_label("Arcs of relations").uncheck()
    expect(page.locator("#view-read g.arc")).to_have_count(0)


def test_filters_by_type_and_score(watched: Watched) -> None:
    page = given(watched)
    box = page.locator("#view-read .filters .check", has_text="Chemical")
    expect(box.locator(".number")).to_have_text("1")
    box.locator("input").uncheck()
    expect(page.locator(f"{STAGE} mark[data-label='Chemical']")).to_have_count(0)
    assert page.locator(f"{STAGE} mark[data-label='Disease']").count() > 0
    assert words_of(page) == NOTE
    slider = page.locator("#view-read input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator("#view-read output")).to_have_text("1.00")
    expect(page.locator(f"{STAGE} mark.entity")).to_have_count(0)


def test_stages_can_be_left_out(watched: Watched) -> None:
    page = given(watched)
    assert page.locator(f"{STAGE} mark.absent").count() > 0
    page.locator("#view-read .settings").get_by_label("assertion").uncheck()
    expect(page.locator(f"{STAGE} mark.absent")).to_have_count(0)


def test_an_error_is_shown_with_its_request_id(watched: Watched) -> None:
    watched.allowed = ("status of 422",)
    problem = {
        "title": "Unprocessable",
        "status": 422,
        "detail": "the text is too long",
        "request_id": "abc123",
    }
    page = watched.open("read")
    page.route("**/v1/annotate", lambda route: refuse(route, 422, problem))
    page.fill(BOX, NOTE)
    alert = page.locator("#view-read .error")
    expect(alert).to_contain_text("the text is too long")
    expect(alert).to_contain_text("abc123")


def refuse(route: Route, status: int, problem: dict[str, object], **headers: str) -> None:
    route.fulfill(
        status=status,
        body=json.dumps(problem),
        headers={"Content-Type": "application/problem+json", **headers},
    )


def test_a_busy_service_is_asked_again(watched: Watched) -> None:
    watched.allowed = ("status of 429",)
    page = watched.open("read")
    told: list[Route] = []

    def busy_once(route: Route) -> None:
        told.append(route)
        if len(told) == 1:
            refuse(route, 429, {"title": "Busy", "status": 429, "detail": "busy"}, **{"Retry-After": "1"})

    page.route("**/v1/annotate", busy_once)  # the second question waits until the first was looked at
    page.fill(BOX, NOTE)
    expect(page.locator("#status")).to_contain_text("busy")
    asked(page, told, 2)
    told[1].continue_()
    page.locator(f"{STAGE} mark.entity").first.wait_for()
    assert len(told) == 2


def test_a_service_that_has_gone_is_told(watched: Watched) -> None:
    watched.allowed = ("Failed to load resource",)
    page = watched.open("read")
    page.route("**/v1/annotate", lambda route: route.abort())
    page.fill(BOX, NOTE)
    expect(page.locator("#view-read .error")).to_contain_text("does not answer")


def test_a_file_is_dropped_on_the_box(watched: Watched) -> None:
    page = watched.open("read")
    transfer = page.evaluate_handle(
        """() => { const given = new DataTransfer();
        given.items.add(new File(["He has asthma.\\r\\nFever."], "note.txt", {type: "text/plain"})); return given; }"""
    )
    page.dispatch_event("#view-read .editor", "drop", {"dataTransfer": transfer})
    expect(page.locator(BOX)).to_have_value("He has asthma.\nFever.")
    page.locator(f"{STAGE} mark.entity", has_text="asthma").wait_for()


def test_what_is_shown_can_be_downloaded(watched: Watched) -> None:
    page = given(watched, "😀 asthma and fever")
    with page.expect_download() as download:
        page.locator("#view-read .result select").select_option("jsonl")
    (line,) = download.value.path().read_text(encoding="utf-8").splitlines()
    document = json.loads(line)
    assert [document["text"][one["start"] : one["end"]] for one in document["entities"]] == [
        "asthma",
        "fever",
    ]
    with page.expect_download() as download:
        page.locator("#view-read .result select").select_option("html")
    assert b"<mark" in download.value.path().read_bytes()


def test_codes_and_discontinuous_mentions(watched: Watched) -> None:
    entity = {
        "id": "T1",
        "label": "Disease",
        "start": 0,
        "end": 16,
        "spans": [[0, 4], [10, 16]],
        "text": "left kidney",
        "score": 0.5,
        "concepts": [{"id": "MESH:D007674", "name": "Kidney Diseases", "score": 0.8}, {"id": "MESH:D007680"}],
    }
    answer = {"documents": [{"id": "text", "entities": [entity]}], "model": "default", "errors": []}
    page = watched.open("read")
    page.route("**/v1/annotate", lambda route: route.fulfill(json=answer))
    page.fill(BOX, "left lung, kidney")
    marks = page.locator(f"{STAGE} mark.entity")
    expect(marks).to_have_count(2)
    expect(marks.first).to_contain_text("Disease 1/2")
    expect(marks.last).to_contain_text("Disease 2/2")
    marks.last.hover()
    card = page.locator("#read-card")
    expect(card).to_contain_text("MESH:D007674 Kidney Diseases 80.0 %")
    expect(card).to_contain_text("MESH:D007680")
    card.hover()
    page.wait_for_timeout(400)
    expect(card).to_be_visible()  # one can go to the card, to copy a code


def test_the_theme_is_switched_and_kept(watched: Watched) -> None:
    page = watched.open("read")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    page.locator("#theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.locator("#view-read").wait_for()
    assert page.evaluate(ground) == dark


def test_paper_holds_the_text_alone(watched: Watched) -> None:
    page = given(watched)
    page.emulate_media(media="print")
    expect(page.locator(f"{STAGE} .text")).to_be_visible()
    for hidden in (".top", BOX, "#view-read .side", "#view-read .tools"):
        expect(page.locator(hidden).first).to_be_hidden()


def test_nothing_typed_is_kept_in_the_browser(watched: Watched) -> None:
    page = given(watched)
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, document.cookie])"
    )
    assert "lithium" not in kept
    page.reload()
    expect(page.locator(BOX)).to_have_value("")
