"""Writes the lists of names in src/medspan/tasks/deid/data: first and family names of many countries.

    MEDSPAN_DATA=DIR PYTHONPATH=src:benchmarks python tools/make_name_lists.py

Names come from the package faker (MIT), all that it has for the countries of
`medspan.tasks.deid.notes_names`, and from the package's own lists. benchmarks/deid.py leaves those of the
part ``test`` out where it measures on notes made of them. Left out is what is a word: in terms.toml, or in
small letters in the training half of unlabelled/mtsamples or in the train splits of a few corpora of papers.
Family names that stand there three times with a capital are left out too: nearly all are of diseases and
instruments.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

from deid_notes import mtsamples

from medspan.corpora import load
from medspan.tasks.deid.names import name_lists
from medspan.tasks.deid.notes_names import world_lists
from medspan.tasks.deid.terms import terms

DATA = Path(__file__).parents[1] / "src/medspan/tasks/deid/data"
CORPORA = ("ner/NCBI-disease", "ner/BC5CDR", "standoff/bc2gm")
OFTEN = 3
_NAME = re.compile(r"[A-Z\u00c0-\u017f][a-z\u00e0-\u017f]{2,}(?:-[A-Z\u00c0-\u017f][a-z\u00e0-\u017f]+)?")
_WORD = re.compile(r"\b[^\W\d_]{3,}\b")


def main() -> int:
    """Write the lists."""
    texts = chain(mtsamples("train"), *(load(name, "train") for name in CORPORA))
    found = Counter(word for document in texts for word in _WORD.findall(document.text))
    months = {name.lower() for names in terms().months.values() for name in names}
    words = {word for word in found if word.islower()}
    words |= months | terms().words | terms().regions | terms().generic
    frequent = {word for word, count in found.items() if count >= OFTEN}
    own, world = name_lists("en"), world_lists()
    write("given_names.txt", {*world.given, *own.female, *own.male}, words)
    write("family_names.txt", {*world.family, *own.surname} - frequent, words)
    return 0


def write(file: str, names: set[str], words: set[str]) -> None:
    """Write the names that are no words."""
    kept = sorted({name for name in names if _NAME.fullmatch(name) and name.lower() not in words})
    (DATA / file).write_text("\n".join(kept) + "\n", encoding="utf-8")
    sys.stdout.write(f"{file}: {len(kept):,} names\n")


if __name__ == "__main__":
    sys.exit(main())
