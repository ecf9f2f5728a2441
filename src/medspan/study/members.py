"""What a recipe says of its corpora: which of them annotate the same entity type."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.config import HeadConfig, Recipe


class Member(NamedTuple):
    """A corpus in the part of one head; ``name`` is the corpus', with the head's where one is not enough."""

    name: str
    corpus: str
    head: str
    type: str
    labels: tuple[str, ...]


def members_of(recipe: Recipe) -> list[Member]:
    """A member for each corpus of each head, in the order of the recipe."""
    places = [
        (corpus, name, type_of(head), head.labels)
        for name, head in recipe.heads.items()
        for corpus in head.corpora
    ]
    often = Counter(corpus for corpus, *_ in places)
    return [
        Member(corpus if often[corpus] == 1 else f"{corpus}/{head}", corpus, head, kind, labels)
        for corpus, head, kind, labels in places
    ]


def type_of(head: HeadConfig) -> str:
    """The entity type of a head: its group where it has one, else its labels."""
    return head.group or ",".join(head.labels)


def by_type(members: Iterable[Member], wanted: Sequence[str] = ()) -> dict[str, list[Member]]:
    """Members of the same type, for types that two corpora or more annotate.

    Args:
        members: of a recipe.
        wanted: types to keep, in any case; all where empty.

    Raises:
        UsageError: if a type is unknown, or no type has two corpora.
    """
    found: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        found[member.type].append(member)
    names = {name.casefold(): name for name in found}
    for name in wanted:
        if name.casefold() not in names:
            raise UsageError(f"--type {name}: no head of the recipe has it; {did_you_mean(name, found)}")
    chosen = {names[name.casefold()] for name in wanted} or set(found)
    several = {
        name: each
        for name, each in found.items()
        if name in chosen and len({member.corpus for member in each}) > 1
    }
    if not several:
        raise UsageError(
            f"no two corpora annotate the same type (types: {', '.join(found)}); give heads of one type the "
            "same group, or map their labels to the same names with corpora.NAME.labels"
        )
    return several


def find_member(name: str, members: Sequence[Member]) -> Member:
    """The member of a name.

    Raises:
        UsageError: if there is none.
    """
    found = [member for member in members if member.name == name]
    if not found:
        raise UsageError(f"no corpus {name!r} in the recipe; {did_you_mean(name, [m.name for m in members])}")
    return found[0]
