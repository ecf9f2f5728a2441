"""A browser for tests of the page: Debian's Chromium, and a watch on what a page must never do."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page, Route

REQUIRED = "MEDSPAN_REQUIRE_BROWSER"
NARROW, WIDE = {"width": 360, "height": 780}, {"width": 1600, "height": 1000}
_PATIENCE = 30_000  # of a machine that has other things to do
_SHOTS = "MEDSPAN_SHOTS"


def missing(reason: str) -> None:
    """Skip, or fail where a browser must be there."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def launched() -> Iterator[Browser]:
    """The one browser of a test session."""
    try:
        from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - optional
    except ImportError:
        missing("playwright is absent: pip install medspan[dev]")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("no Chromium is here: apt-get install chromium")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page of a service, and what it said and asked for.

    Args:
        page: a fresh one.
        url: of the service.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.allowed: tuple[str, ...] = ()
        """Parts of messages that a test provokes, such as the status of a refusal."""
        page.set_default_timeout(_PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        # The browser lets nothing past from now on: where that is switched on later, a request may slip by.
        page.route("**/asked-for-by-nobody", lambda route: route.abort())

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.elsewhere.append(request.url)

    def open(self, view: str) -> Page:
        """Go to a view."""
        self.page.goto(f"{self.url}/#{view}")
        self.page.locator(f"#view-{view.split('/', maxsplit=1)[0]}").wait_for()
        return self.page

    def shot(self, name: str) -> None:
        """A picture for those who look, where MEDSPAN_SHOTS names a folder."""
        if folder := os.environ.get(_SHOTS):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def check(self) -> None:
        """Nothing was asked of another origin, nothing went wrong but what was allowed."""
        assert not self.elsewhere
        assert not [one for one in self.complaints if not any(part in one for part in self.allowed)]


@contextmanager
def held(page: Page, pattern: str, method: str | None = None) -> Iterator[list[Route]]:
    """Requests of a pattern, and of a method where one is told, wait until the end of the block."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if method in (None, route.request.method):
            waiting.append(route)
        else:
            route.fallback()

    page.route(pattern, hold)
    yield waiting
    asked(page, waiting)
    for route in waiting:
        route.continue_()
    page.unroute(pattern, hold)


def asked(page: Page, requests: Sequence[object], count: int = 1) -> None:
    """Wait until so many requests were made."""
    ends = time.monotonic() + _PATIENCE / 1000
    while len(requests) < count:
        assert time.monotonic() < ends, f"{len(requests)} requests were made, and {count} wanted"
        page.wait_for_timeout(20)


@contextmanager
def refused(
    page: Page, pattern: str, status: int = 500, method: str | None = None, **more: Any
) -> Iterator[None]:
    """Requests of a pattern are refused until the end of the block; with status 0 nobody answers."""

    def refuse(route: Route) -> None:
        if method not in (None, route.request.method):
            route.fallback()
        elif not status:
            route.abort("connectionrefused")
        else:
            body = json.dumps({"title": "Refused", "status": status, "detail": "it is refused", **more})
            route.fulfill(status=status, body=body, content_type="application/problem+json")

    page.route(pattern, refuse)
    yield
    page.unroute(pattern, refuse)


def axe_source() -> str:
    """The script of axe-core."""
    try:
        import axe_playwright_python  # noqa: PLC0415 - optional
    except ImportError:
        missing("axe-core is absent: pip install medspan[dev]")
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def faults(page: Page, script: str) -> list[str]:
    """What axe-core calls serious or critical, each with the first element it concerns."""
    page.evaluate(script)  # through the debugger: the CSP of the page lets no script in
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], preload: false, elementRef: false})"
    )
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} ({one['nodes'][0].get('failureSummary', '')[:160]})"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
