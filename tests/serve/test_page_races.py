"""The page, Annotate: answers that come late, in another order or not at all, while somebody goes on working."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Error, expect

from page_annotating import TEXTS, WORK, begin, clear, eventually, marks, opened, saved, write
from page_browser import WIDE, Watched, asked, held, refused

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page, Route

    from live_service import Live

DOCUMENT = "**/v1/project/documents/*"
FORBIDDEN = """for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('no', 'QuotaExceededError'); };"


@pytest.mark.parametrize("script", [FORBIDDEN, FULL], ids=["forbidden", "full"])
def test_a_browser_that_keeps_nothing_is_enough(browser: Browser, service: Live, script: str) -> None:
    with browser.new_context(viewport=WIDE) as context:
        context.add_init_script(script)
        watched = Watched(context.new_page(), service.url)
        begin(watched, f"keeper{len(script)}")
        page = watched.page
        expect(page.locator(f"{WORK} mark.entity")).not_to_have_count(0)
        theme = page.locator("#theme")
        said = theme.inner_text()
        theme.click()
        expect(theme).not_to_have_text(said)
        watched.check()


def test_a_change_that_waits_does_not_undo_that_of_another_window(annotator: Watched) -> None:
    annotator.allowed = ("status of 409",)
    page = opened(annotator.page, "two")
    clear(page)
    document = eventually(annotator, "two", [])
    other = [{"label": "Gene", "start": 0, "end": 7}]
    page.keyboard.press("Home")
    with held(page, DOCUMENT, "PUT"):
        page.keyboard.press("1")
        page.keyboard.press("2")  # waits for the first
        write(annotator, document, other)
    error = page.locator("#view-annotate .text-pane .error")
    expect(error).to_contain_text("Changed in another window")
    expect(page.locator(f"{WORK} mark.entity")).to_have_attribute("data-label", "Gene")
    page.keyboard.press("End")
    page.keyboard.press("1")
    eventually(annotator, "two", ["Gene:Lithium", "Disease:."])
    expect(error).to_be_hidden()


def test_changes_are_saved_after_one_that_could_not_be_compared(annotator: Watched) -> None:
    annotator.allowed = ("status of 409", "status of 500")
    page = opened(annotator.page, "two")
    clear(page)
    document = eventually(annotator, "two", [])
    write(annotator, document, [])
    page.keyboard.press("Home")
    with refused(page, DOCUMENT, 500, "GET"):
        page.keyboard.press("1")  # another window was first, and the text cannot be read again
        expect(page.locator("#view-annotate .text-pane .error")).to_contain_text("it is refused")
    page.get_by_role("button", name="Drop the change").click()
    expect(page.locator(f"{WORK} mark.entity")).to_have_count(0)
    page.locator(WORK).focus()
    page.keyboard.press("Home")
    page.keyboard.press("2")
    eventually(annotator, "two", ["Chemical:Lithium"])


def test_a_saving_whose_answer_was_lost_is_no_conflict(annotator: Watched) -> None:
    annotator.allowed = ("ERR_CONNECTION_REFUSED", "status of 409")
    page = opened(annotator.page, "two")
    clear(page)
    eventually(annotator, "two", [])

    def lose(route: Route) -> None:
        if route.request.method == "PUT":
            route.fetch()
            route.abort("connectionrefused")
        else:
            route.fallback()

    page.route(DOCUMENT, lose)
    page.keyboard.press("Home")
    page.keyboard.press("1")
    error = page.locator("#view-annotate .text-pane .error")
    expect(error).to_contain_text("does not answer")
    page.unroute(DOCUMENT, lose)
    page.get_by_role("button", name="Save again").click()
    expect(error).to_be_hidden()
    page.locator(WORK).focus()
    page.keyboard.press("2")
    eventually(annotator, "two", ["Chemical:Lithium"])


