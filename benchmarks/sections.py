"""How much of clinical notes lies in sections, and how many of their headings are known.

    MEDSPAN_DATA=DIR python benchmarks/sections.py

The notes are those of unlabelled/mtsamples. The tables were developed on the notes with an even number; what
is said of "odd" notes is of notes nobody looked at for that. Nobody annotated their sections, so this is
coverage, not accuracy. A heading-like place is, at the beginning of a line and before a colon, at most 60
characters that begin with a capital; "in capitals" counts those without small letters. Writes sections.json
beside this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facts import facts, write_json

from medspan import formats
from medspan.tasks.sections import Sections

if TYPE_CHECKING:
    from medspan.types import Document

_LIKE = re.compile(r"^[ \t]*([A-Z][^:\n]{0,59}):", re.MULTILINE)


def measure(notes: list[Document]) -> dict[str, Any]:
    """Coverage of some notes."""
    annotator = Sections()
    began = time.process_time()
    found = list(annotator.annotate(notes))
    seconds = time.process_time() - began
    inside = sum(section.span.end - section.span.start for note in found for section in note.sections)
    likely: Counter[tuple[bool, bool]] = Counter()
    for note in notes:
        known = {heading.start for heading in annotator.headings(note.text) if heading.label is not None}
        for match in _LIKE.finditer(note.text):
            likely[match[1].isupper(), match.start(1) in known] += 1
    total, capital = sum(likely.values()), likely[True, True] + likely[True, False]
    return {
        "notes": len(notes),
        "notes_with_sections": sum(bool(note.sections) for note in found),
        "sections": sum(len(note.sections) for note in found),
        "share_of_characters_in_sections": round(inside / sum(len(note.text) for note in notes), 4),
        "heading_like_places": total,
        "known": round((likely[True, True] + likely[False, True]) / total, 4),
        "heading_like_in_capitals": capital,
        "known_in_capitals": round(likely[True, True] / capital, 4),
        "labels": dict(Counter(section.label for note in found for section in note.sections).most_common()),
        "words_per_second": round(sum(len(note.text.split()) for note in notes) / seconds),
    }


def main() -> int:
    """Measure both halves and write."""
    notes = list(formats.read(Path(os.environ["MEDSPAN_DATA"]) / "unlabelled/mtsamples.jsonl.gz"))
    halves = {"even": 0, "odd": 1}
    results = {
        name: measure([note for note in notes if int(note.id.removeprefix("mt-")) % 2 == rest])
        for name, rest in halves.items()
    }
    write_json(Path(__file__).with_suffix(".json"), facts(None, **results))
    print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
