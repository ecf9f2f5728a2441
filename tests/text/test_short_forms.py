"""Short forms that a text defines: a table of cases, and that offsets always fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.text.short_forms import definitions, is_short_form, long_forms


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("He had heart failure (HF) and angina.", {"HF": "heart failure"}),
        ("Adenomatous polyposis coli (APC) is rare.", {"APC": "Adenomatous polyposis coli"}),
        ("attenuated adenomatous polyposis coli (AAPC)", {"AAPC": "attenuated adenomatous polyposis coli"}),
        ("the disease of the heart (DOH)", {"DOH": "disease of the heart"}),
        ("von Hippel-Lindau (VHL) disease", {"VHL": "von Hippel-Lindau"}),
        ("APC (adenomatous polyposis coli) gene", {"APC": "adenomatous polyposis coli"}),
        ("treated with isoproterenol (ISO, 5 mg)", {"ISO": "isoproterenol"}),
        ("5-hydroxytryptamine [5-HT] rose", {"5-HT": "5-hydroxytryptamine"}),
        ("Two drugs (HF) were given to 😀 heart failure (HF)", {"HF": "heart failure"}),
        ("chronic heart\nfailure (CHF)", {"CHF": "chronic heart\nfailure"}),
        ("The first result. Heart failure (HF) came.", {"HF": "Heart failure"}),
        ("patients (n = 12) were seen", {}),
        ("tested twice (see above)", {}),
        ("(HF) begins", {}),
        ("HF (HF)", {}),
        ("", {}),
        ("((()))[]()", {}),
    ],
)
def test_table(text: str, wanted: dict[str, str]) -> None:
    assert long_forms(text) == wanted


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("HF", True),
        ("5-HT", True),
        ("h", False),
        ("12", False),
        ("-AB", False),
        ("a b c", False),
        ("A" * 11, False),
    ],
)
def test_what_may_be_a_short_form(text: str, is_one: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_short_form(text) is is_one


PIECES = st.sampled_from(
    ("heart ", "failure ", "(HF) ", "HF (", ") ", "[", "] ", "(", ". ", "é", "😀 ", "\n", "A-b ")
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200))
def test_offsets_are_of_the_text_and_letters_come_in_order(text: str) -> None:
    for short, long in definitions(text):
        assert short.end <= len(text)
        assert long.end <= len(text)
        assert not short.overlaps(long)
        letters = iter(text[long.start : long.end].lower())
        form = text[short.start : short.end].lower()
        assert is_short_form(text[short.start : short.end])
        assert all(any(letter == other for other in letters) for letter in form if letter.isalnum())
        assert len(form) < long.end - long.start
