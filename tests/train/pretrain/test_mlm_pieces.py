"""Words become pieces one by one, as a tagger cuts them; tokenizers are learnt from such words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("transformers")

from tokenizers import Tokenizer

from medspan import formats
from medspan.errors import ModelError, TrainingError
from medspan.train.pretrain import mlm_pieces
from medspan.train.pretrain.mlm_families import CONVENTIONS
from medspan.train.pretrain.mlm_pieces import (
    learn_tokenizer,
    open_tokenizer,
    piece_table,
    special_pieces,
)
from medspan.train.pretrain.settings import NewConfig, ReadingConfig, TextConfig
from medspan.train.pretrain.text import Shard, Text, read_text
from medspan.types import Document
from tiny_mlm import WORDS, tiny_tokenizer
from tiny_training import tiny_document

if TYPE_CHECKING:
    from pathlib import Path


def text_of(folder: Path, *texts: str) -> Text:
    """A text with one document more, which is held out in half of the cases."""
    documents = [Document(f"d{i}", text) for i, text in enumerate(texts)]
    formats.write(documents, folder / "notes.jsonl")
    sources = {"notes": TextConfig("notes.jsonl")}
    return read_text(sources, ReadingConfig(held_out=0.3), folder / "text", base=folder, tell=lambda _: None)


def a_shard(rows: list[int], glued: list[bool]) -> Shard:
    return Shard(np.array(rows, np.int32), np.array([len(rows)], np.int32), np.array(glued))


@pytest.mark.parametrize("family", ["xlnet", "bert"])
def test_a_table_holds_what_the_tokenizer_says(family: str):
    cutter = open_tokenizer(tiny_tokenizer(family).to_str().encode(), "here")
    forms = [*WORDS, "Æ\x00", "\ud800", "x" * 90]
    table = piece_table(cutter, forms, unknown=0, most=20)
    rows = [1, 4, 6, len(WORDS) + 1, len(WORDS) + 2, len(WORDS) + 3]
    ids, numbers = table.of(table.rows(a_shard(rows, [False] * 6)))
    for i, row in enumerate(rows):
        form = forms[row - 1].encode("utf-8", "replace").decode()
        expected = tiny_tokenizer(family).encode(form, add_special_tokens=False).ids
        kept = expected if len(expected) <= 20 else [*expected[:10], *expected[-10:]]
        assert ids[numbers == i].tolist() == kept


def test_glued_words_have_no_blank_before_them():
    cutter = open_tokenizer(tiny_tokenizer("xlnet").to_str().encode(), "here")
    assert cutter.mark == "\u2581"
    table = piece_table(cutter, ["in", "was"], unknown=0, most=20)
    tokenizer = tiny_tokenizer("xlnet")

    def pieces_of(*, glued: bool) -> list[str]:
        ids, _ = table.of(table.rows(a_shard([2], [glued])))
        return [tokenizer.id_to_token(i) for i in ids]

    assert "".join(pieces_of(glued=False)) == "\u2581was"
    assert "".join(pieces_of(glued=True)) == "was"
    plain = open_tokenizer(tiny_tokenizer("bert").to_str().encode(), "here")
    assert plain.mark == ""
    assert piece_table(plain, ["in"], unknown=0, most=20).glued_from == 0


@pytest.mark.parametrize("family", ["bert", "xlnet", "roberta"])
def test_words_are_cut_as_taggers_cut_them(family: str):
    pieces = pytest.importorskip("medspan.features.pieces")
    data = tiny_tokenizer(family).to_str().encode()
    cutter = open_tokenizer(data, "here")
    special = special_pieces(cutter, CONVENTIONS[family], "here")
    layout = pieces.find_layout(data, padding=special.padding, most=512, pads_left=family == "xlnet")
    assert (layout.before, layout.after, layout.unknown) == (special.lead, special.trail, special.unknown)
    tagger = pieces.Pieces(data, layout)
    forms = [*WORDS, "Æ\x00", "\ud800", "x" * 70, "y" * 300]
    table = piece_table(cutter, forms, special.unknown, 126)
    for glued in (False, True):
        ids, numbers = table.of(table.rows(a_shard(list(range(1, len(forms) + 1)), [glued] * len(forms))))
        found = [ids[numbers == i].tolist() for i in range(len(forms))]
        assert found == [tagger.ids(form, is_glued=glued) for form in forms]


def test_the_text_says_which_words_are_glued(tmp_path: Path):
    texts = [f"A-b {i} (c) d." for i in range(20)] + ["x."] * 3
    text = text_of(tmp_path, *texts)
    shards = [text.held_out(), *(text.shard(i) for i in range(text.shards))]
    found = [
        [
            ("+" if is_glued else " ") + text.forms[row - 1]
            for row, is_glued in zip(shard.rows, shard.glued, strict=True)
        ]
        for shard in shards
    ]
    joined = "".join(piece.replace("+", "") for each in found for piece in each)
    for i in range(20):
        assert f" A-b {i} (c) d." in joined
    assert joined.count(" x.") == 3


def test_words_of_different_documents_are_never_glued(tmp_path: Path):
    text = text_of(tmp_path, *(["ab", "  cd"] * 10))  # the second begins at the offset where the first ends
    shards = [text.held_out(), *(text.shard(i) for i in range(text.shards))]
    assert sum(len(shard.rows) for shard in shards) == 20
    assert not any(shard.glued.any() for shard in shards)


def test_special_pieces_are_those_of_the_family_and_never_drawn():
    cutter = open_tokenizer(tiny_tokenizer("xlnet").to_str().encode(), "here")
    special = special_pieces(cutter, CONVENTIONS["xlnet"], "here")
    names = [cutter.tokenizer.id_to_token(i) for i in (*special.lead, *special.trail, special.mask)]
    assert names == ["<sep>", "<cls>", "<mask>"]
    named = {*special.trail, special.mask, special.padding, special.unknown}
    assert named.isdisjoint(special.plain.tolist())
    with pytest.raises(ModelError, match=r"here: lacks the special piece '\[CLS\]' of its family"):
        special_pieces(cutter, CONVENTIONS["bert"], "here")


def test_a_special_piece_in_a_text_is_text():
    tokenizer = tiny_tokenizer("bert")
    table = piece_table(open_tokenizer(tokenizer.to_str().encode(), "here"), ["[MASK]"], 0, 20)
    assert tokenizer.token_to_id("[MASK]") not in table.pieces.tolist()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"model": {}}', b"\xff"])
def test_a_damaged_tokenizer_is_refused(data: bytes):
    with pytest.raises(ModelError, match=r"here: is no tokenizer\.json"):
        open_tokenizer(data, "here")


@pytest.mark.parametrize("family", ["xlnet", "bert"])
@pytest.mark.parametrize("lower", [False, True])
def test_a_tokenizer_is_learnt_from_words(family: str, *, lower: bool, tmp_path: Path):
    text = text_of(tmp_path, *(tiny_document(i).text for i in range(60)))
    data = learn_tokenizer(NewConfig(family=family, vocabulary=90, lower=lower), text)
    tokenizer = Tokenizer.from_str(data.decode())
    assert tokenizer.get_vocab_size() <= 90
    special = special_pieces(open_tokenizer(data, "here"), CONVENTIONS[family], "here")
    assert special.padding == {"xlnet": 5, "bert": 0}[family]
    assert all(piece.islower() or not piece.isalpha() for piece in tokenizer.get_vocab()) or not lower
    table = piece_table(open_tokenizer(data, "here"), text.forms[1:], special.unknown, 30)
    assert special.unknown not in table.pieces.tolist()  # every letter is known
    encoded = tokenizer.encode("The weather stayed mild.")
    first, last = encoded.tokens[0], encoded.tokens[-1]
    assert (first == "[CLS]", last) == ((True, "[SEP]") if family == "bert" else (False, "<cls>"))
    if family == "xlnet":
        assert encoded.type_ids[-2:] == [0, 2]
        frequent = piece_table(open_tokenizer(data, "here"), ["."], special.unknown, 30)
        ids, _ = frequent.of(frequent.rows(a_shard([1], [True])))
        assert [tokenizer.id_to_token(i) for i in ids] == ["."]  # as in a text, where it is glued


def test_a_text_without_words_teaches_no_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = text_of(tmp_path, *(f"a{i}" for i in range(20)))
    monkeypatch.setattr(mlm_pieces, "LEARNT_WORDS", 0)
    with pytest.raises(TrainingError, match="too small to learn a tokenizer"):
        learn_tokenizer(NewConfig(family="bert", vocabulary=90), text)


def test_forms_are_learnt_in_proportion(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mlm_pieces, "LEARNT_WORDS", 100)
    found = list(mlm_pieces._in_proportion(["a", "b", "c"], np.array([900, 90, 2]), 1000))
    assert [len(words) for words in found] == [90, 9]


def test_settings_of_the_file_do_not_cut_or_pad():
    tokenizer = tiny_tokenizer("bert")
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    raw = msgspec.json.decode(tokenizer.to_str())
    assert raw["truncation"]
    assert raw["padding"]
    table = piece_table(open_tokenizer(tokenizer.to_str().encode(), "here"), ["amoxitane", "in"], 0, 20)
    assert table.lengths[1] > 3
    assert table.lengths[2] < 9
