"""What fills the slots of templates: people of one note, days, numbers, and words that are no one's."""

from __future__ import annotations

import datetime
import string
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.deid.notes_numbers import Numbers
from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from medspan.tasks.deid.notes_names import Names

STATES = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY".split()  # noqa: E501
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_FIRST_DAY, _DAYS_BACK = datetime.date(1931, 1, 1), 34200


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
        lists: conditions, drugs and the like.
    """

    def __init__(self, choose: random.Random, names: Names, world: Names, lists: dict[str, list[str]]) -> None:
        self._choose, self._names, self._world, self._lists = choose, names, world, lists
        self._numbers = Numbers(choose)
        patient = self._person(names)
        relative = self._person(names)._replace(last=patient.last)
        self.cast = Cast(patient, self._person(names), self._person(names), relative)

    def fill(self, slot: str) -> list[Piece]:
        """The pieces of a slot.

        Raises:
            KeyError: if there is no such slot.
        """
        if slot in self._lists:
            return [Piece(self._choose.choice(self._lists[slot]))]
        if slot in _NUMBER_LABELS:
            return [Piece(getattr(self._numbers, slot)(), _NUMBER_LABELS[slot])]
        if slot in _PLAIN_NUMBERS:
            return [Piece(getattr(self._numbers, slot)())]
        for table in (self._people(), self._places(), self._days(), self._others()):
            if slot in table:
                return table[slot]()
        raise KeyError(slot)

    def _person(self, names: Names) -> Person:
        gender = self._choose.choice(("female", "male"))
        given = self._choose.choice(names.female if gender == "female" else names.male)
        last = self._choose.choice(names.surname)
        if self._choose.random() < 0.06:  # noqa: PLR2004 - a share
            last = f"{last}-{self._choose.choice(names.surname)}"
        return Person(given, last, gender, self._choose.choice(string.ascii_uppercase))

    def _people(self) -> dict[str, Callable[[], list[Piece]]]:
        patient, doctor, doctor2, relative = self.cast

        def name(text: str) -> Callable[[], list[Piece]]:
            return lambda: [Piece(text, "NAME")]

        title = {"female": self._choose.choice(("Mrs.", "Ms.", "Ms", "Miss")), "male": self._choose.choice(("Mr.", "Mr"))}
        full = f"{patient.given} {patient.initial}. {patient.last}"
        return {
            "name": name(self._choose.choice((patient.name, patient.name, full))),
            "name_comma": name(f"{patient.last}, {patient.given}{self._choose.choice(('', f' {patient.initial}', f' {patient.initial}.'))}"),
            "name_upper": name(self._choose.choice((patient.name, f"{patient.last}, {patient.given}")).upper()),
            "given": name(patient.given),
            "last": name(patient.last),
            "initial": name(patient.last[:1]),
            "initial2": lambda: [Piece(doctor.given[:1].lower() + doctor.last[:1].lower())],
            "q_name": lambda: self._asked(patient),
            "q_doctor": lambda: [Piece(self._choose.choice((doctor.name, f"{doctor.given} {doctor.last[0]}.", doctor.last)), "NAME")],
            "doctor": name(self._choose.choice((doctor.name, doctor.name, f"{doctor.given} {doctor.initial}. {doctor.last}"))),
            "doctor_last": name(doctor.last),
            "doctor_comma": name(f"{doctor.last}, {doctor.given}"),
            "doctor_upper": name(doctor.name.upper()),
            "doctor2": name(doctor2.name),
            "doctor2_last": name(doctor2.last),
            "Doctor_title": lambda: [Piece(self._choose.choice(("Dr.", "Dr", "Doctor")))],
            "nurse": name(self._choose.choice((doctor2.name, f"{doctor2.given[0]}. {doctor2.last}"))),
            "relative": name(relative.name),
            "relative_given": name(relative.given),
            "title": lambda: [Piece(title[patient.gender])],
            "sex": lambda: [Piece(self._choose.choice({"female": ("female", "woman"), "male": ("male", "man")}[patient.gender]))],
            "sex1": lambda: [Piece({"female": "F", "male": "M"}[patient.gender])],
            **self._strangers(),
        }

    def _strangers(self) -> dict[str, Callable[[], list[Piece]]]:
        def new() -> Person:
            return self._person(self._world)

        def full() -> str:
            person = new()
            forms = (person.name, person.name, f"{person.given} {person.initial} {person.last}", f"{person.given} {person.initial}. {person.last}")
            return self._choose.choice(forms)

        return {
            "g_name": lambda: [Piece(full(), "NAME")],
            "g_name_lower": lambda: [Piece(self._choose.choice((full(), new().given)).lower(), "NAME")],
            "g_given": lambda: [Piece(new().given, "NAME")],
            "g_last": lambda: [Piece(new().last, "NAME")],
            "g_title": lambda: [Piece(self._choose.choice(("Mr.", "Mrs.", "Ms.", "Dr.", "Miss", "Prof.")))],
        }

    def _asked(self, person: Person) -> list[Piece]:
        title = {"female": "Mrs.", "male": "Mr."}[person.gender]
        forms = [person.name, person.name, f"{person.given} {person.last[0]}.", f"{person.given} {person.last[0]}.", person.given, f"{person.given[0]}. {person.last}"]
        text = self._choose.choice([*forms, ""])
        return [Piece(text, "NAME")] if text else [Piece(f"{title} "), Piece(person.last, "NAME")]

    def _places(self) -> dict[str, Callable[[], list[Piece]]]:
        choose, names, world = self._choose, self._names, self._world
        countries = sorted(terms().regions)

        def country() -> list[Piece]:
            return [Piece(_capitals(choose.choice(countries)), "LOCATION")]

        def city() -> list[Piece]:
            text = choose.choice(world.city)
            return [Piece(text.upper() if choose.random() < 0.12 else text, "LOCATION")]  # noqa: PLR2004 - a share

        return {
            "city": lambda: [Piece(choose.choice(names.city), "LOCATION")],
            "state": lambda: [Piece(choose.choice(STATES), "LOCATION")],
            "country": country,
            "g_country": country,
            "g_city": city,
            "g_place": lambda: choose.choice((country, city))(),
            "street": lambda: [Piece(self._street(), "LOCATION")],
            "g_street": lambda: [Piece(self._world_street(), "LOCATION")],
            "zip": lambda: [Piece(self._numbers.zip(), "ZIP")],
            "g_zip": lambda: [Piece(choose.choice(world.postcode or (self._numbers.zip(),)), "ZIP")],
            "military": lambda: [Piece(self._numbers.military(), "LOCATION")],
            "facility": lambda: [Piece(self._facility(), "FACILITY")],
        }

    def _street(self) -> str:
        choose = self._choose
        if "," in (name := choose.choice(self._names.street)) or any(map(str.isdigit, name)):
            return name
        kind = choose.choice("Street St Avenue Ave Road Rd Lane Drive Court Boulevard Way St. Ave.".split())
        flat = choose.choice(("", "", "", f", Apt {choose.randint(1, 90)}", f" Apt. {choose.randint(1, 90)}B", f", Suite {choose.randint(100, 900)}"))
        way = choose.choice(("", "", "", "N ", "S. ", "West "))
        return f"{choose.randint(1, 19999)} {way}{name} {kind}{flat}"

    def _world_street(self) -> str:
        choose = self._choose
        name = choose.choice(self._world.street)
        if not any(map(str.isdigit, name)):
            return self._street()
        forms = (name, name, f"{choose.randint(1, 99999)} {name}", f"{name} Apt. {choose.randint(1, 999):03}", name.partition(",")[0])
        found = choose.choice(forms)
        return found if any(map(str.isalpha, found)) else name

    def _facility(self) -> str:
        choose, names = self._choose, self._names
        saint = choose.choice(self._lists["saints"])
        base = choose.choice(choose.choice((names.facility, names.facility, names.city, names.surname)))
        kind = choose.choice(
            "Hospital;Medical Center;Clinic;General Hospital;Memorial Hospital;Med Ctr;Health Center;General;Memorial;Cancer Center;"
            "Children's Hospital;University Hospital;Regional Medical Center;Community Hospital;Family Practice;Nursing Home;Heart Institute;"
            "Health;Med Center;Hosp;Rehab;Urgent Care;Health Clinic".split(";")
        )
        forms = [f"{base} {kind}"] * 5 + [
            f"St. {saint}'s", f"St. {saint}'s {choose.choice(('Hospital', 'Medical Center', 'Clinic'))}", f"Saint {saint} Hospital",
            f"St {saint}", f"Mt. {base}", f"Mount {base}", f"University of {base}", f"{base} University Hospital",
            "".join(choose.choice("ABCDEGHLMNPRSTUVW") for _ in range(choose.randint(2, 3))) + choose.choice(("MC", "H", "GH", "SF", "LA")),
        ]  # fmt: skip
        if names is self._world or choose.random() < 0.35:  # noqa: PLR2004 - a share
            forms = self._lists["known_facility"]
        return choose.choice(forms)

    def _days(self) -> dict[str, Callable[[], list[Piece]]]:
        return {
            "date": lambda: [Piece(self._date(), "DATE")],
            "q_date": lambda: [Piece(self._date(), "DATE")],
            "date_short": lambda: [Piece(self._short_date(), "DATE")],
            "month_year": lambda: [Piece(self._formatted(self._choose.choice(("%B %Y", "%b %Y", "%B, %Y", "%m/%Y"))), "DATE")],
            "month": lambda: [Piece(self._formatted("%B"), "DATE")],
            "year": lambda: [Piece(str(self._choose.randint(1950, 2024)))],
            "weekday": lambda: [Piece(self._choose.choice(_DAYS))],
        }

    def _day(self) -> datetime.date:
        return _FIRST_DAY + datetime.timedelta(days=self._choose.randint(0, _DAYS_BACK))

    def _formatted(self, form: str) -> str:
        return self._day().strftime(form)

    def _date(self) -> str:
        day = self._day()
        ending = "th" if day.day in range(11, 14) else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
        forms = (
            f"{day:%B} {day.day}, {day.year}", f"{day:%B} {day.day}{ending}, {day.year}", f"{day:%m/%d/%Y}", f"{day.month}/{day.day}/{day:%y}",
            f"{day:%b} {day.day}, {day.year}", f"{day.day} {day:%B} {day.year}", f"{day:%Y-%m-%d}", f"{day:%m-%d-%Y}", f"{day.day}-{day:%b}-{day.year}",
            f"{day:%B} {day.day}", f"{day:%B} {day.day}{ending}", f"{day:%b}. {day.day}, {day.year}", f"{day:%b} {day.day}{ending}, {day.year}",
            f"{day.month}/{day.day}/{day.year}", f"{day:%d.%m.%Y}", f"{day:%b} {day.day} '{day:%y}", f"the {day.day}{ending} of {day:%B} {day.year}".removeprefix("the "),
            f"{day:%B} {day.day} {day.year}", f"{day:%d/%m/%Y}", f"{day:%d%b%Y}".upper(),
        )  # fmt: skip
        return self._choose.choice(forms)

    def _short_date(self) -> str:
        day = self._day()
        return self._choose.choice((f"{day.month}/{day.day}/{day:%y}", f"{day:%b} {day.day}", f"{day:%m/%d/%Y}", f"{day:%B} {day.day}", f"{day:%m/%d/%y}"))

    def _others(self) -> dict[str, Callable[[], list[Piece]]]:
        numbers, world = self._numbers, self._world
        return {
            "age_old": lambda: [Piece(str(self._choose.randint(90, 104)), "AGE")],
            "contact": lambda: self.fill(self._choose.choice(("phone", "email"))),
            "idcue": lambda: [Piece(self._choose.choice(("MRN", "MRN:", "MRN #", "chart #", "medical record number", "med rec no.")))],
            "g_phone": lambda: [Piece(self._choose.choice((numbers.phone(), self._choose.choice(world.phone or (numbers.phone(),)))), "PHONE")],
            "g_fax": lambda: [Piece(self._choose.choice((numbers.fax(), self._choose.choice(world.phone or (numbers.fax(),)))), "FAX")],
            "email": lambda: [Piece(self._email(), "EMAIL")],
            "g_company": lambda: [Piece(self._choose.choice(self._lists["company"]))],
        }

    def _email(self) -> str:
        given, last = (_ascii(name) for name in (self.cast.patient.given, self.cast.patient.last))
        user = self._choose.choice((f"{given}.{last}", f"{given[:1]}{last}{self._choose.randint(1, 99)}", f"{given}_{last[:1]}", f"{last}{given}"))
        return f"{user}@{self._numbers.domain()}"


def _ascii(name: str) -> str:
    return "".join(each for each in name.lower() if each.isascii() and each.isalnum()) or "user"


def _capitals(name: str) -> str:
    return name.upper() if name in {"usa", "uk"} else " ".join(word[:1].upper() + word[1:] for word in name.split())


_NUMBER_LABELS = {
    "phone": "PHONE", "fax": "FAX", "ssn": "SSN", "mrn": "MRN", "plan": "HEALTH_PLAN", "account": "ACCOUNT", "card": "ACCOUNT", "iban": "ACCOUNT",
    "license": "LICENSE", "dea": "LICENSE", "npi": "LICENSE", "vin": "VEHICLE", "plate": "VEHICLE", "device": "DEVICE", "url": "URL", "ip": "IP",
    "id": "ID", "id2": "ID",
}  # fmt: skip
_PLAIN_NUMBERS = {"age", "bp", "hr", "temp", "sat", "n3", "dec"}
