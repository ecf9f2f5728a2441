"""Tags of a word sequence ↔ labelled word ranges, and which tag may follow which.

Models use IOBES (Begin, Inside, End, Single, Outside); files may hold IOB1, IOB2 or IOBES.
A ``Chunk`` is ``(first, last + 1, label)`` in word positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Chunk = tuple[int, int, str]
OUTSIDE = "O"


def iobes_tags(labels: Sequence[str]) -> list[str]:
    """All IOBES tags of some labels; ``O`` is first, then B I E S for each label in order."""
    return [OUTSIDE] + [f"{prefix}-{label}" for label in labels for prefix in "BIES"]


def split_tag(tag: str) -> tuple[str, str]:
    """``"B-Disease"`` → ``("B", "Disease")``; ``"O"`` → ``("O", "")``."""
    prefix, _, label = tag.partition("-")
    return prefix, label


def encode(chunks: Iterable[Chunk], length: int, scheme: str = "IOBES") -> list[str]:
    """Write disjoint chunks as tags of ``length`` words.

    Raises:
        ValueError: if chunks overlap, lie outside, or the scheme is not IOB1, IOB2 or IOBES.
    """
    writers = {"IOB1": _write_iob1, "IOB2": _write_iob2, "IOBES": _write_iobes}
    if scheme not in writers:
        raise ValueError(f"unknown tag scheme {scheme!r}; known: IOB1, IOB2, IOBES")
    tags = [OUTSIDE] * length
    for first, stop, label in sorted(chunks):
        if not 0 <= first < stop <= length or any(tag != OUTSIDE for tag in tags[first:stop]):
            raise ValueError(f"chunk ({first}, {stop}) overlaps another or lies outside {length} words")
        writers[scheme](tags, first, stop, label)
    return tags


def _write_iob2(tags: list[str], first: int, stop: int, label: str) -> None:
    tags[first:stop] = [f"B-{label}"] + [f"I-{label}"] * (stop - first - 1)


def _write_iob1(tags: list[str], first: int, stop: int, label: str) -> None:
    """IOB1 begins with B only where a chunk of the same label ends just before."""
    _write_iob2(tags, first, stop, label)
    before = split_tag(tags[first - 1])[1] if first else ""
    if before != label:
        tags[first] = f"I-{label}"


def _write_iobes(tags: list[str], first: int, stop: int, label: str) -> None:
    if stop - first == 1:
        tags[first] = f"S-{label}"
        return
    tags[first:stop] = [f"B-{label}"] + [f"I-{label}"] * (stop - first - 2) + [f"E-{label}"]


def decode(tags: Sequence[str]) -> list[Chunk]:
    """Read chunks from IOB1, IOB2 or IOBES tags as the CoNLL scorer does.

    A chunk starts at B or S, at I or E after O or after another label, and after an E or S; so an
    invalid sequence still gives the chunks conlleval counts.
    """
    chunks: list[Chunk] = []
    start, open_label = 0, ""
    for position, tag in enumerate([*tags, OUTSIDE]):
        prefix, label = split_tag(tag)
        if open_label and (prefix in "OBS" or label != open_label):
            chunks.append((start, position, open_label))
            open_label = ""
        if prefix in "BS" or (prefix in "IE" and not open_label):
            start, open_label = position, label
        if prefix in "ES" and open_label:
            chunks.append((start, position + 1, open_label))
            open_label = ""
    return chunks


def may_start(tag: str) -> bool:
    """Whether a sequence may begin with this IOBES tag."""
    return tag[0] in "OBS"


def may_end(tag: str) -> bool:
    """Whether a sequence may end with this IOBES tag."""
    return tag[0] in "OES"


def may_follow(before: str, after: str) -> bool:
    """Whether ``after`` may stand right behind ``before`` in IOBES."""
    if before[0] in "BI":
        return after[0] in "IE" and split_tag(before)[1] == split_tag(after)[1]
    return after[0] in "OBS"
