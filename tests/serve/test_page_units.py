"""The page's files: sizes, what they may not hold, and unit tests of their pure functions in Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import medspan
from medspan.formats.html import hue

WEB = Path(medspan.__file__).parent / "serve" / "web"
SCRIPTS = sorted(WEB.glob("*.js"))
MOST_LINES = 450
# What the rule "text becomes text nodes" and the CSP rule out.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\(\"style\"|https?://(?!www\.w3\.org)"
)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_scripts_are_short_and_put_no_markup_together(file: Path) -> None:
    content = file.read_text(encoding="utf-8")
    assert content.count("\n") <= MOST_LINES
    assert not FORBIDDEN.findall(content)
    assert content.startswith("/**"), "a module says what it is for"


def test_the_page_names_only_files_that_are_there() -> None:
    named = set(re.findall(r"/assets/([\w.-]+)", (WEB / "index.html").read_text(encoding="utf-8")))
    for file in SCRIPTS:
        named |= set(re.findall(r"from \"\./([\w.-]+)\"", file.read_text(encoding="utf-8")))
    there = {file.name for file in WEB.iterdir()} - {"index.html"}
    assert named == there


def test_nothing_is_inline() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_pure_functions(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node is here")
    web = tmp_path / "web"
    shutil.copytree(WEB, web)
    (web / "package.json").write_text('{"type": "module"}', encoding="utf-8")  # plain .js files are modules
    labels = ["Problem", "Lab_value", "NAME", "Gène", "疾患", "x"]
    environment = {
        **os.environ,
        "PAGE_WEB": str(web),
        "PAGE_HUES": json.dumps([[one, hue(one)] for one in labels]),
    }
    done = subprocess.run(
        [node, "--test", str(Path(__file__).parent / "page_units.mjs")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
