"""Measuring speed: what is measured, and what is kept of it. No test hangs on how fast this machine is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from typer.testing import CliRunner

from medspan import bench
from medspan.bench import Rate
from medspan.cli.main import build_app
from medspan.errors import UsageError
from medspan.model import tuning
from medspan.model.session import available_cores
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.model.tuning import (
    DEFAULT_BATCH_WORDS,
    Tuning,
    read_tuning,
    settings_for,
    tuning_file,
    write_tuning,
)
from medspan.types import Document
from trained import model_folder

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [Document("a", "No sign of grey fever."), Document("b", "zelvorin was given .")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bench, "_SECONDS", 0.01)


def is_sound(rate: Rate) -> bool:
    return 0 < rate.slowest <= rate.words_per_second <= rate.fastest


def test_the_whole_way_counts_the_words_of_the_text():
    rate = bench.whole(model_folder(), TEXTS, threads=1, rounds=2)
    assert rate.words == 10
    assert is_sound(rate)


def test_a_text_without_words_cannot_be_measured():
    with pytest.raises(UsageError, match="no word"):
        bench.whole(model_folder(), [Document("a", " \n ")])


def test_the_probe_scores_full_batches():
    rate = bench.probe(model_folder(), threads=1, rounds=2)
    assert rate.words % 2000 == 0
    assert is_sound(rate)


def test_latency_is_in_milliseconds_and_ordered():
    found = bench.latency(model_folder(), threads=1)
    assert 0 < found.median <= found.p95


def test_tuning_tries_every_setting():
    rates = bench.tune(model_folder(), TEXTS, threads=(1, 2), rounds=1, sizes=(3, 50))
    assert sorted(rates) == [(1, 3), (1, 50), (2, 3), (2, 50)]
    assert all(map(is_sound, rates.values()))


def test_the_fastest_is_kept_and_each_number_of_threads_keeps_its_own_size():
    speeds = {(1, 500): 50, (1, 1000): 60, (2, 500): 80, (2, 1000): 70}
    rates = {each: Rate(float(speed), speed - 1.0, speed + 1.0, 10) for each, speed in speeds.items()}
    assert bench.fastest(rates, "2026-01-02") == Tuning(2, {1: 1000, 2: 500}, 80, "2026-01-02")


KEPT = Tuning(1, {1: 77, 2: 99}, 1234.0, "2026-01-02")


def test_what_was_found_is_used_from_then_on():
    model = open_model(model_folder())
    assert read_tuning(model) is None
    assert settings_for(model) == (available_cores(), DEFAULT_BATCH_WORDS)
    assert load_tagger(model_folder(), threads=1).batch_words == DEFAULT_BATCH_WORDS
    write_tuning(model, KEPT)
    assert settings_for(model) == (1, 77)
    assert settings_for(model, threads=2) == (2, 99)
    assert settings_for(model, threads=3) == (3, DEFAULT_BATCH_WORDS)
    assert load_tagger(model_folder(), threads=1).batch_words == 77
    assert load_tagger(model_folder(), threads=1, batch_words=5).batch_words == 5


@pytest.mark.parametrize(
    "damaged", [b"", b"{}", b'{"batch_words": {"1": 0}, "threads": 1, "words_per_second": 1, "date": ""}']
)
def test_a_damaged_file_counts_for_nothing(damaged: bytes):
    model = open_model(model_folder())
    write_tuning(model, KEPT).write_bytes(damaged)
    assert read_tuning(model) is None


def test_another_runtime_or_machine_is_another_file(monkeypatch: pytest.MonkeyPatch):
    model = open_model(model_folder())
    before = tuning_file(model)
    monkeypatch.setattr(tuning, "version", lambda _: "99.0")
    assert tuning_file(model) != before
    monkeypatch.undo()
    monkeypatch.setattr(tuning, "available_cores", lambda: 77)
    assert tuning_file(model).name != before.name


def run(*words: str) -> str:
    result = CliRunner().invoke(build_app(["bench"]), ["bench", *words, "--model", str(model_folder())])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_verb_says_words_a_second(tmp_path: Path):
    text = tmp_path / "note.txt"
    text.write_text("No sign of grey fever. " * 20, encoding="utf-8")
    assert "bare encoder:" in run(str(text))
    facts = json.loads(run(str(text), "--json"))
    assert facts["text"] == "given"
    assert facts["whole"]["words"] == 120
    assert facts["encoder"]["words_per_second"] > 0
    assert set(json.loads(run("--probe", "--json"))) == {"model", "threads", "encoder"}


def test_the_verb_keeps_the_fastest_settings(tmp_path: Path):
    text = tmp_path / "note.txt"
    text.write_text("No sign of grey fever. " * 20, encoding="utf-8")
    facts = json.loads(run("--tune", str(text), "--threads", "1", "--json"))
    found = read_tuning(open_model(model_folder()))
    assert found is not None
    assert facts["kept"] == {**msgspec.to_builtins(found), "batch_words": {"1": found.batch_words[1]}}
    assert len(facts["tried"]) == len(bench.BATCH_SIZES)
    assert "kept in" in run("--tune", str(text), "--threads", "1")
