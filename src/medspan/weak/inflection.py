"""Which forms of a noun belong together, as data: a table of paradigms for each language.

A paradigm is the set of endings that one stem takes. Two words are forms of one noun where cutting an ending
of the same paradigm off each leaves the same stem: Swedish ``njuren`` and ``njurar`` (paradigm ``e en ar
arna``), English ``biopsy`` and ``biopsies`` (``y ies``). Nothing is guessed about words as such, so a rule
can be wrong only where two nouns differ by nothing but such endings.

The Swedish table holds the five declensions as grammars list them (Teleman et al. 1999, volume 2), the usual
syncope of -el, -er and -en, and the Latin endings of medicine; a genitive -s may follow any form. Nouns that
change their vowel (hand, händer) are not in it. The English one holds the regular plurals and those of Greek
and Latin words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple


class Inflection(NamedTuple):
    """The rules of a language.

    paradigms: each the endings of one stem, ``-`` for none, and behind ``|`` what the stem must end in;
    genitive: an ending any form may carry, or empty; shortest: letters a stem has at least.
    """

    paradigms: tuple[str, ...]
    genitive: str
    shortest: int


INFLECTIONS: Final[dict[str, Inflection]] = {
    "sv": Inflection(
        paradigms=(
            "a an or orna",  # lunga
            "- en ar arna | consonant",  # arm
            "e en ar arna",  # njure
            "el eln lar larna",  # axel
            "er ern rar rarna",  # feber
            "are aren arna",  # hämmare
            "- en er erna | consonant",  # infektion
            "- n er erna | vowel",  # allergi
            "- n r rna | vowel",  # arterie
            "el eln ler lerna",  # muskel
            "er ern rer rerna",  # fiber
            "- t n na | vowel",  # hjärta
            "- et en | consonant",  # ben
            "el let len",  # läkemedel
            "er ret ren",  # fönster
            "en net nen",  # tecken
            "um et er erna",  # kranium
            "um et a",  # centrum
        ),
        genitive="s",
        shortest=3,
    ),
    "en": Inflection(
        paradigms=(
            "- s",  # drug
            "- es",  # abscess
            "y ies",  # biopsy
            "is es",  # metastasis
            "us i",  # bacillus
            "um a",  # bacterium
            "on a",  # mitochondrion
            "a ae",  # vertebra
            "ma mata mas",  # carcinoma
            "ix ices",  # cervix
            "ex ices",  # cortex
            "x ges",  # larynx
            "f ves",  # calf
            "fe ves",  # knife
        ),
        genitive="",
        shortest=3,
    ),
}
"""By ISO 639-1 code of the language."""


@lru_cache(maxsize=1 << 15)
def form_keys(word: str, language: str) -> tuple[str, ...]:
    """What a word shares with the other forms of the same noun: a stem and the paradigm it is of.

    Args:
        word: a word in lower case.
        language: a key of `INFLECTIONS`.

    Returns:
        Keys; two words are forms of one noun where they share one. Words with other characters than letters
        have none.
    """
    rules = INFLECTIONS[language]
    if not word.isalpha():
        return ()
    forms = [word]
    if rules.genitive and word.endswith(rules.genitive):
        forms.append(word.removesuffix(rules.genitive))
    return tuple(
        dict.fromkeys(
            f"{stem}-{number}"
            for form in forms
            for number, (endings, stem_ends) in enumerate(_ENDINGS[language])
            for ending in endings
            if form.endswith(ending) and len(stem := form[: len(form) - len(ending)]) >= rules.shortest
            if not stem_ends or (stem[-1] in _VOWELS) == (stem_ends == "vowel")
        )
    )


def _parsed(row: str) -> tuple[tuple[str, ...], str]:
    """Endings, and what the stem must end in."""
    endings, _, stem_ends = row.partition("|")
    return tuple(ending.removeprefix("-") for ending in endings.split()), stem_ends.strip()


_VOWELS: Final = frozenset("aeiouyåäöéáàèü")
_ENDINGS: Final = {language: list(map(_parsed, rules.paradigms)) for language, rules in INFLECTIONS.items()}
