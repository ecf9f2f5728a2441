"""FHIR bundles and NOTE_NLP rows of real documents: are they valid, and do the spans come back?

    MEDSPAN_DATA=DIR python benchmarks/exports.py [--documents 1000] [--model clinical]

Documents of train and devel of MACCROBAT2020 (all), NCBI-disease, BC5CDR and PHEE (in equal parts) are
annotated by the model and the stages sections, assertion and relations; and taken as they are, with gold
mentions, concepts and relations (``gold``). Each set is written as FHIR, checked bundle by bundle
(fhir_check.py: fhir.resources, R4B package, and more), read again and compared; read again too after
fhir.resources has written each bundle anew (``spans_equal_rewritten``). NOTE_NLP as CSV and as Parquet: rows
are checked against the widths and values of the common data model 5.4, spans read again and compared. Writes
exports.json beside this file and its figures into docs/exports.md; exits with 1 where anything is not valid
or not equal.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facts import facts, fill_page, read_json, write_json
from fhir.resources.R4B.bundle import Bundle
from fhir_check import faults

import medspan
from medspan import formats
from medspan.corpora import load
from medspan.formats import omop
from medspan.formats.parquet_rows import read_rows
from medspan.formats.protocol import WriteOptions
from medspan.tasks.stages import stages_of
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "exports.md"
WHOLE = "standoff/maccrobat2020"
OTHERS = ("standoff/ncbi-disease", "standoff/bc5cdr", "standoff/phee")
STAGES = ("sections", "assertion", "relations")
PACKAGES = ("fhir.resources", "pyarrow")
# CDM 5.4, NOTE_NLP: widths of columns.
WIDTHS = {
    "snippet": 250,
    "offset": 50,
    "lexical_variant": 250,
    "nlp_system": 250,
    "term_exists": 1,
    "term_temporal": 50,
    "term_modifiers": 2000,
}
MOST_SHOWN = 5


def corpus(count: int) -> list[Document]:
    """The documents, each with an id that no other has."""
    parts = {name: [*load(name, "train"), *load(name, "dev")] for name in (WHOLE, *OTHERS)}
    taken = parts[WHOLE][: count // 4]
    for place, name in enumerate(OTHERS):
        taken += parts[name][: (count - len(taken)) // (len(OTHERS) - place)]
    return [document.replace(id=f"{place}-{document.id}") for place, document in enumerate(taken)]


def annotated(documents: Sequence[Document], model: str) -> list[Document]:
    """The texts with what the model and the stages find."""
    pipeline = medspan.Pipeline([medspan.load(model, device="cpu", threads=1), *stages_of(STAGES)])
    return list(pipeline.annotate([Document(each.id, each.text) for each in documents]))


def held(document: Document) -> Document:
    """A document without what the format says that it does not hold."""
    patient = document.meta.get("patient")
    return document.replace(sentences=(), meta={"patient": patient} if patient else {})


def fhir(documents: Sequence[Document], folder: Path, options: WriteOptions) -> dict[str, Any]:
    """Write, check and read bundles."""
    path, again = folder / "a.fhir.ndjson", folder / "again.fhir.ndjson"
    began = time.process_time()
    losses = formats.write(documents, path, "fhir", options)
    written = time.process_time()
    back = list(formats.read(path, "fhir"))
    read = time.process_time()
    wrong: list[str] = []
    kinds: Counter[str] = Counter()
    valid = 0
    with path.open(encoding="utf-8") as lines, again.open("w", encoding="utf-8") as rewritten:
        for document, line in zip(documents, lines, strict=True):
            found = faults(line)
            valid += not found
            wrong += [f"{document.id}: {fault}" for fault in found]
            kinds.update(resources(line))
            rewritten.write(written_anew(line) + "\n")
    equal = [one.entities == held(two).entities for one, two in zip(back, documents, strict=True)]
    whole = [one == held(two) for one, two in zip(back, documents, strict=True)]
    anew = [
        one.entities == two.entities for one, two in zip(formats.read(again, "fhir"), documents, strict=True)
    ]
    return {
        "bundles": len(documents),
        "valid": valid,
        "spans_equal": sum(equal),
        "documents_equal": sum(whole),
        "spans_equal_rewritten": sum(anew),
        "entities": sum(len(document.entities) for document in documents),
        "resources": dict(sorted(kinds.items())),
        "losses": losses.counts,
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "documents_per_second": {
            "written": round(len(documents) / (written - began)),
            "read": round(len(documents) / (read - written)),
        },
        "faults": wrong[:MOST_SHOWN],
    }


def resources(line: str) -> Iterator[str]:
    """The kinds of a bundle's resources."""
    return (entry["resource"]["resourceType"] for entry in json.loads(line)["entry"])


def written_anew(line: str) -> str:
    """A bundle as fhir.resources writes what it has read."""
    return Bundle.model_validate_json(line).model_dump_json()


