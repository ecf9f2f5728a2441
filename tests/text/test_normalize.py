"""Dictionary keys and casing classes."""

# ruff: noqa: RUF001 - letters and marks that look alike are the point

from __future__ import annotations

import pytest

from medspan.text.normalize import SHAPE_CLASSES, normalize, word_shape_class

KEYS = [
    ("", ""),
    ("Aspirin", "aspirin"),
    ("IL2", "il0"),
    ("2019", "0000"),
    ("٣", "0"),
    ("²", "0"),
    ("½", "0/0"),
    ("ＩＬ－２", "il-0"),
    ("–", "-"),
    ("\u2212", "-"),
    ("’", "'"),
    ("\u00b4", "'"),
    ("“", '"'),
    ("ﬁbrosis", "fibrosis"),
    ("Straße", "strasse"),
    ("Sjo\u0308gren", "sjögren"),
    ("SJÖGREN", "sjögren"),
    ("hyper\u00adtension", "hypertension"),
    ("µ", "μ"),  # the micro sign becomes the Greek letter
    ("Α", "α"),
    ("aaaaaaah", "aaah"),
    ("aaah", "aaah"),
    ("------", "---"),
    ("00000", "00000"),
    ("\u00a8", "\u0308"),
    ("\u200d", ""),
    ("\x00", "\x00"),
]

SHAPES = [
    ("protein", "lower"),
    ("Protein", "title"),
    ("DNA", "upper"),
    ("E", "single_upper"),
    ("mRNA", "mixed"),
    ("12", "digits"),
    ("½", "digits"),
    ("p53", "lower_digits"),
    ("IL2", "upper_digits"),
    ("E2", "upper_digits"),
    ("HbA1c", "mixed_digits"),
    ("患者", "uncased"),
    ("α", "greek"),
    ("Δ", "greek"),
    ("β2", "greek"),
    ("TNFα", "mixed"),
    ("-", "punctuation"),
    ("%", "punctuation"),
    ("+", "punctuation"),
    ("", "other"),
    ("\x00", "other"),
    ("\u0301", "other"),
    ("\ud800", "other"),
]


@pytest.mark.parametrize(("word", "key"), KEYS)
def test_keys(word: str, key: str) -> None:
    assert normalize(word) == key


@pytest.mark.parametrize(("word", "shape"), SHAPES)
def test_shapes(word: str, shape: str) -> None:
    assert SHAPE_CLASSES[word_shape_class(word)] == shape


def test_every_shape_class_has_an_example() -> None:
    assert {shape for _, shape in SHAPES} == set(SHAPE_CLASSES)


def test_keys_are_fixed_points_for_every_cased_or_compatible_character() -> None:
    for code_point in [
        *range(0x3400),
        *range(0xA000, 0xAC00),
        *range(0xF900, 0x20000),
        0x4E00,
        0xAC01,
        0xE0001,
    ]:
        key = normalize.__wrapped__(chr(code_point))
        if key == chr(code_point):
            continue
        assert normalize.__wrapped__(key) == key, hex(code_point)


def test_a_long_word_has_a_bounded_key() -> None:
    assert len(normalize("ab" * 500_000)) == 100


def test_caches_are_bounded() -> None:
    assert normalize.cache_info().maxsize is not None
    assert word_shape_class.cache_info().maxsize is not None
