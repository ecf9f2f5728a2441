"""One assertion system of others over given mentions, run by benchmarks/assertion.py in its own environment.

    PEERS/bin/python benchmarks/peers/assertion.py medspacy|negspacy --input A.jsonl --output B.jsonl

Each line of the input is a text with its mentions, each of the output what the system says of them, in order.
Both systems run with their own defaults: rules, tokeniser and sentences (PyRuSH in medspacy; the rule-based
sentencizer of spaCy for negspacy, whose examples use a statistical model that cannot be had offline).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spacy.tokens import Doc, Span

Answer = dict[str, bool]


def medspacy_system() -> tuple[Callable[[str], Doc], Callable[[Doc], Doc], Callable[[Span], Answer]]:
    """Tokeniser with sentences, ConText, and what it says of a mention."""
    import medspacy  # noqa: PLC0415 - only in its own environment

    nlp = medspacy.load(medspacy_enable=["medspacy_tokenizer", "medspacy_pyrush", "medspacy_context"])
    splitter, context = nlp.get_pipe("medspacy_pyrush"), nlp.get_pipe("medspacy_context")

    def answer(mention: Span) -> Answer:
        said = mention._
        return {
            "absent": said.is_negated,
            "historical": said.is_historical,
            "hypothetical": said.is_hypothetical,
            "other": said.is_family,
        }

    return lambda text: splitter(nlp.make_doc(text)), context, answer


def negspacy_system() -> tuple[Callable[[str], Doc], Callable[[Doc], Doc], Callable[[Span], Answer]]:
    """Tokeniser with sentences, NegEx, and what it says of a mention."""
    import negspacy.negation  # noqa: F401, PLC0415 - registers itself; only in its own environment

    nlp = spacy.blank("en")
    splitter, negex = nlp.add_pipe("sentencizer"), nlp.add_pipe("negex")
    return lambda text: splitter(nlp.make_doc(text)), negex, lambda mention: {"absent": mention._.negex}


SYSTEMS = {"medspacy": medspacy_system, "negspacy": negspacy_system}


def rounds(mentions: list[tuple[int, Span]]) -> Iterator[list[tuple[int, Span]]]:
    """Mentions in groups in which none overlaps another, as spaCy wants them."""
    left = mentions
    while left:
        kept: list[tuple[int, Span]] = []
        later = []
        for place, span in left:
            free = all(span.end <= other.start or other.end <= span.start for _, other in kept)
            (kept if free else later).append((place, span))
        yield kept
        left = later


def judge(record: dict[str, Any], system: Any) -> list[Answer]:  # noqa: ANN401 - three functions
    """What a system says of each mention of a text."""
    begin, run, answer = system
    answers: list[Answer] = [{}] * len(record["mentions"])
    doc = begin(record["text"])
    spans = [
        (place, doc.char_span(start, end, label="Mention", alignment_mode="expand"))
        for place, (start, end) in enumerate(record["mentions"])
    ]
    for group in rounds([(place, span) for place, span in spans if span is not None]):
        doc = begin(record["text"]) if doc.ents else doc
        doc.set_ents([_labelled(doc, span) for _, span in group])
        found = {(entity.start, entity.end): entity for entity in run(doc).ents}
        for place, span in group:
            answers[place] = {
                name: bool(value) for name, value in answer(found[span.start, span.end]).items()
            }
    return answers


def _labelled(doc: Doc, span: Span) -> Span:
    from spacy.tokens import Span as SpacySpan  # noqa: PLC0415 - beside its only use

    return SpacySpan(doc, span.start, span.end, label="Mention")


def main() -> int:
    """Read, judge, write; seconds and versions go to standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", choices=sorted(SYSTEMS))
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    system = SYSTEMS[options.system]()
    records = [json.loads(line) for line in options.input.read_text(encoding="utf-8").splitlines()]
    began = time.perf_counter()
    lines = [json.dumps(judge(record, system)) for record in records]
    seconds = time.perf_counter() - began
    options.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(
        json.dumps(
            {"seconds": round(seconds, 2), "version": version(options.system), "spacy": spacy.__version__}
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
