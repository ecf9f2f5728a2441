"""The verb ``deid`` into a folder: parts, resume, the same bytes always, and nothing of a patient anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import medspan
from medspan.cli.main import main
from medspan.jobs import job, pool
from medspan.jobs.parts import Limits, cut
from medspan.tasks.deid.labels import LABELS

STUB = (sys.executable, str(Path(__file__).parents[1] / "jobs" / "stub_worker.py"))
CANARIES = ("Quackenbush", "Zebulon", "98765432", "314-159-2653", "271-82-8182", "Wobbleton", "zquack")
NOTE = (
    "Patient Name: Quackenbush, Zebulon   MRN: 98765432   SSN: 271-82-8182\n"
    "Seen on 03/14/2021 by Dr. Wobbleton. Mr. Quackenbush called 314-159-2653, zquack@pelican.example."
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven notes and a key."""
    write(tmp_path / "notes.jsonl", *(json.dumps({"id": f"n{n}", "text": f"{n}. {NOTE}"}) for n in range(7)))
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDSPAN_DEID_KEY", raising=False)
    return tmp_path


def write(path: Path, *lines: str) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def deid(*words: object) -> int:
    return main(["deid", *map(str, words)])


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a job; the manifest's rows sorted, as parts end in any order."""
    return {
        path.name: b"".join(sorted(path.read_bytes().splitlines(keepends=True))) for path in folder.iterdir()
    }


def joined(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("part-?????.jsonl")))


def told(*texts: str) -> list[str]:
    return [canary for canary in CANARIES for text in texts if canary.lower() in text.lower()]


SURROGATES = ("--policy", "surrogate", "--key-file", "key", "--part-documents", "3")


def test_one_worker_two_workers_and_a_file_give_the_same(folder: Path, capfd: Any):
    for workers in (1, 2):
        assert deid("notes.jsonl", "-o", f"out{workers}/", *SURROGATES, "--workers", workers) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "7 documents, " in said.err
    assert "changed: DATE 7, EMAIL 7, MRN 7, NAME 21, PHONE 7, SSN 7" in said.err
    assert contents(folder / "out1") == contents(folder / "out2")
    assert {path.name for path in (folder / "out1").iterdir()} == {
        "manifest.jsonl",
        *(f"part-{number:05}.jsonl" for number in range(3)),
    }
    assert deid("notes.jsonl", "-o", "out.jsonl", *SURROGATES[:4]) == 0
    assert joined(folder / "out1") == (folder / "out.jsonl").read_bytes()
    _, *parts, last = map(json.loads, (folder / "out1" / "manifest.jsonl").read_text().splitlines())
    assert last["totals"]["changed"]["NAME"] == 21
    plain = {part.digest() for part in cut(medspan.read("notes.jsonl"), Limits(documents=3))}
    assert plain.isdisjoint(row["input"] for row in parts)  # else a text with gaps could be tried out


@pytest.mark.usefixtures("folder")
def test_packed_parts_hold_the_same_documents(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDSPAN_DEID_KEY", (folder / "key").read_text().strip())
    assert deid("notes.jsonl", "-o", "packed/", "--policy", "surrogate", "--compress", "gz") == 0
    assert deid("notes.jsonl", "-o", "out.jsonl", "--policy", "surrogate") == 0
    assert list(medspan.read("packed/part-00000.jsonl.gz")) == list(medspan.read("out.jsonl"))


def test_killed_and_resumed_gives_the_same_bytes(folder: Path):
    write(folder / "many.jsonl", *(json.dumps({"id": str(n), "text": NOTE * 6}) for n in range(120)))
    words = ["deid", "many.jsonl", "-o", "killed/", *SURROGATES[:4], "--part-documents", "4"]
    manifest = folder / "killed" / "manifest.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "medspan", *words, "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(Path(medspan.__file__).parents[1])},
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (manifest.exists() and manifest.read_bytes().count(b"\n") > 2):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert b'"complete"' not in manifest.read_bytes(), "it ended before it was killed"
    assert main(words) == 2  # a job stands there
    assert main([*words, "--workers", "2", "--resume"]) == 0
    words[3] = "whole/"
    assert main([*words, "--workers", "2"]) == 0
    assert contents(folder / "killed") == contents(folder / "whole")


