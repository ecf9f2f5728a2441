"""A hospital takes identifiers out of its notes, and nothing of them is left anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import medspan
from medspan.cli.main import main
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.deid.finder import Finder
from medspan.tasks.deid.policy import load_policy
from medspan.types import Document

CANARIES = (
    "Zebulon",
    "Quackenbush",
    "98765432",
    "314-159-2653",
    "zquack@pelican.example",
    "271-82-8182",
    "Wobbleton",
)
NOTE = (
    "Patient Name: Quackenbush, Zebulon   MRN: 98765432   SSN: 271-82-8182\n"
    "Seen on 03/14/2021 by Dr. Wobbleton. Mr. Quackenbush, called Zebulon, has fever.\n"
    "Phone 314-159-2653, zquack@pelican.example. WOBBLETON signed; chart 98765432.\n"
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(medspan.__file__).parents[1])}
    environment |= {"MEDSPAN_VAULT_PASSPHRASE": "correct horse", "TMPDIR": str(folder / "tmp")}
    return subprocess.run(
        [sys.executable, "-m", "medspan", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def told(*texts: str) -> list[str]:
    return [canary for canary in CANARIES for text in texts if canary.lower() in text.lower()]


@pytest.mark.parametrize("policy", ["redact", "surrogate"])
def test_no_original_is_left_in_any_byte(
    tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("cryptography", reason="the extra deid is not installed")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "in").mkdir()
    rows = [
        {"id": "Quackenbush-1", "text": NOTE, "meta": {"author": "Wobbleton"}},
        {"id": "2", "text": NOTE, "entities": [{"id": "T1", "label": "Name", "start": 14, "end": 25}]},
    ]
    lines = [*map(json.dumps, rows), '{"id": "3", "text": "Zebulon Quackenbush', '{"text": 98765432}']
    (tmp_path / "in" / "notes.jsonl").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    out.mkdir()
    done = run(
        tmp_path,
        "deid",
        "in/notes.jsonl",
        "-o",
        "out/a.jsonl",
        "--policy",
        policy,
        "--vault",
        "out/v",
        "--report",
        "out/r.jsonl",
    )
    assert done.returncode == 1, done.stderr
    assert told(done.stdout, done.stderr) == []
    files = [*out.iterdir(), *(tmp_path / "tmp").rglob("*")]
    assert {path.name for path in out.iterdir()} == {"a.jsonl", "v", "r.jsonl"}
    assert told(*(path.read_bytes().decode("latin-1") for path in files if path.is_file())) == []
    monkeypatch.chdir(tmp_path)
    for name in ("html", "table", "brat", "conll", "bioc_json", "text"):
        assert (
            main(["deid", "in/notes.jsonl", "-o", f"out/{name}", "--format", name, "--policy", policy]) == 1
        )
    shown = capsys.readouterr()
    assert told(shown.out, shown.err) == []
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 8
    assert (
        told(*(path.read_bytes().decode("latin-1") for path in written), *(path.name for path in written))
        == []
    )
    back = run(tmp_path, "reidentify", "out/a.jsonl", "--vault", "out/v")
    assert [json.loads(line)["text"] for line in back.stdout.splitlines()] == [NOTE, NOTE]
    (tmp_path / "out" / "a.jsonl").write_text((out / "a.jsonl").read_text().replace("fever", "cough"))
    refused = run(tmp_path, "reidentify", "out/a.jsonl", "--vault", "out/v")
    assert refused.returncode == 1
    assert told(refused.stdout, refused.stderr) == []


def test_a_failure_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    found = Finder._find

    def explode(finder: Finder, text: str, by_model: list[object]) -> object:
        if "Zebulon" in text:
            raise ValueError(text)
        return found(finder, text, by_model)  # type: ignore[arg-type]

    monkeypatch.setattr(Finder, "_find", explode)
    monkeypatch.chdir(tmp_path)
    rows = [{"id": "Quackenbush", "text": NOTE}, {"id": "b", "text": "Mr. Tillbury is fine."}]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("own.toml").write_text(
        'ids = "hash"\n[labels]\n'
        + "\n".join(f'{label} = "redact"' for label in load_policy("redact").labels)
    )
    assert main(["deid", "in.jsonl", "-o", "out.jsonl", "--report", "r.jsonl", "--policy", "own.toml"]) == 1
    shown = capsys.readouterr()
    assert told(shown.out, shown.err, Path("out.jsonl").read_text(), Path("r.jsonl").read_text()) == []
    assert [document.text for document in medspan.read("out.jsonl")] == ["Mr. [NAME] is fine."]
    assert "ValueError" in Path("r.jsonl").read_text()


def test_through_the_library():
    run_ = Deidentifier(load_policy("surrogate"), key=b"0123456789abcdef")
    pipeline = medspan.Pipeline([run_])
    (document,) = pipeline.annotate([Document("a", NOTE)])
    assert told(document.text) == []
    assert document.text == run_(NOTE, id="a").text
