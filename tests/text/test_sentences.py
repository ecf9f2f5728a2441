"""Sentences of clinical notes and papers."""

# ruff: noqa: RUF001 - stops of many scripts are meant

from __future__ import annotations

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.text import lines, sentences
from medspan.text.sentences import split_sentences
from strategies import texts

# "|" stands where a sentence ends.
PAPERS = [
    "One ends. | Two ends! | Does three? | Four",
    "Data from Smith et al. (1998) were used. | We agree with Smith et al. | This holds.",
    "Several drugs, e.g. Aspirin and i.e. Ibuprofen, cf. Table 2, vs. Placebo.",
    "See Fig. 2 and Figs. 3A of Ref. 4. | Approx. 5 ml were used.",
    "Growth of E. coli and S. aureus. | E. coli grew. | By J. Smith and J. R. Jones.",
    "Hepatitis C. | Patients with vitamin D. | Doses were low.",
    "The gene p53.Rb was cut (P < 0.05). | It was .5 or 0.75 of 1.25.",
    "A result [1, 2]. | Another (as shown). | \"Quoted.\" | 'So it is.' | Next.",
    "It was shown.[12] | And again.3,4 | Then more.",
    "mRNA fell. | p53 rose. | mTOR stayed. | von Hippel disease.",
    "in the U.S. Food and Drug office. | She lives in the U.S. | The rest.",
    "It has (see p. 4. Table 2) more. | OK.",
    "Lithium in rats| BACKGROUND: Little is known. | METHODS: Rats. | PATIENTS AND METHODS: Some.",
    "Wait... not yet. | Wait... | Yes. | She said no. | He lay 5 ms. | Then one tab. | So.",
    "At (P = 0. 05) the end. | Band 19q13. 3 of it.",
    "IL-2 etc. were used. | Doses of 5, 10, etc. | The others died.",
    "First end.Second sentence. | Third.",
    "这是一句。|这是二句。|完",
    "यह एक है। | यह दो है।",
    "Mean +/- S.D. of 5.",
]

NOTES = [
    "MEDICATIONS:\n|Aspirin 81 mg daily.",
    "Assessment and Plan:\n|1. Chest pain. | Likely cardiac.\n|2. Diabetes.",
    "HISTORY OF PRESENT ILLNESS\n|The patient is well",
    "Take 5 mg/day p.o. b.i.d. for 7 days. | Then 10 mg q.6h. p.r.n. pain. | She went home.",
    "Dr. Smith saw Mr. A. Jones at 10.30 a.m. on 1.2.2003. | No. 5 was seen.",
    "Lasix 40 mg b.i.d. | Aspirin 81 mg q.d. | Zocor.",
    "Temp. 37.5, BP 120/80. | HR 80.",
    "- aspirin\n|- lisinopril 5 mg\n|* fall risk\n|a) first\n|b) second\n|(1) third\n|• dot",
    "1. Aspirin\n|2. Lisinopril\n|3) Zocor",
    "Na 140\n|K 4.1\n|Cl 100",
    "WBC\t12.3\tK/uL\n|HGB\t10.1\tg/dL",
    "Test     Result     Unit\n|Sodium   140        mmol/L\n|Potassium   4.1     mmol/L",
    (
        "The patient is an invented 61 year old woman with atrial fibrillation\n"
        "who was started on warfarin 5 mg by mouth daily for a deep vein thrombosis\n"
        "Of the left leg that was found in the emergency room last Tuesday . | She\n"
        "is well .\n|\n|PLAN :\n|Home ."
    ),
    "A blank line ends\n|\n|a sentence",
    "HEENT: Clear. | No icterus.\n|Neck: Supple",
    "aspirin\n|lisinopril\n|metoprolol",
    "He was seen by Dr.\nSmith in the clinic today and then by two others,\nAnd left.\r\n|\r\n|Allergies: None",
    "She has no known drug or food allergies. | She\nis on no medication.",
]


