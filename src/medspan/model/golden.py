"""Golden texts: a model folder carries what it must find in them, and ``medspan check`` replays it.

All texts are invented for this file; none is, or is made from, a real patient's record.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from medspan.errors import MedspanError, ModelError
from medspan.model.store import kind_of, open_model
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.model.session import Device

SCORE_TOLERANCE = 1e-3
GOLDEN = "golden.json"
_LONG_SENTENCE_WORDS = 600
_LONG_SENTENCE_PARTS = (
    "nausea after cisplatin ,",
    "hepatic steatosis in Wistar rats ,",
    "loss of BRCA1 in MCF-7 cells ,",
    "a normal spleen ,",
    "no change ,",
)


_Golden = TypeVar("_Golden", bound=msgspec.Struct)
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Annotates(Protocol):
    """What golden texts need of a tagger."""

    def annotate(self, docs: Sequence[Document]) -> list[Document]:
        """The documents with the entities found in them, in the same order."""
        ...


class GoldenEntity(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """An entity a model must find; offsets are code points."""

    start: int
    end: int
    label: str
    score: float


class GoldenText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and all entities a model must find in it, sorted."""

    text: str
    entities: tuple[GoldenEntity, ...]


def make_golden(tagger: Annotates, texts: Sequence[str]) -> bytes:
    """The bytes of ``golden.json``: what a tagger finds in some texts."""
    found = _annotate(tagger, texts)
    golden = [GoldenText(text, entities) for text, entities in zip(texts, found, strict=True)]
    return msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n"


def read_golden(data: bytes) -> list[GoldenText]:
    """Read ``golden.json``.

    Raises:
        ModelError: if it does not hold golden texts.
    """
    return decoded_golden(data, GoldenText)


def decoded_golden(data: bytes, kind: type[_Golden]) -> list[_Golden]:
    """What ``golden.json`` of a kind of model holds.

    Raises:
        ModelError: if it holds something else.
    """
    try:
        return msgspec.json.decode(data, type=list[kind])  # type: ignore[valid-type]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{GOLDEN}: {error}; the model folder is damaged") from None


def replay(folder: Path | str, *, device: Device = "cpu", threads: int | None = None) -> list[str]:
    """What a model folder finds otherwise than when it was saved, a line each; empty where it is sound.

    Checks every file's digest, the entities of all golden texts, and that they do not depend on the other
    texts of a batch or on their order; of a relation model, the relations of all golden documents.
    """
    from medspan.model.tagger import load_tagger  # noqa: PLC0415 - a tagger proves itself through this module

    if kind_of(Path(folder)) == "relations":
        from medspan.model.relation_golden import replay_relations  # noqa: PLC0415 - as above

        return replay_relations(folder, device=device, threads=threads)
    try:
        model = open_model(folder)
        if problems := model.problems():
            return problems
        golden = read_golden(model.read(GOLDEN))
        tagger = load_tagger(folder, device=device, threads=threads)
        return compare(tagger, golden)
    except MedspanError as error:
        return [str(error)]


def compare(tagger: Annotates, golden: Sequence[GoldenText]) -> list[str]:
    """Where a tagger differs from golden texts, or from itself in other batches; one line a problem."""
    if not golden:
        return [f"{GOLDEN}: holds no text, so nothing is proved; export the model again"]
    texts = [item.text for item in golden]
    saved = [item.entities for item in golden]
    return compared(texts, saved, partial(_annotate, tagger), _differences, noun="text")


def compared(
    items: Sequence[_Item],
    saved: Sequence[_Found],
    find: Callable[[Sequence[_Item]], list[_Found]],
    differences: Callable[[str, Sequence[_Found], Sequence[_Found]], list[str]],
    *,
    noun: str,
) -> list[str]:
    """Where what is found in items differs from what was saved, or depends on their company or order.

    Args:
        items: texts, or documents.
        saved: what was found in each when the model was saved.
        find: what is found in each of some items.
        differences: a line for each, given what to call it, what was expected and what was found.
        noun: what an item is called.
    """
    together = find(items)
    problems = differences("differs from when the model was saved", saved, together)
    alone = [find([item])[0] for item in items]
    problems += differences(f"alone differs from the same {noun} in a batch", together, alone)
    backwards = find(items[::-1])[::-1]
    return problems + differences(f"depends on the order of the {noun}s", together, backwards)


