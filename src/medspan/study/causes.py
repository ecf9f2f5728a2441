"""Why a string clashes, in plain words: small tables and the form of the string.

The tables of words name what corpora of species are known to disagree about: people, and ranks above species.
Everything else is read off the strings and their counts.
"""

# ruff: noqa: SIM905 - word lists read better as prose than as quoted items

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from medspan.study.strings import Key

CAUSES: Final[dict[str, str]] = {
    "people": "words for people",
    "rank": "kinds and ranks above species",
    "generic": "generic words",
    "abbreviation": "abbreviations and symbols",
    "strain": "strains, variants and codes",
    "name": "names left out",
    "longer": "longer spans there (modifiers in)",
    "shorter": "shorter spans there (modifiers out)",
    "crossing": "other borders there",
    "label": "another label there",
}
"""Name of a cause → what it is called in reports."""
BARE: Final = ("people", "rank", "generic", "abbreviation", "strain", "name")
"""Causes of strings that the other corpus leaves bare."""

PEOPLE: Final[frozenset[str]] = frozenset(
    """
    adolescent adolescents adult adults boy boys child children donor donors female females girl girls
    individual individuals infant infants inpatients male males man men neonate neonates newborn newborns
    outpatients participant participants patient patients people person persons proband probands student
    students subject subjects volunteer volunteers woman women
    """.split()
)
RANKS: Final[frozenset[str]] = frozenset(
    """
    algae algal amphibian amphibians animal animals arthropod arthropods avian bacteria bacterial bacterium
    bird birds eukaryote eukaryotes eukaryotic fish fishes fungal fungi fungus host hosts insect insects
    invertebrate invertebrates mammal mammalian mammals metazoa metazoan metazoans microbe microbes
    microorganism microorganisms organism organisms parasite parasites pathogen pathogens plant plants
    primate primates prokaryote prokaryotes prokaryotic reptile reptiles rodent rodents species strain strains
    vertebrate vertebrates viral virus viruses
    """.split()
)
_LATIN_RANK = re.compile(r"[a-z]{3,}(aceae|ales|idae|inae|viridae|virinae|phyta|mycota|mycetes)")
_LONGEST_SYMBOL = 6


def cause_of(key: Key, surface: str, *, is_everywhere: bool) -> str:
    """The cause that the form of a string suggests, where the other corpus leaves it bare.

    Args:
        key: of the string.
        surface: as it is most often written.
        is_everywhere: whether nearly every corpus of the study has it in its text, whatever its type.
    """
    words = [word for word in key if word.isalnum()]
    if words and all(word in PEOPLE for word in words):
        return "people"
    if words and (words[-1] in RANKS or (len(words) == 1 and _LATIN_RANK.fullmatch(words[0]))):
        return "rank"
    if _is_symbol(surface):
        return "abbreviation"
    if any(character.isdigit() for character in surface) or "/" in key:
        return "strain"
    return "generic" if is_everywhere and surface.islower() else "name"


def _is_symbol(surface: str) -> bool:
    """A short single word of capitals or digits: *MRSA*, *p21*, *Ca2+*, *TNF-a*."""
    letters = [character for character in surface if character.isalnum()]
    if " " in surface.strip() or not 0 < len(letters) <= _LONGEST_SYMBOL:
        return False
    capitals = sum(character.isupper() for character in letters)
    digits = sum(character.isdigit() for character in letters)
    return capitals > 1 or (digits > 0 and digits < len(letters)) or (capitals == len(letters))
