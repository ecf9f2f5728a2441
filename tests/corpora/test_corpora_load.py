from __future__ import annotations

import gzip
import json

import pytest

from medspan.corpora import all_splits, find_entry, list_corpora, load, places_of, split_path
from medspan.corpora.places import split_files, split_name
from medspan.errors import DataError, UsageError

CONLL = "An\tO\nulcer\tB-Disease\n\nNo\tO\n\n"


@pytest.fixture
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("MEDSPAN_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    return tmp_path


@pytest.fixture
def corpora_here(nothing_here, monkeypatch):
    root = nothing_here / "root"
    for name, stem in (("ner/Own", "devel"), ("standoff/Own", "dev"), ("ner/Alone", "test")):
        (root / name).mkdir(parents=True)
        (root / name / f"{stem}.conll").write_text(CONLL)
    monkeypatch.setenv("MEDSPAN_DATA", str(root))
    return root


@pytest.mark.parametrize(
    ("written", "name"),
    [("train", "train"), ("dev", "dev"), ("devel", "dev"), ("Validation", "dev"), ("TEST", "test")],
)
def test_split_names(written, name):
    assert split_name(written) == name


def test_unknown_split():
    with pytest.raises(UsageError, match=r"unknown split 'tset'; did you mean test\?"):
        split_name("tset")


@pytest.mark.parametrize("name", ["ner/Alone", "Alone"])
def test_by_name(corpora_here, name):
    documents = load(name, "test")
    assert [document.text for document in documents] == ["An ulcer", "No"]
    assert split_path(name, "test") == corpora_here / "ner/Alone/test.conll"


def test_a_bare_name_of_two_corpora(corpora_here):  # noqa: ARG001 - sets the place
    with pytest.raises(DataError, match="write one of: ner/Own, standoff/Own"):
        load("Own", "dev")
    assert load("ner/Own", "devel") == load("ner/Own", "dev")


def test_the_user_folder_is_looked_at_after_medspan_data(corpora_here, nothing_here):
    for name in ("ner/Alone", "ner/Got"):
        folder = nothing_here / "xdg/medspan/corpora" / name
        folder.mkdir(parents=True)
        (folder / "test.conll").write_text(CONLL)
    assert split_path("Alone", "test").is_relative_to(corpora_here)
    assert split_path("Got", "test") == nothing_here / "xdg/medspan/corpora/ner/Got/test.conll"


def test_absent_corpora_say_how_to_get_them(nothing_here):  # noqa: ARG001 - sets the place
    with pytest.raises(DataError, match=r"corpora get NCBI-disease.*MEDSPAN_DATA"):
        load("NCBI-disease", "train")


def test_a_wrong_medspan_data_is_named(nothing_here, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(nothing_here / "gone"))
    with pytest.raises(DataError, match=r"MEDSPAN_DATA names .*gone, which is no folder"):
        load("NCBI-disease", "train")


def test_an_absent_split_says_what_is_there(corpora_here):  # noqa: ARG001 - sets the place
    with pytest.raises(DataError, match=r"no train split \(it has test\)"):
        load("Alone", "train")


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"train.conll": CONLL, "dev.conll": CONLL}, {"train": "train.conll", "dev": "dev.conll"}),
        ({"valid.jsonl": '{"id": "a", "text": "An ulcer"}\n'}, {"dev": "valid.jsonl"}),
        ({"test.conll": CONLL, "test.docids.txt": "a\nb\n", ".train.conll": ""}, {"test": "test.conll"}),
        ({"README.md": "", "notes.conll": CONLL}, {}),
        ({"train/a.conll": CONLL, "test/b.conll": CONLL}, {"train": "train", "test": "test"}),
        ({"train.txt": "", "train.ann": ""}, {"train": "train.ann"}),
    ],
)
def test_folders_of_a_user(tmp_path, files, splits):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert {split: path.name for split, path in split_files(tmp_path).items()} == splits
    assert {split: path.name for split, path in all_splits(tmp_path).items()} == (
        splits or {"all": tmp_path.name}
    )


