"""``nlp.add_pipe("medspan")``."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import spacy

import medspan
from medspan.errors import ModelError, UsageError
from medspan.spacy import MedspanPipe, from_doc, make_pipe
from trained import TEXTS, model_folder

ROOT = Path(__file__).resolve().parents[2]


def pipeline(**config: object) -> spacy.language.Language:
    assert make_pipe  # which registers the factory
    nlp = spacy.blank("en")
    nlp.add_pipe("medspan", config={"model": str(model_folder()), "threads": 1, **config})
    return nlp


def test_it_finds_what_medspan_finds():
    nlp, recognizer = pipeline(), medspan.load(model_folder(), threads=1)
    for text in TEXTS:
        assert from_doc(nlp(text)) == recognizer(text)
    doc = nlp(TEXTS[0])
    assert [(span.text, span.label_) for span in doc.ents] == [
        ("grey fever", "Disease"),
        ("zelvorin", "Drug"),
    ]
    assert all(0 < span._.score <= 1 for span in doc.ents)


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_many_are_the_same_as_one_by_one(batch_size: int):
    nlp = pipeline(stages=["sections", "assertion"])
    texts = ["", *TEXTS, " \n ", TEXTS[0]]
    alone = [from_doc(nlp(text)) for text in texts]
    assert [from_doc(doc) for doc in nlp.pipe(texts, batch_size=batch_size)] == alone
    assert {span._.assertion for span in nlp(TEXTS[0]).ents} == {"absent"}


def test_processes_and_tuples_change_nothing():
    nlp = pipeline(stages=["assertion"])
    texts = [*TEXTS, "", TEXTS[0]] * 3
    alone = [from_doc(nlp(text)) for text in texts]
    assert [from_doc(doc) for doc in nlp.pipe(texts, n_process=2, batch_size=4)] == alone
    paired = list(nlp.pipe(((text, place) for place, text in enumerate(texts)), as_tuples=True))
    assert [place for _, place in paired] == list(range(len(texts)))
    assert [from_doc(doc) for doc, _ in paired] == alone


def test_a_pipe_goes_to_processes_that_are_not_forked():
    """As on Windows and macOS; models cannot be sent, so settings are."""
    pipe = pipeline(stages=["assertion"], labels=["Drug"], span_key="mine").get_pipe("medspan")
    sent = ForkingPickler.loads(ForkingPickler.dumps(pipe))
    blank = spacy.blank("en")
    docs = [one(blank.make_doc(TEXTS[0])) for one in (pipe, sent)]
    there, here = (from_doc(doc, span_key="mine") for doc in docs)
    assert there == here
    assert [entity.label for entity in here.entities] == ["Drug"]


def test_two_models_in_one_pipeline():
    nlp = pipeline(labels=["Drug"])
    settings = {"model": str(model_folder()), "threads": 1, "span_key": "second", "set_ents": False}
    nlp.add_pipe("medspan", name="second", config=settings)
    doc = nlp(TEXTS[0])
    assert [span._.medspan.label for span in doc.spans["medspan"]] == ["Drug"]
    assert [span._.medspan.label for span in doc.spans["second"]] == ["Disease", "Drug"]
    assert [span.label_ for span in doc.ents] == ["Drug"]


def test_settings_reach_it(tmp_path: Path):
    nlp = pipeline(labels=["Drug"], span_key="mine", set_ents=False)
    doc = nlp(TEXTS[0])
    assert [span.label_ for span in doc.spans["mine"]] == ["Drug"]
    assert doc.ents == ()
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    assert isinstance(again.get_pipe("medspan"), MedspanPipe)
    assert from_doc(again(TEXTS[0]), span_key="mine") == from_doc(doc, span_key="mine")
    assert from_doc(doc, span_key="mine").entities[0].score == doc.spans["mine"][0]._.score
    sure = medspan.load(model_folder(), threads=1, min_score=0.999)
    assert from_doc(pipeline(min_score=0.999)(TEXTS[0])) == sure(TEXTS[0])


def test_errors_are_ours():
    with pytest.raises(ModelError, match="no model 'no-such'"):
        pipeline(model="no-such")
    with pytest.raises(UsageError, match="stage 'asertion': unknown; did you mean assertion"):
        pipeline(stages=["asertion"])


def test_spacy_finds_it_by_the_entry_point(tmp_path: Path):
    """As an installed package: its metadata, made of what pyproject says, stand on the path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    group = project["entry-points"]["spacy_factories"]
    for value in group.values():
        module, _, name = value.partition(":")
        assert callable(getattr(import_module(module), name))
    info = tmp_path / "medspan-99.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: medspan\nVersion: 99\n", encoding="utf-8")
    lines = [f"{name} = {value}\n" for name, value in group.items()]
    (info / "entry_points.txt").write_text("[spacy_factories]\n" + "".join(lines), encoding="utf-8")
    source = Path(medspan.__file__).parents[1]
    program = (
        "import sys, spacy; nlp = spacy.blank('en'); assert 'onnxruntime' not in sys.modules\n"
        "assert not spacy.tokens.Span.has_extension('score')\n"
        f"nlp.add_pipe('medspan', config={{'model': {str(model_folder())!r}, 'threads': 1}})\n"
        "assert spacy.tokens.Span.has_extension('score')\n"
        f"print(len(nlp({TEXTS[0]!r}).ents))"
    )
    path = os.pathsep.join([str(tmp_path), str(source)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "2", done.stderr
