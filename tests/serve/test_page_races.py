"""The page, Annotate: answers that come late, in another order or not at all, while somebody goes on working."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from page_annotating import WORK, begin
from page_browser import WIDE, Watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from live_service import Live

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
