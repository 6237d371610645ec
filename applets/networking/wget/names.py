"""The file names that URLs become."""

from __future__ import annotations

import os

from toolbox.net.url import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.net.url import URL


def file_name(url: URL) -> str:
    """The last part of the path with the query, as the name of a file in this directory only."""
    path, question, query = url.target.partition("?")
    raw = decode(path.rpartition("/")[2] or "index.html")
    return safe_name(raw + (question + query).encode())


def safe_name(raw: bytes) -> str:
    """A name without slashes and control characters, and not `.` or `..`."""
    name = b"".join(b"%%%02X" % c if c < 32 or c in (47, 127) else bytes([c]) for c in raw)
    if name in (b"", b".", b".."):
        name = name.replace(b".", b"%2E") or b"index.html"
    return os.fsdecode(name[:240])
