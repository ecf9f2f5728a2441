"""Real corpora through every format: nothing is lost or moved that the writer did not declare."""

from __future__ import annotations

import gzip
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from medspan import formats

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "roundtrip.py"
CORPORA = [
    "ner/NCBI-disease/devel.conll.gz",
    "ner/linnaeus/devel.conll.gz",
    "standoff/bc5cdr/test.jsonl.gz",
    "standoff/maccrobat2020/devel.jsonl.gz",
    "standoff/phee/test.jsonl.gz",
]


@pytest.fixture(scope="module")
def roundtrip():
    spec = spec_from_file_location("roundtrip", _SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", CORPORA)
def test_nothing_is_lost_or_moved(corpora_dir, tmp_path, roundtrip, corpus):
    documents, rejected = roundtrip.read_split(corpora_dir / corpus, 60)
    assert rejected == 0
    for name in sorted(formats.READERS.keys() & formats.WRITERS.keys()):
        folder = tmp_path / name
        folder.mkdir()
        row = roundtrip.trip(documents, name, folder)
        assert (row["lost"], row["moved"], row["texts_changed"]) == (0, 0, 0), (corpus, name)


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["ner/NCBI-disease/test", "ner/linnaeus/devel", "ner/BC2GM/devel"])
def test_conll_corpora_come_back_byte_for_byte(corpora_dir, tmp_path, corpus):
    source = corpora_dir / f"{corpus}.conll.gz"
    target = tmp_path / source.name.removesuffix(".gz")
    assert formats.write(formats.read(source), target).counts == {}
    assert target.read_bytes() == gzip.decompress(source.read_bytes())
    ids = source.with_name(target.name.replace(".conll", ".docids.txt"))
    if ids.exists():
        assert (tmp_path / ids.name).read_bytes() == ids.read_bytes()


@pytest.mark.corpora
def test_a_large_file_is_read_in_seconds(corpora_dir):
    began = time.perf_counter()
    documents = list(formats.read(corpora_dir / "ner" / "linnaeus" / "train.conll.gz"))
    seconds = time.perf_counter() - began
    assert len(documents) == 11935
    assert seconds < 15  # half a second on an idle core; the bound is for busy ones
