r"""Names that a format's separators would break, written so that they read back the same.

A character that cannot stand becomes ``%XX`` or ``%uXXXX``; ``%`` itself only where it would look like
one of these; the empty name is ``%u0000``. A foreign name that merely looks quoted is left as it is.
"""

from __future__ import annotations

import re

LINE_BREAKS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_LOOKS_QUOTED = "%(?=[0-9A-F]{2}|u[0-9A-F]{4})"
_QUOTED = re.compile("%(?:u([0-9A-F]{4})|([0-9A-F]{2}))")
_EMPTY = "%u0000"


def unsafe(characters: str, *others: str) -> re.Pattern[str]:
    """What to quote: a character class besides tabs and line breaks, and whole patterns."""
    return re.compile("|".join((rf"[{characters}\t{LINE_BREAKS}]", _LOOKS_QUOTED, *others)))


def quote(name: str, forbidden: re.Pattern[str]) -> str:
    """The name with what ``forbidden`` finds quoted."""
    return forbidden.sub(_quoted, name) or _EMPTY


def unquote(name: str, forbidden: re.Pattern[str]) -> str:
    """What ``quote`` with the same pattern was given."""
    plain = "" if name == _EMPTY else _QUOTED.sub(_plain, name)
    return plain if quote(plain, forbidden) == name else name


def _quoted(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"%{code:02X}" if code < 256 else f"%u{code:04X}"  # noqa: PLR2004 - two hexadecimal digits


def _plain(found: re.Match[str]) -> str:
    return chr(int(found.group(1) or found.group(2), 16))
