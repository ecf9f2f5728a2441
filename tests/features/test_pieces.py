"""Words → pieces: what tokenizers itself would cut, special pieces where each family wants them, windows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ModelError
from medspan.features.batch import Featurizer
from medspan.features.cut import read_units
from medspan.features.forms import BLANK, GLUE
from medspan.features.pieces import PIECE_INPUTS, PieceLayout, Pieces, find_layout, piece_arrays, read_layout
from medspan.features.vocab import build_vocab
from medspan.text.tokenize import tokenize
from medspan.types import Document

pytest.importorskip("tokenizers")
from tiny_tokenizers import TEXTS, byte_pairs, unigrams, word_pieces

KINDS = {"bert": word_pieces, "roberta": byte_pairs, "xlnet": unigrams}
PADDING = {"bert": 0, "roberta": 1, "xlnet": 5}
ODD = ("", "\ud800", "\ufeff", "a" * 500, "患者", "\U0001f9ec", "e\u0301", "\x00", "[", "<", "\u2581", "ﬁ")


def pieces_of(kind: str, *, most: int = 40, pooling: str = "first") -> Pieces:
    data = KINDS[kind]().to_str().encode()
    layout = find_layout(data, padding=PADDING[kind], most=most, pooling=pooling, pads_left=kind == "xlnet")  # type: ignore[arg-type]
    return Pieces(data, layout)


def featurizer_of(pieces: Pieces) -> Featurizer:
    return Featurizer(build_vocab([]), PIECE_INPUTS, max_chars=1, pieces=pieces)


def rows_of(featurizer: Featurizer, text: str) -> np.ndarray:
    """The forms of the one unit of a text."""
    options = {"size": 1000, "overlap": 10, "most_words": 1000}
    document = Document("d", text, sentences=())
    (units,) = read_units([document], featurizer.table, **options)
    return units.rows


@pytest.mark.parametrize(
    ("kind", "before", "after", "mark"),
    [("bert", (2,), (3,), ""), ("roberta", (0,), (2,), " "), ("xlnet", (), (4, 3), "\u2581")],
)
def test_the_layout_is_what_the_tokenizer_does(kind: str, before: tuple, after: tuple, mark: str):
    layout = pieces_of(kind).layout
    assert (layout.before, layout.after, layout.mark) == (before, after, mark)
    assert layout.pads_left is (kind == "xlnet")
    assert read_layout(json.dumps(_plain(layout)).encode()) == layout


def _plain(layout: PieceLayout) -> dict[str, object]:
    return {name: getattr(layout, name) for name in layout.__struct_fields__}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [*TEXTS, "grey", "(grey) fever-dry/lung 0.5 mg"])
def test_pieces_of_the_words_are_those_of_the_text(kind: str, text: str):
    """Cut word by word, with what stands before each word, the pieces are those of the whole text.

    But where a piece joins a word and a mark, or two marks: so marks are left out, but for WordPiece.
    """
    if kind != "bert":
        text = "".join(c if c.isalnum() else " " for c in text)
        text = " ".join(text.split())
    featurizer = featurizer_of(pieces_of(kind, most=400))
    arrays = featurizer.arrays([rows_of(featurizer, text)])
    tokenizer = KINDS[kind]()
    expected = tokenizer.encode(f" {text}" if kind == "roberta" else text).ids
    assert arrays["piece_ids"].tolist() == [expected]


@pytest.mark.parametrize("text", ["grey-dry", "fever/12-dry", "IL-12"])
def test_glued_words_of_byte_pairs_are_those_of_the_text(text: str):
    featurizer = featurizer_of(pieces_of("roberta", most=400))
    arrays = featurizer.arrays([rows_of(featurizer, text)])
    assert arrays["piece_ids"].tolist() == [byte_pairs().encode(f" {text}").ids]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ODD)
def test_every_word_has_a_piece(kind: str, form: str):
    pieces = pieces_of(kind)
    for is_glued in (False, True):
        ids = pieces.ids(form, is_glued=is_glued)
        assert 1 <= len(ids) <= pieces.layout.word_pieces
        assert not (set(ids) & set(pieces.layout.special)) - {pieces.layout.unknown}


@pytest.mark.parametrize("text", ["[CLS]", "[PAD] [SEP]", "<cls>", "<s>", "</s>", "<pad>"])
@pytest.mark.parametrize("kind", KINDS)
def test_text_never_becomes_a_special_piece(kind: str, text: str):
    pieces = pieces_of(kind)
    assert not (set(pieces.ids(text)) & set(pieces.layout.special)) - {pieces.layout.unknown}
    featurizer = featurizer_of(pieces)
    inner = featurizer.arrays([rows_of(featurizer, text)])["piece_ids"][0]
    layout = pieces.layout
    inner = inner[len(layout.before) : len(inner) - len(layout.after)]
    assert not (set(inner.tolist()) & set(layout.special)) - {layout.unknown}


@pytest.mark.parametrize("kind", ["roberta", "xlnet"])
def test_a_blank_before_a_word_is_told(kind: str):
    pieces = pieces_of(kind)
    assert pieces.ids("fever") != pieces.ids("fever", is_glued=True)
    table = featurizer_of(pieces).table
    apart, glued = table.rows(["-", " ", "fever"]), table.rows(["-", "fever"])
    assert apart[1] == BLANK
    assert apart[2] != glued[1]
    assert table.word_rows(["-", "fever"], [False, True]).tolist() == glued.tolist()
    assert table.word_rows(["-", "fever"]).tolist() == [apart[0], apart[2]]
    assert table.rows(["\ufeff", "fever", "\ufeff\ufeff "]).tolist() == [BLANK, apart[2], BLANK]
    assert table.rows([" ", GLUE])[1] == BLANK


def test_a_table_that_forgets_keeps_the_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("medspan.features.forms._LARGEST_TABLE", 8)
    pieces = pieces_of("roberta")
    table = featurizer_of(pieces).table
    often = ["-", "fever", " ", "fever", "(", "lung"]
    for _ in range(3):
        table.rows(often)
    table.rows([part for i in range(6) for part in (f"x{i}", " ")])
    before = len(table.piece_counts.nonzero()[0])
    table.trim()
    assert len(table.piece_counts.nonzero()[0]) < before
    for form, row in zip(often, table.rows(often), strict=True):
        is_glued = form != " " and row != table.word_rows([form])[0]
        if row != BLANK:
            kept = table.piece_ids[row, : table.piece_counts[row]].tolist()
            assert kept == pieces.ids(form, is_glued=is_glued)


def test_word_piece_models_look_words_up_once():
    table = featurizer_of(pieces_of("bert")).table
    assert table.rows(["-", "fever"])[1] == table.rows(["-", " ", "fever"])[2]


def test_training_and_use_see_the_same_blanks():
    text = TEXTS[0]
    featurizer = featurizer_of(pieces_of("roberta"))
    words = tokenize(text)
    glued = [start > 0 and not text[start - 1].isspace() for start, _ in words]
    encoded = featurizer.encode([text[a:b] for a, b in words], glued)
    assert encoded.tolist() == rows_of(featurizer, text).tolist()


def test_xlnet_pads_left_and_the_others_right():
    for kind in KINDS:
        pieces = pieces_of(kind)
        featurizer = featurizer_of(pieces)
        ids = featurizer.arrays([featurizer.encode(["grey", "fever"]), featurizer.encode(["grey"])])[
            "piece_ids"
        ]
        short = ids[1].tolist()
        padding = pieces.layout.padding
        assert padding in short
        assert (short[0] == padding) is (kind == "xlnet")
        assert (short[-1] == padding) is (kind != "xlnet")
        if kind == "xlnet":
            assert short[-2:] == [4, 3]


LAYOUT = PieceLayout(before=(90,), after=(91, 92), padding=99, unknown=98, most=35)


@given(st.data())
def test_windows_answer_for_every_word_once(data: st.DataObject):
    """Whatever the words' pieces: each word is read whole in the window that answers for it."""
    pads_left, pooling = data.draw(st.booleans()), data.draw(st.sampled_from(["first", "mean"]))
    layout = PieceLayout(**{**_plain(LAYOUT), "pads_left": pads_left, "pooling": pooling})  # type: ignore[arg-type]
    counts = np.array(
        data.draw(st.lists(st.integers(1, layout.word_pieces), min_size=1, max_size=30)), np.int64
    )
    ids = np.arange(len(counts) * layout.word_pieces, dtype=np.int32).reshape(len(counts), -1) + 100
    lengths = np.array(data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=4)), np.int64)
    rows = np.zeros((len(lengths), lengths.max()), np.int64)
    for i, length in enumerate(lengths):
        rows[i, :length] = data.draw(
            st.lists(st.integers(0, len(counts) - 1), min_size=int(length), max_size=int(length))
        )
    arrays = piece_arrays(ids, counts, rows, lengths, layout=layout)
    spots = arrays["spot_first"].shape[1]
    assert arrays["piece_ids"].shape[1] <= layout.most
    for i, length in enumerate(lengths):
        for place in range(length):
            window, spot = divmod(int(arrays["word_spot"][i, place]), spots)
            first, stop = arrays["spot_first"][window, spot], arrays["spot_stop"][window, spot]
            row = rows[i, place]
            kept = 1 if pooling == "first" else counts[row]
            assert arrays["piece_ids"][window, first:stop].tolist() == ids[row, :kept].tolist()
    for row in arrays["piece_ids"].tolist():
        inner = [piece for piece in row if piece != 99]
        assert (inner[0], inner[-2:]) == (90, [91, 92])
        assert row == (
            [99] * (len(row) - len(inner)) + inner if pads_left else inner + [99] * (len(row) - len(inner))
        )


