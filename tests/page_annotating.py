"""Stories of the page's annotation view: the texts of a project, and what one does and sees there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from page_browser import Watched

_SECONDS = 60
TEXTS = {
    "one": "He has asthma and gout 😀 today.",
    "two": "Lithium was given for mania.",
    "three": "No pain.",
}
WORK = "#view-annotate .work"


def begin(watched: Watched, name: str) -> None:
    page = watched.open("annotate")
    page.fill("#annotator", name)
    page.keyboard.press("Enter")
    page.locator(f"{WORK}:not([aria-busy]) .text").wait_for()


def opened(page: Page, name: str) -> Page:
    page.locator("#view-annotate button.document", has_text=TEXTS[name][:10]).click()
    page.locator("#view-annotate .text-pane h2", has_text=name).wait_for()
    page.locator(f"{WORK}:not([aria-busy])").wait_for()  # a text that is shown is read again
    return page


def marks(page: Page) -> list[str]:
    """Label and words of each mark."""
    return page.locator(f"{WORK} mark.entity").evaluate_all(
        """(all) => all.map((one) => { const copy = one.cloneNode(true);
        copy.querySelectorAll('b').forEach((b) => b.remove()); return `${one.dataset.label}:${copy.textContent}`; })"""
    )


def saved(watched: Watched, name: str) -> dict[str, object]:
    """What the service holds of a text for this annotator."""
    who = watched.page.evaluate("localStorage.getItem('medspan-annotator')")
    with httpx.Client(base_url=watched.url, trust_env=False, timeout=_SECONDS) as client:
        listed = client.get("/v1/project/documents", params={"annotator": who, "state": "all"}).json()[
            "documents"
        ]
        number = next(one["id"] for one in listed if one["name"] == name)
        return client.get(f"/v1/project/documents/{number}", params={"annotator": who}).json()


def eventually(watched: Watched, name: str, wanted: list[str]) -> dict[str, object]:
    """Wait until the service holds these marks."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        document = saved(watched, name)
        text = TEXTS[name]
        held = [f"{one['label']}:{text[one['start'] : one['end']]}" for one in document["entities"]]
        if document["from"] == "annotator" and sorted(held) == sorted(wanted):
            return document
        watched.page.wait_for_timeout(100)
    raise AssertionError(f"held: {held}, wanted: {wanted}")


def clear(page: Page) -> None:
    """Delete every mark with the keys."""
    page.locator(WORK).focus()
    while marks(page):
        page.keyboard.press("Control+ArrowRight")
        page.keyboard.press("Delete")


def write(
    watched: Watched,
    document: dict[str, object],
    entities: list[dict[str, object]],
    who: str = "",
    state: str = "open",
) -> None:
    """Save marks as another window of this annotator does, or as somebody else."""
    who = who or watched.page.evaluate("localStorage.getItem('medspan-annotator')")
    body = {"entities": entities, "state": state, "revision": document["revision"]}
    path = f"{watched.url}/v1/project/documents/{document['id']}"
    answer = httpx.put(path, params={"annotator": who}, json=body, trust_env=False, timeout=_SECONDS)
    assert answer.is_success, answer.text
