"""Offsets to UTF-16 units and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medspan.text.utf16 import from_utf16, to_utf16, utf16_length


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_offsets_go_there_and_back(text: str) -> None:
    there, back = to_utf16(text), from_utf16(text)
    units = [len(text[:offset].encode("utf-16-le")) // 2 for offset in range(len(text) + 1)]
    assert [there(offset) for offset in range(len(text) + 1)] == units
    assert [back(unit) for unit in units] == list(range(len(text) + 1))
    assert utf16_length(text) == units[-1]


def test_a_place_inside_a_pair_is_behind_its_character() -> None:
    back = from_utf16("a😀b")
    assert [back(unit) for unit in range(5)] == [0, 1, 2, 2, 3]
