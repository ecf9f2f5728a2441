"""The pages of docs/results: they are what the result files give, and say what is missing."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from made_up_studies import FILES, write_all

ROOT = Path(__file__).resolve().parents[1]
STUDIES = (
    "transfer",
    "architectures",
    "dictionary_swedish",
    "active_learning",
    "multitask",
    "system2",
    "spark",
)
MODULES = ("results", "facts", "recipes", "subsets", "clusters", *STUDIES)
PAGES = {
    "README.md",
    "transfer.md",
    "architectures.md",
    "swedish.md",
    "active-learning.md",
    "multitask.md",
    "system2.md",
    "spark.md",
}
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)\)")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Imports a module of the benchmarks folder, and forgets them all afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in [name for name in sys.modules if name in MODULES or name.split(".")[0] == "pages"]:
        del sys.modules[name]


@pytest.fixture
def made_up(script, tmp_path: Path) -> Path:
    """A folder of complete result files."""
    pytest.importorskip("torch")  # the study of architectures imports the training
    folder = tmp_path / "results"
    folder.mkdir()
    write_all(folder, script)
    return folder


def test_docs_results_are_those_of_the_result_files(script) -> None:
    results = script("results")
    texts, plots = results.render(ROOT / "benchmarks")
    assert results.stale(texts, plots, ROOT / "docs" / "results") == []


def test_links_lead_somewhere(script, made_up: Path) -> None:
    texts, plots = script("results").render(made_up)
    there = {*texts, *(plot.file for plot in plots)}
    for name, text in texts.items():
        for link in LINK.findall(text):
            assert link in there or (ROOT / "docs" / "results" / link).exists(), f"{name}: {link}"


def test_tables_are_whole(script, made_up: Path) -> None:
    for folder in (made_up, ROOT / "benchmarks"):
        for name, text in script("results").render(folder)[0].items():
            for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
                widths = {line.count("|") for line in block.splitlines()}
                assert len(widths) == 1, f"{name}: {block.splitlines()[0]}"
            assert "None" not in text, name
            assert "nan" not in text.split(), name
            assert "\n\n\n" not in text, name


def test_complete_studies_miss_nothing(script, made_up: Path) -> None:
    texts, plots = script("results").render(made_up)
    assert set(texts) == PAGES
    for name in PAGES - {"README.md", "architectures.md"}:
        assert "Nothing is missing" in texts[name], name
    assert "- `char_blstm` from a character language model" in texts["architectures.md"]
    assert "Not run yet" not in "".join(texts.values())
    assert len(plots) == 10


def test_nothing_run_is_said(script, tmp_path: Path) -> None:
    texts, plots = script("results").render(tmp_path)
    assert plots == []
    assert set(texts) == PAGES
    assert texts["README.md"].count("Not run yet.") == 9
    for name in PAGES - {"README.md"}:
        assert "## Not run\n\n- " in texts[name], name
        assert "How it was made" not in texts[name], name


@pytest.mark.parametrize("name", FILES)
def test_any_first_runs_of_a_study_can_be_rendered(script, made_up: Path, name: str) -> None:
    """A study that is going on: whatever is there is shown, with the summary its script makes of it."""
    results, (module, _) = script("results"), FILES[name]
    study, page = script(module), next(s for s in results.STUDIES if s.result == name)
    whole = json.loads((made_up / name).read_text(encoding="utf-8"))
    keys = list(whole["runs"])
    for count in (1, 2, 3, 5, 8, len(keys) - 1):
        runs = {key: whole["runs"][key] for key in keys[: min(count, len(keys) - 1)]}
        text, plots, answers = page.page({**whole, "runs": runs, **summary_of(study, runs)})
        assert "## Not run\n\n- " in text
        assert text.count("Made-up CPU") == 1
        assert len(answers) == len(page.questions)
        assert all(plot.line() in text for plot in plots)


def summary_of(study: Any, runs: dict[str, Any]) -> dict[str, Any]:
    """What a study script writes beside its runs."""
    if study.__name__ == "dictionary_swedish":
        return {"gains": study.gains(runs) if set(study.DICTIONARIES) <= set(runs) else {}}
    if study.__name__ == "active_learning":
        return {"summary": study.summary(runs)}
    if study.__name__ in ("multitask", "system2", "spark"):
        return {}
    return {"summary": study.summary(runs, None, {})}


def test_pages_say_how_they_were_made(script, made_up: Path) -> None:
    text = script("results").render(made_up)[0]["transfer.md"]
    assert "```sh\npython benchmarks/made_up.py\npython benchmarks/results.py\n```" in text
    assert "seeds: 13, 14, 15" in text
    assert "2001-02-03" in text
    assert "- Made-up CPU, 2 shared cores, Linux" in text
    assert "- python 3.11, medspan 0.1.0" in text


def test_figures_of_the_transfer_page(script, made_up: Path) -> None:
    text = script("results").render(made_up)[0]["transfer.md"]
    rows = [
        line for line in text.splitlines() if line.startswith("| NCBI-disease | vectors + BiLM | 13, 14, 15")
    ]
    assert rows == [
        "| NCBI-disease | vectors + BiLM | 13, 14, 15 | 84.53 | 83.53 | ± 0.20 | +4.00 | +2.50 to +5.50 | 84.50 / 87.30 |"
    ]
    assert "| BC2GM | random start | 13 | 80.19 | 79.20 | 77.20 to 81.20 |  |  |  |" in text
    assert "- NCBI-disease, vectors + BiLM: at most 5 %" in text  # the least share that was run
    assert "- NCBI-disease, vectors: 10 %" in text
    assert "one seed the figure is of that run" in " ".join(text.split())


def test_a_dictionary_is_only_its_own_run(script, made_up: Path) -> None:
    """``dictionary`` is the begin of other names."""
    runs = json.loads((made_up / "dictionary_swedish.json").read_text(encoding="utf-8"))["runs"]
    swedish = script("pages.swedish")
    sizes = {name: len(rows) for name, rows in swedish.grouped(runs).items()}
    assert sizes == {**dict.fromkeys(swedish.DICTIONARIES, 1), "char-blstm": 3, "char-blstm-charlm": 1}
    assert "errors on 1177 have been looked at" in " ".join(swedish.page({"runs": runs}).text.split())


def test_stale_names_what_differs(script, made_up: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results, folder = script("results"), tmp_path / "docs"
    texts, plots = results.render(made_up)
    assert set(results.stale(texts, plots, folder)) == PAGES | {plot.file for plot in plots}
    assert results.write(texts, plots, folder)
    assert results.stale(texts, plots, folder) == []
    (folder / "swedish.md").write_text("typed", encoding="utf-8")
    (folder / "swedish.svg").unlink()
    (folder / "old.svg").write_text("", encoding="utf-8")
    assert results.stale(texts, plots, folder) == ["swedish.md", "swedish.svg", "old.svg"]


def test_plots_are_the_same_again_and_keep_their_text(script, made_up: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results = script("results")
    _, plots = results.render(made_up)
    folders = [tmp_path / "once", tmp_path / "twice"]
    for folder in folders:
        results.write(
            {}, [plot for plot in plots if plot.file in ("transfer-gain.svg", "swedish.svg")], folder
        )
    for name in ("transfer-gain.svg", "swedish.svg"):
        once, twice = ((folder / name).read_bytes() for folder in folders)
        assert once == twice
        assert b"<dc:date>" not in once
    assert ">gain in test F1, points</text>" in (folders[0] / "transfer-gain.svg").read_text(encoding="utf-8")


def test_pages_are_written_without_matplotlib(
    script, made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = script("results")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["results.py", "--results", str(made_up), "-o", str(tmp_path / "docs")])
    assert results.main() == 0
    assert "matplotlib is not installed" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "docs").iterdir()} == PAGES


def test_check_says_what_is_stale(
    script, made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["results.py", "--results", str(made_up), "-o", str(tmp_path / "docs"), "--check"]
    monkeypatch.setattr(sys, "argv", argv)
    assert script("results").main() == 1
    assert "README.md" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()


def test_other_models_stand_beside_the_runs(script, made_up: Path) -> None:
    text = script("results").render(made_up)[0]["multitask.md"]
    assert "| large | transformer | 108.9 | 217.3 | 410 | 91.00 | 87.00 |" in text
    assert "| small | blstm_cnn | - | 9.1 | 40,000 | - | 88.00 |" in text
    assert "- large, ncbi-disease: 87.00 (asked of a transformer: at least 86.00)" in text
    assert "- small, ncbi-disease" not in text


def test_a_model_is_tested_with_the_head_that_fits(script) -> None:
    fitting = script("heads").fitting
    there = {"disease": ("Disease",), "cdr-chem": ("Chemical",), "silver": ("Chemical", "Gene")}
    assert fitting("cdr-chem", ("Chemical",), there) == "cdr-chem"
    assert fitting("ncbi-disease", ("Disease",), there) == "disease"
    assert fitting("pc-chem", ("Chemical",), there) is None  # two could be meant
    assert fitting("anatem", ("Anatomy",), there) is None
