"""Policies, dates, surrogates and the rewritten document."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import AnnotationError, ConfigError
from medspan.tasks.deid import surrogates
from medspan.tasks.deid.actions import days_of, zip3
from medspan.tasks.deid.annotator import COUNTS, Deidentifier
from medspan.tasks.deid.dates import read_date, shift_date, year_of
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.names import Namer, genders, name_lists
from medspan.tasks.deid.policy import Policy, load_policy
from medspan.tasks.deid.rewrite import Edit, Rewrite
from medspan.tasks.deid.surrogates import Secret
from medspan.tasks.protocols import TEXT_DEIDENTIFIED
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import texts

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"a key for tests, no secret"
ALL = dict.fromkeys(LABELS, "redact")
NOTE = "Ms. Jane Quimby, 93 years old, of Boston, MA 02115, was seen on 03/04/2021 and on March 9, 2021. MRN: 12345678."


def policy(**actions: str) -> Policy:
    return Policy(labels={**ALL, **actions})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[labels]\nNAME = "redact"\n', "LOCATION, FACILITY.* missing; say for every label"),
        ('[labels]\nNAM = "redact"\n', "labels.NAM: no such label; did you mean NAME"),
        ('[labels]\nNAME = "hide"\n', "'hide' is not allowed"),
        ('mask = "ab"\n[labels]\n', "mask"),
        ('[label]\nNAME = "redact"\n', "unknown key; did you mean labels"),
    ],
)
def test_a_policy_says_what_is_wrong(tmp_path: Path, text: str, problem: str):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        load_policy(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["surogate", "none.toml"])
def test_a_policy_that_is_not_there_is_told_as_one(name: str):
    said = rf"^{name}: no such policy; give redact, surrogate or the path of a \.toml file$"
    with pytest.raises(ConfigError, match=said):
        load_policy(name)


def test_what_cannot_be_generalised_is_refused():
    with pytest.raises(ConfigError, match=r"labels.NAME: cannot be generalised; that is for DATE"):
        policy(NAME="generalise")


@pytest.mark.parametrize("name", ["redact", "surrogate"])
def test_shipped_policies_name_every_label(name: str):
    assert set(load_policy(name).labels) == set(LABELS)


@pytest.mark.parametrize(
    ("written", "days", "expected"),
    [
        ("03/04/2021", 30, "04/03/2021"),
        ("3/4/21", 30, "4/3/21"),
        ("2021-12-31", 1, "2022-01-01"),
        ("March 31, 2021", 1, "April 1, 2021"),
        ("MARCH 31ST, 2021", 1, "APRIL 1ST, 2021"),
        ("1st of May 2020", 1, "2nd of May 2020"),
        ("Jan. 31, 2020", 1, "Feb. 1, 2020"),
        ("May. 31, 2020", 1, "Jun. 1, 2020"),
        ("31 de enero de 2020", 1, "1 de febrero de 2020"),
        ("31 maj 2020", 1, "1 juni 2020"),
        ("20200131", 1, "20200201"),
        ("29-Feb-2020", 366, "1-Mar-2021"),
        ("March 2021", 31, "April 2021"),
        ("12/2020", 31, "01/2021"),
        ("December", 31, "January"),
        ("4/30", 1, "5/1"),
        ("Nov 11th '23", 1, "Nov 12th '23"),
        ("last July", 31, "last August"),
        ("13/02/2020", 1, "14/02/2020"),
        ("last Friday", 1, None),
        ("9999-12-31", 1, None),
        ("45/45/2020", 1, None),
    ],
)
def test_dates_keep_their_form(written: str, days: int, expected: str | None):
    assert shift_date(written, days) == expected


def test_the_order_of_day_and_month_is_said():
    assert shift_date("03/04/2021", 1, order="dmy") == "04/04/2021"
    assert year_of("the 3rd of May 2021") == "2021"
    assert year_of("3/4/21") is None


FORMS = ("%m/%d/%Y", "%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%d.%m.%Y", "%b. %d, %Y")


@given(
    st.dates(dt.date(1932, 1, 1), dt.date(2090, 1, 1)),
    st.dates(dt.date(1932, 1, 1), dt.date(2090, 1, 1)),
    st.sampled_from(FORMS),
    st.sampled_from(FORMS),
    st.integers(-364, 364),
)
def test_intervals_are_kept(first: dt.date, second: dt.date, form: str, other: str, days: int):
    moved = [
        read_date(shift_date(day.strftime(each), days, order=order) or "", order=order)
        for day, each in ((first, form), (second, other))
        for order in ["dmy" if each == "%d.%m.%Y" else "mdy"]
    ]
    assert moved == [first + dt.timedelta(days=days), second + dt.timedelta(days=days)]


@given(st.binary(min_size=1), st.booleans())
def test_days_are_moved_and_weekdays_kept(key: bytes, weekdays: bool):  # noqa: FBT001 - drawn
    wanted = Policy(labels=dict.fromkeys(LABELS, "redact"), keep_weekdays=weekdays)
    days = days_of(wanted, Secret(key))
    assert days != 0
    assert abs(days) <= wanted.max_shift_days
    assert not weekdays or days % 7 == 0


@pytest.mark.parametrize(
    ("code", "kept"),
    [("02115", "021"), ("02115-1234", "021"), ("03601", "000"), ("SW1A 1AA", "[ZIP]"), ("123", "[ZIP]")],
)
def test_three_digits_of_a_postal_code(code: str, kept: str):
    assert zip3(code) == kept


def namer(*mentions: str, key: bytes = KEY) -> Namer:
    return Namer(Secret(key), "en", mentions)


def test_the_same_person_has_the_same_name():
    names = namer("Jane Quimby", "Quimby, Jane", "QUIMBY", "Jane Q.")
    given_name, surname = names.person("Jane Quimby").split()
    assert names.person("Quimby, Jane") == f"{surname}, {given_name}"
    assert names.person("QUIMBY") == surname.upper()
    assert names.person("Jane Q.") == f"{given_name} {surname[0]}."
    assert names.person("jane") == given_name.lower()
    assert genders()[given_name.lower()] == "female"
    assert genders()[namer("Robert").person("Robert").lower()] == "male"
    assert namer("Jane Quimby", key=b"other").person("Jane Quimby") != f"{given_name} {surname}"


def test_titles_and_particles_stay():
    assert re.fullmatch(
        r"Dr\. [A-Z]\w+ van der [A-Z]\w+", namer("Dr. Jan van der Meer").person("Dr. Jan van der Meer")
    )


@given(st.sampled_from(name_lists("en").surname), st.binary(min_size=1))
def test_no_surrogate_is_a_name_of_the_document(surname: str, key: bytes):
    assert namer(surname, "Jane Quimby", key=key).person("Quimby") != surname
    assert namer(surname, key=key).person(surname) != surname


@given(texts(), st.binary(min_size=1))
def test_scrambled_numbers_keep_their_form(text: str, key: bytes):
    made = Secret(key).scrambled("x", text)
    assert len(made) == len(text)
    assert all(a == b for a, b in zip(text, made, strict=True) if not a.isalnum())
    assert made != text or not any(each.isdigit() or each.isalpha() for each in text)


def test_addresses_are_those_for_documentation():
    secret = Secret(KEY)
    assert surrogates.email(secret, "jane@x.com").endswith("@example.org")
    assert surrogates.url(secret, "https://www.x.com/a").startswith("https://www.example.org/")
    assert surrogates.ip(secret, "10.1.1.1").startswith("192.0.2.")
    assert surrogates.ip(secret, "fe80::1").startswith("2001:db8::")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("redact", "Ms. [NAME], "),
        ("mask", "Ms. **** ******, "),
        ("keep", "Ms. Jane Quimby, "),
    ],
)
def test_actions_on_a_name(action: str, expected: str):
    assert Deidentifier(policy(NAME=action), key=KEY)(NOTE).text.startswith(expected)


def test_hashes_are_keyed_and_equal_over_patients():
    one, other = (Deidentifier(policy(NAME="hash"), key=key) for key in (KEY, b"another"))
    first, second = one("Dr. Quimby came."), one("Then Dr. QUIMBY left.")
    (mark,) = re.findall(r"\[NAME:[0-9a-f]{16}\]", first.text)
    assert mark in second.text
    assert mark not in other("Dr. Quimby came.").text


def test_a_note_by_the_shipped_policies():
    assert Deidentifier(load_policy("redact"), key=KEY)(NOTE).text == (
        "Ms. [NAME], 90+ years old, of [LOCATION] 021, was seen on 2021 and on 2021. MRN: [MRN]."
    )
    changed = Deidentifier(load_policy("surrogate"), key=KEY)(NOTE).text
    days = [read_date(each) for each in re.findall(r"\d\d/\d\d/\d{4}|[A-Z][a-z]+ \d+, \d{4}", changed)]
    assert days[0] is not None
    assert days[1] is not None
    assert (days[1] - days[0]).days == 5
    assert not {"Jane", "Quimby", "Boston", "12345678"} & set(re.findall(r"\w+", changed))


@given(texts(), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), texts()), max_size=5))
def test_text_between_edits_and_offsets(text: str, drawn: list[tuple[int, int, str]]):
    edits: list[Edit] = []
    for start, length, new in sorted(drawn):
        if start + length <= len(text) and (not edits or start >= edits[-1].end):
            edits.append(Edit(start, start + length, new))
    rewrite = Rewrite(text, edits)
    for at in range(len(text)):
        moved = rewrite.moved(at)
        if not any(edit.start <= at < edit.end for edit in edits):
            assert moved is not None
            assert rewrite.text[moved] == text[at]
    for edit, (start, end) in zip(edits, rewrite.spans, strict=True):
        assert rewrite.text[start:end] == edit.text
    back = rewrite.text
    for edit, (start, end) in reversed(list(zip(edits, rewrite.spans, strict=True))):
        back = back[:start] + text[edit.start : edit.end] + back[end:]
    assert back == text


def entity(name: str, text: str, word: str, **more: object) -> Entity:
    at = text.index(word)
    return Entity(name, "Problem", (Span(at, at + len(word)),), **more)  # type: ignore[arg-type]


def test_annotations_move_along_and_hold_nothing_that_went():
    text = "Mr. Quimby has fever. Dr. Smith saw Quimby cough on 03/04/2021."
    fever = entity(
        "E1", text, "fever", attributes=(Attribute("who", "quimby"), Attribute("assertion", "present"))
    )
    cough = entity(
        "E2", text, "Quimby cough", concepts=(Concept("X:1", "Quimby cough"), Concept("X:2", "cough"))
    )
    name = entity("E3", text, "Quimby")
    document = Document(
        "a",
        text,
        (fever, cough, name),
        relations=(Relation("R1", "with", "E1", "E2"), Relation("R2", "of", "E1", "E3")),
        sentences=(Span(0, 21), Span(22, len(text))),
        sections=(Section("all", Span(0, len(text))),),
        meta={"author": "Quimby", "ward": "4"},
    )
    wanted = Policy(labels=dict.fromkeys(LABELS, "redact"), keep_meta=("ward",))
    (changed,) = Deidentifier(wanted, key=KEY).annotate([document])
    assert changed.text == "Mr. [NAME] has fever. Dr. [NAME] saw [NAME] cough on [DATE]."
    kept = {each.id: each for each in changed.entities if each.id.startswith("E")}
    assert {name: changed.text_of(each) for name, each in kept.items()} == {
        "E1": "fever",
        "E2": "[NAME] cough",
    }
    assert [each.name for each in kept["E1"].attributes] == ["assertion"]
    assert [each.id for each in kept["E2"].concepts] == ["X:2"]
    assert [each.id for each in changed.relations] == ["R1"]
    assert [changed.text_of(span) for span in changed.sentences] == [
        "Mr. [NAME] has fever.",
        changed.text[22:],
    ]
    assert changed.meta == {"ward": "4", COUNTS: {"DATE": 1, "NAME": 3}}
    assert [changed.text_of(each) for each in changed.entities if each.label == "NAME"] == ["[NAME]"] * 3


@pytest.mark.parametrize(("ids", "is_kept"), [("auto", False), ("keep", True), ("hash", False)])
def test_ids_that_tell(ids: str, is_kept: bool):  # noqa: FBT001 - a column of the table
    wanted = Policy(labels=dict.fromkeys(LABELS, "redact"), ids=ids)  # type: ignore[arg-type]
    document = Document("quimby-2021", "Mr. Quimby left.")
    assert (next(Deidentifier(wanted, key=KEY).annotate([document])).id == "quimby-2021") is is_kept


def test_patients_are_told_apart_by_meta():
    wanted = Policy(labels={**ALL, "NAME": "surrogate", "DATE": "surrogate"}, patient="patient")  # type: ignore[arg-type]
    run = Deidentifier(wanted, key=KEY)
    notes = [
        Document("1", "Mr. Quimby, 03/04/2021", meta={"patient": 7}),
        Document("2", "Seen again: Mr. Quimby, 03/04/2021", meta={"patient": 7}),
        Document("3", "Mr. Quimby, 03/04/2021", meta={"patient": 8}),
    ]
    one, two, three = (each.text for each in run.annotate(notes))
    assert two == f"Seen again: {one}"
    assert three != one
    assert [each.text for each in run.annotate(reversed(notes))] == [three, two, one]
    with pytest.raises(AnnotationError, match="'patient'"):
        list(run.annotate([Document("4", "Mr. Quimby")]))


def test_a_column_leaves_the_document():
    run = Deidentifier(policy(), key=KEY, as_column=True)
    document = run("Mr. Quimby has fever.")
    assert document.text == "Mr. Quimby has fever."
    assert document.meta[TEXT_DEIDENTIFIED] == "Mr. [NAME] has fever."
    assert [(each.label, each.start, each.end) for each in document.entities] == [("NAME", 4, 10)]


@given(st.lists(texts(), max_size=4))
def test_any_text_and_any_batch(found: list[str]):
    run = Deidentifier(load_policy("surrogate"), key=KEY)
    together = [each.text for each in run.annotate(found)]
    assert together == [run(text, id=str(number)).text for number, text in enumerate(found)]