def test_a_text_with_a_change_that_is_not_saved_is_not_left(annotator: Watched) -> None:
    annotator.allowed = ("status of 500",)
    page = opened(annotator.page, "two")
    clear(page)
    eventually(annotator, "two", [])
    page.keyboard.press("Home")
    heading = page.locator("#view-annotate .text-pane h2")
    with refused(page, DOCUMENT, 500, "PUT"):
        page.keyboard.press("1")
        error = page.locator("#view-annotate .text-pane .error")
        expect(error).to_contain_text("it is refused")
        tried: list[object] = []
        page.on("requestfinished", lambda request: tried.append(request) if request.method == "PUT" else None)
        page.locator("#view-annotate button.document", has_text=TEXTS["one"][:10]).click()
        asked(page, tried)
        page.get_by_role("button", name="(change)").click()
        asked(page, tried, 2)
        page.locator(WORK).focus()
        page.keyboard.press("Control+z")
        asked(page, tried, 3)
        expect(heading).to_have_text("two")
        assert marks(page) == ["Disease:Lithium"]
    page.locator("#view-annotate button.document", has_text=TEXTS["one"][:10]).click()
    expect(heading).to_have_text("one")  # it is saved on the way
    eventually(annotator, "two", ["Disease:Lithium"])


def test_what_could_not_be_done_is_done_by_saving_again(annotator: Watched) -> None:
    annotator.allowed = ("status of 500",)
    page = opened(annotator.page, "two")
    with refused(page, DOCUMENT, 500, "PUT"):
        page.keyboard.press("Enter")
        expect(page.locator("#view-annotate .text-pane .error")).to_contain_text("it is refused")
    page.get_by_role("button", name="Save again").click()
    expect(page.locator("#view-annotate .text-pane h2")).not_to_have_text("two")
    assert saved(annotator, "two")["state"] == "done"


