"""The writer of CoNLL; ``conll`` describes the format."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import accumulate, pairwise
from typing import IO, TYPE_CHECKING

import msgspec

from medspan import tags
from medspan.errors import UsageError
from medspan.formats import files
from medspan.formats.layout import DOCSTART, Layout, Range, each, gap_column, recorded
from medspan.formats.protocol import Losses, WriteOptions, count_unheld
from medspan.text.sentences import split_sentences
from medspan.text.tokenize import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from medspan.types import Document, Entity

_SCHEMES = ("IOB1", "IOB2", "IOBES")


class _Output(msgspec.Struct):
    """Where the lines go, and what has been written so far."""

    lines: IO[str]
    stem: str
    documents: int = 0
    ids: list[str] = []
    last: str = "\n"  # the last character
    is_apart: bool = True  # whether an empty line came last

    def put(self, text: str) -> None:
        if text:
            self.lines.write(text)
            self.last = text[-1]


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write documents to one CoNLL file, and their ids to ``<name>.docids.txt`` beside it.

    Raises:
        UsageError: if the tag scheme is unknown or the file cannot be written.
    """
    if options.tag_scheme not in (None, *_SCHEMES):
        raise UsageError(f"unknown tag scheme {options.tag_scheme!r}; known: {', '.join(_SCHEMES)}")
    losses = Losses()
    with ExitStack() as stack:
        output = _Output(stack.enter_context(files.writing(path)), files.stem_of(path))
        for document in documents:
            _write_document(document, output, options, losses)
        listed = path.with_name(f"{output.stem}.docids.txt")
        # A list left over from an earlier file of this name would not fit the new one.
        if path != files.STANDARD and (output.ids or listed.exists()):
            beside = stack.enter_context(files.writing(listed))
            beside.writelines(f"{_listable(identity, losses)}\n" for identity in output.ids)
        else:  # without ids to list this adds nothing
            losses.add("document ids", len(output.ids))
    return losses


def _listable(identity: str, losses: Losses) -> str:
    """An id as a line of the id list; ``-`` where a line cannot hold it."""
    if not identity or identity == "-" or identity != identity.strip("\r\n") or "\n" in identity:
        losses.add("document ids")
        return "-"
    return identity


def _write_document(document: Document, output: _Output, options: WriteOptions, losses: Losses) -> None:
    layout, written = tagged(document, losses, options.tag_scheme, has_spacing=options.spacing)
    output.documents += 1
    _write_head(document, layout, output, losses)
    _write_words(document.text, layout, written, output)
    count_unheld(document, losses, frozenset({"sentences"}))


def tagged(
    document: Document, losses: Losses, scheme: str | None, *, has_spacing: bool = True
) -> tuple[Layout, list[str]]:
    """The words of a document, as they were read or else our own, by sentence, and the tag of each.

    Args:
        document: with entities.
        losses: where to count those that tags of words cannot hold.
        scheme: IOB1, IOB2 or IOBES; None for the one it was read with, or IOB2.
        has_spacing: whether the blanks between words are written too.
    """
    layout = recorded(document) or _made(document, losses, has_spacing=has_spacing)
    chunks = _chunks(document.entities, layout.ranges(), layout, losses)
    return layout, _tags(chunks, layout, scheme)


def _made(document: Document, losses: Losses, *, has_spacing: bool) -> Layout:
    """A layout for text that came with no words: our own words and sentences."""
    text = document.text
    words = tokenize(text)
    starts = _first_words(document, words, losses)
    gaps = [text[end:start] for (_, end), (start, _) in pairwise(words)]
    lead = text[: words[0][0]] if words else text
    layout = Layout(
        words=[end - start for start, end in words],
        sentences=[stop - first for first, stop in pairwise([*starts, len(words)])],
        lead=lead,
    )
    defaults = layout.all_gaps()
    layout.gaps = [*gaps, text[words[-1][1] :]] if words else []
    if has_spacing:
        columns = map(gap_column, layout.gaps, defaults)
        layout.middle = [f"\t{column}\t" for column in columns]
        layout.head = f"{DOCSTART}\t{gap_column(lead, '')}\tO\n\n"
    else:
        losses.add("documents whose spacing is not recorded", int(layout.gaps != defaults or bool(lead)))
        layout.head = f"{DOCSTART}\tO\n\n"
    return layout


def _first_words(document: Document, words: list[Range], losses: Losses) -> list[int]:
    """Which words begin a sentence; a border inside a mention is left out, to keep it whole."""
    given = [(span.start, span.end) for span in document.sentences]
    borders = [start for start, _ in sorted(given or split_sentences(document.text))]
    inside = _covered(document.entities)
    firsts, border = [0] if words else [], 0
    for index, (start, _) in enumerate(words):
        is_first = False
        while border < len(borders) and borders[border] <= start:
            border, is_first = border + 1, True
        if is_first and index and _is_inside(words[index - 1][1], start, inside):
            losses.add("sentence borders inside a mention", int(bool(given)))
        elif is_first and index:
            firsts.append(index)
    return firsts


