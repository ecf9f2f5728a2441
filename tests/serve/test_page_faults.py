"""The page, all views but Annotate: answers that come late or not at all, files that are none, large texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from page_browser import asked, held, refused

if TYPE_CHECKING:
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
