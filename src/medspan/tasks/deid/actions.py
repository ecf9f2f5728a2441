"""A label's action applied to one mention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.tasks.deid import names, surrogates
from medspan.tasks.deid.checks import digits_of
from medspan.tasks.deid.dates import shift_date, year_of
from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from medspan.tasks.deid.policy import Policy
    from medspan.tasks.deid.surrogates import Secret

_WEEK = 7


class Actions:
    """What is written instead of each mention of a document.

    Args:
        policy: what becomes of each label.
        secret: of the job, for hashes, which are equal over patients.
        patient: of the document's patient, for surrogates and days.
        people: the names in the document.
    """

    def __init__(self, policy: Policy, secret: Secret, patient: Secret, people: Iterable[str]) -> None:
        self._policy = policy
        self._secret = secret
        self._patient = patient
        self._namer = names.Namer(patient, policy.language, people)
        self._days = days_of(policy, patient)
        self._makers: dict[str, Callable[[str, str], str]] = {
            "redact": _redacted,
            "mask": self._masked,
            "hash": self._hashed,
            "surrogate": self._surrogate,
            "generalise": self._generalised,
        }

    def replacement(self, label: str, text: str) -> str | None:
        """What is written for a mention; None where it stays."""
        action = self._policy.labels[label]
        return None if action == "keep" else self._makers[action](label, text)

    def _masked(self, _label: str, text: str) -> str:
        return "".join(self._policy.mask if each.isalnum() else each for each in text)

    def _hashed(self, label: str, text: str) -> str:
        digest = self._secret.digest(f"hash/{label}", " ".join(text.lower().split())).hex()
        return f"[{label}:{digest[: self._policy.hash_length]}]"

    def _surrogate(self, label: str, text: str) -> str:
        if label == "NAME":
            return self._namer.person(text)
        if label == "DATE":
            return shift_date(text, self._days, order=self._policy.date_order) or _redacted(label, text)
        if label == "AGE":
            return _old()
        made = {
            "LOCATION": names.place,
            "FACILITY": names.facility,
            "EMAIL": surrogates.email,
            "URL": surrogates.url,
            "IP": surrogates.ip,
        }.get(label)
        return made(self._patient, text) if made else self._patient.scrambled(label, text)

    def _generalised(self, label: str, text: str) -> str:
        if label == "DATE":
            return year_of(text) or _redacted(label, text)
        if label == "AGE":
            return _old()
        if label == "ZIP":
            return zip3(text)
        if label == "LOCATION":
            return text if text.lower() in terms().regions else _redacted(label, text)
        return ".".join([*text.split(".")[:2], "0", "0"]) if "." in text else _redacted(label, text)


def days_of(policy: Policy, patient: Secret) -> int:
    """By how many days a patient's dates move: never 0, whole weeks where weekdays stay."""
    unit = _WEEK if policy.keep_weekdays else 1
    most = policy.max_shift_days // unit
    drawn = patient.number("days", "", 2 * most)
    return unit * (drawn - most if drawn < most else drawn - most + 1)


def zip3(text: str) -> str:
    """The first three digits of a US postal code, 000 where they stand for few people; no other code's."""
    digits = digits_of(text)
    if len(digits) not in {5, 9} or not text[:5].isdigit():
        return _redacted("ZIP", text)
    return "000" if digits[:3] in terms().small_zip3 else digits[:3]


def _redacted(label: str, _text: str) -> str:
    return f"[{label}]"


def _old() -> str:
    return "90+"
