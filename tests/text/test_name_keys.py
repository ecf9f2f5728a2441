"""What keys of names forgive, and what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.text.name_keys import bag_key, key_words, plain_key


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Breast Cancer", "breast-cancer"),
        ("Alzheimer's disease", "ALZHEIMER DISEASE"),
        ("β-thalassemia", "beta thalassemia"),
        ("Sjögren syndrome", "sjogren syndrome"),
        ("vitamin\u2013B12", "Vitamin B12"),
        ("λ light chain", "lambda light chain"),
    ],
)
def test_case_marks_and_script_do_not_count(left: str, right: str) -> None:
    assert plain_key(left) == plain_key(right) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Neoplasms, Breast", "breast neoplasm"),
        ("cancer of the breast", "breast cancers"),
        ("oesophageal tumours", "esophageal tumor"),
        ("anaemia", "anemia"),
        ("type II collagen", "collagen type 2"),
        ("type I diabetes", "diabetes type 1"),
        ("vitamin B 12", "vitamin B12"),
        ("deficiencies of iron", "iron deficiency"),
    ],
)
def test_number_order_and_spelling_do_not_count_in_bags(left: str, right: str) -> None:
    assert bag_key(left) == bag_key(right) != ""
    assert plain_key(left) != plain_key(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("hepatitis B", "hepatitis C"), ("type 1", "type 2"), ("renal cyst", "renal tumor"), ("virus", "viru")],
)
def test_what_counts(left: str, right: str) -> None:
    assert bag_key(left) != bag_key(right)


def test_names_without_a_word_have_no_key() -> None:
    assert plain_key("--- (+)") == bag_key("…") == ""
    assert key_words("") == ()


@given(st.text(max_size=80))
def test_a_plain_key_is_its_own_key(name: str) -> None:
    assert plain_key(plain_key(name)) == plain_key(name)


@given(st.lists(st.sampled_from(["renal", "cell", "carcinomas", "type", "2", "of"]), min_size=1, max_size=6))
def test_word_order_does_not_count(words: list[str]) -> None:
    assert bag_key(" ".join(words)) == bag_key(" ".join(reversed(words)))
