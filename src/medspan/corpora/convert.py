"""Turns the files of public repositories into our CoNLL files, byte for byte as the catalogue's digests say.

A source file has one ``word TAB tag`` a line and an empty line after each sentence. What is done to it:
labels get their full names, tag sequences are made valid IOB2, document boundaries that the source lacks are
put back from ``documents.json``, and the text is packed with gzip level 9 without a time stamp.
"""

from __future__ import annotations

import gzip
import io
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import DataError
from medspan.tags import decode, encode, split_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCUMENT_LINE = "-DOCSTART-\tO"


class Source(msgspec.Struct, frozen=True):
    """Where a corpus lies in its repository and how its tags are named there.

    ``files`` maps our file stem (train, devel, test) to a path of the repository; ``labels`` a label of the
    source to ours (``""`` is the label of a bare B or I).
    """

    repository: str
    files: dict[str, str]
    labels: dict[str, str] = {}


class Documents(msgspec.Struct, frozen=True):
    """Ids of the documents of a split, blank-separated, and the number of sentences of each.

    ``sentences`` is empty where the source file marks its documents itself.
    """

    ids: str
    sentences: tuple[int, ...] = ()


def _mtl(folder: str) -> Source:
    stems = ("train", "devel", "test")
    return Source(
        "cambridgeltl/MTL-Bioinformatics-2016", {stem: f"data/{folder}-IOB/{stem}.tsv" for stem in stems}
    )


SOURCES: dict[str, Source] = {
    "ner/AnatEM": _mtl("AnatEM"),
    "ner/BC2GM": _mtl("BC2GM"),
    "ner/BC5CDR": _mtl("BC5CDR"),
    "ner/BioNLP13CG": _mtl("BioNLP13CG"),
    "ner/NCBI-disease": _mtl("NCBI-disease"),
    "ner/linnaeus": _mtl("linnaeus"),
    "ner/JNLPBA": Source(
        "BaderLab/Biomedical-Corpora",
        {
            "train": "corpora/NER/CoNLL/BIO/JNLPBA_BIO/train.tsv",
            "devel": "corpora/NER/CoNLL/BIO/JNLPBA_BIO/valid.tsv",
            "test": "corpora/NER/CoNLL/BIO/JNLPBA_BIO/test.tsv",
        },
        {"PRGE": "protein", "CLLN": "cell_line", "CLTP": "cell_type"},
    ),
    "ner/S800": Source(
        "shreyashub/BioFLAIR",
        {stem: f"data/ner/s800/{stem}.tsv" for stem in ("train", "devel", "test")},
        {"": "Species"},
    ),
}


@cache
def recorded_documents() -> dict[str, dict[str, Documents]]:
    """Document ids and boundaries by corpus and file stem, for sources that do not hold them."""
    text = resources.files("medspan.corpora").joinpath("documents.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, Documents]])


def convert(name: str, stem: str, source: bytes) -> dict[str, bytes]:
    """The files of one split, name → bytes, made from the source file of that split.

    Args:
        name: full name of a corpus of ``SOURCES``.
        stem: ``train``, ``devel`` or ``test``.
        source: the bytes of the repository's file.

    Raises:
        DataError: if the source does not have the form or the number of sentences it should have.
    """
    where = f"{SOURCES[name].repository}: {SOURCES[name].files[stem]}"
    blocks = [_valid_block(block, SOURCES[name].labels, where) for block in _blocks(source, where)]
    documents = recorded_documents().get(name, {}).get(stem)
    if documents and documents.sentences:
        blocks = _with_boundaries(blocks, documents.sentences, where)
    files = {f"{stem}.conll.gz": pack("".join(f"{block}\n\n" for block in blocks).encode())}
    if documents:
        files[f"{stem}.docids.txt"] = "".join(f"{known}\n" for known in documents.ids.split(" ")).encode()
    return files


def pack(content: bytes) -> bytes:
    """Gzip level 9 without time stamp or file name: equal content gives equal bytes on one build of zlib."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def _blocks(source: bytes, where: str) -> Iterator[str]:
    """Sentences and document lines, without the empty line that ends each."""
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: byte {error.start} is not UTF-8; the download is damaged, fetch it anew"
        ) from None
    # Not splitlines(): a word may be a character that Python counts as a line end.
    yield from (block for block in text.replace("\r\n", "\n").strip("\n").split("\n\n") if block)


def _valid_block(block: str, labels: Mapping[str, str], where: str) -> str:
    if block == DOCUMENT_LINE:
        return block
    words, tags = [], []
    for line in block.split("\n"):
        word, tab, tag = line.partition("\t")
        if not word or not tab or split_tag(tag)[0] not in ("B", "I", "O"):
            raise DataError(f"{where}: a line is not `word TAB tag`; the download is damaged or was changed")
        words.append(word)
        tags.append(_renamed(tag, labels))
    valid = encode(decode(tags), len(tags), "IOB2")
    return "\n".join(f"{word}\t{tag}" for word, tag in zip(words, valid, strict=True))


def _renamed(tag: str, labels: Mapping[str, str]) -> str:
    prefix, label = split_tag(tag)
    return "O" if prefix == "O" else f"{prefix}-{labels.get(label, label)}"


def _with_boundaries(blocks: list[str], sentences: tuple[int, ...], where: str) -> list[str]:
    if sum(sentences) != len(blocks):
        raise DataError(f"{where}: {len(blocks)} sentences where {sum(sentences)} are known; it was changed")
    placed: list[str] = []
    first = 0
    for count in sentences:
        placed += [DOCUMENT_LINE, *blocks[first : first + count]]
        first += count
    return placed
