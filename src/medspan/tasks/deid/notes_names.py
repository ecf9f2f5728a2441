"""Names for synthetic notes, split between training and test by what they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

from medspan.errors import MissingExtraError
from medspan.tasks.deid.gazetteer import NameLists
from medspan.tasks.deid.names import name_lists, place_lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faker import Faker

Part = Literal["train", "test"]

_TEST_SHARE = 5  # one name of so many is kept for tests
_DRAWN = 500
_LOCALES = """
en_US en_GB en_IN en_NG es_ES es_MX fr_FR de_DE de_AT it_IT pt_PT pt_BR nl_NL sv_SE no_NO da_DK
fi_FI is_IS pl_PL cs_CZ sk_SK hu_HU hr_HR sl_SI et_EE lt_LT lv_LV ro_RO tr_TR el_GR ru_RU vi_VN
zu_ZA fil_PH en_IE en_AU en_CA fr_CA de_CH sq_AL
"""
_METHODS = {
    "female": "first_name_female",
    "male": "first_name_male",
    "surname": "last_name",
    "city": "city",
    "street": "street_address",
    "phone": "phone_number",
    "postcode": "postcode",
}


class Names(msgspec.Struct, frozen=True):
    """Names a note is written with; ``phone`` and ``postcode`` only come from other countries."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    surname: tuple[str, ...]
    city: tuple[str, ...]
    street: tuple[str, ...]
    facility: tuple[str, ...]
    phone: tuple[str, ...] = ()
    postcode: tuple[str, ...] = ()


def is_of(part: Part, name: str) -> bool:
    """Whether a name is of a part: a fifth is for tests, chosen by its digest alone."""
    is_test = hashlib.sha256(name.casefold().encode()).digest()[0] % _TEST_SHARE == 0
    return is_test == (part == "test")


def own_names(part: Part) -> Names:
    """English names and invented places of the package."""
    people, places = name_lists("en"), place_lists()
    raw = {**msgspec.structs.asdict(people), **msgspec.structs.asdict(places)}
    return Names(**{kind: _of(part, names) for kind, names in raw.items()})


def world_names(part: Part, seed: int = 13) -> Names:
    """Names, towns, streets and telephones of many countries, from the package faker (MIT).

    Raises:
        MissingExtraError: if faker is not installed.
    """
    found: dict[str, list[str]] = {name: [] for name in Names.__struct_fields__}
    for source in _sources():
        source.seed_instance(seed)
        for kind, method in _METHODS.items():
            maker = getattr(source, method, None)  # some languages lack some
            if maker is not None:
                found[kind] += dict.fromkeys(str(maker()).replace("\n", ", ") for _ in range(_DRAWN))
    found["facility"] = list(place_lists().facility)
    return Names(**{kind: _of(part, names) for kind, names in found.items()})


def world_lists() -> NameLists:
    """Every first and family name that faker has for these countries.

    Raises:
        MissingExtraError: if faker is not installed.
    """
    given: set[str] = set()
    family: set[str] = set()
    for source in _sources():
        for provider in source.providers:
            for kind in ("first_names", "first_names_female", "first_names_male"):
                given.update(map(str, getattr(provider, kind, ())))
            family.update(map(str, getattr(provider, "last_names", ())))
    return NameLists(frozenset(given), frozenset(family))


def _sources() -> Iterator[Faker]:
    try:
        from faker import Faker  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("names of other countries", "faker", "deid") from None
    return map(Faker, _LOCALES.split())


def _of(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if is_of(part, name)))
