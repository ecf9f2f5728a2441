"""benchmarks/speed.py and its peers: what they compute without a peer, and one true run of medspan's worker."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import frontier
import pytest
import speed
from peers import splitting, systems, texts, worker
from peers.systems import SYSTEMS

from medspan.shipped import shipped_models

BENCHMARKS = Path(frontier.__file__).resolve().parent
PEERS = BENCHMARKS / "peers"


def text_of(identity: str, length: int) -> texts.Text:
    return texts.Text(identity, "x" * length, length)


@pytest.mark.parametrize("name", ["speed", "frontier"])
def test_help(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent / "src")}
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--help"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert f"benchmarks/{name}.py" in done.stdout
    assert "--output" in done.stdout


# Texts


def test_articles_become_documents_of_whole_paragraphs() -> None:
    long, short = "a" * (texts.LONGEST + 1), "b" * (texts.LONGEST // 2)
    assert texts.pieces(f"{short}\n{short[:-1]}\n{long}\n{short}\n") == [
        f"{short}\n{short[:-1]}",
        long,
        short,
    ]
    assert texts.pieces("") == []
    assert texts.pieces("\n \n") == []


@pytest.mark.parametrize(
    ("words", "expected"), [(0, 0), (1, 1), (5, 1), (6, 2), (25, 5), (100, 20), (1000, 20)]
)
def test_the_first_documents_of_so_many_words(words: int, expected: int) -> None:
    documents = [text_of(str(place), 5) for place in range(20)]
    assert texts.first(iter(documents), words) == documents[:expected]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_hold_everything_once_and_weigh_the_same(processes: int) -> None:
    documents = [text_of(str(place), 1 + place * 37 % 101) for place in range(60)]
    shares = texts.deal(documents, processes)
    assert len(shares) == processes
    assert sorted(d.id for share in shares for d in share) == sorted(d.id for d in documents)
    weights = [sum(len(d.text) for d in share) for share in shares]
    assert max(weights) - min(weights) <= 2
    for share in shares:
        assert [int(d.id) for d in share] == sorted(int(d.id) for d in share)


def test_more_processes_than_documents() -> None:
    assert texts.deal([text_of("a", 3)], 2) == [[text_of("a", 3)], []]


def test_texts_are_written_one_a_line(tmp_path: Path) -> None:
    odd = texts.Text("n-1", "two\nlines\u2028and é 😀", 4)
    texts.write([odd, odd], tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line) for line in lines] == [{"id": "n-1", "text": odd.text}] * 2


@pytest.mark.corpora
def test_the_sample_is_the_same_each_time(corpora_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "read_articles", lambda _: ((f"pmc-{n}", "word " * n) for n in range(1, 40)))
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    sample = texts.sample(3000)
    assert sample == texts.sample(3000)
    assert abs(sum(1 if d.id.startswith("pmc") else -1 for d in sample)) <= 1
    total = sum(d.words for d in sample)
    assert total - max(d.words for d in sample) < 3000 <= total


# Peers


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O O", []),
        ("B-D I-D O", [(0, 4, "D")]),
        ("B-D B-D I-D", [(0, 1, "D"), (2, 7, "D")]),
        ("O I-D I-D", [(2, 7, "D")]),
        ("B-D I-E I-E", [(0, 1, "D"), (2, 7, "E")]),
        ("I-D O I-D", [(0, 1, "D"), (5, 7, "D")]),
    ],
)
def test_entities_of_tags(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert splitting.entities(tags.split(), [(0, 1), (2, 4), (5, 7)]) == expected


def test_words_of_sentences_are_offsets_into_the_text() -> None:
    text = "A first one. Then a second."
    rows = list(splitting.sentence_words(text))
    assert [[text[s:e] for s, e in row] for row in rows] == [
        ["A", "first", "one", "."],
        ["Then", "a", "second", "."],
    ]


def test_documents_are_run_in_chunks() -> None:
    sizes = [len(chunk) for chunk in splitting.chunks((str(n), "") for n in range(splitting.CHUNK * 2 + 1))]
    assert sizes == [splitting.CHUNK, splitting.CHUNK, 1]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_peer_has_its_function_its_packages_and_an_honest_note(name: str) -> None:
    system = SYSTEMS[name]
    module, _, function = system.home.partition(":")
    tree = ast.parse((PEERS / f"{module}.py").read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function in functions
    assert ("tag_words" in functions) == system.is_trained
    assert ("speed only" in system.note) != system.is_trained
    assert system.words > 0
    pinned = (PEERS / "requirements.txt").read_text(encoding="utf-8")
    assert f"{system.packages[0]}==" in pinned


def test_published_figures_say_where_they_come_from() -> None:
    rows = json.loads((PEERS / "published.json").read_text(encoding="utf-8"))
    for row in rows:
        assert row["source"]
        assert (row["f1"] is None) == (row["f1_protocol"] is None)
        assert row["f1"] is None or 0 < row["f1"] < 1
        assert row["words_per_second"] is None or row["hardware"]
        assert row.get("timed_as") in {None, *SYSTEMS}


def test_a_peer_reads_and_writes_jsonl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: str, threads: int) -> systems.Peer:
        assert (model, threads) == ("folder", 1)
        return lambda documents: ((name, [(0, len(text), "D")]) for name, text in documents)

    monkeypatch.setitem(sys.modules, "peers.fake", SimpleNamespace(load=load))
    monkeypatch.setitem(
        SYSTEMS, "fake", systems.System("fake:load", 1, is_trained=False, note="", packages=())
    )
    texts.write([texts.Text("a", "é\n😀", 1)], tmp_path / "in.jsonl")
    worker.peer_job("fake", "folder", 1)(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"id": "a", "entities": [{"start": 0, "end": 3, "label": "D"}]}


# Speed


def test_rounds_turn_the_order() -> None:
    assert [speed.in_turn("abc", number) for number in range(3)] == [list("abc"), list("cba"), list("abc")]


def test_a_row_and_its_ratios() -> None:
    runs = [speed.Run(seconds, 100 + n) for n, seconds in enumerate((10.0, 5.0, 20.0))]
    row = speed.spread(1000, runs)
    assert (row["words_per_second"], row["low"], row["high"]) == (100, 50, 200)
    assert row["rounds"] == [100, 200, 50]
    assert row["peak_rss_mb"] == 102
    peer = speed.spread(100, [speed.Run(10.0, 1)] * 3)
    assert speed.ratios({"medspan:a": row, "b": peer}) == {
        "medspan:a": {"b": {"median": 10, "low": 5, "high": 20}}
    }


def test_arguments() -> None:
    options = speed.options_of(["--models", "a=x/y", "b=z", "--systems", "minilm", "--budgets", "minilm=7"])
    assert options.models == {"a": "x/y", "b": "z"}
    assert options.budgets == {"minilm": 7}
    assert speed.options_of(["--systems", "none"]).systems == []
    with pytest.raises(SystemExit):
        speed.options_of(["--systems", "nosuch"])
    with pytest.raises(SystemExit):
        speed.options_of(["--models", "without-equals"])


def test_a_trained_peer_needs_its_folder() -> None:
    options = speed.options_of(["--systems", "spacy"])
    with pytest.raises(SystemExit, match="--peer-models spacy=FOLDER"):
        speed.contenders(options)


def test_budgets_never_exceed_the_sample() -> None:
    options = speed.options_of(
        ["--systems", "minilm,bert-base", "--words", "9000", "--budgets", "bert-base=5"]
    )
    assert {each.name: each.words for each in speed.contenders(options)} == {
        "medspan:default": 9000,
        "minilm": 9000,
        "bert-base": 5,
    }


def test_the_command_names_no_place_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    argv = ["speed.py", "--models", f"mine={folder}", "--peers-python", sys.executable, "--words", "5"]
    said = speed.said_command(argv)
    assert str(tmp_path) not in said
    assert "mine=my-model" in said


def test_the_path_beside_the_bare_encoder() -> None:
    row = {"rounds": [40, 60, 50]}
    found = speed.beside_probe(row, [100.0, 100.0, 200.0])
    assert found["probe"] == {"words_per_second": 100, "rounds": [100, 100, 200]}
    assert found["share_of_probe"] == {"median": 0.4, "low": 0.25, "high": 0.6}
    assert speed.beside_probe(row, []) == {}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_true_run_of_the_shipped_model(processes: int) -> None:
    folder = shipped_models().get("default")
    if folder is None:
        pytest.skip("no model ships")
    documents = [texts.Text(str(n), f"Case {n}: no sign of lithium toxicity.\n", 8) for n in range(5)]
    contender = speed.Contender("medspan:default", "medspan", str(folder), sys.executable, 40)
    run = speed.run_once(contender, documents, processes, 1)
    assert 0 < run.seconds < 60
    assert 20 < run.peak_rss_mb < 4000


def test_a_worker_that_cannot_load_stops_the_run(tmp_path: Path) -> None:
    contender = speed.Contender("medspan:none", "medspan", str(tmp_path), sys.executable, 40)
    with pytest.raises(SystemExit, match="did not get ready"):
        speed.run_once(contender, [text_of("a", 3)], 1, 1)


# Plot


def row_of(rate: float, f1: float | None) -> dict[str, object]:
    scores = f1 and {"f1": f1, "low": f1 - 0.02, "high": f1 + 0.02}
    return {"words_per_second": rate, "f1": scores or None}


@pytest.fixture
def result() -> dict[str, object]:
    return {
        "settings": {"processes": 2, "threads": 1},
        "hardware": {"cpu": "a <fast> one"},
        "date": "2026-01-01",
        "systems": {
            "medspan:a": row_of(100_000, 0.82),
            "spacy": row_of(20_000, 0.80),
            "minilm": row_of(1500, None),
            "bert-base": row_of(300, None),
        },
        "published": [
            {"system": "B", "f1": 0.9, "words_per_second": None, "timed_as": "bert-base"},
            {"system": "S", "f1": 0.83, "words_per_second": 2000},
            {"system": "T", "f1": None, "words_per_second": 10},
            {"system": "U", "f1": 0.8, "words_per_second": None, "timed_as": "flair-1024"},
        ],
    }


def test_points_and_frontier(result: dict[str, object]) -> None:
    found = frontier.points(result)
    assert [(p.name.partition(" ")[0], p.kind) for p in found] == [
        ("medspan:a", frontier.MEASURED),
        ("spacy", frontier.MEASURED),
        ("B", frontier.MIXED),
        ("S", frontier.PUBLISHED),
    ]
    assert [p.name.partition(" ")[0] for p in frontier.frontier(found)] == ["medspan:a", "B"]
    assert frontier.speed_only(result) == [("minilm", 1500)]


def test_the_drawing_is_svg_and_stays_inside(result: dict[str, object]) -> None:
    parts = frontier.drawing(result)
    root = ET.fromstring(frontier.as_svg(parts, "a & b"))  # noqa: S314 - our own text
    assert root.tag.endswith("svg")
    circles = [e for e in root if e.tag.endswith("circle")]
    assert {e.get("fill") for e in circles} == {frontier.OURS, frontier.PEER, frontier.SOFT, "#fff"}
    for part in parts:
        places = (
            [(part.x1, part.y1), (part.x2, part.y2)]
            if isinstance(part, frontier.Line)
            else [(part.x, part.y)]
        )
        for x, y in places:
            assert 0 <= x <= frontier.WIDTH
            assert 0 <= y <= frontier.HEIGHT


def test_names_cover_neither_each_other_nor_leave_the_plot() -> None:
    close = [
        frontier.Point(f"system {n}", 1000 + n, 0.8 + n / 1000, None, None, "measured") for n in range(4)
    ]
    edge = frontier.Point("a long name at the right edge", 9900, 0.85, 0.84, 0.86, "measured")
    axes = frontier.Axes([*close, edge], [])
    boxes = [frontier._box(label) for label in frontier._labels([*close, edge], axes)]
    assert len(boxes) == 5
    for place, box in enumerate(boxes):
        assert frontier._covers(box, boxes[:place]) == 0


def test_dashes_cover_the_line() -> None:
    line = frontier.Line(0, 0, 30, 40, "#000", is_dashed=True)
    strokes = frontier.dashes(line)
    assert strokes[0][0] == (0, 0)
    assert len(strokes) == 5
    assert frontier.dashes(line._replace(is_dashed=False)) == [((0, 0), (30, 40))]


def test_the_plot_needs_no_medspan() -> None:
    tree = ast.parse((BENCHMARKS / "frontier.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {"medspan", "facts", "matplotlib"} & imported
