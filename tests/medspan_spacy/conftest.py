"""Tests with spaCy run where it is installed; in CI it is, by the extra ``dev``."""

from __future__ import annotations

import pytest

pytest.importorskip("spacy", reason="needs medspan[spacy]")
