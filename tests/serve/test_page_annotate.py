"""The page, Annotate: two people correct what the model suggests, agree or not, and train a better model."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from page_annotating import TEXTS, WORK, begin, clear, eventually, marks, opened, saved, write
from page_browser import NARROW, WIDE, Watched, faults, held

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from live_service import Live

LABELS = ["Disease", "Chemical", "Gene", "Species", "Anatomy", "Cell"]


def test_suggestions_of_the_model_are_accepted_one_by_one(annotator: Watched) -> None:
    page = opened(annotator.page, "one")
    suggested = page.locator(f"{WORK} mark.suggested")
    count = suggested.count()
    assert count >= 2
    page.keyboard.press("a")
    expect(suggested).to_have_count(count - 1)
    eventually(annotator, "one", marks(page))
    annotator.shot("annotate-wide-light")


def test_a_change_made_while_the_same_text_is_read_again_stands(annotator: Watched) -> None:
    page = opened(annotator.page, "one")
    suggested = page.locator(f"{WORK} mark.suggested")
    expect(suggested).not_to_have_count(0)
    count = suggested.count()
    with held(page, "**/v1/project/documents/*", "GET"):
        page.locator("#view-annotate button.document", has_text=TEXTS["one"][:10]).click()
        page.keyboard.press("a")
        expect(suggested).to_have_count(count - 1)
    eventually(annotator, "one", marks(page))
    expect(suggested).to_have_count(count - 1)
    opened(page, "one")  # what was not yet accepted is still told from the rest
    expect(suggested).to_have_count(count - 1)


def test_a_change_made_while_another_text_is_read_is_saved(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    heading = page.locator("#view-annotate .text-pane h2")
    with held(page, "**/v1/project/documents/*", "GET"):
        page.locator("#view-annotate button.document", has_text=TEXTS["one"][:10]).click()
        clear(page)
    eventually(annotator, "two", [])
    expect(heading).to_have_text("one")
    assert marks(page)


def test_spans_are_made_changed_and_deleted_by_keys(annotator: Watched) -> None:
    page = opened(annotator.page, "one")
    clear(page)
    page.keyboard.press("Home")
    for _ in range(2):  # He, has, asthma
        page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    assert marks(page) == ["Disease:asthma"]
    page.keyboard.press("Alt+ArrowRight")
    assert marks(page) == ["Disease:asthma and"]
    page.keyboard.press("Alt+Shift+ArrowLeft")
    assert marks(page) == ["Disease:has asthma and"]
    page.keyboard.press("2")
    assert marks(page) == ["Chemical:has asthma and"]
    page.keyboard.press("End")
    for _ in range(4):  # . today 😀 gout and
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    eventually(annotator, "one", ["Chemical:has asthma and", "Disease:and gout"])  # marks may overlap
    assert marks(page) == ["Chemical:has asthma and", "Disease:and", "Disease: gout"], (
        "the second is drawn in two pieces"
    )
    page.keyboard.press("Delete")
    eventually(annotator, "one", ["Chemical:has asthma and"])


def test_a_span_behind_an_emoji_is_where_it_was_put(annotator: Watched) -> None:
    page = opened(annotator.page, "one")
    clear(page)
    page.locator(f"{WORK} .text").evaluate(
        """(text) => { const node = text.firstChild; const at = node.data.indexOf('today');
        getSelection().setBaseAndExtent(node, at + 1, node, at + 3); }"""
    )
    page.locator(WORK).dispatch_event("pointerup")
    page.locator("#view-annotate .palette button", has_text="Anatomy").click()
    document = eventually(annotator, "one", ["Anatomy:today"])
    assert document["entities"][0]["start"] == TEXTS["one"].index("today")


def test_words_are_selected_with_the_mouse(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    clear(page)
    page.locator(f"{WORK} .text").dblclick(position={"x": 20, "y": 18})
    page.locator("#view-annotate .palette button", has_text="Chemical").click()
    eventually(annotator, "two", ["Chemical:Lithium"])
    page.locator(f"{WORK} mark.entity").click()
    page.get_by_role("button", name="End one word later").click()
    eventually(annotator, "two", ["Chemical:Lithium was"])
    page.get_by_role("button", name="Delete the mark").click()
    eventually(annotator, "two", [])


def test_undo_and_redo(annotator: Watched) -> None:
    page = opened(annotator.page, "two")
    before = marks(page)
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Delete")
    after = marks(page)
    eventually(annotator, "two", after)
    page.keyboard.press("Control+z")
    expect(page.locator("#status")).to_contain_text("Undone")
    assert marks(page) == before
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("#status")).to_contain_text("Done again")
    assert marks(page) == after


def test_done_and_skip_go_on_to_the_next_text(annotator: Watched) -> None:
    page = annotator.page
    heading = page.locator("#view-annotate .text-pane h2")
    first = heading.inner_text()
    page.locator(WORK).focus()
    page.keyboard.press("Enter")
    expect(heading).not_to_have_text(first)
    assert saved(annotator, first)["state"] == "done"
    second = heading.inner_text()
    page.keyboard.press("s")
    expect(heading).not_to_have_text(second)
    assert saved(annotator, second)["state"] == "skipped"
    expect(page.locator("#view-annotate .head").first).to_contain_text("1 of 3 texts done")
    page.keyboard.press("Enter")
    expect(page.locator("#view-annotate")).to_contain_text("Nothing is open for you here")


def test_another_window_is_noticed(annotator: Watched) -> None:
    annotator.allowed = ("status of 409",)
    page = opened(annotator.page, "two")
    write(annotator, saved(annotator, "two"), [{"label": "Gene", "start": 0, "end": 7}])
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Delete")
    expect(page.locator("#view-annotate .text-pane .error")).to_contain_text("Changed in another window")
    assert marks(page) == ["Gene:Lithium"]


def test_a_change_that_could_not_be_saved_is_saved_again(annotator: Watched) -> None:
    annotator.allowed = ("status of 500",)
    page = opened(annotator.page, "two")
    path = "**/v1/project/documents/*"
    problem = json.dumps(
        {"title": "Internal", "status": 500, "detail": "the disk is full", "request_id": "r7"}
    )
    page.route(
        path, lambda route: route.fulfill(status=500, body=problem, content_type="application/problem+json")
    )
    page.locator(WORK).focus()
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Delete")
    kept = marks(page)
    expect(page.locator("#view-annotate .text-pane .error")).to_contain_text("the disk is full")
    page.unroute(path)
    page.get_by_role("button", name="Save again").click()
    eventually(annotator, "two", kept)
    expect(page.locator("#view-annotate .text-pane .error")).to_be_hidden()


def test_texts_are_added_and_annotations_exported(annotator: Watched, tmp_path: Path) -> None:
    page = annotator.page
    opened(page, "two")
    page.keyboard.press("Enter")
    page.locator("#view-annotate").get_by_role("link", name="Files and labels").click()
    note = tmp_path / "note.txt"
    note.write_text("Fever came. Cough went.", encoding="utf-8")
    page.locator("#view-annotate input[type=file]").set_input_files(note)
    expect(page.get_by_role("region", name="Add texts")).to_contain_text("2 texts added")
    who = page.evaluate("localStorage.getItem('medspan-annotator')")
    export = page.get_by_role("region", name="Export")
    export.get_by_label("Marks of").select_option(who)
    with page.expect_download() as download:
        export.get_by_role("button", name="Export").click()
    content = download.value.path().read_bytes()
    if content[:2] == b"PK":
        archive = zipfile.ZipFile(download.value.path())
        content = archive.read(archive.namelist()[0])
    assert json.loads(content.splitlines()[0])["text"] == TEXTS["two"]


def test_labels_are_changed(annotator: Watched) -> None:
    page = annotator.page
    annotator.open("annotate/files")
    box = page.get_by_label("Labels, one a line")
    box.fill("\n".join([*LABELS, "Symptom"]))
    page.get_by_role("button", name="Save labels").click()
    expect(page.locator("#status")).to_contain_text("saved")
    annotator.open("annotate")
    expect(page.locator("#view-annotate .palette")).to_contain_text("Symptom")


def test_agreement_of_two_annotators(annotator: Watched) -> None:
    page = annotator.page
    listed = httpx.get(
        f"{annotator.url}/v1/project/documents", params={"limit": 50}, trust_env=False, timeout=60
    ).json()
    number = next(one["id"] for one in listed["documents"] if one["name"] == "two")
    for who, label in (("ada", "Chemical"), ("bob", "Disease")):
        mark = {"label": label, "start": 0, "end": 7}
        write(annotator, {"id": number, "revision": 0}, [mark], who, "done")
    annotator.open("annotate/agreement")
    part = page.get_by_role("region", name="Agreement")
    row = part.locator("tbody tr", has_text="ada and bob")
    expect(row).to_contain_text("0.000")
    wrong = part.locator("tbody tr", has_text="Lithium").first
    expect(wrong).to_be_visible()
    annotator.shot("agreement-wide-light")
    wrong.get_by_role("button").click()
    page.locator("#view-annotate .text-pane h2", has_text="two").wait_for()


PARTS = {
    "": f"{WORK} mark.entity",
    "agreement": "[aria-label=Agreement] :is(.empty, table)",
    "train": ".train :is(.empty, #run-state)",
    "files": "textarea[aria-label^=Labels]",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_serious_fault(
    browser: Browser, service: Live, axe: str, scheme: str, size: dict[str, int]
) -> None:
    with browser.new_context(viewport=size, color_scheme=scheme) as context:
        watched = Watched(context.new_page(), service.url)
        page = watched.open("annotate")
        assert faults(page, axe) == [], "name"
        begin(watched, "ada")
        opened(page, "one")
        page.keyboard.press("Control+ArrowRight")
        for part, ready in PARTS.items():
            watched.open(f"annotate/{part}" if part else "annotate")
            page.locator(ready).first.wait_for()
            watched.shot(f"annotate-{part or 'text'}-{size['width']}-{scheme}")
            assert faults(page, axe) == [], part
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
        watched.check()


def corrected(service: Live, who: str, folder: Path) -> None:
    """Thirty texts, done as the model suggests."""
    words = (
        "asthma",
        "gout",
        "fever",
        "cough",
        "mania",
        "anaemia",
        "migraine",
        "psoriasis",
        "hepatitis",
        "sepsis",
    )
    texts = [f"Case {n}: {a} was treated, {b} was not." for n, a in enumerate(words) for b in words[n + 1 :]][
        :30
    ]
    with service.client() as client:
        given = [{"id": f"{folder.name}-{n}", "text": text} for n, text in enumerate(texts)]
        assert client.post(
            "/v1/project/documents", json={"documents": given, "split": "documents"}
        ).is_success
        listed = client.get("/v1/project/documents", params={"annotator": who, "limit": 200}).json()[
            "documents"
        ]
        for one in listed:
            path, query = f"/v1/project/documents/{one['id']}", {"annotator": who}
            found = client.get(path, params=query).json()
            marks = [
                {"label": mark["label"], "start": mark["start"], "end": mark["end"]}
                for mark in found["entities"]
            ]
            body = {"entities": marks, "state": "done", "revision": found["revision"]}
            assert client.put(path, params=query, json=body).is_success


def test_a_model_is_trained_watched_and_accepted(annotator: Watched, service: Live, tmp_path: Path) -> None:
    page = annotator.page
    corrected(service, "teacher", tmp_path)
    annotator.open("annotate/train")
    part = page.get_by_role("region", name="New run")
    part.get_by_label("Minutes at most").fill("0.1")
    part.get_by_label("Marks of").select_option("teacher")
    part.get_by_role("button", name="Train", exact=True).click()
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run.locator("#run-state")).to_have_text("Done", timeout=180_000)
    expect(run.locator("svg.curve")).to_be_visible()
    scores = run.get_by_role("region", name="On the held-back part")
    expect(scores.locator("tr", has_text="Before")).to_contain_text("to")
    expect(scores.locator("tr", has_text="After")).to_contain_text("to")
    expect(run.get_by_role("region", name="F1 by label")).to_contain_text("Disease")
    annotator.shot("train-wide-light")
    run.get_by_role("button", name="Accept the new model").click()
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()
    expect(run.locator(".head")).to_contain_text("accepted")
    offered = httpx.get(f"{annotator.url}/v1/models", trust_env=False, timeout=60).json()
    name = httpx.get(f"{annotator.url}/v1/project", trust_env=False, timeout=60).json()["model"]
    assert name != "default"
    assert name in [one["name"] for one in offered["models"]]
    assert offered["default"] == name
    annotator.open("read")
    page.locator("#view-read .settings select").select_option(name)
    page.fill("#view-read textarea", "Case 3: asthma was treated.")
    page.locator("#view-read .stage mark.entity", has_text="asthma").wait_for()


def test_a_run_is_stopped(annotator: Watched, service: Live, tmp_path: Path) -> None:
    page = annotator.page
    corrected(service, "teacher", tmp_path)
    annotator.open("annotate/train")
    page.get_by_role("region", name="New run").get_by_role("button", name="Train", exact=True).click()
    run = page.get_by_role("region", name="Run", exact=True)
    run.get_by_role("button", name="Stop").click()
    expect(run.locator("#run-state")).to_have_text("Stopped", timeout=60_000)
    expect(
        page.get_by_role("region", name="New run").get_by_role("button", name="Train", exact=True)
    ).to_be_enabled()
