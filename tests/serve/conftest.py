"""Fixtures of tests that talk to a running service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from live_service import Live, serving
from page_annotating import TEXTS, begin
from page_browser import WIDE, Watched, axe_source, launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with all stages that need no files, and two models; one for all tests."""
    words = ("--model", "default", "--model", "clinical", "--pipeline", "sections,assertion,relations")
    with serving(tmp_path_factory.mktemp("service"), *words, "--workers", "2") as found:
        yield found


@pytest.fixture(scope="session")
def client(live: Live) -> Iterator[httpx.Client]:
    """A client of that service."""
    with live.client() as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for tests of the page."""
    with launched() as found:
        yield found


@pytest.fixture
def watched(browser: Browser, live: Live) -> Iterator[Watched]:
    """A fresh page of the service, 1600 wide; in the end nothing may have gone wrong on it."""
    with browser.new_context(viewport=WIDE, accept_downloads=True) as context:
        found = Watched(context.new_page(), live.url)
        yield found
        found.check()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with a project that has some texts."""
    given = [{"id": name, "text": text} for name, text in TEXTS.items()]
    folder = tmp_path_factory.mktemp("project")
    words = ("--project", str(folder / "notes.medspan"), "--workers", "1", "--deid-model", "none")
    with serving(folder, *words) as found:
        with found.client() as client:
            body = {"documents": given, "split": "documents"}
            assert client.post("/v1/project/documents", json=body).status_code == 200
        yield found


@pytest.fixture
def annotator(browser: Browser, service: Live, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A page of somebody new in the project."""
    with browser.new_context(viewport=WIDE, accept_downloads=True) as context:
        watched = Watched(context.new_page(), service.url)
        begin(watched, request.node.name[5:45])
        yield watched
        watched.check()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return axe_source()
