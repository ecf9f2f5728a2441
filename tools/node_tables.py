"""Write the tables of medspan's text rules that the Node example needs, to examples/node-onnx/tables.json.

    python tools/node_tables.py

A test fails where the file is not what the rules of ``medspan.text`` say.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path

from medspan.text import abbreviations, marks, normalize, sentences
from medspan.text.tokenize import INVISIBLE_BLANKS, TOKENIZER_ID

FILE = Path(__file__).resolve().parent.parent / "examples" / "node-onnx" / "tables.json"
UNICODE = "14.0.0"
"""The version of Unicode the two lists of characters are of; those of another Python may differ."""


def tables() -> dict[str, object]:
    """Every table by its name; JSON values only."""
    return {
        "tokenizer": TOKENIZER_ID,
        "marks": marks._RANGES.split(),
        "joiners": marks.JOINERS,
        "invisible_blanks": INVISIBLE_BLANKS,
        "dashes": normalize._DASHES,
        "single_quotes": normalize._SINGLE_QUOTES,
        "double_quotes": normalize._DOUBLE_QUOTES,
        "shape_classes": list(normalize.SHAPE_CLASSES),
        "headings": sentences._HEADINGS,
        **{name.lower(): sorted(getattr(abbreviations, name)) for name in _LISTS},
        **unicode_tables(),
    }


def unicode_tables() -> dict[str, str]:
    """What JavaScript's regular expressions do not know of Unicode, of this Python's version."""
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    return {
        "digits_beside_decimals": "".join(c for c in characters if c.isdigit() and not c.isdecimal()),
        "numeric_letters": "".join(c for c in characters if c.isnumeric() and c.isalpha()),
    }


_LISTS = (
    "NEVER_FINAL",
    "NUMBERED",
    "CAPITAL_TITLES",
    "SELDOM_FINAL",
    "OFTEN_FINAL",
    "DOSE_WORDS",
    "OPENERS",
    "LETTERED",
)


def main() -> None:
    """Write the file."""
    if unicodedata.unidata_version != UNICODE:
        sys.exit(
            f"this Python knows Unicode {unicodedata.unidata_version}; use one of {UNICODE} (Python 3.11)"
        )
    FILE.write_text(json.dumps(tables(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
