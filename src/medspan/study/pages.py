"""A study as Markdown, as one HTML page and for a terminal: the same blocks, written three ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from medspan.report.html import html_table, html_text
from medspan.report.markdown import escape_markdown, markdown_table
from medspan.report.rows import NOTHING, count, interval, percent
from medspan.report.style import PAGE, STYLE
from medspan.study.causes import CAUSES
from medspan.study.reasons import reasons, risks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.study.reasons import Risk
    from medspan.study.structs import Clash, Conflict, Gain, Pair, Study, TypeStudy

_CLASHES_SHOWN = 25
_ADDED_SHOWN = 6
_WORTH_SAYING = 0.02
_TITLE = "Which corpora belong together"


class Heading(NamedTuple):
    """A heading; 1 is the page's title."""

    level: int
    text: str


class Said(NamedTuple):
    """A paragraph, or where it has items a list under it."""

    text: str
    items: tuple[str, ...] = ()


class Table(NamedTuple):
    """A table; its first column names the rows."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Said | Table


def blocks_of(study: Study, *, is_short: bool = False) -> list[Block]:
    """The study in blocks; where it should be short, for a terminal, without what hardly differs."""
    blocks: list[Block] = [Heading(1, _TITLE), Said(_about(study))]
    for each in study.types:
        blocks += [Heading(2, each.type), *_type(study, each, is_short=is_short)]
    if study.gains:
        blocks += [Heading(2, "Gain on dev"), *_gains(study)]
    for run, conflicts in study.conflicts.items():
        blocks += [Heading(2, f"Conflict of gradients in {run}"), *_conflicts(conflicts)]
    return blocks


def to_markdown(study: Study) -> str:
    """The whole study as Markdown."""
    parts = []
    for block in blocks_of(study):
        match block:
            case Heading(level, text):
                parts.append(f"{'#' * level} {escape_markdown(text)}")
            case Said(text, items):
                listed = "\n".join(f"- {escape_markdown(item)}" for item in items)
                parts.append("\n\n".join(part for part in (escape_markdown(text), listed) if part))
            case Table(header, rows):
                parts.append(markdown_table(header, rows))
    return "\n\n".join(parts) + "\n"


def to_text(study: Study) -> str:
    """What matters most as plain text with aligned tables, for a terminal."""
    parts = []
    for block in blocks_of(study, is_short=True):
        match block:
            case Heading(level, text):
                parts.append(text.upper() if level <= 2 else text)  # noqa: PLR2004 - the larger headings
            case Said(text, items):
                parts.append("\n".join([text, *(f"  - {item}" for item in items)]))
            case Table(header, rows):
                parts.append(_aligned([header, *rows]))
    return "\n\n".join(parts) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def to_html(study: Study) -> str:
    """The whole study as one page without scripts or outside files."""
    parts = []
    for block in blocks_of(study):
        match block:
            case Heading(level, text):
                parts.append(f"<h{level}>{html_text(text)}</h{level}>")
            case Said(text, items):
                listed = "".join(f"<li>{html_text(item)}</li>" for item in items)
                parts.append(
                    (f"<p>{html_text(text)}</p>" if text else "") + (listed and f"<ul>{listed}</ul>")
                )
            case Table(header, rows):
                parts.append(html_table(header, rows))
    return PAGE.format(title=_TITLE, style=STYLE, body="\n".join(parts))


def _about(study: Study) -> str:
    limits = study.limits
    return (
        f"{study.recipe}, {study.split} splits. A string clashes if the first corpus labels it at least "
        f"{limits.at_least} times and at more than {100 * limits.high:.0f} % of its places, and it stands in "
        f"the second at least {limits.occurs} times and is labelled at less than {100 * limits.low:.0f} % of "
        "them; or if both label it, with other borders or another label. Places are where the second corpus "
        "differs from the first one's convention. Strings of the first: precision and recall on the second's "
        "text of the strings that the first mostly labels, the longest first; own: their precision on the "
        "first's own text."
    )


def _type(study: Study, each: TypeStudy, *, is_short: bool) -> list[Block]:
    blocks: list[Block] = [] if is_short else [_corpora(each), _pairs(each)]
    found = risks(each)
    blocks += [Heading(3, f"{each.type}: what may hurt whom"), *_risk_matrix(found)]
    for risk in found:
        if is_short and risk.sum < _WORTH_SAYING:
            continue
        title = (
            f"{risk.helper} for {risk.target}: labels {100 * risk.extra:.1f} places too many and "
            f"{100 * risk.missed:.1f} mentions too few in a hundred, {100 * risk.moved:.1f} otherwise"
        )
        if gain := _pair_gain(study.gains, risk.target, risk.helper):
            title += f"; measured gain {_signed(gain.gain)} points of dev F1"
        blocks.append(Said(f"{title}.", tuple(reasons(each, risk))))
    if not is_short:
        for pair in each.pairs:
            blocks += _pair_details(pair)
    return blocks


def _risk_matrix(found: Sequence[Risk]) -> list[Block]:
    names = list(dict.fromkeys(risk.target for risk in found))
    sums = {(risk.target, risk.helper): risk.sum for risk in found}
    rows = tuple(
        (
            target,
            *(
                f"{100 * sums[target, helper]:.1f}" if (target, helper) in sums else NOTHING
                for helper in names
            ),
        )
        for target in names
    )
    said = "To a hundred mentions of a corpus (row), differences from the convention of another (column)."
    return [Said(said), Table(("", *names), rows)]


def _corpora(each: TypeStudy) -> Table:
    header = ("corpus", "documents", "words", "mentions", "strings", "words a mention", "one word, %")
    rows = tuple(
        (
            corpus.name,
            count(corpus.documents),
            count(corpus.words),
            count(corpus.mentions),
            count(corpus.strings),
            f"{corpus.words_per_mention:.2f}",
            f"{100 * corpus.one_word_share:.1f}",
            f"{corpus.mentions_per_1000_words:.1f}",
            ", ".join(f"{string} {number}" for string, number in corpus.top[:_ADDED_SHOWN]) or NOTHING,
        )
        for corpus in each.corpora
    )
    return Table((*header, "mentions in 1,000 words", "most frequent"), rows)


def _pairs(each: TypeStudy) -> Table:
    header = (
        "first → second",
        "clashing strings",
        "of shared",
        "% of the first's mentions",
        "places in the second",
    )
    more = ("a 100 mentions", "precision of the first's strings", "own", "recall", "F1", "main cause")
    rows = tuple(
        (
            f"{pair.first} → {pair.second}",
            count(pair.clashing),
            count(pair.shared),
            percent(pair.mention_share),
            count(pair.places),
            f"{pair.per_100:.1f}",
            percent(pair.dictionary.precision),
            percent(pair.own_precision),
            percent(pair.dictionary.recall),
            percent(pair.dictionary.f1),
            f"{CAUSES[pair.causes[0].name]} {pair.causes[0].places:,}" if pair.causes else NOTHING,
        )
        for pair in each.pairs
    )
    return Table((*header, *more), rows)


def _pair_details(pair: Pair) -> list[Block]:
    if not pair.clashes:
        return []
    borders = pair.borders
    labelled = borders.exact + borders.longer + borders.shorter + borders.crossing
    added = ", ".join(f"{words} ({number})" for words, number in borders.added[:_ADDED_SHOWN])
    said = (
        f"Borders: of {labelled:,} mentions of {pair.second} at strings that {pair.first} labels as they "
        f"stand, {borders.exact:,} are the same, {borders.longer:,} longer, {borders.shorter:,} shorter, "
        f"{borders.crossing:,} cross." + (f" Longer ones add: {added}." if added else "")
    )
    header = (
        "string",
        "in the first",
        "labelled, %",
        "places in the second",
        "labelled alike",
        "otherwise",
        "cause",
    )
    rows = tuple(_clash_row(clash) for clash in pair.clashes[:_CLASHES_SHOWN])
    return [Heading(3, f"{pair.first} → {pair.second}"), Said(said), Table(header, rows)]


def _clash_row(clash: Clash) -> tuple[str, ...]:
    return (
        clash.string or NOTHING,
        count(clash.mentions),
        percent(clash.share),
        count(clash.places),
        count(clash.exact),
        count(clash.clashing),
        CAUSES[clash.cause],
    )


def _pair_gain(gains: Iterable[Gain], target: str, helper: str) -> Gain | None:
    return next((gain for gain in gains if (gain.target, gain.helpers) == (target, (helper,))), None)


def _signed(gain: float) -> str:
    return f"{100 * gain:+.2f}"


def _gains(study: Study) -> list[Block]:
    """The matrix of pairs, then every gain with its interval."""
    singles = [gain for gain in study.gains if len(gain.helpers) == 1]
    targets = sorted({gain.target for gain in singles})
    helpers = sorted({gain.helpers[0] for gain in singles})
    matrix = tuple((target, *(_cell(singles, target, helper) for helper in helpers)) for target in targets)
    rows = tuple(
        (
            gain.target,
            percent(gain.single),
            percent(gain.joint),
            _signed(gain.gain),
            interval(gain.interval),
            count(len(gain.seeds)),
            ", ".join(gain.helpers),
        )
        for gain in study.gains
    )
    said = (
        "Strict F1 on dev of a corpus (row) trained with another (column), a head each, less that of the "
        f"corpus alone, in points. Each run: {study.budget}. Intervals resample dev documents, and seeds "
        "where there are several; with one seed they leave out what another seed would change."
    )
    header = ("target", "alone", "together", "gain", "95 % interval", "seeds", "with")
    found: list[Block] = [Said(said)]
    return found + ([Table(("", *helpers), matrix)] if matrix else []) + [Table(header, rows)]


def _cell(gains: Iterable[Gain], target: str, helper: str) -> str:
    gain = _pair_gain(gains, target, helper)
    return NOTHING if gain is None else _signed(gain.gain)


def _conflicts(conflicts: Sequence[Conflict]) -> list[Block]:
    names = sorted({name for each in conflicts for name in (each.first, each.second)})
    cosines = {(each.first, each.second): each.cosine for each in conflicts}
    rows = tuple(
        (
            one,
            *(
                f"{cosines[min(one, other), max(one, other)]:+.3f}"
                if (min(one, other), max(one, other)) in cosines
                else NOTHING
                for other in names
            ),
        )
        for one in names
    )
    if not conflicts:
        return [Said("The log holds no conflict rows.")]
    said = (
        "Mean cosine of two corpora's gradients of the shared encoder; below zero, what helps the one hurts "
        "the other."
    )
    return [Said(said), Table(("", *names), rows)]
