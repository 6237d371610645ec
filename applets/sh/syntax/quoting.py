"""Values as the shell can read them again (set, export -p, trap, alias, -x)."""

from __future__ import annotations

import re

from applets.sh.syntax.tokens import RESERVED

_SAFE = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")


def single_quoted(text: str) -> str:
    """`text` in single quotes; a single quote itself stands in double quotes between them."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def quoted(text: str) -> str:
    """`text` as one shell word, quoted only when it must be."""
    return text if _SAFE.fullmatch(text) else single_quoted(text)


def traced(text: str) -> str:
    """`text` as -x shows it: quoted also where it would be an assignment or a reserved word."""
    plain = _SAFE.fullmatch(text) and "=" not in text and text not in RESERVED
    return text if plain else single_quoted(text)
