"""The manifest: rows that survive, settings that must agree, and one job at a time."""

from __future__ import annotations

import errno
import json
import os
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan.errors import DataError, UsageError
from medspan.jobs import manifest as module
from medspan.jobs.manifest import Manifest, Settings, differences, is_intact
from medspan.jobs.output import WriteError
from medspan.jobs.parts import Limits
from medspan.jobs.wire import PartRow

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = Settings(medspan="0.1.0", model="default", model_digest="ab", inputs=("notes",))


def row(part: int, **changes: object) -> PartRow:
    plain = PartRow(
        part=part,
        file=f"part-{part:05}.jsonl",
        sha256="ab",
        bytes=10,
        documents=2,
        characters=20,
        entities=3,
        input="cd",
        input_bytes=30,
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A manifest with two finished parts."""
    with closing(Manifest.create(tmp_path / "manifest.jsonl", SETTINGS)) as manifest:
        manifest.add(row(1))
        manifest.add(row(0, errors=1, errors_file="part-00000.errors.jsonl", errors_sha256="ef"))
    return manifest.path


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_come_back(path: Path):
    with closing(Manifest.resume(path, SETTINGS)) as manifest:
        assert sorted(manifest.rows) == [0, 1]
        assert manifest.rows[1] == row(1)
        totals = manifest.totals()
        assert (totals.parts, totals.documents, totals.entities, totals.errors) == (2, 4, 6, 1)
        assert not manifest.is_complete


def test_the_first_row_holds_the_settings_and_the_last_the_sums(path: Path):
    for _ in range(2):  # the sums are entered once, also by a job that is resumed though complete
        with closing(Manifest.resume(path, SETTINGS)) as manifest:
            manifest.complete()
    rows = lines(path)
    assert msgspec.convert(rows[0]["job"], Settings) == SETTINGS
    assert [row["part"] for row in rows[1:3]] == [1, 0]
    totals = {"parts": 2, "documents": 4, "characters": 40, "entities": 6, "errors": 1}
    assert rows[3:] == [{"complete": True, "totals": totals}]


def test_every_torn_last_row_is_cut_off(path: Path):
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for kept in range(1, last):
        path.write_bytes(whole[: len(whole) - kept])
        with closing(Manifest.resume(path, SETTINGS)) as manifest:
            assert sorted(manifest.rows) == [1]
        assert path.read_bytes() == whole[:-last]
    path.write_bytes(whole + b"\0" * 100)
    with closing(Manifest.resume(path, SETTINGS)) as manifest:
        assert sorted(manifest.rows) == [0, 1]
        manifest.add(row(2))
    assert [row.get("part") for row in lines(path)] == [None, 1, 0, 2]


def test_the_same_row_is_added_once_and_another_replaces_it(path: Path):
    with closing(Manifest.resume(path, SETTINGS)) as manifest:
        manifest.add(row(1))
        manifest.complete()
        manifest.add(row(1))
        assert len(lines(path)) == 4
        manifest.add(row(1, entities=9))
        manifest.complete()
    with closing(Manifest.resume(path, SETTINGS)) as manifest:
        assert manifest.rows[1].entities == 9
        assert manifest.totals().entities == 12
    assert len(lines(path)) == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": ("notes", "more")}, 'inputs was ["notes"], is ["notes","more"]'),
        ({"model_digest": "ff"}, 'model_digest was "ab", is "ff"'),
        ({"min_score": 0.5}, "min_score was 0.0, is 0.5"),
        ({"compress": "gz"}, 'compress was null, is "gz"'),
        ({"limits": Limits(documents=5)}, '"documents":1000'),
        ({"medspan": "0.2.0"}, 'medspan was "0.1.0", is "0.2.0"'),
    ],
)
def test_other_settings_are_refused_by_name(path: Path, changes: dict[str, object], said: str):
    before = path.read_bytes()
    other = msgspec.structs.replace(SETTINGS, **changes)
    with pytest.raises(UsageError) as caught:
        Manifest.resume(path, other)
    assert said in str(caught.value)
    assert "the same command" in str(caught.value)
    assert path.read_bytes() == before
    assert len(differences(SETTINGS, other)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no row"),
        (b'{"job": {', "holds no row"),
        (b'{"part": 1}\n', ":1: not the settings of a job"),
        (b'{"job": {"format_version": 1}}\n', ":1: not the settings of a job"),
        (b"[]\n{}\n", ":1: not the settings of a job"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        Manifest.resume(path, SETTINGS)


def test_a_damaged_row_in_the_middle_is_refused_by_its_line(path: Path):
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(rows[0] + rows[1][:20] + b"\n" + rows[2])
    with pytest.raises(DataError, match=r"manifest\.jsonl:2: not a row"):
        Manifest.resume(path, SETTINGS)


def test_a_newer_manifest_is_refused(path: Path):
    path.write_bytes(path.read_bytes().replace(b'"format_version":1', b'"format_version":2'))
    with pytest.raises(UsageError, match="format 2, this one has 1"):
        Manifest.resume(path, SETTINGS)


def test_two_jobs_in_one_folder_are_refused(path: Path):
    pytest.importorskip("fcntl")
    with (
        closing(Manifest.resume(path, SETTINGS)),
        pytest.raises(UsageError, match="another medspan job is writing there"),
    ):
        Manifest.resume(path, SETTINGS)
    Manifest.resume(path, SETTINGS).close()


def test_a_full_disk_leaves_whole_rows(path: Path, monkeypatch: pytest.MonkeyPatch):
    def half(handle: object, data: bytes) -> None:
        handle.write(data[:7])  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = path.read_bytes()
    with closing(Manifest.resume(path, SETTINGS)) as manifest:
        with monkeypatch.context() as patch:
            patch.setattr(module, "_write_all", half)
            with pytest.raises(WriteError, match=r"manifest\.jsonl: cannot be written: No space left"):
                manifest.add(row(2))
        assert path.read_bytes() == before
        assert 2 not in manifest.rows
        manifest.add(row(2))
    assert lines(path)[-1]["part"] == 2


def test_intact_means_size_and_digest_of_part_and_errors(tmp_path: Path):
    (tmp_path / "part-00000.jsonl").write_bytes(b"x")
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    good = row(0, sha256=digest, bytes=1)
    assert is_intact(tmp_path, good)
    assert not is_intact(tmp_path, msgspec.structs.replace(good, bytes=2))
    assert not is_intact(tmp_path, msgspec.structs.replace(good, sha256="ab"))
    assert not is_intact(tmp_path, row(1))
    with_errors = msgspec.structs.replace(good, errors_file="e.jsonl", errors_sha256=digest)
    assert not is_intact(tmp_path, with_errors)
    (tmp_path / "e.jsonl").write_bytes(b"x")
    assert is_intact(tmp_path, with_errors)


def test_a_job_keeps_its_own_size_of_a_batch(path: Path):
    tuned = msgspec.structs.replace(SETTINGS, batch_words=77)
    assert differences(SETTINGS, tuned) == []
    with closing(Manifest.resume(path, tuned)) as manifest:
        assert manifest.settings == SETTINGS
