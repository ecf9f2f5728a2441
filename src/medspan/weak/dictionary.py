"""A dictionary as an Annotator: longest match on word borders, with rules for case and inflection.

Terms stand in a tree of words, so a text is read once whatever the number of terms, at the price of a look-up
for each word and for each word a term may go on with.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from medspan.errors import UsageError, did_you_mean
from medspan.text.marks import JOINERS
from medspan.text.tokenize import tokenize
from medspan.types import Concept, Document, Entity, Span
from medspan.weak.inflection import INFLECTIONS, form_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from medspan.weak.terms import Source, Term, Terms

CaseRule = Literal["smart", "exact", "any"]
CASE_RULES: tuple[CaseRule, ...] = ("smart", "exact", "any")
SHORT_CAPITALS = 5
"""Letters up to which a term in capitals is taken for an acronym under the rule ``smart``."""
_NO_JOINERS = str.maketrans(dict.fromkeys(JOINERS, ""))


class Match(NamedTuple):
    """A term found: half-open character offsets, and the term."""

    start: int
    end: int
    term: Term


class _Entry(NamedTuple):
    """A term that ends at a node, its words as they stand in it, and whether the text must have them so."""

    term: Term
    words: tuple[str, ...]
    is_exact: bool


class _Node(msgspec.Struct):
    """Words that may follow, terms that end here, and terms whose last word may follow in another form."""

    children: dict[str, _Node] = {}
    entries: list[_Entry] = []
    inflected: dict[str, list[_Entry]] = {}


class Lexicon:
    """Terms in a tree of words.

    Args:
        terms: any number; of terms that differ in case only, the one that stands in the text wins, else the
            first.
        case: ``smart`` wants the case of acronyms (capitals, at most `SHORT_CAPITALS` letters) and no
            other's; ``exact`` wants that of every term; ``any`` of none.
        language: of the inflection rules for the last word of a term; none where None. Terms whose case
            counts are not inflected.

    Raises:
        UsageError: if the case rule or the language is unknown.
    """

    def __init__(
        self, terms: Iterable[Term], *, case: CaseRule = "smart", language: str | None = None
    ) -> None:
        if case not in CASE_RULES:
            raise UsageError(f"case rule {case!r}: unknown; {did_you_mean(case, CASE_RULES)}")
        if language is not None and language not in INFLECTIONS:
            raise UsageError(f"no inflection rules for {language!r}; {did_you_mean(language, INFLECTIONS)}")
        self._case, self._language = case, language
        self._root = _Node()
        self.size = 0
        for term in terms:
            self._add(term)

    def _add(self, term: Term) -> None:
        spelt = tuple(term.surface[start:end] for start, end in tokenize(term.surface))
        if not spelt:
            return
        words = list(map(fold, spelt))
        self.size += 1
        node = self._root
        for word in words[:-1]:
            node = node.children.setdefault(word, _Node())
        entry = _Entry(term, spelt, _counts_case(term.surface, self._case))
        if self._language is not None and not entry.is_exact:
            for key in form_keys(words[-1], self._language):
                node.inflected.setdefault(key, []).append(entry)
        node.children.setdefault(words[-1], _Node()).entries.append(entry)

    def find(self, text: str) -> list[Match]:
        """The terms of a text, in order and disjoint: of overlapping ones the longest, then the first."""
        words = tokenize(text)
        folded = [fold(text[start:end]) for start, end in words]
        longest = [match for at in range(len(words)) if (match := self._longest(text, words, folded, at))]
        kept: list[Match] = []
        for group in _overlapping(longest):
            kept += group if len(group) == 1 else _disjoint(group)
        return kept

    def _longest(
        self, text: str, words: Sequence[tuple[int, int]], folded: Sequence[str], at: int
    ) -> Match | None:
        """The longest term that begins with a word."""
        found = None
        node = self._root
        for place in range(at, len(words)):
            start, end = words[at][0], words[place][1]
            if place > at and _is_apart(text, words[place - 1][1], words[place][0]):
                break
            child = node.children.get(folded[place])
            entry = _fitting(child.entries, text, words[at : place + 1]) if child else None
            entry = entry or self._inflected(node, folded[place])
            if entry:
                found = Match(start, end, entry.term)
            if child is None:
                break
            node = child
        return found

    def _inflected(self, node: _Node, word: str) -> _Entry | None:
        if not node.inflected or self._language is None:
            return None
        for key in form_keys(word, self._language):
            if key in node.inflected:
                return node.inflected[key][0]
        return None


class DictionaryAnnotator:
    """Marks the terms of a dictionary: a baseline, and a source of labels to learn from.

    Entities and relations a document had are replaced. Entities have no score, for a dictionary knows none.
    Each document's ``meta["weak"]`` says where the terms come from.

    Args:
        terms: as `read_terms` and `corpus_terms` give them.
        case: see `Lexicon`.
        language: see `Lexicon`.

    Raises:
        UsageError: if the case rule or the language is unknown.
    """

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities"})

    def __init__(self, terms: Terms, *, case: CaseRule = "smart", language: str | None = None) -> None:
        self.lexicon = Lexicon(terms.terms, case=case, language=language)
        self.source: Source = terms.source
        self._provenance = {
            "method": "dictionary",
            **msgspec.to_builtins(terms.source),
            "case": case,
            **({"inflection": language} if language else {}),
        }

    def __call__(self, text: str, *, id: str = "text") -> Document:  # noqa: A002 - the document's id
        """Mark the terms of one text."""
        return self._annotated(Document(id, text))

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Mark the terms of many documents, in order and one at a time."""
        return map(self._annotated, documents)

    def _annotated(self, document: Document) -> Document:
        entities = tuple(
            Entity(
                f"T{number}",
                match.term.label,
                (Span(match.start, match.end),),
                concepts=(Concept(match.term.concept),) if match.term.concept else (),
            )
            for number, match in enumerate(self.lexicon.find(document.text), start=1)
        )
        meta = {**document.meta, "weak": self._provenance}
        return document.replace(entities=entities, relations=(), meta=meta)


def fold(word: str) -> str:
    """A word without what does not tell terms apart: case, compatibility forms, soft hyphens."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word.translate(_NO_JOINERS)).casefold()


def _counts_case(surface: str, rule: CaseRule) -> bool:
    if rule != "smart":
        return rule == "exact"
    letters = [character for character in surface if character.isalpha()]
    return 0 < len(letters) <= SHORT_CAPITALS and all(letter.isupper() for letter in letters)


def _fitting(entries: Sequence[_Entry], text: str, words: Sequence[tuple[int, int]]) -> _Entry | None:
    """The entry that stands in the text as written, else the first that may stand in any case.

    Blanks between the words do not count: a term goes on in the next line, too.
    """
    if not entries:
        return None
    spelt = tuple(text[start:end] for start, end in words)
    same = next((entry for entry in entries if entry.words == spelt), None)
    return same or next((entry for entry in entries if not entry.is_exact), None)


def _is_apart(text: str, end: int, start: int) -> bool:
    """Whether an empty line, or more, lies between two words: no term goes across it."""
    return start > end + 1 and text.count("\n", end, start) > 1


def _overlapping(matches: Sequence[Match]) -> Iterator[list[Match]]:
    """Runs of matches, in order of their starts, that hang together by overlaps."""
    group: list[Match] = []
    last = 0
    for match in matches:
        if group and match.start >= last:
            yield group
            group = []
        group.append(match)
        last = max(last, match.end)
    if group:
        yield group


def _disjoint(group: Sequence[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in sorted(group, key=lambda each: (each.start - each.end, each.start)):
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    return sorted(kept)
