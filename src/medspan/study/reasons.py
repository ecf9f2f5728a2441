"""A study in sentences: for each corpus, what every other would teach it wrongly, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from medspan.study.causes import BARE, CAUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.study.structs import Cause, Pair, TypeStudy

_EXAMPLES = 6
_SLIGHT = 0.01


class Risk(NamedTuple):
    """What a helper teaches a target wrongly.

    ``extra`` places of the target's text would be labelled by the helper and are bare, for each of its
    mentions; ``missed`` is the share of the target's mentions whose strings the helper leaves bare; ``moved``
    the places for each mention where the two set other borders or labels, either way.
    """

    target: str
    helper: str
    extra: float
    missed: float
    moved: float

    @property
    def sum(self) -> float:
        """What to sort by."""
        return self.extra + self.missed + self.moved


def risks(study: TypeStudy) -> list[Risk]:
    """Of each target its helpers, the greatest risk first."""
    found = []
    mentions = {corpus.name: max(corpus.mentions, 1) for corpus in study.corpora}
    for target in study.corpora:
        mine = [
            risk
            for pair in study.pairs
            if pair.second == target.name
            if (risk := _risk(study, pair, mentions))
        ]
        found += sorted(mine, key=lambda risk: -risk.sum)
    return found


def _risk(study: TypeStudy, pair: Pair, mentions: dict[str, int]) -> Risk | None:
    back = study.pair(pair.second, pair.first)
    if back is None:
        return None
    count = mentions[pair.second]
    extra = sum(cause.places for cause in _bare(pair.causes)) / count
    missed = sum(cause.mentions for cause in _bare(back.causes)) / count
    moved = (_moved(pair.causes, "places") + _moved(back.causes, "mentions")) / count
    return Risk(pair.second, pair.first, extra, missed, moved)


def _bare(causes: Iterable[Cause]) -> list[Cause]:
    return [cause for cause in causes if cause.name in BARE]


def _moved(causes: Iterable[Cause], what: str) -> int:
    return sum(getattr(cause, what) for cause in causes if cause.name not in BARE)


def reasons(study: TypeStudy, risk: Risk) -> list[str]:
    """Why a helper may hurt a target, in sentences; none where hardly anything differs."""
    there, back = study.pair(risk.helper, risk.target), study.pair(risk.target, risk.helper)
    if there is None or back is None:
        return []
    said = []
    if risk.extra >= _SLIGHT:
        places = sum(cause.places for cause in _bare(there.causes))
        said.append(
            f"{risk.helper} labels what {risk.target} leaves bare: {places:,} places in its training text, "
            f"{100 * risk.extra:.1f} to a hundred of its mentions ({_listed(_bare(there.causes), 'places')})"
        )
    if risk.missed >= _SLIGHT:
        said.append(
            f"{risk.helper} leaves bare what {risk.target} labels: the strings of {100 * risk.missed:.1f} % "
            f"of its mentions ({_listed(_bare(back.causes), 'mentions')})"
        )
    if risk.moved >= _SLIGHT:
        sides = ((risk.helper, there.causes), (risk.target, back.causes))
        listed = (
            f"of {name}: {_listed(causes, 'places')}"
            for name, all_causes in sides
            if (causes := [cause for cause in all_causes if cause.name not in BARE])
        )
        said.append(f"other borders or labels at strings {'; '.join(listed)}")
    said.append(
        f"the strings of {risk.helper} have a precision of {100 * there.dictionary.precision:.1f} % on the "
        f"text of {risk.target}, {100 * there.own_precision:.1f} % on their own, and find "
        f"{100 * there.dictionary.recall:.1f} % of its mentions; of {there.dictionary.fp:,} wrong marks "
        f"{there.wrong_bare:,} stand where nothing is labelled, the others cut across mentions"
    )
    return said


def _listed(causes: Sequence[Cause], what: str) -> str:
    parts = []
    for cause in sorted(causes, key=lambda cause: -getattr(cause, what)):
        examples = ", ".join(cause.examples[:_EXAMPLES])
        parts.append(f"{CAUSES[cause.name]} {getattr(cause, what):,}" + (f": {examples}" if examples else ""))
    return "; ".join(parts)
