"""Check digits: numbers that hold, and the same with one digit changed."""

from __future__ import annotations

import pytest

from medspan.tasks.deid.checks import CHECKS
from medspan.tasks.deid.merge import merge
from medspan.tasks.deid.patterns import shipped_patterns

# Numbers published as examples by those who give them out, or made for tests.
VALID = {
    "card": ["4111 1111 1111 1111", "378282246310005", "5555555555554444"],
    "ssn": ["123-45-6789", "078-05-1120"],
    "npi": ["1234567893"],
    "dea": ["AB1234563"],
    "vin": ["1M8GDM9AXKP042788", "11111111111111111"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "SE4550000000058398257466"],
    "personnummer": ["19811218-9876", "811228-9874", "670919-9530"],
    "dni": ["12345678Z", "X1234567L"],
    "nhs": ["943 476 5919"],
    "nir": ["2 55 08 14 168 025 38"],
    "ip": ["192.168.0.1", "2001:db8::1"],
    "day": ["02/29/2020", "31.12.1999", "2020-02-29", "4/15"],
    "over_89": ["90", "104"],
}
INVALID = {
    "card": ["4111 1111 1111 1112", "0000 0000 0000 0000", "1234"],
    "ssn": ["000-45-6789", "666-45-6789", "987-65-4321", "123-00-6789", "123-45-0000"],
    "npi": ["1234567890", "3234567893", "123"],
    "dea": ["AB1234567", "AB123"],
    "vin": ["1M8GDM9A1KP042788", "1M8GDM9AXKP04278", "IM8GDM9AXKP042788"],
    "iban": ["GB82 WEST 1234 5698 7654 33", "GB82"],
    "personnummer": ["19811218-9875", "811328-9874", "8112"],
    "dni": ["12345678A", "X1234567A", "ABCDEFGHZ"],
    "nhs": ["943 476 5918", "111 111 1111"],
    "nir": ["2 55 08 14 168 025 39"],
    "ip": ["999.1.1.1", "12:30:45"],
    "day": ["02/30/2020", "13/13/2020", "0/0", "5/55"],
    "over_89": ["89", "126", "12"],
}
CASES = [
    (check, text, holds)
    for table, holds in ((VALID, True), (INVALID, False))
    for check in table
    for text in table[check]
]


@pytest.mark.parametrize(("check", "text", "holds"), CASES)
def test_check(check: str, text: str, holds: bool):  # noqa: FBT001 - a column of the table
    assert CHECKS[check](text) is holds


@pytest.mark.parametrize("check", ["card", "npi", "iban", "personnummer", "vin"])
def test_one_wrong_digit_is_noticed(check: str):
    text = VALID[check][0]
    for place in (
        at for at, each in enumerate(text) if each.isdigit() and not (check == "personnummer" and at < 2)
    ):
        wrong = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        assert not CHECKS[check](wrong), wrong


def found(text: str) -> list[tuple[str, str]]:
    return [(each.label, text[each.start : each.end]) for each in merge(text, shipped_patterns().find(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail jane.doe+x@mail.example.com now", [("EMAIL", "jane.doe+x@mail.example.com")]),
        ("see https://a.example/x?y=1.", [("URL", "https://a.example/x?y=1")]),
        ("SSN 123-45-6789.", [("SSN", "123-45-6789")]),
        ("call (555) 123-4567 x12", [("PHONE", "(555) 123-4567 x12")]),
        ("+46 (0)8 123 456 78", [("PHONE", "+46 (0)8 123 456 78")]),
        ("Fax: 555.123.4567", [("FAX", "555.123.4567")]),
        ("MRN: 00123456", [("MRN", "00123456")]),
        ("Insurance ID: HMO-67890", [("HEALTH_PLAN", "HMO-67890")]),
        ("VIN 1M8GDM9AXKP042788", [("VEHICLE", "1M8GDM9AXKP042788")]),
        ("serial number SN-12345", [("DEVICE", "SN-12345")]),
        ("from 10.0.0.7 today", [("IP", "10.0.0.7")]),
        ("on March 3rd, 2023, she", [("DATE", "March 3rd, 2023")]),
        ("el 3 de marzo de 2021", [("DATE", "3 de marzo de 2021")]),
        ("den 5 maj 2020", [("DATE", "5 maj 2020")]),
        ("seen in May with", [("DATE", "May")]),
        ("a 92-year-old man", [("AGE", "92")]),
        ("a ninety-one-year-old man", [("AGE", "ninety-one")]),
        ("Boston, MA 02115", [("LOCATION", "Boston"), ("ZIP", "02115")]),
        ("at 12 North Oak Street, Apt. 4B", [("LOCATION", "12 North Oak Street, Apt. 4B")]),
        ("at Fairhollow Medical Center", [("FACILITY", "Fairhollow Medical Center")]),
        ("by Dr. Robert Smith-Jones today", [("NAME", "Robert Smith-Jones")]),
        ("by Jane Roe, MD", [("NAME", "Jane Roe")]),
        ("Patient Name: Doe, Jane A.", [("NAME", "Doe, Jane A.")]),
        ("personnummer 19811218-9876", [("SSN", "19811218-9876")]),
    ],
)
def test_patterns_find(text: str, expected: list[tuple[str, str]]):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, pulse 72, temperature 98.6, strength 5/5, pain 6/10, murmur 2/6.",
        "Take 1-2 tablets q4-6h; 5-10 mg; 100-1500 mL; plan: 40 mg daily; visit 3; group 2.",
        "L4-5 and C5-6, 3-0 nylon, T2N0M0, CD4 350, HbA1c 7.2%, pH 7.34, WBC 12,000.",
        "She may go home; he will march on. An outpatient pain clinic; The Clinic; the hospital.",
        "a 45-year-old man, aged 89, born in 1950, since 2012",
        "I/O 1200/950. Glucose 145, 132, 160. COVID-19, IL-6, p53, BRCA1.",
        "version 1.2.3, room 412, 10 x 12 cm, at 10:30",
    ],
)
def test_patterns_leave_clinical_text(text: str):
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    ["1" * 20000, "a." * 10000, "A " * 10000, "Dr. " * 5000, "- " * 9000, "MRN: " * 4000, "12/" * 6000],
)
def test_patterns_take_linear_time(text: str):
    found(text)  # a pattern that goes back and forth would not end
