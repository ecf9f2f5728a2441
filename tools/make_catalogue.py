"""Makes src/medspan/corpora/catalogue.json and documents.json from a manifest of packed corpora.

    MEDSPAN_DATA=FOLDER python tools/make_catalogue.py [--check]

FOLDER holds manifest.json and the corpora. With --check nothing is written and a difference exits 1.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import os
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "src" / "medspan" / "corpora"

# The corpora that `medspan corpora get` converts itself (see corpora/sources.py).
CAN_GET = ("NCBI-disease", "BC5CDR", "BC2GM", "linnaeus", "JNLPBA", "AnatEM", "BioNLP13CG", "S800")

# Weights are shipped only where the licence of the labels lets anyone use them. The first phrase found in
# the licence line of the manifest decides.
BARRED = {
    "NC 4.0": "non-commercial licence",
    "GPL": "GPL or AGPL data",
    "not stated": "no licence is stated",
    "no explicit licence": "no licence is stated",
    "CTD terms": "under CTD's own terms",
}
SHARE_ALIKE_NAMES = ("ner/AnatEM",)  # CC BY-SA 3.0 in its original release
# Corpora that are cut from the same texts, in whole or in large part: the README of the data and the
# counts of shared sentences say so.
SAME_TEXTS = (
    ("ner/BC5CDR", "ner/BC5CDR-chem", "ner/BC5CDR-disease", "standoff/bc5cdr", "resolution/bc5cdr-chem",
     "resolution/bc5cdr-disease"),
    ("ner/NCBI-disease", "standoff/ncbi-disease", "resolution/ncbi-disease"),
    ("ner/BC2GM", "standoff/bc2gm"),
    ("ner/JNLPBA", "standoff/jnlpba", "ner/BioNLP09", "assertion/bioscope-abstracts"),
    ("relation/ade", "standoff/phee"),
    ("deid/meddocan", "ner/PharmaCoNER", "standoff/e3c-es"),
    ("ner/BioNLP11ID", "ner/BioNLP11ID-chem", "ner/BioNLP11ID-ggp", "ner/BioNLP11ID-species"),
    ("ner/BioNLP13CG", "ner/BioNLP13CG-cc", "ner/BioNLP13CG-cell", "ner/BioNLP13CG-chem",
     "ner/BioNLP13CG-ggp", "ner/BioNLP13CG-species", "ner/AnatEM"),
    ("ner/BioNLP13PC", "ner/BioNLP13PC-cc", "ner/BioNLP13PC-chem", "ner/BioNLP13PC-ggp"),
    ("ner/CHEMDNER-sample", "ner/CHEMDNER-sample-types"),
    ("ner/CRAFT", "ner/CRAFT-cc", "ner/CRAFT-cell", "ner/CRAFT-chem", "ner/CRAFT-ggp", "ner/CRAFT-species"),
    ("swedish/1177", "swedish/wiki", "swedish/raw"),
)  # fmt: skip
SPLITS = {"train": "train", "devel": "dev", "test": "test"}


def main() -> int:
    """Write or check both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a difference")
    check = parser.parse_args().check
    root = Path(os.environ["MEDSPAN_DATA"])
    datasets = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["datasets"]
    wanted = {
        "catalogue.json": _one_a_line([_entry(dataset, root) for dataset in datasets]),
        "documents.json": json.dumps(_documents(root), separators=(",", ":"), sort_keys=True) + "\n",
    }
    stale = [name for name, text in wanted.items() if _read(PACKAGE / name) != text]
    for name in stale:
        if not check:
            (PACKAGE / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        sys.stderr.write(f"{name}: {'differs' if check else 'written'}\n")
    return int(check and bool(stale))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _one_a_line(entries: list[dict[str, Any]]) -> str:
    lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _entry(dataset: dict[str, Any], root: Path) -> dict[str, Any]:
    name = dataset["name"]
    files = [_file(file, root) for file in dataset["files"]]
    entry = {
        key: dataset[key] for key in ("name", "task", "language", "licence", "about", "citation", "source")
    }
    stems = [Path(file["path"]).name.partition(".")[0] for file in files]
    entry |= {
        "format": _format(files[0]["path"]),
        "splits": list(dict.fromkeys(SPLITS.get(stem, stem) for stem in stems)),
        "files": files,
        "counts": {SPLITS.get(split, split): counts for split, counts in dataset["counts"].items()},
        "quirks": dataset["quirks"],
        "can_get": name.startswith("ner/") and name.partition("/")[2] in CAN_GET,
    }
    why_not = next((why for phrase, why in BARRED.items() if phrase in dataset["licence"]), "")
    entry |= {"may_ship": not why_not, "why_not": why_not}
    entry["share_alike"] = "BY-SA" in dataset["licence"] or name in SHARE_ALIKE_NAMES
    entry["same_texts_as"] = [
        other for group in SAME_TEXTS if name in group for other in group if other != name
    ]
    return entry


def _file(file: dict[str, Any], root: Path) -> dict[str, Any]:
    kept = {key: file[key] for key in ("path", "bytes", "sha256")}
    openers = {".gz": gzip.open, ".xz": lzma.open}
    opener = openers.get(Path(file["path"]).suffix)
    if opener:
        with opener(root / file["path"], "rb") as stream:
            kept["unpacked_sha256"] = hashlib.sha256(stream.read()).hexdigest()
    return kept


def _format(path: str) -> str:
    name = Path(path).name.removesuffix(".gz").removesuffix(".xz")
    return name.rpartition(".")[2]


def _documents(root: Path) -> dict[str, Any]:
    """Ids of the documents and how many sentences each has, where a source file does not say.

    The boundaries of NCBI-disease and BC5CDR come from an alignment of the words with the original
    documents, the ids of JNLPBA from a match with its standoff release; the CoNLL sources hold neither.
    """
    found: dict[str, Any] = {}
    for name in ("NCBI-disease", "BC5CDR", "JNLPBA"):
        for split in SPLITS:
            ids = (root / "ner" / name / f"{split}.docids.txt").read_text(encoding="utf-8").split("\n")[:-1]
            with gzip.open(
                root / "ner" / name / f"{split}.conll.gz", "rt", encoding="utf-8", newline="\n"
            ) as file:
                blocks = file.read().split("-DOCSTART-\tO\n\n")[1:]
            sentences = [block.count("\n\n") for block in blocks]
            entry = {"ids": " ".join(ids)} | ({} if name == "JNLPBA" else {"sentences": sentences})
            found.setdefault(f"ner/{name}", {})[split] = entry
    return found


if __name__ == "__main__":
    raise SystemExit(main())
