"""Text as it comes: whatever it holds, offsets stay in it, and no document changes another's entities."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.formats import ReadOptions
from medspan.pipeline import load
from medspan.shipped import shipped_models
from medspan.types import Document

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.tasks.ner import EntityRecognizer

pytestmark = pytest.mark.skipif(not shipped_models(), reason="the model that ships with medspan is not there")

NOTE = "No sign of lithium toxicity. The p53 gene was mutated in 3 of 12 patients with schizophrenia."
STRANGE = {
    "empty": "",
    "blanks only": " \t\r\n\u3000\u2028 " * 50,
    "null bytes": NOTE.replace(" ", "\x00") + "\x00" * 100 + NOTE,
    "null bytes within words": "lith\x00ium toxi\x00city",
    "controls": NOTE.replace(" ", "\x0b") + "\x1b[31m" + NOTE + "\x7f\x85",
    "mixed scripts": "литий lithium リチウム 锂 ليثيوم λίθιο 리튬 लिथियम ลิเทียม " * 5 + NOTE,
    "scripts within a word": "lіthium αlithium lithium中毒 Ｌｉｔｈｉｕｍ 𝐥𝐢𝐭𝐡𝐢𝐮𝐦",  # noqa: RUF001 - meant
    "lone combining marks": "\u0301 \u0308\u0308 lithium \u20e3 " + "\u0301" * 300 + " toxicity",
    "stacked marks": "l\u0301\u0302\u0303i\u0304t\u0305h\u0306i\u0307u\u0308m " + NOTE,
    "right to left": "\u202e" + NOTE + "\u202c \u2066ليثيوم\u2069 \u200f" + NOTE,
    "joiners": "lith\u200dium lith\u200bium lith\u00adium tox\u2060icity \ufeff" + NOTE,
    "emoji": "👩\u200d⚕\ufe0f gave lithium 👍🏽 🇪🇺 1\ufe0f\u20e3 " + NOTE,
    "CRLF": NOTE.replace(" ", "\r\n") + "\r\n\r\n" + NOTE + "\r",
    "carriage returns": NOTE.replace(". ", ".\r"),
    "byte order mark": "\ufeff" + NOTE,
    "decomposed": unicodedata.normalize("NFD", "Sjögren's syndrome, Ménière's disease, naïve café ångström"),
    "private and unassigned": "\ue000\U000f0000\U0010ffff\ufdd0\uffff lithium \u0378",
    "half of a pair": "lithium \ud800 toxicity \udfff",
    "letters that grow": "İSTANBUL ŉ ß ﬁbrosis ſchizophrenia ΐ " + NOTE,  # noqa: RUF001 - meant
    "one long word": "lithium" * 3_000,
    "punctuation only": "!?.,;:()[]{}-–—/\\|*#@&%$" * 200,  # noqa: RUF001 - meant
    "digits": "0123456789" * 500,
    "no sentence ends": "lithium toxicity and " * 500,
    "only sentence ends": ". " * 2_000,
    "markup": "<p>lithium &amp; <b>toxicity</b></p>" * 20,
}


@pytest.fixture(scope="module")
def nlp() -> EntityRecognizer:
    return load("default", threads=1)


def places(document: Document) -> list[tuple[str, int, int]]:
    return [(entity.label, entity.start, entity.end) for entity in document.entities]


def check(document: Document, text: str) -> None:
    assert document.text == text
    for entity in document.entities:
        assert 0 <= entity.start < entity.end <= len(text)
        assert document.text_of(entity).strip()
        assert entity.score is not None
        assert 0 <= entity.score <= 1


@pytest.fixture(scope="module")
def alone(nlp: EntityRecognizer) -> dict[str, Document]:
    return {name: nlp(text, id=name) for name, text in STRANGE.items()}


@pytest.mark.parametrize("name", STRANGE)
def test_offsets_stay_in_the_text(alone: dict[str, Document], name: str):
    check(alone[name], STRANGE[name])


def test_alone_or_together_in_any_order(nlp: EntityRecognizer, alone: dict[str, Document]):
    names = list(STRANGE)
    for seed in (0, 1):
        random.Random(seed).shuffle(names)  # noqa: S311 - not a secret
        for document in nlp.annotate(Document(name, STRANGE[name]) for name in names):
            assert places(document) == places(alone[document.id]), document.id
            for one, other in zip(document.entities, alone[document.id].entities, strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-4)


def test_what_is_around_a_mention_does_not_hide_it(alone: dict[str, Document]):
    for name in (
        "null bytes",
        "mixed scripts",
        "right to left",
        "emoji",
        "CRLF",
        "byte order mark",
        "joiners",
    ):
        document = alone[name]
        found = {document.text_of(entity) for entity in document.entities}
        assert "lithium" in {mention.split()[0] for mention in found}, name


def test_one_line_of_200_kb(nlp: EntityRecognizer):
    line = (NOTE + " ") * (200_000 // (len(NOTE) + 1))
    document = nlp(line)
    check(document, line)
    step = len(NOTE) + 1
    at = Counter(entity.start // step for entity in document.entities)
    assert len(at) == line.count(NOTE), "some repetition has no entity at all"


def test_2000_documents_of_one_word(nlp: EntityRecognizer):
    words = ["lithium", "schizophrenia", "and", "p53", "\u0301", "\x00", "", "tuberculosis", "!", "مرض"]
    texts = words * 200
    found = [places(document) for document in nlp.annotate(texts)]
    alone = [places(nlp(word)) for word in words]
    assert found == alone * 200


def test_strange_text_through_files(nlp: EntityRecognizer, tmp_path: Path, alone: dict[str, Document]):
    texts = {name: text for name, text in STRANGE.items() if name != "half of a pair"}
    formats.write([Document(name, text) for name, text in texts.items()], tmp_path / "in.jsonl.gz")
    options = ReadOptions(max_chars=max(map(len, texts.values())))
    formats.write(
        nlp.annotate(formats.read(tmp_path / "in.jsonl.gz", options=options)), tmp_path / "out.jsonl.xz"
    )
    for document in formats.read(tmp_path / "out.jsonl.xz"):
        check(document, texts[document.id])
        assert places(document) == places(alone[document.id])
