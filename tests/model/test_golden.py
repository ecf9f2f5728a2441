"""Golden texts: what was found is found again, in whatever company."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from medspan.errors import ModelError
from medspan.features.vocab import Vocab
from medspan.model.golden import GOLDEN_TEXTS, compare, make_golden, read_golden, replay
from medspan.model.store import pack_decoders, save_model
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

    from medspan.model.spec import ModelSpec


class Rules:
    """Marks words that end in 'itis', 'cancer' and 'asthma'."""

    def annotate(self, docs: Sequence[Document]) -> list[Document]:
        return [self.one(doc, place, len(docs)) for place, doc in enumerate(docs)]

    def one(self, doc: Document, place: int, total: int) -> Document:  # noqa: ARG002 - subclasses look at them
        found = re.finditer(r"\w*itis|cancer|asthma|toxicity", doc.text)
        return doc.replace(
            entities=tuple(
                Entity(f"T{i}", "Disease", (Span(*match.span()),), self.score(total))
                for i, match in enumerate(found)
            )
        )

    def score(self, total: int) -> float:  # noqa: ARG002 - subclasses look at it
        return 0.75


class LeaksBatch(Rules):
    def score(self, total: int) -> float:
        return 0.75 + 0.01 * (total == 1)


class LeaksOrder(Rules):
    def one(self, doc: Document, place: int, total: int) -> Document:
        moved = place * 2 >= total > 1 and doc.text == GOLDEN_TEXTS[0]
        return doc.replace(entities=()) if moved else super().one(doc, place, total)


class Deaf(Rules):
    def one(self, doc: Document, place: int, total: int) -> Document:  # noqa: ARG002 - as above
        return doc


def test_golden_texts_hold_the_odd_cases() -> None:
    assert len(GOLDEN_TEXTS) >= 30
    assert len(set(GOLDEN_TEXTS)) == len(GOLDEN_TEXTS)
    assert "" in GOLDEN_TEXTS
    assert any(text and not text.strip() for text in GOLDEN_TEXTS)
    assert any(len(text.split()) > 600 and text.count(".") == 1 for text in GOLDEN_TEXTS)
    assert any("\r\n" in text for text in GOLDEN_TEXTS)
    assert any(unicodedata.normalize("NFC", text) != text for text in GOLDEN_TEXTS)
    assert any(ord(max(text, default=" ")) > 0xFFFF for text in GOLDEN_TEXTS)
    assert any(text and not any(c.isalnum() or c.isspace() for c in text) for text in GOLDEN_TEXTS)


def test_what_was_found_is_found_again() -> None:
    golden = read_golden(make_golden(Rules(), GOLDEN_TEXTS))
    assert [item.text for item in golden] == list(GOLDEN_TEXTS)
    assert sum(len(item.entities) for item in golden) > 3
    assert compare(Rules(), golden) == []


@pytest.mark.parametrize(
    ("tagger", "message"),
    [
        (Deaf(), r"golden text 0: differs from when the model was saved: Disease \(19, 27\) is missing"),
        (
            LeaksBatch(),
            r"alone differs from the same text in a batch: Disease \(19, 27\) scores 0.7600, not 0.7500",
        ),
        (LeaksOrder(), "depends on the order of the texts"),
    ],
)
def test_differences_are_named_without_text(tagger: Rules, message: str) -> None:
    problems = compare(tagger, read_golden(make_golden(Rules(), GOLDEN_TEXTS)))
    assert re.search(message, "\n".join(problems))
    assert "toxicity" not in "\n".join(problems)


def test_new_entities_are_named() -> None:
    problems = compare(Rules(), read_golden(make_golden(Deaf(), GOLDEN_TEXTS[:1])))
    assert problems == ["golden text 0: differs from when the model was saved: Disease (19, 27) is new"]


def test_no_text_proves_nothing() -> None:
    assert compare(Rules(), []) == [
        "golden.json: holds no text, so nothing is proved; export the model again"
    ]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'[{"text": 1}]', b'[{"text": "a", "entities": [], "more": 1}]', b"\xff"]
)
def test_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"golden.json: .*damaged"):
        read_golden(data)


def save_word_list(
    folder: Path, spec: ModelSpec, graph: onnx.ModelProto, vocab: Vocab, *, golden: bytes = b""
) -> None:
    parts = {"transitions": np.zeros((5, 5)), "start": np.zeros(5), "end": np.zeros(5)}
    files = {
        "vocab.json": vocab.to_json(),
        "model.onnx": graph.SerializeToString(),
        "decoder.safetensors": pack_decoders({"disease": parts}),
    }
    save_model(folder, spec, files | ({"golden.json": golden} if golden else {}))


def test_model_folder_is_proved_and_a_changed_one_is_not(
    tmp_path: Path, spec_of: Callable[..., ModelSpec], graph_of: Callable[..., onnx.ModelProto]
) -> None:
    tagger_module = pytest.importorskip("medspan.model.tagger", reason="the tagger is not there yet")
    vocab = Vocab(("cancer", "asthma"), (5, 4), tuple("abcdefghij"))
    table = np.zeros((4, 5), np.float32)
    table[:2, 0] = 4  # padding and unknown words: O
    table[2:, 4] = 3  # cancer and asthma: S
    save_word_list(tmp_path / "m", spec_of(), graph_of(table), vocab)
    golden = make_golden(tagger_module.load_tagger(tmp_path / "m", device="cpu", threads=1), GOLDEN_TEXTS)
    assert sum(len(item.entities) for item in read_golden(golden)) >= 3
    save_word_list(tmp_path / "m", spec_of(), graph_of(table), vocab, golden=golden)
    assert replay(tmp_path / "m", threads=1) == []
    table[2:, 4] = 2.9
    save_word_list(tmp_path / "m", spec_of(), graph_of(table), vocab, golden=golden)
    assert all("differs from when the model was saved" in problem for problem in replay(tmp_path / "m"))
    (tmp_path / "m" / "vocab.json").write_bytes(b"{}")
    assert "differs from the digest" in replay(tmp_path / "m")[0]


def test_folder_without_golden_texts_or_model_is_a_problem(
    tmp_path: Path, spec_of: Callable[..., ModelSpec], graph_of: Callable[..., onnx.ModelProto]
) -> None:
    save_word_list(tmp_path / "m", spec_of(), graph_of(np.zeros((4, 5))), Vocab((), (), ()))
    assert "has no file 'golden.json'" in replay(tmp_path / "m")[0]
    assert "no such folder" in replay(tmp_path / "none")[0]


def test_opening_a_folder_does_not_import_onnxruntime() -> None:
    code = "import sys, medspan.model.store, medspan.model.session, medspan.model.golden; sys.exit('onnxruntime' in sys.modules)"
    source = Path(__file__).parents[2] / "src"
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False).returncode
        == 0
    )