def _annotate(tagger: Annotates, texts: Sequence[str]) -> list[tuple[GoldenEntity, ...]]:
    documents = [Document(f"golden-{number}", text) for number, text in enumerate(texts)]
    return [
        tuple(
            sorted(
                GoldenEntity(entity.start, entity.end, entity.label, round(entity.score or 0.0, 6))
                for entity in document.entities
            )
        )
        for document in tagger.annotate(documents)
    ]


def _differences(
    what: str, expected: Sequence[tuple[GoldenEntity, ...]], found: Sequence[tuple[GoldenEntity, ...]]
) -> list[str]:
    problems = []
    for number, (before, now) in enumerate(zip(expected, found, strict=True)):
        wanted, got = ({(e.start, e.end, e.label): e.score for e in entities} for entities in (before, now))
        problems += [
            f"golden text {number}: {what}: {_place(key)} is missing" for key in wanted if key not in got
        ]
        problems += [
            f"golden text {number}: {what}: {_place(key)} is new" for key in got if key not in wanted
        ]
        problems += [
            f"golden text {number}: {what}: {_place(key)} scores {got[key]:.4f}, not {score:.4f}"
            for key, score in wanted.items()
            if key in got and abs(got[key] - score) > SCORE_TOLERANCE
        ]
    return problems


def _place(key: tuple[int, int, str]) -> str:
    return f"{key[2]} ({key[0]}, {key[1]})"


def _long_sentence() -> str:
    words = (word for part in cycle(_LONG_SENTENCE_PARTS) for word in part.split())
    return f"We saw {' '.join(islice(words, _LONG_SENTENCE_WORDS))} and recovery ."


GOLDEN_TEXTS: tuple[str, ...] = (
    "No sign of lithium toxicity.",
    "The patient was started on metformin 500 mg b.i.d. for type 2 diabetes mellitus.",
    "CHIEF COMPLAINT: chest pain\nHPI: 54 y/o, hypertension and COPD.\nMeds: aspirin,\n  lasix 20 mg/day",
    "Denies fever, chills or night sweats. Mother had breast cancer; brother is healthy.",
    "Labs:\nNa\t138\tmmol/L\nK\t4.1\tmmol/L\nCreatinine\t1.9 (H)\tmg/dL\n",
    "Allergies: penicillin (rash), sulfa drugs - hives.",
    "1. Acute kidney injury\n2. Atrial fibrillation, on warfarin\n3. Iron deficiency anaemia",
    "Pt c/o SOB & palpitations x3d; r/o PE. CXR: no infiltrate.",
    "Mutations in BRCA1 and BRCA2 raise the risk of breast and ovarian cancer.",
    "Cisplatin-induced nephrotoxicity was reduced by N-acetylcysteine in Wistar rats.",
    "Tumour necrosis factor-\u03b1 (TNF-\u03b1) activates NF-\u03baB in HeLa cells, not in hepatocytes.",
    "The p53 protein binds MDM2; loss of TP53 is frequent in Li-Fraumeni syndrome.",
    "Escherichia coli K-12 and yeast were grown at 37 \u00b0C with ampicillin (100 \u00b5g/ml).",
    "Duchenne and Becker muscular dystrophy are caused by mutations of the dystrophin gene.",
    "Zebrafish embryos lacking sox10 showed no pigment cells in the neural crest.",
    "1,25-dihydroxyvitamin D3, 5-fluorouracil and [3H]thymidine were added to MCF-7 and Jurkat cells.",
    "Autosomal dominant polycystic kidney disease (ADPKD) maps to chromosome 16p13.3 (e.g. refs. 4-7).",
    "Histology of the left ventricle, liver and spinal cord was normal in all mice.",
    "Influenza A virus (H1N1) infected human bronchial epithelial cells via sialic acid receptors.",
    "IL-2, IL-4 and interferon gamma were measured in CD4+ T lymphocytes from patients with lupus.",
    "",
    " \n\t\n ",
    "...",
    "?!;:()[]{}--//\\\\\u2026\u00bf",
    "\U0001f912\U0001f489 fever after vaccine \U0001f468\u200d\u2695\ufe0f said it is COVID-19 \U0001f62c",
    "Plan:\r\n- stop ibuprofen\r\n- start omeprazole for gastritis\r\n",
    "Me\u0301nie\u0300re's disease and Sjo\u0308gren's syndrome (both written with combining marks).",
    "\u05d4\u05d7\u05d5\u05dc\u05d4 takes insulin; \u60a3\u8005 has asthma.",
    "A\x00B\x0bC diabetes\ufeff\u200b insipidus \ud7ff",
    f"Sequence {'ACGT' * 60} encodes keratin.",
    _long_sentence(),
)
"""Invented clinical and biomedical texts, odd ones among them, that every model is proved on."""
