"""Natural order of names with version numbers in them: `a9` before `a10` (ls -v, sort -V).

Debian's rule for versions, which GNU's filevercmp takes over: stretches without digits compare with `~`
before everything, even the end, then letters, then other bytes; stretches of digits compare as numbers.
A file suffix (`.tar.gz`) counts only when the rest is equal.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PARTS = re.compile(rb"([^0-9]*)([0-9]*)")
_SUFFIX = re.compile(rb"(?:\.[A-Za-z~][A-Za-z0-9~]*)*\Z")


def version_key(name: bytes) -> tuple[Any, ...]:
    """A key that sorts names in version order; bytewise order where that makes them equal."""
    # The empty name, . and .. come first, then other names that start with a dot.
    rank = {b"": 0, b".": 1, b"..": 2}.get(name, 3 if name.startswith(b".") else 4)
    body = name[1:] if rank == 3 else name
    stem = body[: _suffix_start(body)]
    return rank, _parts(stem), _parts(body), name


def _suffix_start(name: bytes) -> int:
    # A name that is nothing but a suffix has none.
    found = _SUFFIX.search(name)
    return found.start() if found and found.start() else len(name)


def _parts(text: bytes) -> tuple[Any, ...]:
    parts: list[Any] = []
    for letters, digits in _PARTS.findall(text):
        if not letters and not digits:
            break
        parts.append((*map(_order, letters), _END))
        parts.append(int(digits or b"0"))
    return (*parts, (_END,)) if len(parts) % 2 == 0 else tuple(parts)


#: The end of a stretch sorts after `~` and before everything else.
_END = 0


def _order(byte: int) -> int:
    if byte == 126:
        return -1
    if 65 <= byte <= 90 or 97 <= byte <= 122:
        return byte
    return byte + 256