def test_undo_is_awaited_by_what_comes_after_it(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    clear(page)
    page.keyboard.press("Home")
    for key in "123":
        page.keyboard.press(key)
    eventually(annotator, "two", ["Gene:Lithium"])
    with held(page, "**/v1/project/documents/*/undo*"):
        for key in ("Control+z", "Control+z", "Home", "Shift+ArrowRight", "4"):
            page.keyboard.press(key)
    eventually(annotator, "two", ["Disease:Lithium", "Species:Lithium was"])
    expect(page.locator("#view-annotate .text-pane .error")).to_be_hidden()


def test_a_text_that_was_done_stays_done_whatever_is_pressed_meanwhile(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    clear(page)
    page.keyboard.press("Home")
    with held(page, DOCUMENT, "PUT"):
        page.keyboard.press("Enter")
        page.keyboard.press("1")
    expect(page.locator("#view-annotate .text-pane h2")).not_to_have_text("two")
    assert eventually(annotator, "two", ["Disease:Lithium"])["state"] == "done"


def test_a_key_held_down_and_a_double_click_end_one_text(annotator: Watched) -> None:
    page = annotator.page
    heading = page.locator("#view-annotate .text-pane h2")
    first = heading.inner_text()
    page.locator(WORK).focus()
    page.keyboard.down("Enter")
    expect(heading).not_to_have_text(first)
    second = heading.inner_text()
    page.keyboard.down("Enter")  # repeats
    page.keyboard.up("Enter")
    box = page.get_by_role("button", name="Skip").bounding_box()
    assert box
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down(click_count=1)
    page.mouse.up(click_count=1)
    expect(heading).not_to_have_text(second)
    third = heading.inner_text()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    page.locator(WORK).focus()
    page.keyboard.press("Home")
    expect(page.locator("#status")).to_have_text("No" if third == "three" else TEXTS[third].split()[0])
    assert [saved(annotator, name)["state"] for name in (first, second, third)] == ["done", "skipped", "open"]


def test_a_text_clicked_meanwhile_is_opened_and_not_the_next(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    with held(page, "**/v1/project"):
        page.keyboard.press("Enter")
        opened(page, "three")
    expect(page.locator("#view-annotate .head").first).to_contain_text("1 of 3 texts done")
    expect(page.locator("#view-annotate .text-pane h2")).to_have_text("three")


def test_a_text_of_the_disagreements_is_the_one_that_opens(annotator: Watched) -> None:
    for who, label in (("ada", "Chemical"), ("bob", "Disease")):
        document = {**saved(annotator, "two"), "revision": 0}
        write(annotator, document, [{"label": label, "start": 0, "end": 7}], who, "done")
    page = annotator.page
    page.goto("about:blank")
    annotator.open("annotate/agreement")  # no text was opened yet
    part = page.get_by_role("region", name="Agreement")
    part.locator("tbody tr", has_text="Lithium").first.get_by_role("button").click()
    expect(page.locator("#view-annotate .text-pane h2")).to_have_text("two")
    expect(page.locator(WORK)).to_be_focused()
    expect(page.locator(".document[aria-current]")).to_contain_text("two")


def test_leaving_the_page_is_asked_about_while_something_is_not_saved(annotator: Watched) -> None:
    annotator.allowed = ("status of 500",)
    page = opened(annotator.page, "two")
    kinds: list[str] = []

    def stay(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    with refused(page, DOCUMENT, 500, "PUT"):
        page.keyboard.press("Delete")
        page.keyboard.press("End")
        page.keyboard.press("1")
        expect(page.locator("#view-annotate .text-pane .error")).to_contain_text("it is refused")
        page.close(run_before_unload=True)
        asked(page, kinds)
    assert kinds == ["beforeunload"]
    page.get_by_role("button", name="Save again").click()
    expect(page.locator("#view-annotate .text-pane .error")).to_be_hidden()


def listed(page: Page) -> list[str]:
    return page.locator("#view-annotate .document .name").all_inner_texts()


def test_the_list_is_that_of_the_last_question(annotator: Watched) -> None:
    page = annotator.page
    show = page.get_by_label("Show")
    late: list[Route] = []
    pattern = "**/v1/project/documents?*state=done*"
    page.route(pattern, lambda route: late.append(route))  # noqa: PLW0108 - Playwright marks the function
    show.select_option("done")
    asked(page, late)
    show.select_option("all")
    expect(page.locator("#view-annotate .document")).to_have_count(3)
    with suppress(Error):  # it was given up
        late[0].fulfill(json={"documents": [], "total": 0})
    opened(page, "one")
    assert len(listed(page)) == 3
    page.unroute_all()
    annotator.allowed = ("status of 500",)
    with refused(page, "**/v1/project/documents?*"):
        show.select_option("skipped")
        error = page.locator("#view-annotate > .stack > .error")
        expect(error).to_contain_text("it is refused")
    error.get_by_role("button", name="Try again").click()
    expect(page.locator("#view-annotate .document")).to_have_count(0)
    expect(error).to_be_hidden()


def test_a_service_that_was_away_is_asked_again(browser: Browser, service: Live) -> None:
    with browser.new_context(viewport=WIDE) as context:
        watched = Watched(context.new_page(), service.url)
        watched.allowed = ("ERR_CONNECTION_REFUSED",)
        page = watched.page
        again = page.get_by_role("button", name="Try again")
        with refused(page, "**/v1/project**", 0):
            watched.open("annotate")
            expect(page.locator("#view-annotate .error").first).to_contain_text("does not answer")
        again.click()
        with refused(page, "**/v1/project/documents?*", 0):
            page.fill("#annotator", "patient")
            page.keyboard.press("Enter")
            expect(again).to_be_visible()
            expect(page.locator("#view-annotate")).not_to_contain_text("Nothing is open for you")
        with refused(page, "**/v1/project/documents/*", 0):
            again.click()
            expect(page.locator("#view-annotate .document")).to_have_count(3)
            expect(again).to_be_visible()
        again.click()
        page.locator(f"{WORK} mark.entity").first.wait_for()
        expect(again).to_be_hidden()
        watched.check()


def test_labels_that_are_typed_stay_and_take_none_of_another_window_away(annotator: Watched) -> None:
    page = annotator.page
    before = httpx.get(f"{annotator.url}/v1/project", trust_env=False, timeout=60).json()["labels"]
    box = page.get_by_label("Labels, one a line")
    with held(page, "**/v1/project", "GET") as waiting:
        annotator.open("annotate/files")
        asked(page, waiting)
        expect(box).to_be_disabled()  # until the labels are known
    expect(box).to_be_enabled()
    expect(box).to_have_value("\n".join(before))
    with held(page, "**/v1/project", "GET") as waiting:
        page.get_by_role("link", name="Texts", exact=True).click()
        page.get_by_role("link", name="Files and labels").click()
        asked(page, waiting)
        box.focus()
        page.keyboard.press("Control+End")
        page.keyboard.type("\nSign")
    page.keyboard.type("al")
    expect(box).to_have_value("\n".join([*before, "Signal"]))
    both = [*before, "Event"]
    assert httpx.patch(
        f"{annotator.url}/v1/project", json={"labels": both}, trust_env=False, timeout=60
    ).is_success
    save = page.get_by_role("button", name="Save labels")
    save.click()
    error = page.locator("#view-annotate .error", has_text="in another window")
    expect(error).to_contain_text("Event")
    box.fill("\n".join([*both, "Signal"]))
    save.click()
    expect(page.locator("#status")).to_have_text("The labels are saved.")
    httpx.patch(f"{annotator.url}/v1/project", json={"labels": before}, trust_env=False, timeout=60)


def test_texts_added_before_it_broke_off_are_told(annotator: Watched, tmp_path: Path) -> None:
    annotator.allowed = ("status of 500",)
    page = annotator.page
    annotator.open("annotate/files")
    rows = [json.dumps({"id": f"r{n}", "text": f"Row {n} has fever."}) for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    sent: list[Route] = []

    def once(route: Route) -> None:
        sent.append(route)
        if len(sent) == 1:
            route.fallback()
        else:
            route.fulfill(status=500, json={"title": "Refused", "status": 500, "detail": "it is refused"})

    page.route("**/v1/project/documents", once)
    page.locator("#view-annotate input[type=file]").set_input_files(
        [tmp_path / "rows.jsonl", tmp_path / "bad.txt"]
    )
    part = page.get_by_role("region", name="Add texts")
    expect(part).to_contain_text("50 texts added, 10 documents not sent, 1 could not be read (bad.txt")
    expect(page.locator("#view-annotate .error", has_text="it is refused")).to_be_visible()
    expect(page.locator("#view-annotate .head").first).to_contain_text("53 texts done")


def test_an_agreement_that_could_not_be_read_is_read_again(annotator: Watched) -> None:
    annotator.allowed = ("status of 500",)
    page = annotator.page
    error = page.get_by_role("region", name="Agreement").locator(".error")
    with refused(page, "**/v1/project/agreement*"):
        annotator.open("annotate/agreement")
        expect(error).to_contain_text("it is refused")
    error.get_by_role("button", name="Try again").click()
    page.get_by_role("region", name="Agreement").locator(":is(.empty, table)").first.wait_for()
    expect(error).to_be_hidden()


def test_suggestions_are_those_of_the_present_model(annotator: Watched) -> None:
    page = opened(annotator.page, "one")
    expect(page.locator(f"{WORK} mark.suggested")).not_to_have_count(0)

    def other(route: Route) -> None:
        suggested = [{"label": "Gene", "start": 0, "end": 2}]  # of a model that was accepted meanwhile
        route.fulfill(json={**route.fetch().json(), "entities": suggested})

    page.route(DOCUMENT, other)
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("link", name="Texts", exact=True).click()
    expect(page.locator(f"{WORK} mark.suggested[data-label=Gene]")).to_have_count(1)


def test_keys_go_on_after_every_button(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    clear(page)
    page.keyboard.press("Home")
    chemical = page.locator("#view-annotate .palette button", has_text="Chemical")
    chemical.click()
    expect(page.locator(WORK)).to_be_focused()
    page.keyboard.press("Delete")
    eventually(annotator, "two", [])
    page.keyboard.press("Home")
    chemical.focus()
    page.keyboard.press("Enter")
    expect(chemical).to_be_focused()
    expect(chemical).to_have_attribute("aria-pressed", "true")
    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Undone.")
    expect(undo).to_be_focused()
    page.get_by_role("button", name="(change)").click()
    expect(page.locator("#annotator")).to_be_focused()
