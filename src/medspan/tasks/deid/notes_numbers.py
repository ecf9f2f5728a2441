"""Invented numbers with the form, and the check digits, of real ones."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from medspan.tasks.deid.checks import card, dea, iban, npi, vin

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


class Numbers:
    """Draws numbers of every kind; each method gives one as it is written."""

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose

    def shaped(self, shape: str) -> str:
        """A text like a shape: ``9`` a digit, ``A`` a capital, ``a`` a small letter, all else as it is."""
        letters = {"9": string.digits, "A": string.ascii_uppercase, "a": string.ascii_lowercase}
        return "".join(self._choose.choice(letters[each]) if each in letters else each for each in shape)

    def _checked(self, shape: str, check: Callable[[str], bool]) -> str:
        while not check(found := self.shaped(shape)):
            pass
        return found

    def _one(self, shapes: str) -> str:
        return self.shaped(self._choose.choice(shapes.split(";")))

    def phone(self) -> str:
        """North American, now and then with an extension."""
        plain = "999-999-9999;999-999-9999;999-999-9999;999.999.9999;999 999 9999;999-999-9999 x999"
        bracketed = "(999) 999-9999;(999)999-9999;+1 999 999 9999;1-999-999-9999;(999) 999-9999 ext. 99"
        return self._one(f"{plain};{bracketed}")

    def fax(self) -> str:
        """As a telephone."""
        return self._one("999-999-9999;(999) 999-9999;999.999.9999")

    def ssn(self) -> str:
        """With any area, also such as is not given out."""
        return self._one("999-99-9999;999-99-9999;999-99-9999;999 99 9999")

    def mrn(self) -> str:
        """As hospitals write them."""
        return self._one(
            "99999999;9999999;999999;999-99-99;A999999;AA-999999;AAA-999999;AAAA-99999;99-99-99;9999-9999;#99999999;AAA9999999;MRN-99999999"
        )

    def plan(self) -> str:
        """Of a member or policy."""
        return self._one(
            "AAA999999999;999999999A;AA-999999;AAA-999999;99999-AAA;A99999999;99999-99999;AAA99999;#AA-999999;H99999999;9999999999"
        )

    def account(self) -> str:
        """Of a billing office or bank."""
        return self._one("99999999;999999-99;AA-99999999;AAA-999999;9999999999;A9999999")

    def license(self) -> str:
        """Of drivers and professions."""
        return self._one("A9999999;A999-9999-9999;999999999;AA999999;AAA-999999;9999999")

    def card(self) -> str:
        """With a Luhn digit."""
        shapes = "4999999999999999;5999-9999-9999-9999;3999 999999 99999;4999999999999;5099999999999"
        return self._checked(self._choose.choice(shapes.split(";")), card)

    def iban(self) -> str:
        """British or German, with its check digits."""
        return self._checked(
            self._choose.choice(("GB99AAAA99999999999999", "DE99 9999 9999 9999 9999 99")), iban
        )

    def dea(self) -> str:
        """With its check digit."""
        return self._checked(self._choose.choice(("BA9999999", "FM9999999", "AB9999999")), dea)

    def npi(self) -> str:
        """With its check digit."""
        return self._checked("1999999999", npi)

    def vin(self) -> str:
        """With its check digit."""

        def draw() -> str:
            return "".join(
                self._choose.choice(_VIN_LETTERS if place in {1, 2, 4, 5, 9} else string.digits)
                for place in range(17)
            )

        found = draw()
        while not vin(found):
            found = draw()
        return found

    def plate(self) -> str:
        """Of a car."""
        return self._one("AAA 9999;9AAA999;AAA-9999;AA 99999;AAA 999")

    def device(self) -> str:
        """A serial number."""
        return self._one("SN-9999999;A99999999;AAA999999A;999999999;AA-9999-9999;PM99999A;99A99999")

    def url(self) -> str:
        """A web address."""
        host = self.domain()
        return self._choose.choice(
            (
                f"https://www.{host}/{self.shaped('aaaaa')}",
                f"www.{host}",
                f"http://{host}/patient/{self.shaped('99999')}",
                f"https://{host}",
            )
        )

    def domain(self) -> str:
        """A host's name."""
        ends = "mail.com;.org;health.net;.example.com;clinic.org;.com;.co.uk;.de;.se"
        return self.shaped("aaaaaa") + self._choose.choice(ends.split(";"))

    def ip(self) -> str:
        """Version 4, or now and then 6."""
        if not self._choose.randrange(7):
            return ":".join(f"{self._choose.randint(1, 0xFFFF):x}" for _ in range(8))
        return ".".join(str(self._choose.randint(1, 254)) for _ in range(4))

    def id(self) -> str:
        """Any other."""
        return self._one(
            "99999999;AA-999999;AAA-99-9999;A99-99999;9999999;AAA9999;999999-9999;AA-9999;#AAA-999999"
        )

    def id2(self) -> str:
        """Of a study."""
        return self._one("AAA-999-9999;NCT-AA-9999;AA9999-99")

    def zip(self) -> str:
        """Of the United States."""
        return self._one("99999;99999;99999;99999-9999")

    def military(self) -> str:
        """An address of the armed forces."""
        box = self._one("Unit 9999 Box 9999;PSC 99, Box 9999;PSC 9999 Box 9999")
        between = self._choose.choice((", ", " ", "\n"))
        return f"{box}{between}{self._one('APO AE 99999;FPO AP 99999;DPO AA 99999;APO, AE 99999')}"

    def age_old(self) -> str:
        """Over 89."""
        return str(self._choose.randint(90, 104))

    def year(self) -> str:
        """Of the last decades."""
        return str(self._choose.randint(1950, 2024))

    def age(self) -> str:
        """Below 90."""
        return str(self._choose.randint(1, 89))

    def bp(self) -> str:
        """A blood pressure."""
        return f"{self._choose.randint(90, 190)}/{self._choose.randint(50, 110)}"

    def hr(self) -> str:
        """A pulse."""
        return str(self._choose.randint(48, 130))

    def temp(self) -> str:
        """A temperature."""
        return f"{self._choose.randint(97, 103)}.{self._choose.randint(0, 9)}"

    def sat(self) -> str:
        """A saturation."""
        return str(self._choose.randint(85, 100))

    def n3(self) -> str:
        """Three digits."""
        return str(self._choose.randint(100, 999))

    def dec(self) -> str:
        """A value with a decimal."""
        return f"{self._choose.randint(0, 15)}.{self._choose.randint(0, 9)}"
