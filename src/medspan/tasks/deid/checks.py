"""Check digits, ranges and forms of numbers: each takes a match as written and says whether it holds."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_VIN_VALUES = {
    letter: value
    for value, letters in enumerate(("", "AJ", "BKS", "CLT", "DMU", "ENV", "FW", "GPX", "HY", "RZ"))
    for letter in letters
}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_NPI_PREFIX = "80840"
_OLDEST_KEPT_AGE = 89
_OLDEST_AGE = 125


def digits_of(text: str) -> str:
    """The ASCII digits of a text."""
    return "".join(character for character in text if character in "0123456789")


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in text.upper() if character.isascii() and character.isalnum())


def luhn(text: str) -> bool:
    """ISO/IEC 7812: card numbers."""
    total = 0
    for place, digit in enumerate(reversed(digits_of(text))):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digits of a product are added
    return total % 10 == 0


def card(text: str) -> bool:
    """A card number: 12 to 19 digits, not all the same, with a Luhn digit."""
    digits = digits_of(text)
    return 12 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)  # noqa: PLR2004 - ISO/IEC 7812


def ssn(text: str) -> bool:
    """A US social security number that can have been given out: area not 000, 666 or 900 to 999."""
    digits = digits_of(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9  # noqa: PLR2004 - nine digits
        and area not in {"000", "666"}
        and area[0] != "9"
        and group != "00"
        and serial != "0000"
    )


def npi(text: str) -> bool:
    """A US National Provider Identifier: ten digits, Luhn after the prefix 80840."""
    digits = digits_of(text)
    return len(digits) == 10 and digits[0] in "12" and luhn(_NPI_PREFIX + digits)  # noqa: PLR2004 - ten digits


def dea(text: str) -> bool:
    """A number of the US Drug Enforcement Administration: two letters and seven digits."""
    digits = digits_of(text)
    if len(digits) != 7:  # noqa: PLR2004 - seven digits
        return False
    odd, even = sum(map(int, digits[0:5:2])), sum(map(int, digits[1:6:2]))
    return (odd + 2 * even) % 10 == int(digits[6])


def vin(text: str) -> bool:
    """A vehicle identification number with the North American check digit (49 CFR 565)."""
    code = _letters_and_digits(text)
    if len(code) != len(_VIN_WEIGHTS) or set(code) & set("IOQ"):
        return False
    values = [int(each) if each.isdigit() else _VIN_VALUES[each] for each in code]
    rest = sum(map(int.__mul__, values, _VIN_WEIGHTS)) % 11
    return code[8] == ("X" if rest == 10 else str(rest))  # noqa: PLR2004 - X stands for ten


def iban(text: str) -> bool:
    """An IBAN: ISO 13616, remainder 1 by 97."""
    code = _letters_and_digits(text)
    if not 15 <= len(code) <= 34:  # noqa: PLR2004 - Norway to the most that is allowed
        return False
    return int("".join(str(int(each, 36)) for each in code[4:] + code[:4])) % 97 == 1


def personnummer(text: str) -> bool:
    """A Swedish personal identity number or coordination number: a day, and Luhn over ten digits."""
    digits = digits_of(text)[-10:]
    if len(digits) != 10:  # noqa: PLR2004 - ten digits count
        return False
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and (1 <= day <= 31 or 61 <= day <= 91) and luhn(digits)  # noqa: PLR2004 - calendar


def dni(text: str) -> bool:
    """A Spanish DNI or NIE: the letter is the number's remainder by 23."""
    code = _letters_and_digits(text)
    number = code[:-1].translate(str.maketrans("XYZ", "012"))
    return len(code) == 9 and number.isdigit() and _DNI_LETTERS[int(number) % 23] == code[-1]  # noqa: PLR2004 - nine characters


def nhs(text: str) -> bool:
    """A number of the English NHS: ten digits, modulus 11."""
    digits = digits_of(text)
    if len(digits) != 10 or len(set(digits)) == 1:  # noqa: PLR2004 - ten digits
        return False
    rest = -sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return rest == int(digits[9])


def nir(text: str) -> bool:
    """A French social security number: 13 digits and a key modulo 97 (Corsica aside)."""
    digits = digits_of(text)
    return len(digits) == 15 and 97 - int(digits[:13]) % 97 == int(digits[13:])  # noqa: PLR2004 - with the key


def ip(text: str) -> bool:
    """An address of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def phone(text: str) -> bool:
    """Seven to fifteen digits (E.164)."""
    return 7 <= len(digits_of(text.partition("x")[0])) <= 15  # noqa: PLR2004 - E.164


def day(text: str) -> bool:
    """Two or three numbers that can be a day, in some order."""
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    if len(numbers) == 2:  # noqa: PLR2004 - month and day
        return _is_day(2000, numbers[0], numbers[1]) or _is_day(2000, numbers[1], numbers[0])
    first, second, third = [*numbers, 0, 0, 0][:3]
    return any(
        _is_day(year, month, day)
        for year, month, day in ((third, first, second), (third, second, first), (first, second, third))
    )


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year + 2000 if year < 100 else year, month, day)  # noqa: PLR2004 - two digits
    except ValueError:
        return False
    return 1000 <= year < 2200 or year < 100  # noqa: PLR2004 - a year as people write it


def month_year(text: str) -> bool:
    """A month and a year, ``03/2021``."""
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    return len(numbers) == 2 and 1 <= numbers[0] <= 12 and 1900 <= numbers[1] <= 2100  # noqa: PLR2004 - calendar


def over_89(text: str) -> bool:
    """An age that Safe Harbor does not allow to stay."""
    digits = digits_of(text)
    return not digits or _OLDEST_KEPT_AGE < int(digits[:4]) <= _OLDEST_AGE


def facility(text: str) -> bool:
    """The name of a hospital or clinic has a word that says which one."""
    return any(word not in terms().generic for word in re.findall(r"[^\W\d_]+", text.lower()))


CHECKS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "card": card,
        "day": day,
        "dea": dea,
        "dni": dni,
        "facility": facility,
        "iban": iban,
        "ip": ip,
        "luhn": luhn,
        "month_year": month_year,
        "nhs": nhs,
        "nir": nir,
        "npi": npi,
        "over_89": over_89,
        "personnummer": personnummer,
        "phone": phone,
        "ssn": ssn,
        "vin": vin,
    }
)
"""What ``check`` in patterns.toml may name."""
