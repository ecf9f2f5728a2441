"""Hugging Face dataset folder: a sentence a row with its words and their tags. Only written.

``OUT/train.jsonl`` (``validation``, ``test`` …) and ``OUT/README.md``, the dataset card, which says which
file is which split and names the tags, so that ``datasets.load_dataset("OUT")`` needs nothing else.
Columns:

    id          string           document's id, # and the number of the sentence
    document    string           document's id
    tokens      list of string   words (those a CoNLL file came with, else medspan's own)
    starts      list of int32    where each begins in the document's text, in code points
    ner_tags    list of ClassLabel   IOB2

A document's split is ``meta["split"]``, else ``WriteOptions.split``; dev and devel are called validation.
Into a folder that is there, other splits stay and tags keep their numbers; new ones come behind.

Not held, and counted: texts, overlapping and discontinuous mentions, those off word borders, relations,
attributes, concepts, scores.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any

import msgspec

from medspan.errors import UsageError
from medspan.formats import files
from medspan.formats.conll_write import tagged
from medspan.formats.protocol import Losses, WriteOptions, count_unheld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

CARD = "README.md"
SPLIT = "split"
"""The key of a document's meta that names its split."""
_VALIDATION = {"dev", "devel", "valid", "validation"}
_ORDER = ("train", "validation", "test")
_NAME = re.compile(r"\w+(?:\.\w+)*")  # of a split, as `datasets` wants it
_NAMES = re.compile(r"^ {12}'\d+': (\".*\")$", re.MULTILINE)
_ENCODER = msgspec.json.Encoder()
_PAGE = """
# Named entities

Written by medspan. A row is a sentence: `tokens` are its words, `ner_tags` their tags in IOB2, `starts` where
each word begins in the text of the document, in code points.

Say here where the texts come from, who annotated them and under which licence they may be used.
"""


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write a folder of splits and their card.

    Raises:
        UsageError: if ``path`` is a file, or a split has a name that `datasets` does not take.
    """
    losses = Losses()
    known, page = _known(path)
    numbers = {name: number for number, name in enumerate(known or ["O"])}
    with files.writing_folder(path) as folder:
        with ExitStack() as stack:
            handles: dict[str, IO[str]] = {}
            for document in documents:
                split = _split(document, options)
                if split not in handles:
                    handles[split] = stack.enter_context(files.writing(folder / f"{split}.jsonl"))
                for row in rows(document, numbers, losses):
                    handles[split].write(_ENCODER.encode(row).decode() + "\n")
                _count(document, losses)
        others = (file.stem for file in path.glob("*.jsonl")) if known else ()
        splits = sorted(
            {*handles, *others}, key=lambda name: (_ORDER.index(name) if name in _ORDER else 9, name)
        )
        with files.writing(folder / CARD) as card:
            card.write(_front(list(numbers), splits) + page)
    return losses


def rows(document: Document, numbers: dict[str, int], losses: Losses) -> Iterator[dict[str, Any]]:
    """A row a sentence.

    Args:
        document: with entities.
        numbers: of tags; a tag that is not there gets the next number.
        losses: where to count entities that tags cannot hold.
    """
    layout, tags = tagged(document, losses, "IOB2")
    ranges, text = layout.ranges(), document.text
    for number, (stop, size) in enumerate(
        zip(accumulate(layout.sentences), layout.sentences, strict=True), start=1
    ):
        words = ranges[stop - size : stop]
        for tag in tags[stop - size : stop]:
            _number(tag, numbers)
        yield {
            "id": f"{document.id}#{number}",
            "document": document.id,
            "tokens": [text[start:end] for start, end in words],
            "starts": [start for start, _ in words],
            "ner_tags": [numbers[tag] for tag in tags[stop - size : stop]],
        }


def _number(tag: str, numbers: dict[str, int]) -> None:
    """Give a tag that is new its number, and the other tag of its label too, in the usual order."""
    if tag not in numbers:
        for letter in "BI":
            numbers.setdefault(f"{letter}{tag[1:]}", len(numbers))


def _split(document: Document, options: WriteOptions) -> str:
    name = document.meta.get(SPLIT, options.split)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"document {document.id!r}: `datasets` takes no split of this name; use letters and digits"
        )
    return "validation" if name.lower() in _VALIDATION else name


def _known(path: Path) -> tuple[list[str], str]:
    """The tags of a card we wrote, in their order, and its page, which its owner may have changed."""
    card = path / CARD
    if not card.is_file():
        return [], _PAGE
    front, is_closed, page = files.read_text(card).partition("\n---\n")
    names: list[str] = [msgspec.json.decode(name) for name in _NAMES.findall(front)]
    if not names or not is_closed:
        raise UsageError(f"{card}: is no dataset card of medspan; name another folder")
    return names, page


def _count(document: Document, losses: Losses) -> None:
    meta = {key: value for key, value in document.meta.items() if key != SPLIT}
    count_unheld(document.replace(meta=meta), losses, frozenset({"sentences"}))
    losses.add("document texts")


def _front(tags: list[str], splits: list[str]) -> str:
    """What `datasets` reads of the dataset card: YAML."""
    quoted = [msgspec.json.encode(tag).decode() for tag in tags]  # a JSON text is a YAML text
    lines = [
        "---",
        "task_categories:",
        "- token-classification",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *(line for split in splits for line in (f"  - split: {split}", f"    path: {split}.jsonl")),
        "dataset_info:",
        "  features:",
        "  - name: id",
        "    dtype: string",
        "  - name: document",
        "    dtype: string",
        "  - name: tokens",
        "    sequence: string",
        "  - name: starts",
        "    sequence: int32",
        "  - name: ner_tags",
        "    sequence:",
        "      class_label:",
        "        names:",
        *(f"            '{number}': {name}" for number, name in enumerate(quoted)),
        "---",
    ]
    return "\n".join(lines) + "\n"
