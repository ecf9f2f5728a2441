"""README.md and docs/ are run: every block marked ``run``, in order, in a folder of the document's own.

Marks in the info string of a block: ``run`` (``sh``: each line, of medspan or mkdir; ``python``: the
block), ``file=NAME`` (the block is written there), ``exit=N`` (each command ends with N),
``needs-model`` (left out while no model ships).
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from medspan.cli.main import GROUPS, VERBS, main
from medspan.formats import READERS, WRITERS
from medspan.shipped import shipped_models

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


class Block(NamedTuple):
    language: str
    marks: dict[str, str]
    body: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        language, *marks = match["info"].split() or [""]
        pairs = {key: value for key, _, value in (mark.partition("=") for mark in marks)}
        found.append(Block(language, pairs, match["body"], text.count("\n", 0, match.start()) + 1))
    return found


def write_material(folder: Path) -> None:
    """What the pages presume: the clone's examples, annotated notes in brat, and a small JSONL file."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    entity = {"id": "T1", "label": "Chemical", "start": 11, "end": 18, "text": "lithium"}
    note = {"id": "note-1", "text": "No sign of lithium toxicity.", "entities": [entity]}
    (folder / "notes.jsonl").write_text(json.dumps(note) + "\n", encoding="utf-8")
    (folder / "note.txt").write_text("No sign of lithium toxicity.", encoding="utf-8")
    for split, size in {"train": 24, "dev": 8, "test": 8}.items():
        part = folder / "annotated" / split
        part.mkdir(parents=True)
        for number in range(size):
            write_brat(part / f"{split}-{number}", number)


def write_brat(stem: Path, number: int) -> None:
    symptom = ("headache", "nausea", "dry cough", "back pain", "fever")[number % 5]
    drug = ("paracetamol", "ondansetron", "codeine", "ibuprofen")[number % 4]
    text = f"Patient {number} has {symptom} since Monday. Took {drug} twice."
    lines = [
        f"T{place}\t{label} {text.index(mention)} {text.index(mention) + len(mention)}\t{mention}"
        for place, (label, mention) in enumerate((("Symptom", symptom), ("Drug", drug)), start=1)
    ]
    stem.with_suffix(".txt").write_text(text, encoding="utf-8")
    stem.with_suffix(".ann").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_shell(block: Block, where: str) -> None:
    """Run each medspan line of a block in this process; others would need the reader's machine."""
    wanted = int(block.marks.get("exit", "0"))
    for line in block.body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "mkdir":
            Path(words[1]).mkdir()
            continue
        assert words[0] == "medspan", f"{where}: a block marked run holds {words[0]!r}"
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = main(words[1:])
        assert code == wanted, f"{where}: `{line}` ended with {code}: {said.getvalue()}"


def write_file(block: Block) -> None:
    """Write a block's file; a recipe learns for two epochs only, as the commands are tested, not the score."""
    Path(block.marks["file"]).write_text(re.sub(r"epochs = \d+", "epochs = 2", block.body), encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_material(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    left_out = 0
    for block in blocks_of(page):
        where = f"{page.name}:{block.line}"
        if "needs-model" in block.marks and not shipped_models():
            left_out += 1
        elif "file" in block.marks:
            write_file(block)
        elif "run" in block.marks and block.language == "python":
            exec(compile(block.body, where, "exec"), names)  # noqa: S102 - our own documentation
        elif "run" in block.marks:
            run_shell(block, where)
    if left_out:
        pytest.skip(f"{left_out} blocks need the model that ships with medspan, which is not there")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    missing = [
        link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_named_in_the_text_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    code = [block.body for block in blocks_of(page)] + re.findall(r"`(medspan [^`\n]+)`", BLOCK.sub("", text))
    for named in re.findall(r"^medspan ([a-z]+)(?: ([a-z]+))?", "\n".join(code), re.MULTILINE):
        assert named[0] in VERBS or f"{named[0]} {named[1]}" in VERBS or named[0] in GROUPS, named


def test_every_format_is_documented():
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert [name for name in sorted({*READERS, *WRITERS}) if f"`{name}`" not in text] == []


def test_every_example_states_its_source():
    stated = (ROOT / "examples" / "SOURCES.md").read_text(encoding="utf-8")
    for path in (ROOT / "examples").glob("*.txt"):
        assert f"`{path.name}`" in stated
        assert ("[Invented example." in path.read_text(encoding="utf-8")) == path.name.startswith("invented-")
