"""What fills the slots of templates: the people of one note, and words that are no one's."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.deid.notes_numbers import Numbers
from medspan.tasks.deid.notes_places import Days, Places

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from medspan.tasks.deid.notes_names import Names

_DOUBLE_SHARE, _FOREIGN_SHARE = 0.06, 0.5
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TITLES = {"female": ("Mrs.", "Ms.", "Ms", "Miss"), "male": ("Mr.", "Mr")}
_SEXES = {"female": ("female", "woman"), "male": ("male", "man")}
_MARKED = {
    **dict.fromkeys(("phone",), "PHONE"),
    **dict.fromkeys(("id", "id2"), "ID"),
    **dict.fromkeys(("account", "card", "iban"), "ACCOUNT"),
    **dict.fromkeys(("license", "dea", "npi"), "LICENSE"),
    **dict.fromkeys(("vin", "plate"), "VEHICLE"),
    "fax": "FAX",
    "ssn": "SSN",
    "mrn": "MRN",
    "plan": "HEALTH_PLAN",
    "device": "DEVICE",
    "url": "URL",
    "ip": "IP",
    "zip": "ZIP",
    "military": "LOCATION",
    "age_old": "AGE",
}
"""Slots of numbers, each a method of `Numbers`, and their labels."""
_PLAIN = frozenset({"age", "bp", "hr", "temp", "sat", "n3", "dec", "year"})


class Piece(NamedTuple):
    """Some text and, where it identifies someone, its label."""

    text: str
    label: str | None = None


class Person(NamedTuple):
    """Someone in a note."""

    given: str
    last: str
    gender: str
    initial: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.given} {self.last}"

    @property
    def full(self) -> str:
        """With a middle initial."""
        return f"{self.given} {self.initial}. {self.last}"


class Cast(NamedTuple):
    """The people of a note."""

    patient: Person
    doctor: Person
    doctor2: Person
    relative: Person


class Slots:
    """Fills slots; people are the same all over a note.

    Args:
        choose: draws.
        names: of people and places.
        world: of texts that are no notes.
        lists: conditions, drugs and the like, and forms of days and places.
    """

    def __init__(
        self, choose: random.Random, names: Names, world: Names, lists: dict[str, list[str]]
    ) -> None:
        self._choose, self._world, self._lists = choose, world, lists
        self._numbers = Numbers(choose)
        self._days = Days(choose, lists)
        self._places = Places(choose, names, world, lists, self._numbers)
        patient = self._person(names)
        relative = self._person(names)._replace(last=patient.last)
        self.cast = Cast(patient, self._person(names), self._person(names), relative)
        self._tables = {**self._patient(), **self._staff(), **self._strangers(), **self._others()}

    def fill(self, slot: str) -> list[Piece]:
        """The pieces of a slot.

        Raises:
            KeyError: if there is no such slot.
        """
        if slot in _MARKED:
            return [Piece(getattr(self._numbers, slot)(), _MARKED[slot])]
        if slot in _PLAIN:
            return [Piece(getattr(self._numbers, slot)())]
        if slot in {"date", "q_date", "date_short", "month_year", "month"}:
            return [Piece(self._days.written(slot.removeprefix("q_")), "DATE")]
        if slot in self._places.makers:
            return [Piece(*self._places.makers[slot]())]
        if slot in self._tables:
            return self._tables[slot]()
        return [Piece(self._choose.choice(self._lists[slot]))]

    def _person(self, names: Names) -> Person:
        gender = self._choose.choice(("female", "male"))
        given = self._choose.choice(names.female if gender == "female" else names.male)
        last = self._choose.choice(names.surname)
        if self._choose.random() < _DOUBLE_SHARE:
            last = f"{last}-{self._choose.choice(names.surname)}"
        return Person(given, last, gender, self._choose.choice(string.ascii_uppercase))

    def _name(self, *forms: str) -> Callable[[], list[Piece]]:
        """A slot that is one of some forms of a name."""
        return lambda: [Piece(self._choose.choice(forms), "NAME")]

    def _patient(self) -> dict[str, Callable[[], list[Piece]]]:
        who, relative = self.cast.patient, self.cast.relative
        comma = f"{who.last}, {who.given}"
        title = self._choose.choice(_TITLES[who.gender])
        return {
            "name": self._name(who.name, who.name, who.full),
            "name_comma": self._name(comma, f"{comma} {who.initial}", f"{comma} {who.initial}."),
            "name_upper": self._name(who.name.upper(), comma.upper()),
            "given": self._name(who.given),
            "last": self._name(who.last),
            "initial": self._name(who.last[:1]),
            "q_name": self._asked,
            "relative": self._name(relative.name),
            "relative_given": self._name(relative.given),
            "title": lambda: [Piece(title)],
            "sex": lambda: [Piece(self._choose.choice(_SEXES[who.gender]))],
            "sex1": lambda: [Piece(who.gender[0].upper())],
        }

    def _staff(self) -> dict[str, Callable[[], list[Piece]]]:
        doctor, other = self.cast.doctor, self.cast.doctor2
        typist = doctor.given[:1].lower() + doctor.last[:1].lower()
        return {
            "initial2": lambda: [Piece(typist)],
            "q_doctor": self._name(doctor.name, f"{doctor.given} {doctor.last[0]}.", doctor.last),
            "doctor": self._name(doctor.name, doctor.name, doctor.full),
            "doctor_last": self._name(doctor.last),
            "doctor_comma": self._name(f"{doctor.last}, {doctor.given}"),
            "doctor_upper": self._name(doctor.name.upper()),
            "doctor2": self._name(other.name),
            "doctor2_last": self._name(other.last),
            "Doctor_title": lambda: [Piece(self._choose.choice(("Dr.", "Dr", "Doctor")))],
            "nurse": self._name(other.name, f"{other.given[0]}. {other.last}"),
        }

    def _strangers(self) -> dict[str, Callable[[], list[Piece]]]:
        def new() -> Person:
            return self._person(self._world)

        def full() -> str:
            who = new()
            return self._choose.choice((who.name, who.name, who.full, who.full.replace(".", "")))

        titles = ("Mr.", "Mrs.", "Ms.", "Dr.", "Miss", "Prof.")
        return {
            "g_name": lambda: [Piece(full(), "NAME")],
            "g_name_lower": lambda: [Piece(self._choose.choice((full(), new().given)).lower(), "NAME")],
            "g_given": lambda: [Piece(new().given, "NAME")],
            "g_last": lambda: [Piece(new().last, "NAME")],
            "g_title": lambda: [Piece(self._choose.choice(titles))],
        }

    def _asked(self) -> list[Piece]:
        who = self.cast.patient
        short = f"{who.given} {who.last[0]}."
        forms = (who.name, who.name, short, short, who.given, f"{who.given[0]}. {who.last}", "")
        text = self._choose.choice(forms)
        return (
            [Piece(text, "NAME")] if text else [Piece(_TITLES[who.gender][0] + " "), Piece(who.last, "NAME")]
        )

    def _others(self) -> dict[str, Callable[[], list[Piece]]]:
        return {
            "contact": lambda: self.fill(self._choose.choice(("phone", "email"))),
            "idcue": lambda: [Piece(self._choose.choice(self._lists["id_cues"]))],
            "g_phone": lambda: [Piece(self._foreign(self._numbers.phone()), "PHONE")],
            "g_fax": lambda: [Piece(self._foreign(self._numbers.fax()), "FAX")],
            "email": lambda: [Piece(self._email(), "EMAIL")],
            "g_company": lambda: [Piece(self._choose.choice(self._lists["company"]))],
            "weekday": lambda: [Piece(self._choose.choice(_DAYS))],
        }

    def _foreign(self, own: str) -> str:
        if not self._world.phone or self._choose.random() > _FOREIGN_SHARE:
            return own
        return self._choose.choice(self._world.phone)

    def _email(self) -> str:
        given, last = (_ascii(name) for name in (self.cast.patient.given, self.cast.patient.last))
        number = self._choose.randint(1, 99)
        forms = (f"{given}.{last}", f"{given[:1]}{last}{number}", f"{given}_{last[:1]}", f"{last}{given}")
        return f"{self._choose.choice(forms)}@{self._numbers.domain()}"


def _ascii(name: str) -> str:
    return "".join(each for each in name.lower() if each.isascii() and each.isalnum()) or "user"
