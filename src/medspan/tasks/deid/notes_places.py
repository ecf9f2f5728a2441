"""Days and places as synthetic notes write them; their forms stand in data/notes.toml."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from medspan.tasks.deid.terms import as_written, terms

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from medspan.tasks.deid.notes_names import Names
    from medspan.tasks.deid.notes_numbers import Numbers

_FIRST_DAY, _DAYS_ON = dt.date(1931, 1, 1), 34200
_TEENS = range(11, 14)
_UPPER_SHARE, _KNOWN_SHARE = 0.12, 0.35
_MOST_HOUSE, _MOST_STREET = 19999, 150
_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY "
    "NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)
_ACRONYM_LETTERS = "ABCDEGHLMNPRSTUVW"

Marked = tuple[str, str]


class Days:
    """Writes days of about ninety years."""

    def __init__(self, choose: random.Random, lists: dict[str, list[str]]) -> None:
        self._choose, self._lists = choose, lists

    def written(self, kind: str) -> str:
        """A day in one of the forms of a kind: ``date``, ``date_short``, ``month_year``, ``month``."""
        day = _FIRST_DAY + dt.timedelta(days=self._choose.randint(0, _DAYS_ON))
        ending = "th" if day.day in _TEENS else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
        form = (
            self._choose.choice(self._lists[kind]).replace("{d}", str(day.day)).replace("{m}", str(day.month))
        )
        return day.strftime(form.replace("{o}", ending))


class Places:
    """Draws places; ``makers`` gives for a slot what makes its text and label.

    Args:
        choose: draws.
        names: of places in notes. world: of places in other texts.
        lists: the forms.
        numbers: of postal codes.
    """

    def __init__(
        self, choose: random.Random, names: Names, world: Names, lists: dict[str, list[str]], numbers: Numbers
    ) -> None:
        self._choose, self._names, self._world = choose, names, world
        self._lists, self._numbers = lists, numbers
        self._regions = sorted(terms().regions)
        self.makers: dict[str, Callable[[], Marked]] = {
            "city": lambda: (choose.choice(names.city), "LOCATION"),
            "state": lambda: (choose.choice(_STATES.split()), "LOCATION"),
            "country": self._country,
            "g_country": self._country,
            "g_city": self._city,
            "g_place": self._place,
            "street": lambda: (self._street(), "LOCATION"),
            "g_street": lambda: (self._world_street(), "LOCATION"),
            "g_world": lambda: (self._world_address(), "LOCATION"),
            "g_zip": lambda: (choose.choice(world.postcode or (numbers.zip(),)), "ZIP"),
            "facility": lambda: (self._facility(), "FACILITY"),
        }

    def _country(self) -> Marked:
        return as_written(self._choose.choice(self._regions)), "LOCATION"

    def _place(self) -> Marked:
        return self._choose.choice((self._country, self._city))()

    def _city(self) -> Marked:
        name = self._choose.choice(self._world.city)
        return name.upper() if self._choose.random() < _UPPER_SHARE else name, "LOCATION"

    def _street(self) -> str:
        name = self._choose.choice(self._names.street)
        if any(map(str.isdigit, name)):
            return name
        way, kind, flat = (self._choose.choice(self._lists[each]) for each in ("way", "street", "flat"))
        flat = flat.replace("{n}", str(self._choose.randint(1, 900)))
        return f"{self._choose.randint(1, _MOST_HOUSE)} {way}{name} {kind}{flat}"

    def _world_street(self) -> str:
        choose = self._choose
        name = choose.choice(self._world.street)
        if not any(map(str.isdigit, name)):
            return self._street()
        flat, house = choose.randint(1, 999), choose.randint(1, 99999)
        forms = (name, name, f"{house} {name}", f"{name} Apt. {flat:03}", name.partition(",")[0])
        found = choose.choice(forms)
        return found if any(map(str.isalpha, found)) else name

    def _world_address(self) -> str:
        """A street with its town and country in one of many forms, as one place."""
        choose = self._choose
        street, region = self._world_street(), "".join(choose.choices(_ACRONYM_LETTERS, k=2))
        parts = {
            "street": street.rstrip("0123456789/ ").partition(",")[0] or street,
            "city": self._city()[0],
            "country": self._country()[0],
            "zip": choose.choice(self._world.postcode or (self._numbers.zip(),)),
            "region": region,
            "n": str(choose.randint(1, _MOST_HOUSE)),
            "m": str(choose.randint(1, _MOST_STREET)),
            "f": f"{choose.randint(1, 999):03}",
        }
        return choose.choice(self._lists["world"]).format(**parts)

    def _facility(self) -> str:
        choose, names = self._choose, self._names
        if names is self._world or choose.random() < _KNOWN_SHARE:
            return choose.choice(self._lists["known_facility"])
        base = choose.choice(choose.choice((names.facility, names.facility, names.city, names.surname)))
        short = "".join(choose.choice(_ACRONYM_LETTERS) for _ in range(choose.randint(2, 4)))
        form = choose.choice(self._lists["facility_whole"]).replace(
            "{kind}", choose.choice(self._lists["facility"])
        )
        return (
            form.replace("{base}", base)
            .replace("{short}", short)
            .replace("{saint}", choose.choice(self._lists["saints"]))
        )