def test_context_is_shared_by_windows():
    """No word stands at the edge of its window, but for those at the ends of the unit."""
    counts, rows = np.ones(1, np.int64), np.zeros((1, 200), np.int64)
    arrays = piece_arrays(np.full((1, 4), 100, np.int32), counts, rows, np.array([200]), layout=LAYOUT)
    spots = arrays["spot_first"].shape[1]
    last = len(arrays["piece_ids"]) - 1
    for place in range(200):
        window, spot = divmod(int(arrays["word_spot"][0, place]), spots)
        size = int((arrays["piece_ids"][window] == 100).sum())
        assert window == 0 or spot >= 3
        assert window == last or spot < size - 3


def test_a_tokenizer_without_special_pieces_is_refused():
    raw = json.loads(word_pieces().to_str())
    raw["post_processor"] = None
    with pytest.raises(ModelError, match="post_processor"):
        find_layout(json.dumps(raw).encode(), padding=0, most=40)


def test_too_short_a_window_is_refused():
    with pytest.raises(ModelError, match="max_pieces: 8 leaves no room"):
        pieces_of("bert", most=8)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"model": 3}', b"[]"])
def test_a_damaged_tokenizer_is_named(data: bytes):
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Pieces(data, LAYOUT)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"before": [1], "code": "x"}'])
def test_a_damaged_layout_is_named(data: bytes):
    with pytest.raises(ModelError, match=r"pieces\.json"):
        read_layout(data)


def test_truncation_and_padding_of_the_file_are_off():
    tokenizer = word_pieces()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=16)
    data = tokenizer.to_str().encode()
    pieces = Pieces(data, find_layout(data, padding=0, most=40))
    assert pieces.ids("zelvorinxyzk") == pieces_of("bert").ids("zelvorinxyzk")


def test_words_before_metaspace_as_the_hub_has_xlnet():
    """There blanks are split off first, and old files say add_prefix_space."""
    raw = json.loads(unigrams().to_str())
    space = {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}
    raw["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]}
    data = json.dumps(raw).encode()
    pieces = Pieces(data, find_layout(data, padding=5, most=40, pads_left=True))
    plain = pieces_of("xlnet")
    for form in ("fever", "zelvorin", "-", "12"):
        assert pieces.ids(form) == plain.ids(form)
        assert pieces.ids(form, is_glued=True) == plain.ids(form, is_glued=True)
