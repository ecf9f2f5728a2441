"""Words → word pieces, with the `tokenizers` library and the ``tokenizer.json`` of a public encoder.

A word is cut by itself, so its pieces are looked up once however often it stands in the text, and never
belong to two words. Special pieces stand where the encoder's family wants them, as its tokenizer says.

The arrays of a batch that hold pieces:

    piece_ids   int64 (windows, pieces)  the pieces of a unit, or of a part of a long one; padded
    spot_first  int64 (windows, spots)   first piece of each word of the window; 0 where padded
    spot_stop   int64 (windows, spots)   one past its last piece that is read; 1 where padded
    word_spot   int64 (batch, words)     the spot that answers for each word, counted through all windows
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np

from medspan.errors import MissingExtraError, ModelError
from medspan.features.forms import shorten
from medspan.text.windows import windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

PIECE_INPUTS = ("piece_ids", "spot_first", "spot_stop", "word_spot")
FILE = "tokenizer.json"
LAYOUT_FILE = "pieces.json"
MOST_WORD_PIECES = 32
_LONGEST_WORD = 100  # characters: longer ones are unknown to a WordPiece tokenizer anyway
_SHARE = 4  # windows share this part of their pieces; words may take half as much
_METASPACE = "\u2581"


class PieceLayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pieces become the rows of a batch: ``pieces.json`` of a model folder.

    ``before`` and ``after`` are the special pieces around a window, ``padding`` fills its row on the side
    ``pads_left`` says, ``unknown`` stands for a word without pieces, ``special`` is never made of text,
    ``mark`` goes before a word that follows a blank, ``most`` is the longest window in pieces, special ones
    included, and ``pooling`` says which pieces of a word are read.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    padding: int
    unknown: int
    most: int
    pooling: Literal["first", "mean"] = "first"
    special: tuple[int, ...] = ()
    mark: str = ""
    pads_left: bool = False

    @property
    def capacity(self) -> int:
        """Pieces of words a window holds."""
        return self.most - len(self.before) - len(self.after)

    @property
    def word_pieces(self) -> int:
        """Pieces kept of a word; of longer ones the first and last halves of this number."""
        return max(1, min(MOST_WORD_PIECES, self.capacity // (2 * _SHARE)))


class Pieces:
    """Cuts words into pieces.

    Args:
        tokenizer_json: bytes of ``tokenizer.json``.
        layout: the model's.

    Raises:
        MissingExtraError: if `tokenizers` is not installed.
        ModelError: if it cannot read the file.
    """

    def __init__(self, tokenizer_json: bytes, layout: PieceLayout) -> None:
        self.tokenizer_json, self.layout = tokenizer_json, layout
        self._tokenizer = read_tokenizer(tokenizer_json)
        self._special = frozenset(layout.special) - {layout.unknown}

    def ids(self, form: str, *, is_glued: bool = False) -> list[int]:
        """The pieces of a word, at least one.

        Args:
            form: the word as it stands in the text.
            is_glued: whether it follows another word without a blank.
        """
        layout = self.layout
        text = clean(form) if is_glued else layout.mark + clean(form)
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        ids = [layout.unknown if piece in self._special else piece for piece in found] or [layout.unknown]
        return ends_of(ids, layout.word_pieces)


def read_layout(data: bytes) -> PieceLayout:
    """Read ``pieces.json``.

    Raises:
        ModelError: if it is not a layout.
    """
    try:
        return msgspec.json.decode(data, type=PieceLayout)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{LAYOUT_FILE}: {error}; the model folder is damaged") from None


def clean(form: str) -> str:
    """A word as tokenizers take it: of endless ones the ends, without lone surrogates."""
    return shorten(form, _LONGEST_WORD).encode("utf-8", "replace").decode("utf-8")


def ends_of(ids: list[int], most: int) -> list[int]:
    """The pieces of a word; of more than ``most`` the first and the last."""
    return ids if len(ids) <= most else ids[: most - most // 2] + ids[len(ids) - most // 2 :]


def read_tokenizer(tokenizer_json: bytes) -> Any:  # noqa: ANN401 - tokenizers ships no types
    """A tokenizer that cuts and pads nothing and adds no blank of its own accord.

    Raises:
        MissingExtraError: if `tokenizers` is not installed.
        ModelError: if it cannot read the file.
    """
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtraError("a model over word pieces", "tokenizers", "transformer") from None
    try:
        raw = msgspec.json.decode(tokenizer_json)
        _never_prefix(raw.get("pre_tokenizer"))
        tokenizer = Tokenizer.from_str(msgspec.json.encode(raw).decode())
    except Exception as error:  # noqa: BLE001 - the library raises plain Exception
        raise ModelError(f"{FILE}: tokenizers cannot read it ({error}); fetch or export it again") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _never_prefix(part: Any) -> None:  # noqa: ANN401 - a part of JSON
    """Whether a blank stands before a word is ours to say: it depends on the text."""
    if not isinstance(part, dict):
        return
    if part.get("type") == "Metaspace":
        part["prepend_scheme"] = "never"
        part.pop("add_prefix_space", None)
    elif part.get("type") == "ByteLevel":
        part["add_prefix_space"] = False
    for inner in part.get("pretokenizers", ()):
        _never_prefix(inner)


def find_layout(
    tokenizer_json: bytes,
    *,
    padding: int,
    most: int,
    pooling: Literal["first", "mean"] = "first",
    pads_left: bool = False,
) -> PieceLayout:
    """The layout a tokenizer asks for: what it puts around a text is found by letting it.

    Args:
        tokenizer_json: bytes of ``tokenizer.json``.
        padding: the piece that fills rows.
        most: longest window in pieces, special ones included.
        pooling: which pieces of a word are read.
        pads_left: whether rows are filled on the left.

    Raises:
        MissingExtraError: if `tokenizers` is not installed.
        ModelError: if it adds no special pieces, or they leave no room for words.
    """
    tokenizer = read_tokenizer(tokenizer_json)
    raw = msgspec.json.decode(tokenizer_json)
    plain = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    starts = [i for i in range(len(full)) if full[i : i + len(plain)] == plain]
    if len(full) == len(plain) or not starts:
        raise ModelError(
            f"{FILE}: its post_processor adds no special pieces, which every known encoder was trained with; "
            "save the tokenizer again with its template"
        )
    special = {token["id"] for token in raw.get("added_tokens", ()) if token.get("special")}
    layout = PieceLayout(
        before=tuple(full[: starts[0]]),
        after=tuple(full[starts[0] + len(plain) :]),
        padding=padding,
        unknown=_unknown(tokenizer, raw["model"], default=full[0]),
        most=most,
        pooling=pooling,
        special=tuple(sorted(special | set(full) - set(plain) | {padding})),
        mark=blank_mark(raw.get("pre_tokenizer")),
        pads_left=pads_left,
    )
    if layout.capacity < 2 * _SHARE:
        raise ModelError(f"max_pieces: {most} leaves no room for words beside the special pieces; raise it")
    return layout


def _unknown(tokenizer: Any, model: Mapping[str, Any], default: int) -> int:  # noqa: ANN401 - no types
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    for token in (model.get("unk_token"), "<unk>", "[UNK]"):
        found = tokenizer.token_to_id(token) if token else None
        if found is not None:
            return int(found)
    return default


def blank_mark(part: Any) -> str:  # noqa: ANN401 - a part of JSON
    """What stands for the blank before a word; empty where pieces do not tell."""
    if not isinstance(part, dict):
        return ""
    if part.get("type") == "Metaspace":
        return str(part.get("replacement", _METASPACE))
    if part.get("type") == "ByteLevel":
        return " "
    return next(filter(None, map(blank_mark, part.get("pretokenizers", ()))), "")


class _Part(NamedTuple):
    """A window over a unit, in words: what it reads, and what it answers for."""

    unit: int
    first: int
    stop: int
    owned_first: int
    owned_stop: int


def piece_arrays(
    ids: NDArray[np.int32], counts: Ints, rows: Ints, lengths: Ints, *, layout: PieceLayout
) -> dict[str, Ints]:
    """The arrays of a batch.

    Args:
        ids: (forms, word pieces), the pieces of each form, padded.
        counts: (forms,), how many they are.
        rows: (batch, words), the form at each place.
        lengths: (batch,), words of each unit.
        layout: the model's.
    """
    units = [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
    parts = [part for i, row in enumerate(units) for part in _parts(i, counts[row], layout)]
    word_counts = [counts[units[part.unit][part.first : part.stop]] for part in parts]
    sizes = [int(found.sum()) + layout.most - layout.capacity for found in word_counts]
    longest, spots = max(sizes), max(part.stop - part.first for part in parts)
    piece_ids = np.full((len(parts), longest), layout.padding, np.int64)
    first = np.zeros((len(parts), spots), np.int64)
    stop = np.ones_like(first)
    word_spot = np.zeros(rows.shape, np.int64)
    for i, (part, found, size) in enumerate(zip(parts, word_counts, sizes, strict=True)):
        shift = longest - size if layout.pads_left else 0
        begins = np.cumsum(found) - found + shift + len(layout.before)
        table = ids[units[part.unit][part.first : part.stop]]
        inner = table[np.arange(table.shape[1]) < found[:, None]]
        piece_ids[i, shift : shift + size] = np.concatenate([layout.before, inner, layout.after])
        first[i, : len(found)] = begins
        stop[i, : len(found)] = begins + (1 if layout.pooling == "first" else found)
        owned = np.arange(part.owned_first, part.owned_stop)
        word_spot[part.unit, owned] = i * spots + owned - part.first
    return {"piece_ids": piece_ids, "spot_first": first, "spot_stop": stop, "word_spot": word_spot}


def _parts(unit: int, counts: Ints, layout: PieceLayout) -> Sequence[_Part]:
    """Overlapping windows over the words of a unit, each of at most `PieceLayout.capacity` pieces."""
    ends = np.cumsum(counts)
    total = int(ends[-1])
    if total <= layout.capacity:
        return [_Part(unit, 0, len(counts), 0, len(counts))]
    starts = ends - counts
    found = windows(total, size=layout.capacity, overlap=layout.capacity // _SHARE)
    # A word belongs to the window that owns its first piece; what windows share leaves room for the others.
    owned = np.searchsorted(starts, [window.owned_first for window in found] + [total]).tolist()
    return [
        _Part(
            unit,
            int(np.searchsorted(starts, window.first)),
            int(np.searchsorted(ends, window.stop, side="right")),
            owned[i],
            owned[i + 1],
        )
        for i, window in enumerate(found)
    ]
