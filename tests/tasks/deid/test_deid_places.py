"""What stands beside a place and between the parts of an address."""

from __future__ import annotations

import pytest

from medspan.tasks.deid.beside import find_beside, find_between
from medspan.tasks.deid.finder import Finder
from medspan.tasks.deid.gazetteer import NameLists, find_names, find_regions, known_names
from medspan.tasks.deid.merge import merge
from medspan.tasks.deid.patterns import Candidate
from medspan.types import Document


def places(text: str, *found: str, label: str = "LOCATION") -> list[str]:
    """What there is after both finders, of given places."""
    given = [Candidate(text.index(each), text.index(each) + len(each), label, 2) for each in found]
    wider = merge(text, [*given, *find_beside(text, given)])
    return [text[each.start : each.end] for each in merge(text, [*wider, *find_between(text, wider)])]


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("lives at 4512 Elm Road, Apt 3B, now", "Elm Road", "4512 Elm Road, Apt 3B"),
        ("from 512 12 Via Roma 131 Suite 7", "Via Roma", "512 12 Via Roma 131 Suite 7"),
        ("mail to Via Roma 131\nnow", "Via Roma", "Via Roma 131"),
        ("Aalborg NO 9100, far", "Aalborg", "Aalborg NO 9100"),
        ("moved to Dayton, OH last", "Dayton", "Dayton, OH"),
        ("Uruguay 64677.", "Uruguay", "Uruguay 64677"),
        ("the corner of Elm Road", "Elm Road", "the corner of Elm Road"),
        ("was in Canada 2 weeks ago", "Canada", "Canada"),
        ("in Canada 12 patients", "Canada", "Canada"),
        ("from Dayton clinic", "Dayton", "Dayton clinic"),
    ],
)
def test_what_belongs_to_a_place(text: str, found: str, expected: str):
    assert places(text, found) == [expected]


def test_lines_between_parts_of_an_address():
    text = "12 Elm Road\n  Beerze\n , OV\n Netherlands"
    assert places(text, "12 Elm Road", "Netherlands") == ["12 Elm Road", "Beerze\n , OV", "Netherlands"]
    text = "12 Elm Road\nAssessment: he is well and fine\nNetherlands"
    assert places(text, "12 Elm Road", "Netherlands") == ["12 Elm Road", "Netherlands"]


@pytest.mark.parametrize(
    "text",
    [
        "unit 1009 box 0219\ndpo ap 51065",
        "USCGC Miller\nFPO AA 65607",
        "APO AE 09012",
        "9721 Dalma 43 Apt. 678",
        "the corner of Elm and Oak",
    ],
)
def test_addresses_have_patterns(text: str):
    (found,) = Finder().find([Document("d", text)])
    covered = [text[each.start : each.end] for each in found if each.label in {"LOCATION", "ZIP"}]
    assert " ".join(" ".join(covered).split()) == " ".join(text.split())


def test_the_corner_of_the_mouth_is_no_place():
    (found,) = Finder().find([Document("d", "A lesion at the corner of the mouth and lip.")])
    assert found == []


def test_regions_and_first_names_are_found_by_lists():
    text = "Heather Quimby of NEW YORK flew to Canada; Kenya virus; a heather."
    names = [text[each.start : each.end] for each in find_names(text)]
    assert names == ["Heather Quimby"]
    assert [text[each.start : each.end] for each in find_regions(text)] == ["NEW YORK", "Canada", "Kenya"]
    assert list(find_names(text, NameLists(frozenset(), frozenset()))) == []
    assert not {"Will", "May", "Allegra"} & known_names().given
    assert not {"Foley", "Parkinson", "Wilms", "Gray"} & known_names().family


def test_a_family_name_stands_alone():
    text = "Seen by Dvořáková Hospital, a Foley catheter, Dvořáková syndrome."
    assert [text[each.start : each.end] for each in find_names(text)] == ["Dvořáková"]


def test_a_region_in_a_name_of_a_disease_stays():
    assert list(find_regions("a Texas syndrome")) == []