@pytest.mark.usefixtures("folder")
def test_another_key_policy_or_input_is_refused(folder: Path, capfd: Any):
    assert deid("notes.jsonl", "-o", "out/", *SURROGATES) == 0
    (folder / "other").write_text("f" * 32)
    (folder / "same").write_text((folder / "key").read_text())
    resumed = ("notes.jsonl", "-o", "out/", "--part-documents", "3", "--resume")
    assert deid(*resumed, "--policy", "surrogate", "--key-file", "same") == 0
    capfd.readouterr()
    assert deid(*resumed, "--policy", "surrogate", "--key-file", "other") == 2
    said = capfd.readouterr().err
    assert "deid_key was" in said
    assert "0123456789abcdef" not in said
    assert deid(*resumed, "--policy", "redact", "--key-file", "key") == 2
    assert "deid_policy was" in capfd.readouterr().err
    write(folder / "notes.jsonl", json.dumps({"id": "n0", "text": "another"}))
    assert deid(*resumed, "--policy", "surrogate", "--key-file", "key") == 1
    said = capfd.readouterr().err
    assert "the input is not the one the job was begun with" in said
    assert "-o out/ --model deid --part-documents 3 --policy surrogate --key-file key --resume" in said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out/"], "openssl rand -hex 32"),
        (["-o", "out/", "--key-file", "key", "--vault", "v"], "--vault: a vault is written by one process"),
        (
            ["-o", "out/", "--key-file", "key", "--report", "no/r.jsonl"],
            "--report no/r.jsonl: there is no such",
        ),
        (["-o", "out.jsonl", "--workers", "2"], "--workers is for JSONL in parts"),
        (["-o", "out.jsonl", "--resume"], "--resume is for JSONL in parts"),
        (["--compress", "gz"], "--compress is for JSONL in parts"),
        (["-o", "out/", "--key-file", "key", "--model", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_begun(arguments: list[str], message: str, capfd: Any):
    assert deid("notes.jsonl", *arguments) in {1, 2}
    assert message in capfd.readouterr().err
    assert not Path("out").exists()


def bad_notes(folder: Path) -> None:
    """Good notes, and among them all that can go wrong, in files and under names that tell too."""
    write(
        folder / "Quackenbush.jsonl",
        json.dumps({"id": "Quackenbush-1", "text": NOTE, "meta": {"author": "Wobbleton"}}),
        '{"id": "Zebulon", "text": "Zebulon Quackenbush 98765432',
        json.dumps({"id": "98765432", "text": NOTE * 20}),
        json.dumps({"id": "Zebulon-2", "text": f"BOOM {NOTE}"}),
        json.dumps({"id": "Wobbleton", "text": f"KILL {NOTE}"}),
        json.dumps(
            {"id": "x", "text": NOTE, "Quackenbush": 1, "entities": [{"id": "Zebulon", "label": "A"}]}
        ),
        json.dumps({"id": "Wobbleton", "text": "a", "sentences": [[0, 98765432]]}),
        json.dumps({"id": "last", "text": "Dr. Wobbleton takes ZEBULON."}),
    )
    (folder / "in").mkdir()
    (folder / "in" / "Zebulon.txt").write_bytes(b"Quackenbush \xff")
    (folder / "in" / "Wobbleton.txt").write_text(NOTE)
    actions = {**dict.fromkeys(LABELS, "redact"), "NAME": "surrogate", "MRN": "hash"}
    table = "".join(f'{label} = "{action}"\n' for label, action in actions.items())
    (folder / "own.toml").write_text(f'[labels]\n{table}[model_labels]\nDrug = "NAME"\n')


def test_nothing_of_a_patient_is_in_any_byte(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any):
    monkeypatch.setattr(pool, "COMMAND", STUB)
    monkeypatch.setattr(job, "find_model", lambda _: Path("stub"))
    monkeypatch.setattr(job, "model_of", lambda _: job.ModelFacts("stub", "0", None))
    bad_notes(folder)
    words = ("--model", "stub", "--policy", "own.toml", "--key-file", "key", "--max-document-chars", "1000")
    for workers in (1, 2):
        sizes = ("--part-documents", "4", "--workers", workers)
        output = ("-o", f"out{workers}/", "--report", f"report{workers}.jsonl")
        assert deid("Quackenbush.jsonl", "in/", *output, *words, *sizes) == 1
    shown = capfd.readouterr()
    assert told(shown.out, shown.err) == []
    written = [path for name in ("out1", "out2") for path in (folder / name).iterdir()]
    reports = [folder / "report1.jsonl", folder / "report2.jsonl"]
    assert told(*(path.read_bytes().decode("latin-1") for path in (*written, *reports))) == []
    assert told(*(path.name for path in written)) == []
    assert contents(folder / "out1") == contents(folder / "out2")
    assert reports[0].read_bytes() == reports[1].read_bytes()
    check_rows(folder / "out1", reports[0])


def check_rows(out: Path, report: Path) -> None:
    """Each bad document has its row; the report counts them and the others."""
    paths = sorted(out.glob("part-*.errors.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    assert [row["place"] for row in rows] == [1, 2, 3, 4, 5, 6, 9]
    assert [row["reason"].split(" at ")[0] for row in rows] == [
        "not JSON",
        "the document is longer than 1,000 characters",
        "ValueError",
        "its worker process was ended by signal 9",
        *["it does not follow its format"] * 2,
        "byte 12 is not UTF-8",
    ]
    assert [row.get("path", row.get("id", ""))[:7] for row in rows] == [
        *["input 1"] * 2,
        "deid-" + rows[2]["id"][5:7],
        "deid-" + rows[3]["id"][5:7],
        *["input 1"] * 2,
        "input 2",
    ]
    *lines, sums = [json.loads(line) for line in report.read_text().splitlines()]
    assert (sums["documents"], sums["errors"]) == (3, 7)
    assert sums["labels"]["NAME"]["action"] == "surrogate"
    assert sum("error" in line for line in lines) == 7