def test_two_files_of_one_split(tmp_path):
    (tmp_path / "dev.conll").write_text(CONLL)
    (tmp_path / "devel.jsonl").write_text("")
    with pytest.raises(DataError, match=r"both dev\.conll and devel\.jsonl claim the dev split"):
        load(tmp_path, "dev")


def test_a_file_is_its_split(tmp_path):
    path = tmp_path / "mine.conll.gz"
    path.write_bytes(gzip.compress(CONLL.encode()))
    assert [len(document.entities) for document in load(str(path), "train")] == [1, 0]
    assert all_splits(path) == {"all": path}
    other = tmp_path / "mine.txt"
    other.write_text(CONLL)
    assert load(other, "test", format="conll")[0].text == "An ulcer"


def test_every_catalogued_conll_split_has_the_counts_of_the_catalogue(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    for name in ("ner/NCBI-disease", "ner/BioNLP13CG", "standoff/ncbi-disease"):
        for split in ("train", "dev", "test"):
            documents = load(name, split)
            known = find_entry(name).counts[split]
            assert sum(len(document.entities) for document in documents) == known["entities"]
            assert len(documents) == known.get("documents", known.get("sentences"))


def test_ids_of_documents(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    assert [document.id for document in load("NCBI-disease", "test")][:2] == ["9288106", "9294109"]


def test_the_catalogue_is_the_manifest(corpora_dir):
    manifest = json.loads((corpora_dir / "manifest.json").read_text(encoding="utf-8"))["datasets"]
    assert [corpus.name for corpus in list_corpora()] == [dataset["name"] for dataset in manifest]
    for corpus, dataset in zip(list_corpora(), manifest, strict=True):
        assert (corpus.licence, corpus.source) == (dataset["licence"], dataset["source"])
        assert [(file.path, file.bytes, file.sha256) for file in corpus.files] == [
            (file["path"], file["bytes"], file["sha256"]) for file in dataset["files"]
        ]
        assert corpus.splits


def test_all_of_the_catalogue_is_found(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    assert set(places_of(list_corpora())) == {corpus.name for corpus in list_corpora()}


@pytest.mark.parametrize(
    ("name", "may_ship", "share_alike"),
    [
        ("ner/NCBI-disease", True, False),
        ("ner/AnatEM", True, True),
        ("ner/BioNLP13CG", True, True),
        ("swedish/wiki", True, True),
        ("ner/JNLPBA", True, False),
        ("unlabelled/pmc-trials", True, False),
        ("standoff/e3c-en", False, False),
        ("relation/ddi", False, False),
        ("standoff/mantra", False, False),
        ("ner/S800", False, False),
        ("ner/EBM-NLP-part", False, False),
        ("ner/CHEMDNER-sample", False, False),
    ],
)
def test_what_shipped_models_may_learn_from(name, may_ship, share_alike):
    corpus = find_entry(name)
    assert (corpus.may_ship, corpus.share_alike) == (may_ship, share_alike)
    assert bool(corpus.why_not) != may_ship


def test_same_texts_are_said_both_ways():
    entries = {corpus.name: corpus for corpus in list_corpora()}
    for corpus in entries.values():
        assert all(corpus.name in entries[other].same_texts_as for other in corpus.same_texts_as)
    assert "ner/JNLPBA" in entries["ner/BioNLP09"].same_texts_as


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("ner/BC5CDR", "ner/BC5CDR"),
        ("BC5CDR", "ner/BC5CDR"),
        ("bc5cdr", "standoff/bc5cdr"),
        ("jnlPBA", None),
        ("craft", "ner/CRAFT"),
        ("NER/craft", "ner/CRAFT"),
    ],
)
def test_names_of_the_catalogue(written, found):
    if found:
        assert find_entry(written).name == found
        return
    with pytest.raises(DataError, match="names several"):
        find_entry(written)
