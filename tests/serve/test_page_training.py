"""The page, Train: a run that goes on while the service is silent, other parts are shown and somebody types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from page_annotating import WORK
from page_browser import asked, refused

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from page_browser import Watched

RUN = {"number": 1, "state": "training", "sentences": 9, "held_back": 3, "accepted": False, "curve": []}


class Trained:
    """Answers of a project that trains, in the place of the service's."""

    def __init__(self, page: Page) -> None:
        self.run: dict[str, object] | None = None
        self.looks: list[Route] = []
        self.begun = 0
        page.route("**/v1/project", self._project)
        page.route("**/v1/project/train", self._train)

    def _project(self, route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "runs": [self.run] if self.run else []})

    def _train(self, route: Route) -> None:
        if route.request.method == "POST":
            self.begun += 1
            self.run = dict(RUN)
            route.fulfill(status=201, json=self.run)
        else:
            self.looks.append(route)
            route.fulfill(json=self.run)

    def looked(self, page: Page) -> None:
        """Wait for two more looks: the answer of the first is shown then."""
        asked(page, self.looks, len(self.looks) + 2)


def test_a_run_is_watched_through_silence_and_other_parts(annotator: Watched) -> None:
    annotator.allowed = ("ERR_CONNECTION_REFUSED",)
    page = annotator.page
    trained = Trained(page)
    annotator.open("annotate/train")
    train = page.get_by_role("button", name="Train", exact=True)
    train.dblclick()
    state = page.locator("#run-state")
    expect(state).to_have_text("Training")
    assert trained.begun == 1
    with refused(page, "**/v1/project/train", 0):
        expect(page.locator(".train .error")).to_contain_text("does not answer")
    trained.looked(page)
    expect(page.locator(".train .error")).to_be_hidden()
    annotator.open("annotate")
    page.locator(f"{WORK} mark.entity").first.wait_for()
    trained.run = {**RUN, "state": "done"}
    expect(page.locator("#status")).to_have_text("Run 1: Done.")
    annotator.open("annotate/train")
    expect(state).to_have_text("Done")
    expect(page.get_by_role("region", name="All runs")).to_contain_text("Done")
    expect(train).to_be_enabled()


def test_a_run_that_goes_on_takes_nothing_from_under_the_hands(annotator: Watched) -> None:
    page = annotator.page
    trained = Trained(page)
    annotator.open("annotate/train")
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator("#run-state").wait_for()
    minutes = page.get_by_label("Minutes at most")
    minutes.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    trained.run = {**RUN, "curve": [{"epoch": 1, "loss": 1.0, "dev": 0.5}]}
    page.locator("svg.curve").wait_for()
    page.keyboard.press("2")
    expect(minutes).to_have_value("12")
    stop = page.get_by_role("button", name="Stop").element_handle()
    trained.run = {**RUN, "curve": [{"epoch": n, "loss": 1.0, "dev": 0.5} for n in (1, 2)]}
    expect(page.locator("circle.dev")).to_have_count(2)
    assert stop.evaluate("(one) => one.isConnected"), "a press that lasts is a press on the same button"
