"""The verb ``convert``."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from medspan import formats
from medspan.cli.convert import convert
from medspan.errors import FormatError, UsageError
from medspan.types import Document, Entity, Relation, Span


def _run(*words, **options):
    app = typer.Typer()
    app.command()(convert)
    return CliRunner().invoke(app, [str(word) for word in words], **options)


def test_formats_by_extension(tmp_path):
    source, target = tmp_path / "a.conll", tmp_path / "a.jsonl"
    source.write_text("a\tB-X\nb\tO\n")
    result = _run(source, target)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    (document,) = formats.read(target)
    assert document.entities == (Entity("T1", "X", (Span(0, 1),)),)


def test_losses_go_to_stderr_and_data_to_stdout(tmp_path):
    source = tmp_path / "a.jsonl"
    entities = tuple(Entity(f"T{n}", "X", (Span(0, n),)) for n in (1, 2))
    formats.write([Document("d", "ab", entities, (Relation("R1", "r", "T1", "T2"),))], source)
    result = _run(source, "-", "--to", "conll", "--no-spacing")
    assert result.stdout == "-DOCSTART-\tO\n\nab\tB-X\n\n"
    assert "not held by the format: spans off word borders: 1\n" in result.stderr
    assert "not held by the format: relations: 1\n" in result.stderr
    assert result.exit_code == 0


def test_standard_input(tmp_path):
    result = _run("-", tmp_path / "a.txt", "--from", "text", input="x\r\ny")
    assert result.exit_code == 0
    assert (tmp_path / "a.txt").read_bytes() == b"x\r\ny"


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES"])
def test_tag_scheme(tmp_path, scheme):
    source, target = tmp_path / "a.conll", tmp_path / "b.conll"
    source.write_text("a\tB-X\nb\tB-X\n")
    assert _run(source, target, "--tag-scheme", scheme).exit_code == 0
    tags = {"IOB1": "a\tI-X\nb\tB-X\n", "IOB2": "a\tB-X\nb\tB-X\n", "IOBES": "a\tS-X\nb\tS-X\n"}
    assert target.read_text() == tags[scheme]


def test_stops_before_anything_is_half_written(tmp_path):
    source, target = tmp_path / "a.conll", tmp_path / "b.jsonl"
    source.write_text("a\tO\n\nbad\n")
    target.write_text("before")
    result = _run(source, target)
    assert isinstance(result.exception, FormatError)
    assert result.exception.line == 3
    assert target.read_text() == "before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.conll", "b.jsonl"]


def test_skips_and_keeps_what_it_skipped(tmp_path):
    source, target = tmp_path / "a.conll", tmp_path / "b.jsonl"
    source.write_text("a\tO\n\nbad\n\nworse\n\nb\tO\n")
    result = _run(source, target, "--on-error", "skip")
    assert result.exit_code == 1
    assert f"rejected: 2 malformed units, kept in {target}.rejected.jsonl" in result.stderr
    assert [document.text for document in formats.read(target)] == ["a", "b"]
    rows = [json.loads(line) for line in (tmp_path / "b.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [(row["path"], row["line"], row["unit"]) for row in rows] == [
        (str(source), 3, "bad\n\n"),
        (str(source), 5, "worse\n\n"),
    ]
    assert all(row["problem"] and row["remedy"] for row in rows)


def test_skip_without_errors_leaves_no_side_file(tmp_path):
    source, target = tmp_path / "a.conll", tmp_path / "b.jsonl"
    source.write_text("a\tO\n")
    assert _run(source, target, "--on-error", "skip").exit_code == 0
    assert not (tmp_path / "b.jsonl.rejected.jsonl").exists()


def test_wrong_usage(tmp_path):
    source = tmp_path / "a.conll"
    source.write_text("a\tO\n")
    cases = [([source, source], "IN and OUT are the same"), ([source, "-"], "name the format")]
    for words, message in cases:
        error = _run(*words).exception
        assert isinstance(error, UsageError)
        assert message in str(error)
    assert _run(source).exit_code == 2
    assert _run(source, "-", "--on-error", "maybe").exit_code == 2
