"""Looks a corpus over before anybody trains on it: alignment, duplicates, leaks, tags, labels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from medspan import formats
from medspan.corpora.leaks import LARGEST_SHARE, Keys, find_leaks, keys_of, sentences_of
from medspan.corpora.load import all_splits
from medspan.corpora.tag_check import TagCheck, check_tags
from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from medspan.types import Document, Entity

_EXAMPLES = 10


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares (0 to 1) above which a finding is a problem. Invalid tag sequences always are."""

    misaligned: float = 0.02
    duplicates: float = LARGEST_SHARE
    leaks: float = LARGEST_SHARE
    empty: float = 0.05


class SplitFindings(msgspec.Struct):
    """What one split holds.

    ``misaligned`` counts entities with a border inside a word: a model that labels words cannot give them.
    ``misaligned_at`` places the first of them (``document:start-end``). ``overlapping`` counts entities that
    share a character with another. ``leaks`` counts sentences that are sentences of a registered test split
    (for the test split itself it is not counted: it is one).
    """

    documents: int = 0
    empty_documents: int = 0
    sentences: int = 0
    words: int = 0
    entities: int = 0
    labels: dict[str, int] = {}
    misaligned: int = 0
    misaligned_at: list[str] = []
    overlapping: int = 0
    discontinuous: int = 0
    leaks: int | None = None
    tags: TagCheck | None = None


class Shared(msgspec.Struct, frozen=True):
    """Sentences of 45 characters or more that two splits have in common; ``share`` is of the second's."""

    first: str
    second: str
    sentences: int
    share: float


class CorpusFindings(msgspec.Struct):
    """What was found in a corpus; ``problems`` are the findings above a limit, in words."""

    corpus: str
    splits: dict[str, SplitFindings] = {}
    shared: list[Shared] = []
    problems: list[str] = []


def check_corpus(
    name_or_path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word every caller expects
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> CorpusFindings:
    """Check every split of a corpus.

    Args:
        name_or_path: as for ``corpora.load``.
        format: a format of ``medspan.formats`` where file names do not tell it.
        limits: above which share a finding is a problem.

    Raises:
        DataError: if the corpus is not there or a file is malformed.
    """
    findings = CorpusFindings(str(name_or_path))
    keys: dict[str, Keys] = {}
    for split, path in all_splits(name_or_path).items():
        documents = list(formats.read(path, format=format))
        findings.splits[split] = check_documents(documents, is_test=split == "test")
        if (format or formats.guess_format(path)) == "conll":
            findings.splits[split].tags = check_tags(path)
        keys[split] = keys_of(documents)
    findings.shared = _shared(keys)
    findings.problems = list(_problems(findings, limits))
    return findings


def check_documents(documents: Iterable[Document], *, is_test: bool = False) -> SplitFindings:
    """Check the documents of one split; a test split is not searched for leaks."""
    documents = list(documents)
    found = SplitFindings()
    labels: Counter[str] = Counter()
    for document in documents:
        _add_document(found, document)
        labels.update(entity.label for entity in document.entities)
    found.labels = dict(labels.most_common())
    if not is_test:
        found.leaks = find_leaks(documents).count
    return found


def _add_document(found: SplitFindings, document: Document) -> None:
    words = tokenize(document.text)
    found.documents += 1
    found.empty_documents += not words
    found.sentences += len(sentences_of(document))
    found.words += len(words)
    found.entities += len(document.entities)
    found.discontinuous += sum(entity.is_discontinuous for entity in document.entities)
    found.overlapping += _count_overlapping(document.entities)
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    for entity in document.entities:
        if any(span.start not in starts or span.end not in ends for span in entity.spans):
            found.misaligned += 1
            if len(found.misaligned_at) < _EXAMPLES:
                found.misaligned_at.append(f"{document.id}:{entity.start}-{entity.end}")


def _count_overlapping(entities: Iterable[Entity]) -> int:
    """Entities that share a character with another one."""
    pieces = sorted((span.start, span.end, entity.id) for entity in entities for span in entity.spans)
    touched: set[str] = set()
    reach, owner = 0, ""
    for start, end, identity in pieces:
        if start < reach:
            touched |= {owner, identity}
        if end > reach:
            reach, owner = end, identity
    return len(touched)


def _shared(keys: Mapping[str, Keys]) -> list[Shared]:
    names = list(keys)
    return [
        Shared(first, second, common, common / len(keys[second]))
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if (common := len(keys[first] & keys[second]))
    ]


def _problems(findings: CorpusFindings, limits: Limits) -> Iterable[str]:
    for split, found in findings.splits.items():
        yield from _split_problems(split, found, limits)
    for pair in findings.shared:
        if pair.share > limits.duplicates:
            yield (
                f"{pair.sentences} sentences of {pair.second} ({pair.share:.1%}) are in {pair.first} too; "
                "a score on them measures memory: split by document, or remove them from one"
            )


def _split_problems(split: str, found: SplitFindings, limits: Limits) -> Iterable[str]:
    if not found.documents:
        yield f"{split}: no documents"
        return
    if found.misaligned > limits.misaligned * found.entities:
        yield (
            f"{split}: {found.misaligned} of {found.entities} entities begin or end inside a word (first: "
            f"{found.misaligned_at[0]}); a model cannot give them: correct their offsets, or raise the limit"
        )
    if found.empty_documents > limits.empty * found.documents:
        yield f"{split}: {found.empty_documents} of {found.documents} documents have no word"
    if found.leaks and found.leaks > limits.leaks * found.sentences:
        yield (
            f"{split}: {found.leaks} of {found.sentences} sentences are sentences of a registered test "
            "split; training leaves them out, and refuses so large a share unless told"
        )
    if found.tags and found.tags.invalid:
        yield (
            f"{split}: {found.tags.invalid} tags cannot stand where they are in {found.tags.scheme} "
            f"(first in line {found.tags.first_line}); they are read as the CoNLL scorer reads them"
        )
