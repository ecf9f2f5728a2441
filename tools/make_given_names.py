"""Writes src/medspan/tasks/deid/data/given_names.txt: first names of many countries that are no words.

    MEDSPAN_DATA=DIR PYTHONPATH=src:benchmarks python tools/make_given_names.py

Names come from the package faker (MIT), all that it has for the countries of
`medspan.tasks.deid.notes_names`, and from the package's own lists. benchmarks/deid.py leaves those of the
part ``test`` out where it measures on notes made of them. Left out is what is a word: in terms.toml, or in
small letters in the training half of unlabelled/mtsamples or in the train splits of a few corpora of papers.
"""

from __future__ import annotations

import re
import sys
from itertools import chain
from pathlib import Path

from deid_notes import mtsamples

from medspan.corpora import load
from medspan.tasks.deid.names import name_lists
from medspan.tasks.deid.notes_names import world_given_names
from medspan.tasks.deid.terms import terms

TARGET = Path(__file__).parents[1] / "src/medspan/tasks/deid/data/given_names.txt"
CORPORA = ("ner/NCBI-disease", "ner/BC5CDR", "standoff/bc2gm")
_NAME = re.compile(r"[A-Z\u00c0-\u017f][a-z\u00e0-\u017f]{2,}(?:-[A-Z\u00c0-\u017f][a-z\u00e0-\u017f]+)?")
_WORD = re.compile(r"\b[^\W\d_]{3,}\b")


def main() -> int:
    """Write the list."""
    texts = chain(mtsamples("train"), *(load(name, "train") for name in CORPORA))
    words = {word for document in texts for word in _WORD.findall(document.text) if word.islower()}
    months = {name.lower() for names in terms().months.values() for name in names}
    known = words | months | terms().words | terms().regions | terms().generic
    own = name_lists("en")
    drawn = {*world_given_names(), *own.female, *own.male}
    kept = sorted({name for name in drawn if _NAME.fullmatch(name) and name.lower() not in known})
    TARGET.write_text("\n".join(kept) + "\n", encoding="utf-8")
    sys.stdout.write(f"{TARGET}: {len(kept):,} names\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
