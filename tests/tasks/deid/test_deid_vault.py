"""The vault: exact, encrypted, and sure of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medspan.errors import DataError, UsageError
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.deid.policy import load_policy
from medspan.tasks.deid.vault import Vault, VaultWriter
from medspan.types import Document
from strategies import texts

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("cryptography", reason="the extra deid is not installed")

PASSPHRASE = "correct horse"  # noqa: S105 - of tests
NOTES = [
    Document("quimby", "Mr. Quimby, MRN: 12345678, seen 03/04/2021."),
    Document("b", "Nothing here."),
    Document("c", "Dr. Wu."),
]


def written(path: Path, documents: list[Document], policy: str = "surrogate") -> list[Document]:
    with VaultWriter(path, PASSPHRASE) as vault:
        results = list(Deidentifier(load_policy(policy), key=b"k" * 16).results(documents))
        for result in results:
            vault.add(result)
    return [result.document for result in results]


@pytest.mark.parametrize("policy", ["redact", "surrogate"])
def test_originals_come_back_exactly(tmp_path: Path, policy: str):
    changed = written(tmp_path / "vault", NOTES, policy)
    vault = Vault(tmp_path / "vault", PASSPHRASE)
    assert len(vault) == 3
    assert [vault.restore(document) for document in changed] == NOTES


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(texts(), min_size=1, max_size=4))
def test_any_text_comes_back(tmp_path: Path, found: list[str]):
    path = tmp_path / "vault"
    path.unlink(missing_ok=True)
    documents = [Document(str(number), f"{text} Mr. Quimby {text}") for number, text in enumerate(found)]
    changed = written(path, documents)
    vault = Vault(path, PASSPHRASE)
    assert [vault.restore(document) for document in changed] == documents


def test_the_file_shows_nothing(tmp_path: Path):
    written(tmp_path / "vault", NOTES)
    data = (tmp_path / "vault").read_bytes()
    assert b"uimby" not in data
    assert b"12345678" not in data
    assert (tmp_path / "vault").stat().st_mode & 0o077 == 0


def test_what_was_changed_is_noticed(tmp_path: Path):
    path = tmp_path / "vault"
    many = [Document(str(number), f"Mr. Quimby {'x' * 3000} 03/04/2021") for number in range(60)]
    changed = written(path, many)
    whole = path.read_bytes()
    vault = Vault(path, PASSPHRASE)
    with pytest.raises(DataError, match="no document"):
        vault.restore(changed[0].replace(text=changed[0].text + "."))
    with pytest.raises(DataError, match="passphrase is wrong"):
        Vault(path, "wrong horse")
    for damaged in (
        whole[:-1],
        whole[:200],
        whole[:-30] + b"x" + whole[-29:],
        whole[:16],
        whole + whole[-40:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            Vault(path, PASSPHRASE)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="no vault"):
        Vault(path, PASSPHRASE)


def test_a_cut_between_chunks_is_noticed(tmp_path: Path):
    path = tmp_path / "vault"
    many = [Document(str(number), "Mr. Quimby " * 400) for number in range(60)]
    written(path, many)
    whole = path.read_bytes()
    at = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    first = at + 4 + int.from_bytes(whole[at : at + 4], "big")
    assert first < len(whole)
    path.write_bytes(whole[:first])
    with pytest.raises(DataError, match="cut off"):
        Vault(path, PASSPHRASE)


def test_nothing_is_left_where_the_job_fails(tmp_path: Path):
    with pytest.raises(ValueError, match="stop"), VaultWriter(tmp_path / "vault", PASSPHRASE):
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


def test_refusals(tmp_path: Path):
    (tmp_path / "vault").write_bytes(b"x")
    with pytest.raises(UsageError, match="already"):
        VaultWriter(tmp_path / "vault", PASSPHRASE)
    with pytest.raises(UsageError, match="at least 8"):
        VaultWriter(tmp_path / "other", "short")
