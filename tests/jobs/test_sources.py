"""The input as units: documents and errors in their places, whatever is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medspan.errors import FormatError, UsageError
from medspan.jobs import sources
from medspan.jobs.parts import Limits
from medspan.jobs.request import Request
from medspan.jobs.sources import check_paths, read_units, total_bytes
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable


def seen(*paths: Path, **options: object) -> list[str]:
    """Ids of documents, and of errors the file and line."""
    request = Request(inputs=tuple(map(str, paths)), **options)  # type: ignore[arg-type]
    return [
        unit.id if isinstance(unit, Document) else f"{Path(unit.path).name}:{unit.line}"
        for unit in read_units(request)
    ]


def test_errors_stand_in_their_places(write_notes: Callable[..., Path]):
    path = write_notes("a", b"{", "c", b"[]", b"\xff", "f")
    assert seen(path) == ["n0", "notes.jsonl:2", "n2", "notes.jsonl:4", "notes.jsonl:5", "n5"]


def test_inputs_come_in_the_order_given(write_notes: Callable[..., Path]):
    first, second = write_notes("a", name="b.jsonl"), write_notes("b", b"{", name="a.jsonl")
    assert seen(first, second, first) == ["n0", "n0", "a.jsonl:2", "n0"]


def test_long_documents_are_errors(write_notes: Callable[..., Path]):
    path = write_notes("12345", "123456", "1")
    assert seen(path, limits=Limits(document_characters=5)) == ["n0", "notes.jsonl:2", "n2"]


def test_files_of_a_folder_fail_alone(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    (tmp_path / "c.txt.gz").write_bytes(b"\x1f\x8bno")
    (tmp_path / "d.txt").write_text("d", encoding="utf-8")
    (tmp_path / "e.txt").symlink_to(tmp_path / "gone")
    assert [name for name in seen(tmp_path) if not name.startswith("e")] == [
        "a",
        "b.txt:None",
        "c.txt.gz:None",
        "d",
    ]


def test_columns_of_notes(tmp_path: Path):
    path = tmp_path / "notes.csv"
    path.write_text("key,report\n7,no fever\n8,fever\n", encoding="utf-8")
    assert seen(path, read_as="notes", text_column="report", id_column="key") == ["7", "8"]


@pytest.mark.parametrize("before", [0, 5])
def test_a_file_of_nothing_but_errors_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int):
    monkeypatch.setattr(sources, "MOST_REJECTED_IN_A_ROW", 10)
    good = '{"id": "good", "text": ""}\n'
    (tmp_path / "a.jsonl").write_text("{\n" * before + good + "{\n" * 9 + good + "{\n" * 50, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("{\n" * 4 + good, encoding="utf-8")
    found = seen(tmp_path)
    assert found.count("good") == 3
    assert len(found) == 3 + before + 9 + 10 + 1 + 4
    assert found[-1] == "good"


def test_stopping_at_errors(write_notes: Callable[..., Path]):
    path = write_notes("a", b"{", "c")
    with pytest.raises(FormatError, match=r"notes\.jsonl:2"):
        seen(path, stop_at_errors=True)


def test_paths_that_are_refused(tmp_path: Path):
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="missing: no such file or folder"):
        check_paths(["-", str(tmp_path / "missing")], tmp_path / "out")
    for output in (tmp_path / "in", tmp_path / "in" / "out"):
        with pytest.raises(UsageError, match="lies in the input"):
            check_paths([str(tmp_path / "in")], output)
    check_paths(["-", str(tmp_path / "in")], tmp_path / "out")
    with pytest.raises(UsageError, match="no format is known by it"):
        seen(tmp_path / "in")


def test_sizes_where_they_say_how_much_text_there_is(tmp_path: Path):
    (tmp_path / "notes" / "sub").mkdir(parents=True)
    (tmp_path / "notes" / "a.txt").write_bytes(b"12345")
    (tmp_path / "notes" / "sub" / "b.txt").write_bytes(b"123")
    assert total_bytes([str(tmp_path / "notes"), str(tmp_path / "notes" / "a.txt")]) == 13
    assert total_bytes(["-"]) is None
    (tmp_path / "notes" / "a.txt").rename(tmp_path / "notes" / "a.txt.xz")
    assert total_bytes([str(tmp_path / "notes")]) is None
    assert total_bytes([]) == 0
