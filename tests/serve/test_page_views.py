"""The page: files, de-identification, comparison, keys, and what axe-core says of every view."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from live_service import serving
from page_browser import NARROW, WIDE, Watched, faults

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

    from live_service import Live

NOTE = (
    "Mr. Teodor Vance, MRN 5520184, was seen on 2 May 2024 at Larkspur Clinic.\n"
    "He has asthma and takes lithium. Call 555-0142.\n"
)


def folder_of_notes(path: Path) -> list[Path]:
    files = {
        "a.txt": "He has asthma.",
        "b.txt": "Fever and cough 😀 with gout.",
        "rows.csv": 'id,text\nrow1,"Asthma, and ""gout"" too"\nrow2,\n',
        "lines.jsonl": '{"id": "x", "text": "Lithium toxicity."}\nnot json\n{"id": "x", "text": "Fever."}\n',
    }
    for name, content in files.items():
        (path / name).write_text(content, encoding="utf-8")
    return [path / name for name in files]


def annotated_files(page: Page, files: list[Path]) -> None:
    page.locator("#view-files input[type=file]").first.set_input_files(files)
    page.locator("#status", has_text="Done").wait_for()


def test_a_folder_is_annotated_and_downloaded(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    annotated_files(page, folder_of_notes(tmp_path))
    view = page.locator("#view-files")
    expect(view.locator(".summary")).to_contain_text("5 of 5 documents")
    bad = view.locator(".bad")
    expect(bad.locator("tbody tr")).to_have_count(2)
    expect(bad).to_contain_text("lines.jsonl:2")
    expect(bad).to_contain_text("row2")
    watched.shot("files-wide-light")
    with page.expect_download() as download:
        view.get_by_role("button", name="JSONL", exact=True).click()
    documents = [json.loads(line) for line in download.value.path().read_text(encoding="utf-8").splitlines()]
    assert [one["id"] for one in documents] == ["a", "b", "x", "x-2", "row1"]
    gout = next(entity for entity in documents[1]["entities"] if entity["text"] == "gout")
    assert documents[1]["text"][gout["start"] : gout["end"]] == "gout"
    for name, start in (("HTML", b"<!DOCTYPE"), ("CSV table", b"")):
        with page.expect_download() as download:
            view.get_by_role("button", name=name, exact=True).click()
        assert download.value.path().read_bytes().startswith(start)
    with page.expect_download() as download:
        view.get_by_role("button", name="brat", exact=True).click()
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert any(name.endswith("a.ann") for name in names)


def test_a_folder_and_its_subfolders_are_chosen(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    (tmp_path / "ward" / "inner").mkdir(parents=True)
    (tmp_path / "ward" / "inner" / "a.txt").write_text("Asthma.", encoding="utf-8")
    (tmp_path / "ward" / "scan.png").write_bytes(b"\x89PNG")
    page.locator("#view-files input[webkitdirectory]").set_input_files(tmp_path / "ward")
    expect(page.locator("#view-files table")).to_contain_text("ward/inner/a")
    expect(page.locator("#view-files .summary")).to_contain_text("1 file of other kinds left out")


def test_a_document_of_the_files_is_read(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    annotated_files(page, folder_of_notes(tmp_path))
    page.locator("#view-files").get_by_role("button", name="row1").click()
    expect(page.locator("#view-read textarea")).to_have_value('Asthma, and "gout" too')
    page.locator("#view-read .stage mark.entity").first.wait_for()


def test_a_long_job_is_cancelled(watched: Watched, tmp_path: Path) -> None:
    page = watched.open("files")
    held: list[Route] = []
    page.route("**/v1/annotate*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
    page.locator("#view-files input[type=file]").first.set_input_files(folder_of_notes(tmp_path))
    page.locator("#view-files").get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_contain_text("Cancelled: 0 documents")
    assert not page.locator("#view-files .error").is_visible()


def test_identifiers_side_by_side(watched: Watched) -> None:
    page = watched.open("deid")
    view = page.locator("#view-deid")
    expect(view.get_by_role("note")).to_contain_text("No program makes notes anonymous")
    view.locator("textarea").fill(NOTE)
    given, new = (
        view.get_by_role("region", name="Given text"),
        view.get_by_role("region", name="New text", exact=True),
    )
    expect(given.locator("mark.entity", has_text="5520184")).to_have_count(1)
    expect(new).to_contain_text("[MRN]")
    expect(new).not_to_contain_text("5520184")
    expect(new).to_contain_text("He has asthma and takes lithium.")
    expect(view.locator(".counts")).to_contain_text("MRN 1")
    given.locator("mark.entity", has_text="5520184").hover()
    expect(new.locator("mark.twin")).to_have_count(1)
    watched.shot("deid-wide-light")
    view.get_by_role("button", name="Surrogates").click()
    expect(new).not_to_contain_text("[MRN]")
    expect(new).not_to_contain_text("5520184")
    expect(view.get_by_role("button", name="Surrogates")).to_have_attribute("aria-pressed", "true")


def test_both_sides_scroll_together(watched: Watched) -> None:
    page = watched.open("deid")
    view = page.locator("#view-deid")
    view.locator("textarea").fill((NOTE + "\n") * 30)
    given, new = (
        view.get_by_role("region", name="Given text"),
        view.get_by_role("region", name="New text", exact=True),
    )
    given.wait_for()
    given.evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
    page.wait_for_function(
        "(one) => one.scrollTop > 0 && one.scrollTop >= one.scrollHeight - one.clientHeight - 2",
        arg=new.element_handle(),
    )
    new.evaluate("(one) => { one.scrollTop = 0; }")
    page.wait_for_function("(one) => one.scrollTop === 0", arg=given.element_handle())


def test_two_models_are_compared(watched: Watched) -> None:
    page = watched.open("compare")
    view = page.locator("#view-compare")
    view.locator("textarea").fill("He takes metformin 500 mg daily for diabetes.")
    only_b = view.get_by_role("button", name="only B")
    expect(only_b).to_be_visible()
    expect(only_b.locator(".number")).not_to_have_text("0")
    count = int(only_b.locator(".number").inner_text())
    expect(view.locator("tbody tr")).to_have_count(count)
    expect(view.locator("mark.side-b .tag")).not_to_have_count(0)
    expect(view.locator("mark.differs-same")).to_have_count(0)
    view.get_by_role("button", name="the same").click()
    expect(view.locator("mark.differs-same")).not_to_have_count(0)
    watched.shot("compare-wide-light")
    only_b.click()
    expect(view.locator("mark.side-b")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_serious_fault(
    browser: Browser, live: Live, axe: str, scheme: str, size: dict[str, int]
) -> None:
    with browser.new_context(viewport=size, color_scheme=scheme) as context:
        watched = Watched(context.new_page(), live.url)
        page = watched.open("read")
        assert faults(page, axe) == [], "empty"
        page.locator("#view-read").get_by_label("Example").select_option("Psychiatry note")
        page.locator("#view-read .settings select").select_option("clinical")
        page.locator("#view-read g.arc").first.wait_for(state="attached")
        page.locator("#view-read .stage mark[tabindex='0']").focus()
        for view, ready in (
            ("read", "#view-read .stage mark.entity"),
            ("files", "#view-files .drop"),
            ("deid", "#view-deid mark.entity"),
            ("compare", "#view-compare mark.entity"),
        ):
            watched.open(view)
            page.locator(ready).first.wait_for()
            watched.shot(f"{view}-{size['width']}-{scheme}")
            assert faults(page, axe) == [], view
            assert is_within(page), f"{view} is wider than the window"
        watched.check()


def is_within(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_key_is_asked_for_and_kept_for_the_session(browser: Browser, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    key = made_key(keys)
    words = ("--keys", str(keys), "--workers", "1", "--deid-model", "none")
    with serving(tmp_path, *words) as live, browser.new_context(viewport=WIDE) as context:
        watched = Watched(context.new_page(), live.url)
        watched.allowed = ("status of 401",)
        page = watched.page
        page.goto(live.url)
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#key-wrong")).to_be_visible()
        watched.shot("key")
        page.fill("#key", key)
        page.keyboard.press("Enter")
        page.locator("#view-read").wait_for()
        assert key not in page.evaluate("JSON.stringify([{...localStorage}, document.cookie])")
        page.reload()
        page.locator("#view-read").wait_for()
        watched.check()


def made_key(keys: Path) -> str:
    from medspan.serve.keys import add_key  # noqa: PLC0415 - needs the extra [serve]

    return add_key(keys, "tester")
