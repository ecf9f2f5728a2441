"""The verb ``annotate``: what it reads, writes, shows and refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from test_main import run_apart

import medspan
from medspan import formats
from medspan.cli import annotate as verb
from medspan.cli.listing import colour_of, marked_text, outermost, show_document
from medspan.cli.main import main
from medspan.types import Document, Entity, Span
from trained import TEXTS, model_folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXTS[0], encoding="utf-8")
    (folder / "b.txt").write_text(TEXTS[2], encoding="utf-8")
    return folder


def annotate(*words: object) -> int:
    return main(
        ["annotate", *map(str, words), "--model", str(model_folder()), "--device", "cpu", "--threads", "1"]
    )


def test_jsonl_goes_to_a_pipe(notes: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    assert annotate(notes) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [e["label"] for e in rows[0]["entities"]] == ["Disease", "Drug"]
    assert "entities" not in rows[1] or rows[1]["entities"] == []


def test_a_listing_goes_to_a_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verb, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    assert verb._format(None, None) == "listing"
    assert verb._format(None, "x.html") == "html"
    assert verb._format("conll", "x.html") == "conll"


@pytest.mark.parametrize(
    "name", ["found.jsonl", "found.conll", "found.html", "found.tsv", "found.pubtator", "found.jsonl.gz"]
)
def test_formats_by_the_name_of_the_output(name: str, notes: Path, tmp_path: Path):
    target = tmp_path / name
    assert annotate(notes, "-o", target) == 0
    assert target.stat().st_size > 0
    if name.startswith("found.jsonl"):
        first = next(iter(medspan.read(target)))
        assert [first.text_of(e) for e in first.entities] == ["grey fever", "zelvorin"]


def test_brat_is_a_folder(notes: Path, tmp_path: Path):
    assert annotate(notes, "-o", tmp_path / "out", "--format", "brat") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.ann", "a.txt", "b.ann", "b.txt"]


def test_the_listing_marks_and_counts(notes: Path, capsys: pytest.CaptureFixture[str]):
    assert annotate(notes, "--format", "listing") == 0
    shown = capsys.readouterr().out
    assert "grey fever[Disease]" in shown
    assert "zelvorin[Drug]" in shown
    assert "Disease 1" in shown
    assert "no entities" in shown


def test_stdin():
    done = run_apart(
        "annotate",
        "-",
        "--model",
        str(model_folder()),
        "--threads",
        "1",
        input=TEXTS[0],
        env={"OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["text"] == TEXTS[0]
    assert len(row["entities"]) == 2


def test_types_and_scores(notes: Path, tmp_path: Path):
    target = tmp_path / "few.jsonl"
    assert annotate(notes, "-o", target, "--types", " Drug ,") == 0
    assert {e.label for d in formats.read(target) for e in d.entities} == {"Drug"}
    assert annotate(notes, "-o", target, "--min-score", "1") == 0
    assert all(e.score == 1 for d in formats.read(target) for e in d.entities)


def test_several_paths_in_order(notes: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    assert annotate(notes / "b.txt", notes / "a.txt") == 0
    assert [json.loads(line)["id"] for line in capfdbinary.readouterr().out.splitlines()] == ["b", "a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.txt"], "missing.txt"),
        (["a.txt", "--format", "jsnol"], "--format jsnol: unknown; did you mean jsonl?"),
        (
            ["a.txt", "--format", "listing", "-o", "x.txt"],
            "--format listing is for the screen; leave out -o",
        ),
        (["a.txt", "--types", "Durg"], "model 'invented' finds no 'Durg'; did you mean Drug?"),
        (["a.txt", "--min-score", "2"], "--min-score"),
        (["a.txt", "--threads", "0"], "--threads"),
        (["a.txt", "--on-error", "ignore"], "--on-error"),
    ],
)
def test_refusals(
    words: list[str],
    said: str,
    notes: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(notes)
    assert main(["annotate", *words, "--model", str(model_folder())]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in " ".join(captured.err.split())
    assert sorted(path.name for path in notes.iterdir()) == ["a.txt", "b.txt"]


def test_an_unknown_model_is_refused(notes: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["annotate", str(notes), "--model", "nothing/here"]) == 1
    assert "no model 'nothing/here': neither a folder nor shipped" in capsys.readouterr().err


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(
        '{"id": "a", "text": "No grey fever."}\n{"id": "b", "tex\n{"id": "c", "text": "x"}\n',
        encoding="utf-8",
    )
    return path


def test_malformed_input_stops_before_anything_is_written(
    broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    target = tmp_path / "out.jsonl"
    assert annotate(broken, "-o", target) == 1
    assert f"{broken}:2: " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_skip_keeps_malformed_input_in_a_side_file(
    broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    target = tmp_path / "out.jsonl"
    assert annotate(broken, "-o", target, "--on-error", "skip") == 1
    assert [document.id for document in formats.read(target)] == ["a", "c"]
    (row,) = map(json.loads, (tmp_path / "out.jsonl.rejected.jsonl").read_text(encoding="utf-8").splitlines())
    assert (row["line"], row["unit"].rstrip("\n")) == (2, '{"id": "b", "tex')
    assert "rejected: 1 malformed units" in capsys.readouterr().err


def test_asking_for_cuda_where_there_is_none(notes: Path, capsys: pytest.CaptureFixture[str]):
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    assert main(["annotate", str(notes), "--model", str(model_folder()), "--device", "cuda"]) == 2
    assert "device cuda: this onnxruntime has no CUDA" in capsys.readouterr().err


def test_annotating_loads_no_torch(notes: Path):
    model_folder()
    program = (
        "import sys; from medspan.cli.main import main\n"
        f"code = main(['annotate', {str(notes)!r}, '--model', {str(model_folder())!r}])\n"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=_environment(), check=False
    )
    assert done.returncode == 0, done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(medspan.__file__).parent.parent)}


def entity(number: int, label: str, start: int, end: int) -> Entity:
    return Entity(f"T{number}", label, (Span(start, end),))


def test_of_overlapping_mentions_the_outermost_is_marked():
    document = Document(
        "d",
        "left lung cancer x",
        (entity(1, "Anatomy", 5, 9), entity(2, "Disease", 0, 16), entity(3, "Gene", 17, 18)),
    )
    assert [e.id for e in outermost(document)] == ["T2", "T3"]
    assert marked_text(document).plain == "left lung cancer[Disease] x[Gene]"


@pytest.mark.parametrize("text", ["", "[bold]grey[/] fever [link=x]", "a\x1b[31mb\x00", "שלום grey"])
def test_a_listing_shows_the_text_as_it_is(text: str):
    assert marked_text(Document("d", text)).plain == text
    console = Console(file=io.StringIO(), width=60)
    show_document(console, Document("[red]id[/red]", text))
    assert "[red]id[/red]" in console.file.getvalue()


def test_colours_are_fixed():
    assert colour_of("Disease") == "red"
    assert colour_of("My label") == colour_of("My label")
    assert (
        len({colour_of(label) for label in ("Disease", "Chemical", "Gene", "Species", "Anatomy", "Cell")})
        == 6
    )


def test_stages_follow_the_entities(notes: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    assert annotate(notes, "--stages", "assertion, sections") == 0
    (row, _) = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    said = {entity["text"]: entity["attributes"] for entity in row["entities"]}
    assert said["grey fever"] == {"assertion": "absent", "temporality": "current"}
    page = tmp_path / "found.html"
    assert annotate(notes, "--stages", "assertion", "-o", page) == 0
    assert "<em> absent</em>" in page.read_text(encoding="utf-8")


def test_stages_in_a_bulk_job(notes: Path, tmp_path: Path):
    assert annotate(notes, "-o", f"{tmp_path}/job/", "--workers", "1", "--stages", "assertion") == 0
    (part,) = (tmp_path / "job").glob("part-*.jsonl")
    (first, _) = medspan.read(part)
    assert [item.name for item in first.entities[0].attributes] == ["assertion", "temporality"]


def test_a_stage_nobody_knows_is_refused(notes: Path, capfd: pytest.CaptureFixture[str]):
    assert annotate(notes, "--stages", "assertions") == 2
    assert "stage 'assertions': unknown; did you mean assertion?" in capfd.readouterr().err
