"""The verbs ``terminology build``, ``learn``, ``fit``, ``look`` and ``check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medspan import formats
from medspan.cli.main import main
from medspan.tasks.resolution.index import Index
from medspan.types import Concept, Document, Entity, Span

TABLE = """id,name,preferred
X:1,Grey fever,1
X:1,ash fever,0
X:1,febris grisea,0
X:2,Dry lung,1
X:2,arid pulmonary state,0
X:3,Zelvorin poisoning,1
X:3,zelvorin toxicity,0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "names.csv").write_text(TABLE)
    (tmp_path / "corpus").mkdir()
    for split, mention in (("train", "greyish"), ("dev", "greyish fevers")):
        concept = (Concept("X:1"),)
        entity = Entity("T1", "Problem", (Span(0, len(mention)),), concepts=concept)
        none = Entity("T2", "Problem", (Span(len(mention) + 1, len(mention) + 5),))
        gold = [Document(f"{split}-{n}", f"{mention} came", (entity, none)) for n in range(3)]
        formats.write(gold, tmp_path / "corpus" / f"{split}.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def terminology(*arguments: str) -> int:
    return main(["terminology", *arguments])


def answers(capsys: pytest.CaptureFixture[str], *names: str) -> list[list[str]]:
    capsys.readouterr()
    assert terminology("look", "index", *names, "--json", "--none-below", "0") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [[concept["id"] for concept in row["concepts"]] for row in rows]


@pytest.mark.usefixtures("folder")
def test_build_and_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminology("build", "names.csv", "-o", "index", "--licence", "CC0-1.0") == 0
    assert "7 names of 3 concepts" in capsys.readouterr().err
    (source,) = Index("index").spec.sources
    assert (source.name, source.format, source.names, source.licence) == ("names.csv", "table", 7, "CC0-1.0")
    assert [found[0] for found in answers(capsys, "lung, dry", "ASH FEVERS")] == ["X:2", "X:1"]
    assert terminology("look", "index", "grey fever", "qqq") == 0
    out = capsys.readouterr().out
    assert "X:1  Grey fever" in out
    assert "none of these" in out
    assert terminology("check", "index") == 0


@pytest.mark.usefixtures("folder")
def test_the_same_command_gives_the_same_bytes() -> None:
    for name in ("one", "two"):
        command = ["build", "names.csv", "-o", name, "--name", "n", "--mentions", "corpus"]
        assert terminology(*command) == 0
    first, second = ({p.name: p.read_bytes() for p in Path(name).iterdir()} for name in ("one", "two"))
    assert first == second


@pytest.mark.usefixtures("folder")
def test_annotated_mentions_are_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminology("build", "names.csv", "-o", "index", "--mentions", "corpus", "--label", "Problem") == 0
    assert answers(capsys, "Greyish") == [["X:1"]]
    assert [source.format for source in Index("index").spec.sources] == ["table", "mentions"]


@pytest.mark.usefixtures("folder")
def test_bad_lines_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text(TABLE + "X:4\n")
    assert terminology("build", "bad.csv", "-o", "index") == 0
    err = capsys.readouterr().err
    assert "1 bad lines of 8" in err
    assert "bad.csv:9: has 1 cells, not 3" in err
    assert terminology("build", "bad.csv", "-o", "index", "--bad-lines", "0") == 1
    assert "bad.csv:9" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("build", "absent.csv", "-o", "index"), "no such file"),
        (("build", "-o", "index"), "nothing to build from"),
        (("build", "names.csv", "-o", "corpus"), "is not an index"),
        (("build", "names.csv", "-o", "index", "--format", "oboe"), "did you mean obo"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminology(*arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_damage_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminology("build", "names.csv", "-o", "index") == 0
    path = Path("index") / "norm.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert terminology("check", "index") == 1
    assert "differs from the digest" in capsys.readouterr().err
    assert terminology("look", "absent", "x") == 1


@pytest.mark.usefixtures("folder")
def test_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminology("build", "names.csv", "-o", "index") == 0
    before = Index("index").spec
    assert terminology("fit", "index", "--mentions", "corpus") == 0
    assert "fitted to 6 mentions" in capsys.readouterr().err
    after = Index("index").spec
    assert after.ranking.learnt_from == ("corpus (dev)",)
    assert after.arrays == before.arrays
    assert answers(capsys, "greyish fevers")[0][0] == "X:1"
    Path("other.csv").write_text("id,name\nZ:1,grey fever\n")
    assert terminology("build", "other.csv", "-o", "index") == 0
    assert terminology("fit", "index", "--mentions", "corpus") == 1
    assert "are the ids written alike" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_learn_finds_what_looks_different(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert terminology("build", "names.csv", "-o", "index") == 0
    assert terminology("learn", "index", "--epochs", "20", "--width", "16") == 0
    index = Index("index")
    assert index.spec.encoder_width == 16
    assert index.problems() == []
    assert answers(capsys, "febris")[0][0] == "X:1"
    first = {path.name: path.read_bytes() for path in Path("index").iterdir()}
    assert terminology("build", "names.csv", "-o", "index") == 0
    assert terminology("learn", "index", "--epochs", "20", "--width", "16") == 0
    assert {path.name: path.read_bytes() for path in Path("index").iterdir()} == first
    Path("single.csv").write_text("id,name\nZ:1,grey fever\n")
    assert terminology("build", "single.csv", "-o", "index") == 0
    assert terminology("learn", "index") == 1
    assert "add synonyms" in capsys.readouterr().err
