"""The labels of de-identification: the HIPAA Safe Harbor classes that have a textual form.

45 CFR 164.514(b)(2)(i), letters in brackets. Photographs [Q] and biometric data [P] have no textual form and
are out of scope.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "NAME": "names of patients, relatives, staff [A]",
        "LOCATION": "streets, cities, counties, states, countries [B]",
        "FACILITY": "hospitals, clinics, wards with a name [B]",
        "ZIP": "postal codes [B]",
        "DATE": "days and months; a year alone may stay [C]",
        "AGE": "ages over 89 [C]",
        "PHONE": "telephone, mobile and pager numbers [D]",
        "FAX": "fax numbers [E]",
        "EMAIL": "mail addresses [F]",
        "SSN": "social security and national identity numbers [G]",
        "MRN": "medical record numbers [H]",
        "HEALTH_PLAN": "numbers of insurance and health plans [I]",
        "ACCOUNT": "account and card numbers, IBAN [J]",
        "LICENSE": "certificates and licences: driver's, NPI, DEA [K]",
        "VEHICLE": "vehicle identification numbers, plates [L]",
        "DEVICE": "serial numbers of devices, hardware addresses [M]",
        "URL": "web addresses [N]",
        "IP": "internet addresses [O]",
        "ID": "any other number or code that names one person [R]",
    }
)
"""Each label and what it covers."""

INDIRECT = frozenset({"LOCATION", "FACILITY", "ZIP", "DATE", "AGE"})
DIRECT = frozenset(LABELS) - INDIRECT
"""Labels that name one person by themselves."""
