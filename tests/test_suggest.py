"""Which sentences to annotate next."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

import medspan
from medspan.cli.main import main
from medspan.errors import UsageError
from medspan.model.confidence import Rated
from medspan.suggest import Candidate, diverse, suggest
from medspan.types import Document, Entity, Span
from trained import model_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class StubRecognizer:
    """As sure of a sentence as the number it begins with says."""

    def rate(self, documents: Iterable[Document]) -> Iterator[Rated]:
        for document in documents:
            assert document.entities == ()
            words = document.text.split()
            found = (Entity("T1", "X", (Span(0, len(words[0])),), 0.5),)
            yield Rated(document.replace(entities=found), -float(words[0]), len(words))


def candidate(text: str, uncertainty: float) -> Candidate:
    return Candidate(Document(text, text), uncertainty)


def texts(documents: Iterable[Document | Candidate]) -> list[str]:
    return [getattr(each, "document", each).text for each in documents]


def run(documents: list[Document], **options: object) -> list[Document]:
    return suggest(StubRecognizer(), documents, **options)  # type: ignore[arg-type]


def lines(*sentences: str) -> list[Document]:
    return [Document("d", "\n\n".join(sentences))]


def test_the_least_sure_come_first():
    found = run(lines("1 alpha beta", "3 gamma delta", "2 epsilon zeta"), count=2)
    assert texts(found) == ["3 gamma delta", "2 epsilon zeta"]
    assert [document.meta["suggestion"]["rank"] for document in found] == [1, 2]
    assert found[0].meta["suggestion"]["uncertainty"] == 3
    assert found[0].meta["sentence"] == {"document": "d", "start": 14, "end": 27}
    assert found[0].entities[0].score == 0.5


def test_what_resembles_a_taken_one_comes_later():
    alike = ["30 alpha beta gamma", "29 alpha beta gamma", "28 alpha beta gamma", "20 delta epsilon zeta"]
    assert texts(run(lines(*alike), count=2)) == [alike[0], alike[3]]


def test_repeated_excluded_empty_and_long_sentences_are_left_out():
    sentences = (
        "9 same words",
        "9 Same  words.",
        "8 other " + "word " * 30,
        "7 known one",
        "* * *",
        "6 fine it",
    )
    found = run(lines(*sentences), longest=20, exclude=[Document("e", "7 known one")])
    assert texts(found) == ["9 same words", "6 fine it"]


def test_by_word_favours_short_ones():
    sentences = lines("8 a b c d e f g", "4 x")
    assert texts(run(sentences, count=1)) == ["8 a b c d e f g"]
    assert texts(run(sentences, count=1, by="word")) == ["4 x"]


def test_the_pool_stays_small_and_holds_the_least_sure():
    draw = random.Random(1)  # noqa: S311 - invented numbers
    numbers = [draw.random() for _ in range(2000)]
    found = run([Document(str(i), f"{number} w{i}") for i, number in enumerate(numbers)], count=5, pool=1)
    assert sorted(float(text.split()[0]) for text in texts(found)) == sorted(numbers)[-5:]


@pytest.mark.parametrize("options", [{"count": 0}, {"pool": 0}, {"longest": 0}, {"by": "sentense"}])
def test_senseless_options_are_refused(options: dict[str, object]):
    with pytest.raises(UsageError):
        run([], **options)


def test_diverse_takes_all_where_all_are_wanted():
    pool = [candidate("a b", 1.0), candidate("c d", 2.0), candidate("a b", 0.5)]
    assert texts(diverse(pool, 10)) == ["c d", "a b", "a b"]
    assert diverse([], 3) == []


def test_the_command_writes_pre_annotated_sentences(tmp_path: Path):
    source, target = tmp_path / "notes.txt", tmp_path / "next.jsonl"
    source.write_text(
        "No sign of grey fever after zelvorin, as expected. The weather stayed mild all week.\n\n"
        "lung zelvorin grey oxide was not. Some unseen krankheit with dry lung came."
    )
    arguments = ["suggest", str(model_folder()), str(source), "--count", "2", "--device", "cpu", "-o"]
    assert main([*arguments, str(target)]) == 0
    found = list(medspan.read(target))
    assert len(found) == 2
    assert all(document.text in source.read_text() for document in found)
    first = target.read_bytes()
    assert main([*arguments, str(target)]) == 0
    assert target.read_bytes() == first
    assert main([*arguments, str(tmp_path / "next.conll"), "--exclude", str(target)]) == 0
    others = {document.text for document in medspan.read(tmp_path / "next.conll")}
    assert len(others) == 2
    assert not others & {document.text for document in found}
