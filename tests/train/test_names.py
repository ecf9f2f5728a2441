"""Learning embeddings of names: pairs are of one concept, and names of one concept come together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from medspan.features.name_grams import features_of
from medspan.features.name_vectors import embed_all
from medspan.train.names import Names, NameSettings, learn_encoder

FOUND = ["grey fever", "febris grisea", "ash illness", "dry lung", "arid pulmonary state", "zelvorin", "lone"]
CONCEPTS = np.asarray([0, 0, 0, 1, 1, 2, 3], dtype=np.int32)


def names() -> Names:
    return Names(*features_of(FOUND), CONCEPTS)


def test_partners_are_other_names_of_the_concept() -> None:
    known = names()
    assert known.learnable.tolist() == [0, 1, 2, 3, 4]
    random = np.random.default_rng(0)
    for _ in range(20):
        partners = known.partners(known.learnable, random)
        assert (CONCEPTS[partners] == CONCEPTS[known.learnable]).all()
        assert (partners != known.learnable).all()


def test_names_of_a_concept_come_together() -> None:
    settings = NameSettings(width=16, epochs=60, batch=5, rate=0.05)
    encoder = learn_encoder(names(), settings)
    assert encoder.dtype == np.float16
    close = embed_all(encoder, *features_of(FOUND))
    assert np.allclose(np.linalg.norm(close, axis=1), 1, atol=1e-3)
    cosines = close @ close.T
    assert cosines[0, 1] > cosines[0, 3] + 0.3
    assert cosines[3, 4] > cosines[3, 1] + 0.3
    assert np.array_equal(encoder, learn_encoder(names(), settings))