@pytest.mark.parametrize("marked", PAPERS + NOTES)
def test_marked_sentences(marked: str) -> None:
    text = marked.replace("|", "")
    expected = [part.strip() for part in marked.split("|") if part.strip()]
    assert [text[start:end] for start, end in split_sentences(text)] == expected


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\ufeff", "\u200b\r\n"])
def test_blank_text_has_no_sentence(text: str) -> None:
    assert split_sentences(text) == []


class _CountedString(str):
    """A string that counts the characters its slices copy."""

    __slots__ = ("copied",)

    def __getitem__(self, key: int | slice) -> str:
        piece = super().__getitem__(key)
        self.copied = getattr(self, "copied", 0) + len(piece)
        return piece


UNITS = ["a", "7", "@", ".", "\n", " ", ". ", ".) ", ".A ", "a.", "A. ", "(", "( . A", ".\n", "\t", "| ", "1.\n",
         "Foo: ", "[1].", "。", "\r\n", "and\n", "Xaaa. 1, ", "\u200b", ". \u0301"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_work_grows_no_faster_than_the_text(unit: str) -> None:
    """Slices copied per character stay bounded; a quadratic scan would not end here within the hour."""
    text = _CountedString(unit * (400_000 // len(unit)))
    found = split_sentences(text)
    assert getattr(text, "copied", 0) <= 200 * len(text)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


@pytest.mark.parametrize(
    "run", [".", "!", "…", "۔", "。", ")", ".)", "“", "[1,", " ", "\u200b", "\n ", "(", "A.", "1."]
)
@pytest.mark.parametrize("end", ["a", "\u0301", " a", " A"])
def test_a_long_run_that_ends_otherwise(run: str, end: str) -> None:
    """A pattern that tries a run anew at each of its characters would take hours here."""
    text = "Foo. " + run * (500_000 // len(run)) + end
    assert split_sentences(text)[-1][1] == len(text)


@given(
    text=st.lists(
        st.sampled_from(
            ["The", "patient", "was", "seen", "approx", "Fig", "viii", "He", "(see", "note)", "[as"]
        ).map(lambda word: word + " ")
        | st.sampled_from(
            [". ", ". The ", "; ", "mg. ", "patients. ", "etc. In ", "cf. No ", "\n", "Results: ", "x.Y "]
        )
        | texts(max_size=4),
        max_size=30,
    ).map("".join)
)
def test_what_plainly_ends_a_sentence_ends_it_by_all_rules(text: str) -> None:
    found = split_sentences(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "_plainly_ends", lambda *_: False)
        assert split_sentences(text) == found


def test_patterns_are_read_with_bounded_reach() -> None:
    assert sentences._REACH <= 40
    assert lines._EDGE <= 80


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "standoff", "floor"), [("NCBI-disease", "ncbi-disease", 0.98), ("BC5CDR", "bc5cdr", 0.99)]
)
def test_boundaries_on_development_abstracts(corpora_dir, name: str, standoff: str, floor: float) -> None:
    with gzip.open(corpora_dir / "standoff" / standoff / "devel.jsonl.gz", "rt", encoding="utf-8") as rows:
        texts = {record["id"]: record["text"] for record in map(json.loads, rows)}
    with gzip.open(corpora_dir / "ner" / name / "devel.conll.gz", "rt", encoding="utf-8") as rows:
        documents = rows.read().split("-DOCSTART-\tO\n\n")[1:]
    ids = (corpora_dir / "ner" / name / "devel.docids.txt").read_text().split()
    correct = predicted = gold = 0
    for doc_id, document in zip(ids, documents, strict=True):
        blocks = [
            "".join(row.split("\t")[0] for row in block.split("\n"))
            for block in document.strip().split("\n\n")
        ]
        text = texts[doc_id]
        solid = ["".join(text[start:end].split()) for start, end in split_sentences(text)]
        assert "".join(solid) == "".join(blocks)
        ours, theirs = _borders(solid), _borders(blocks)
        correct, predicted, gold = correct + len(ours & theirs), predicted + len(ours), gold + len(theirs)
    assert 2 * correct / (predicted + gold) >= floor


def _borders(parts: list[str]) -> set[int]:
    total, found = 0, set()
    for part in parts[:-1]:
        total += len(part)
        found.add(total)
    return found
