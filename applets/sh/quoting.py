"""Values as the shell can read them again (set, export -p, trap, alias, -x)."""

from __future__ import annotations

import re

_SAFE = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")


def single_quoted(text: str) -> str:
    """`text` in single quotes; a single quote itself stands in double quotes between them."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def quoted(text: str) -> str:
    """`text` as one shell word, quoted only when it must be."""
    return text if _SAFE.fullmatch(text) else single_quoted(text)
