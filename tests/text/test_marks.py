"""The committed ranges equal what their docstring says."""

from __future__ import annotations

import re
import sys
import unicodedata

from medspan.text.marks import JOINERS, TAG_CHARACTERS, extending_class

MATCHER = re.compile(f"[{extending_class()}]")
DECLARED = re.compile(f"[{JOINERS}{TAG_CHARACTERS}]")


def test_every_mark_and_joiner_extends_and_nothing_else() -> None:
    newer = unicodedata.unidata_version != "14.0.0"
    for code_point in range(sys.maxunicode + 1):
        character = chr(code_point)
        declared = unicodedata.category(character)[0] == "M" or bool(DECLARED.match(character))
        matched = bool(MATCHER.match(character))
        assert matched == declared or (newer and declared), hex(code_point)