def _covered(entities: tuple[Entity, ...]) -> list[Range]:
    """The ranges that mentions cover, joined where they overlap, in order."""
    joined: list[Range] = []
    for start, end in sorted(
        (entity.start, entity.end) for entity in entities if not entity.is_discontinuous
    ):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    joined.reverse()  # the next one is popped from the end
    return joined


def _is_inside(before: int, start: int, covered: list[Range]) -> bool:
    """Whether a mention runs across the border between two words; drops mentions that end before it."""
    while covered and covered[-1][1] <= start:
        covered.pop()
    return bool(covered) and covered[-1][0] < before


def _chunks(
    entities: tuple[Entity, ...], ranges: list[Range], layout: Layout, losses: Losses
) -> list[tags.Chunk]:
    """The entities as word ranges; what the format cannot hold is counted, the longer of two stays."""
    starts = {start: index for index, (start, _) in enumerate(ranges)}
    ends = {end: index + 1 for index, (_, end) in enumerate(ranges)}
    sentence_of = [index for index, count in enumerate(layout.sentences) for _ in range(count)]
    taken = bytearray(len(ranges))
    kept: list[tuple[tags.Chunk, str]] = []
    for entity in sorted(
        entities, key=lambda entity: (entity.start - entity.end, entity.start, entity.label)
    ):
        first, stop = starts.get(entity.start), ends.get(entity.end)
        if entity.is_discontinuous:
            losses.add("discontinuous spans")
        elif first is None or stop is None:
            losses.add("spans off word borders")
        elif sentence_of[first] != sentence_of[stop - 1]:
            losses.add("spans across sentences")
        elif any(taken[first:stop]):
            losses.add("overlapping spans")
        elif not _is_writable(entity.label, layout):
            losses.add("spans whose label holds a tab, a line end or a blank the columns cannot hold")
        else:
            taken[first:stop] = b"\1" * (stop - first)
            kept.append(((first, stop, entity.label), entity.id))
    kept.sort()
    # A reader numbers them in order; any other id is gone.
    losses.add("entity ids", sum(identity != f"T{number}" for number, (_, identity) in enumerate(kept, 1)))
    return [chunk for chunk, _ in kept]


def _is_writable(label: str, layout: Layout) -> bool:
    if label != label.strip(" ") or any(character in label for character in "\t\r\n"):
        return False
    return " " not in label or all("\t" in middle for middle in each(layout.middle, 1))


def _tags(chunks: list[tags.Chunk], layout: Layout, scheme: str | None) -> list[str]:
    """The tag of each word, sentence by sentence."""
    written: list[str] = []
    waiting = list(reversed(chunks))
    for count in layout.sentences:
        offset = len(written)
        local = []
        while waiting and waiting[-1][0] < offset + count:
            first, stop, label = waiting.pop()
            local.append((first - offset, stop - offset, label))
        as_read = layout.tags[offset : offset + count] if layout.tags and scheme is None else None
        if as_read is not None and tags.decode(as_read) == local:
            written += as_read
        else:
            written += tags.encode(local, count, scheme or layout.scheme)
    return written


def _write_head(document: Document, layout: Layout, output: _Output, losses: Losses) -> None:
    """What stands before the words. One sentence without -DOCSTART- stays so while no other has one."""
    head = layout.head if output.documents == 1 else layout.head.removeprefix("\ufeff")
    is_bare = DOCSTART not in head and len(layout.sentences) == 1 and not output.ids
    if output.last != "\n":
        output.put("\n")
    if is_bare:
        # A reader names it <stem>-<number>; only the number can be told from the file's content.
        losses.add("document ids", int(not document.id.endswith(f"-{output.documents}")))
        if not output.is_apart:
            output.put("\n")
    else:
        output.ids.append(document.id)
        head = head if DOCSTART in head else f"{DOCSTART}\tO\n\n"
    output.put(head)


def _write_words(text: str, layout: Layout, written: list[str], output: _Output) -> None:
    count = len(layout.words)
    middles, tails = each(layout.middle, count), each(layout.tail, count)
    rows = [
        f"{text[start:end]}{middle}{tag}{tail}"
        for (start, end), middle, tag, tail in zip(layout.ranges(), middles, written, tails, strict=True)
    ]
    stops = accumulate(layout.sentences)
    for size, stop, after in zip(
        layout.sentences, stops, each(layout.breaks, len(layout.sentences)), strict=True
    ):
        output.put("".join(rows[stop - size : stop]) + after)
        output.is_apart = bool(after)
