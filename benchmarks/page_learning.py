"""Annotate, train, accept, on the page, in a real browser, with 100 corrected sentences.

    python benchmarks/page_learning.py [--case chemdner-known] [--shot page.png]

The sentences are those of benchmarks/correct.py (a corpus the shipped model never learnt from). They are put
in through the page's file box and corrected to gold through the requests that the page sends (how people do
that with keys and mouse, tests/serve/test_page_annotate.py tries). Train is clicked, the scores are read as
they stand on the page, Accept is clicked, and the new model answers. Needs playwright and a Chromium. Writes
page_learning.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from correct import CASES, CORRECTED, gold_sentences
from facts import facts, write_json
from playwright.sync_api import expect, sync_playwright
from serving import service

from medspan.project.documents import digest_of, marks_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from medspan.types import Document

ANNOTATOR = "simulated"
_HELD_BACK = 60
_MINUTES = 20
_FETCH = """async ([path, method, body]) => {
  const answer = await fetch(path, {method, headers: {"Content-Type": "application/json"},
    body: body === null ? undefined : JSON.stringify(body)});
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}"""


def fetched(page: Page, path: str, method: str = "GET", body: object = None) -> Any:  # noqa: ANN401 - JSON
    """What the service answers to a request of the page."""
    return page.evaluate(_FETCH, [f"/v1/project{path}", method, body])


def put_in(page: Page, gold: list[Document], folder: Path) -> None:
    """Add the sentences through the file box."""
    page.locator("#view-annotate").get_by_role("link", name="Files and labels").click()
    file = folder / "sentences.jsonl"
    lines = (json.dumps({"id": str(place), "text": each.text}) + "\n" for place, each in enumerate(gold))
    file.write_text("".join(lines), encoding="utf-8")
    page.get_by_role("region", name="Add texts").get_by_label("Annotate by").select_option("documents")
    page.locator("#view-annotate input[type=file]").set_input_files(file)
    expect(page.get_by_role("region", name="Add texts")).to_contain_text("added", timeout=300_000)


def correct_by_requests(page: Page, gold: dict[str, Document]) -> tuple[int, int]:
    """Correct what the page suggests until enough is; how many sentences to learn from, and held back."""
    query = f"?annotator={ANNOTATOR}&state=open&order=suggested&limit=1000"
    counts = [0, 0]
    done = fetched(page, f"/documents?annotator={ANNOTATOR}&state=done&limit=1000")["documents"]
    for each in done:
        counts[each["is_held_back"]] += 1
    for each in fetched(page, f"/documents{query}")["documents"]:
        if counts[each["is_held_back"]] >= (_HELD_BACK if each["is_held_back"] else CORRECTED):
            continue
        path = f"/documents/{each['id']}?annotator={ANNOTATOR}"
        text = fetched(page, path)["text"]
        marks = [
            {"label": mark.label, "start": mark.start, "end": mark.end}
            for mark in marks_of(gold[digest_of(text)])
        ]
        fetched(page, path, "PUT", {"entities": marks, "state": "done", "revision": 0})
        counts[each["is_held_back"]] += 1
    return counts[0], counts[1]


def train(page: Page) -> dict[str, Any]:
    """Train, wait, read the scores from the page, accept; the run as the service tells it."""
    page.goto(page.url.partition("#")[0] + "#annotate/train")
    part = page.get_by_role("region", name="New run")
    part.get_by_label("Minutes at most").fill("10")
    part.get_by_role("button", name="Train", exact=True).click()
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run.locator("#run-state")).to_have_text("Done", timeout=_MINUTES * 60_000)
    scores = run.get_by_role("region", name="On the held-back part")
    rows = {name: scores.locator("tr", has_text=name).inner_text() for name in ("Before", "After")}
    run.get_by_role("button", name="Accept the new model").click()
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()
    expect(run.locator(".head")).to_contain_text("accepted")
    return {"shown": rows, **fetched(page, "/train")}


def main() -> int:
    """Run the story and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, default="chemdner-known")
    parser.add_argument("--shot", type=Path, help="a picture of the page after the training")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    case = CASES[options.case]
    sentences = gold_sentences(case, half=1)
    gold = {digest_of(each.text): each for each in sentences}
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        words = ("--project", str(Path(name) / "story.medspan"), "--deid-model", "none")
        with service(Path(name), 1, *words) as (_, port):
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(f"http://127.0.0.1:{port}/#annotate")
            page.fill("#annotator", ANNOTATOR)
            page.keyboard.press("Enter")
            fetched(page, "", "PATCH", {"labels": list(dict.fromkeys(case.labels.values()))})
            put_in(page, sentences, Path(name))
            began = time.monotonic()
            counts = correct_by_requests(page, gold)
            run = train(page)
            if options.shot:
                page.screenshot(path=options.shot)
            answering = page.evaluate("async () => (await (await fetch('/v1/project')).json()).model")
            browser.close()
    found = {
        "case": options.case,
        "corrected": counts[0],
        "held_back": counts[1],
        "seconds": round(time.monotonic() - began),
        **{key: run[key] for key in ("state", "shown", "before", "after", "labels", "accepted")},
        "model_that_answers": answering,
    }
    print(json.dumps(found, indent=1))
    write_json(options.output, facts(13, **found))
    return int(not (found["accepted"] and found["state"] == "done"))


if __name__ == "__main__":
    sys.exit(main())