def note_nlp(documents: Sequence[Document], path: Path, options: WriteOptions) -> dict[str, Any]:
    """Write, check and read NOTE_NLP."""
    losses = formats.write(documents, path, "omop", options)
    texts = {document.id: document.text for document in documents}
    rows = [row for _, row in read_rows(path, omop.COLUMNS)] if path.suffix == ".parquet" else csv_rows(path)
    wrong = [
        f"row {number}: {fault}"
        for number, row in enumerate(rows, start=1)
        for fault in row_faults(row, number, texts)
    ]
    spans = [(each.note_id, each.entity.label, each.entity.spans) for each in omop.mentions(path)]
    wanted = [(each.id, entity.label, entity.spans) for each in documents for entity in each.entities]
    return {
        "rows": len(rows),
        "valid": len(rows) - len({fault.partition(":")[0] for fault in wrong}),
        "entities": len(wanted),
        "spans_equal": sum(one == two for one, two in zip(spans, wanted, strict=False)),
        "term_exists": dict(sorted(Counter(row["term_exists"] or "" for row in rows).items())),
        "term_temporal": dict(sorted(Counter(row["term_temporal"] or "" for row in rows).items())),
        "losses": losses.counts,
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "faults": wrong[:MOST_SHOWN],
    }


def csv_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, by Python's own module."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def row_faults(row: Mapping[str, Any], number: int, texts: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row by the common data model, or by its text."""
    if tuple(row) != omop.COLUMNS:
        yield "columns"
        return
    yield from (name for name, width in WIDTHS.items() if len(row[name] or "") > width)
    if int(row["note_nlp_id"]) != number:
        yield "note_nlp_id"
    if (row["term_exists"] or "") not in {"Y", "N", ""}:
        yield "term_exists"
    if (row["term_temporal"] or "") not in {"present", "past", ""}:
        yield "term_temporal"
    if len(str(row["nlp_date"])) != len("2026-11-22"):
        yield "nlp_date"
    text, start = texts[row["note_id"]], int(row["offset"])
    is_whole = "spans=" not in row["term_modifiers"]
    if is_whole and not text.startswith(row["lexical_variant"], start):
        yield "lexical_variant"
    if not row["lexical_variant"] or row["snippet"] not in text:
        yield "snippet"


def measure(documents: Sequence[Document], options: WriteOptions) -> dict[str, Any]:
    """All of a set of documents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "fhir": fhir(documents, folder, options),
            "note_nlp_csv": note_nlp(documents, folder / "n.csv", options),
            "note_nlp_parquet": note_nlp(documents, folder / "n.parquet", options),
        }


def is_good(result: Mapping[str, Any]) -> bool:
    """Whether all is valid and all spans came back."""
    bundles = result["fhir"]
    wanted = {bundles[key] for key in ("valid", "spans_equal", "documents_equal", "spans_equal_rewritten")}
    tables = (result["note_nlp_csv"], result["note_nlp_parquet"])
    return wanted == {bundles["bundles"]} and all(
        table["rows"] == table["valid"] == table["spans_equal"] == table["entities"] for table in tables
    )


def page(results: Mapping[str, Any]) -> str:
    """The figures as a table."""
    lines = ["| | annotated | gold |", "|---|---|---|"]
    rows = {
        "documents": ("fhir", "bundles"),
        "entities": ("fhir", "entities"),
        "bundles valid": ("fhir", "valid"),
        "documents with equal entities after reading": ("fhir", "spans_equal"),
        "the same, after fhir.resources wrote the bundle anew": ("fhir", "spans_equal_rewritten"),
        "NOTE_NLP rows valid, CSV": ("note_nlp_csv", "valid"),
        "rows with equal spans after reading, CSV": ("note_nlp_csv", "spans_equal"),
        "NOTE_NLP rows valid, Parquet": ("note_nlp_parquet", "valid"),
        "rows with equal spans after reading, Parquet": ("note_nlp_parquet", "spans_equal"),
        "megabytes of FHIR": ("fhir", "megabytes"),
    }
    for name, (part, key) in rows.items():
        cells = [f"{results[each][part][key]:,}" for each in ("annotated", "gold")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    kinds = sorted({kind for each in results.values() for kind in each["fhir"]["resources"]})
    for kind in kinds:
        cells = [f"{results[each]['fhir']['resources'].get(kind, 0):,}" for each in ("annotated", "gold")]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Annotate, write, check, read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--model", default="clinical")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--reuse", action="store_true", help="measure nothing; fill the page from --output")
    arguments = parser.parse_args()
    if arguments.reuse:
        fill_page(PAGE, arguments.output, page(read_json(arguments.output)["results"]))
        return 0
    gold = corpus(arguments.documents)
    results = {}
    for name, documents in {"annotated": annotated(gold, arguments.model), "gold": gold}.items():
        model = arguments.model if name == "annotated" else None
        results[name] = measure(documents, WriteOptions(model=model))
        print(name, results[name])
    made = facts(None, packages={name: version(name) for name in PACKAGES}, stages=list(STAGES))
    write_json(arguments.output, {**made, "results": results})
    if arguments.output == Path(__file__).with_suffix(".json"):
        fill_page(PAGE, arguments.output, page(results))
    return int(not all(map(is_good, results.values())))


def version(package: str) -> str:
    """The installed version of a package."""
    return importlib.metadata.version(package)


if __name__ == "__main__":
    sys.exit(main())
