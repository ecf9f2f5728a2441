"""Every reader on a small invented release: what it takes, what it leaves out, and bad lines."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from medspan.errors import FormatError, UsageError
from medspan.tasks.resolution.readers import READERS, ReadSettings, check_format, format_of, read_names
from medspan.tasks.resolution.terms import Kind, Name, ReadLog

if TYPE_CHECKING:
    from pathlib import Path


ALL = ReadSettings()


def names_of(path: Path, settings: ReadSettings = ALL) -> list[Name]:
    return list(read_names(path, None, settings, ReadLog()))


def pairs(names: list[Name]) -> list[tuple[str, str, int]]:
    return [(name.id, name.name, int(name.kind)) for name in names]


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rrf(*fields: str) -> str:
    return "|".join(fields) + "|"


def atom(concept: str, string: str, **more: str) -> str:
    given = {"language": "ENG", "status": "S", "type": "VO", "best": "N", "source": "INV", "term": "PT"}
    given |= {"code": "X1", "suppress": "N", **more}
    return rrf(
        concept, given["language"], given["status"], "L1", given["type"], "S1", given["best"], "A1", "", "", "",
        given["source"], given["term"], given["code"], string, "0", given["suppress"], "",
    )  # fmt: skip


def test_table_with_synonyms(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tsv",
        "id\tname\tsynonyms\tgroup",
        'X:1\tgrey "fever"\tgreyness| ash fever |\tg',
        "X:2\tdry lung\t\t",
    )
    assert pairs(names_of(path)) == [
        ("X:1", 'grey "fever"', 0),
        ("X:1", "greyness", 1),
        ("X:1", "ash fever", 1),
        ("X:2", "dry lung", 0),
    ]


def test_table_with_types_and_preferred(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "\ufeffname,ID,type,preferred",
        '"fever, grey",1,Problem,0',
        "ash fever,1,Problem,Yes",
        "zel,2,Drug,1",
    )
    assert pairs(names_of(path, ReadSettings(types=("Problem",)))) == [
        ("1", "fever, grey", 1),
        ("1", "ash fever", 0),
    ]


def test_packed_table(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"id\tname\n1\tgrey fever\n"))
    assert pairs(names_of(path)) == [("1", "grey fever", 1)]


def test_table_without_a_needed_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "code,term", "1,fever")
    with pytest.raises(FormatError, match=r"a\.csv:1: there is no column 'id'"):
        names_of(path)


def test_obo(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.obo",
        "format-version: 1.2",
        "default-namespace: invented",
        "",
        "[Term]",
        "id: X:1 ! grey fever",
        "name: grey fever",
        r'synonym: "the \"grey\" one" EXACT [src:1]',
        'synonym: "any fever" BROAD []',
        'synonym: "ash fever" RELATED []',
        "",
        "[Term]",
        "id: X:2",
        "name: gone",
        "is_obsolete: true",
        "",
        "[Typedef]",
        "id: part_of",
        "name: part of",
    )
    found = names_of(path)
    assert pairs(found) == [("X:1", "grey fever", 0), ("X:1", 'the "grey" one', 1), ("X:1", "ash fever", 1)]
    assert {name.type for name in found} == {"invented"}
    assert names_of(path, ReadSettings(types=("other",))) == []


def test_umls(tmp_path: Path) -> None:
    folder = tmp_path / "META"
    write(
        folder / "MRCONSO.RRF",
        atom("C1", "Grey fever", status="P", type="PF", best="Y"),
        atom("C1", "Feber, grå", language="SWE"),
        atom("C1", "Greyness", source="OTHER"),
        atom("C1", "Obsolete grey", suppress="O"),
        atom("C2", "Zelvorin", code="Z9"),
    )
    write(folder / "MRSTY.RRF", rrf("C1", "T047", "B2", "Disease or Syndrome", "AT1", ""))
    assert pairs(names_of(tmp_path)) == [
        ("C1", "Grey fever", 0),
        ("C1", "Greyness", 1),
        ("C2", "Zelvorin", 1),
    ]
    assert pairs(names_of(folder, ReadSettings(language="SWE"))) == [("C1", "Feber, grå", 1)]
    assert len(names_of(folder, ReadSettings(language="any"))) == 4
    by_code = ReadSettings(vocabularies=("INV",), codes=True)
    assert pairs(names_of(folder, by_code))[-1] == ("INV:Z9", "Zelvorin", 1)
    for kind in ("T047", "Disease or Syndrome"):
        assert {name.id for name in names_of(folder, ReadSettings(types=(kind,)))} == {"C1"}
    (folder / "MRSTY.RRF").unlink()
    with pytest.raises(UsageError, match=r"MRSTY\.RRF"):
        names_of(folder, ReadSettings(types=("T047",)))


def test_rxnorm(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rrf" / "RXNCONSO.RRF",
        atom("11", "zelvorin", source="RXNORM", term="IN"),
        atom("11", "Zelvorin sodium salt", source="OTHER", term="PT"),
        atom("12", "zelvorin 5 MG Oral Tablet", source="RXNORM", term="SCD"),
        atom("12", "ZELVORIN 5MG TAB", source="RXNORM", term="SY"),
    )
    assert [kind for *_, kind in pairs(names_of(path))] == [0, 1, 0, 1]
    assert {name.id for name in names_of(path, ReadSettings(types=("IN",)))} == {"11"}
    assert len(names_of(path, ReadSettings(types=("IN",)))) == 2


SNOMED_HEADER = (
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId"
)
FULL, SYNONYM = "900000000000003001", "900000000000013009"


def snomed_release(folder: Path) -> Path:
    terminology = folder / "Snapshot" / "Terminology"
    write(
        terminology / "sct2_Description_Snapshot-en_INT_20260101.txt",
        SNOMED_HEADER,
        f"1\t20260101\t1\tm\t100\ten\t{FULL}\tGrey fever (disorder)\tc",
        f"2\t20260101\t1\tm\t100\ten\t{SYNONYM}\tGrey fever\tc",
        f"3\t20260101\t0\tm\t100\ten\t{SYNONYM}\tOld grey\tc",
        f"4\t20260101\t1\tm\t200\ten\t{FULL}\tZelvorin (substance)\tc",
        f"5\t20260101\t1\tm\t300\ten\t{FULL}\tRetired (disorder)\tc",
    )
    write(
        terminology / "sct2_Concept_Snapshot_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId",
        *(f"{concept}\t20260101\t{active}\tm\td" for concept, active in (("100", 1), ("200", 1), ("300", 0))),
    )
    write(
        folder / "Snapshot" / "Refset" / "Language" / "der2_cRefset_LanguageSnapshot-en_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId",
        "u\t20260101\t1\tm\tr\t2\t900000000000548007",
    )
    return folder


def test_snomed(tmp_path: Path) -> None:
    found = names_of(snomed_release(tmp_path))
    assert pairs(found) == [("100", "Grey fever", 1), ("100", "Grey fever", 0), ("200", "Zelvorin", 1)]
    assert [name.type for name in found] == ["disorder", "disorder", "substance"]
    assert {name.id for name in names_of(tmp_path, ReadSettings(types=("substance",)))} == {"200"}


def test_snomed_refuses_other_files(tmp_path: Path) -> None:
    path = write(tmp_path / "sct2_Description_Snapshot-en_X.txt", "\t".join("abcdefghi"))
    with pytest.raises(FormatError, match="no description file"):
        names_of(path)


def athena_download(folder: Path) -> Path:
    write(
        folder / "CONCEPT.csv",
        "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
        "valid_start_date\tvalid_end_date\tinvalid_reason",
        '7\tGrey "ash" fever\tCondition\tSNOMED\tDisorder\tS\t100\t20200101\t20991231\t',
        "8\tzelvorin\tDrug\tRxNorm\tIngredient\tS\t11\t20200101\t20991231\t",
        "9\told\tDrug\tRxNorm\tIngredient\t\t12\t20200101\t20210101\tD",
    )
    write(
        folder / "CONCEPT_SYNONYM.csv",
        "concept_id\tconcept_synonym_name\tlanguage_concept_id",
        "7\tash fever\t4180186",
        "7\tfiebre gris\t4182511",
        "9\tolder\t4180186",
    )
    return folder


def test_athena(tmp_path: Path) -> None:
    folder = athena_download(tmp_path)
    assert pairs(names_of(folder)) == [
        ("7", 'Grey "ash" fever', 0),
        ("8", "zelvorin", 0),
        ("7", "ash fever", 1),
    ]
    assert {name.id for name in names_of(folder, ReadSettings(types=("Drug",), codes=True))} == {"RxNorm:11"}
    assert len(names_of(folder, ReadSettings(vocabularies=("SNOMED",), language="any"))) == 3


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.tsv", ("id\tname", "1\tgood", "2", "3\t", "4\tgood")),
        ("a.csv", ("id,name", "1,good", '2,"open', ",x", "4,good")),
        ("a.obo", ("[Term]", "id: 1", "name: good", "synonym: unquoted EXACT []", "no tag", "", "[Term]", "id: 4", "name: good")),
        ("MRCONSO.RRF", (atom("1", "good"), "too|short|", atom("", "nameless"), atom("4", "good"))),
    ],
)  # fmt: skip
def test_bad_lines_are_counted_and_named(tmp_path: Path, name: str, lines: tuple[str, ...]) -> None:
    path = write(tmp_path / name, *lines)
    log = ReadLog()
    found = list(read_names(path, None, ReadSettings(), log))
    assert [each.id for each in found] == ["1", "4"]
    assert log.bad == 2
    assert log.files[0] == path
    assert all(line.startswith(f"{path}:") for line in log.shown)
    with pytest.raises(FormatError, match=r"bad line 1 of"):
        list(read_names(path, None, ReadSettings(), ReadLog(0.0)))


def test_a_line_that_is_no_utf8_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"id\tname\n1\tgood\n2\tb\xe5d\n")
    log = ReadLog()
    assert [name.id for name in read_names(path, None, ReadSettings(), log)] == ["1"]
    assert log.bad == 1
    assert "not UTF-8" in log.shown[0]


def test_errors_hold_no_text_of_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "id\tname", "secret")
    with pytest.raises(FormatError) as caught:
        list(read_names(path, None, ReadSettings(), ReadLog(0.0)))
    assert "secret" not in str(caught.value)


def test_formats_are_told_by_names(tmp_path: Path) -> None:
    assert format_of(athena_download(tmp_path / "athena")) == "athena"
    assert format_of(snomed_release(tmp_path / "rf2")) == "snomed"
    assert format_of(write(tmp_path / "x.tsv", "id\tname")) == "table"
    with pytest.raises(UsageError, match="--format"):
        format_of(write(tmp_path / "names.txt", "x"))
    with pytest.raises(UsageError, match="no such file"):
        format_of(tmp_path / "absent.obo")
    with pytest.raises(UsageError, match="did you mean snomed"):
        check_format("snomd")
    assert set(READERS) == {"table", "obo", "umls", "rxnorm", "snomed", "athena"}


def test_a_folder_with_several_releases_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "MRCONSO.RRF", atom("1", "good"))
    with pytest.raises(UsageError, match="needs one file"):
        names_of(tmp_path)


def test_kinds_order_names() -> None:
    assert Kind.PREFERRED < Kind.SYNONYM < Kind.MENTION
