"""What comes with the package: small enough, open to all, and what its cards say."""

from __future__ import annotations

import pytest

import medspan
from medspan.model.store import open_model
from medspan.shipped import shipped_models, shipped_starts

MB = 1_000_000
NOTE = "No sign of pneumonia. He takes metformin 500 mg twice daily. Seen by Dr. Maria Quimby on 03/04/2021."


def size_of(*names: str) -> int:
    folders = {**shipped_models(), **shipped_starts()}
    return sum(file.stat().st_size for name in names for file in folders[name].iterdir())


def test_models_keep_to_their_budgets():
    assert size_of("default") <= 10 * MB
    assert size_of("clinical", "deid") <= 8 * MB
    assert size_of("bilm-bio") <= 15 * MB


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_nothing_non_commercial_taught_a_model(name: str):
    provenance = open_model(shipped_models()[name]).spec.provenance
    sources = [*provenance.corpora, *provenance.texts, *provenance.unlabelled]
    assert sources
    assert not [source.name for source in sources if "NC" in source.licence.split()]
    assert not any("-NC-" in source.licence or "BY-NC" in source.licence for source in sources)


def test_the_clinical_model_adds_to_the_default_one():
    nlp = medspan.load("clinical", threads=1)
    six = medspan.load("default", threads=1)
    assert nlp.labels[:6] == six.labels
    found = {(nlp(NOTE).text_of(e), e.label) for e in nlp(NOTE).entities}
    assert {("metformin", "Medication"), ("metformin", "Chemical"), ("pneumonia", "Problem")} <= found
    alone = {(e.start, e.end, e.label) for e in six(NOTE).entities}
    assert alone <= {(e.start, e.end, e.label) for e in nlp(NOTE).entities}


def test_the_deid_model_finds_names():
    nlp = medspan.load("deid", threads=1)
    assert ("Maria Quimby", "NAME") in {(nlp(NOTE).text_of(e), e.label) for e in nlp(NOTE).entities}
