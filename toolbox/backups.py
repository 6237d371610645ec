"""Backups of files that are about to be replaced: -b, --backup and --suffix of cp, ln, mv, install."""

from __future__ import annotations

import os

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

_KINDS = {
    "none": "none",
    "off": "none",
    "numbered": "numbered",
    "t": "numbered",
    "existing": "existing",
    "nil": "existing",
    "simple": "simple",
    "never": "simple",
}


class Backups:
    """How backups are made.  `wanted`: whether they are."""

    def __init__(self, kind: str = "none", suffix: str = "~") -> None:
        self.kind = kind
        self.suffix = suffix
        self.wanted = kind != "none"

    @classmethod
    def from_options(cls, opt: Values) -> Backups:
        """From the options b, backup and suffix, and $VERSION_CONTROL and $SIMPLE_BACKUP_SUFFIX."""
        suffix = opt.suffix or os.environ.get("SIMPLE_BACKUP_SUFFIX") or "~"
        if not (opt.b or opt.backup is not None or opt.suffix is not None):
            return cls("none", suffix)
        word = opt.backup or os.environ.get("VERSION_CONTROL") or "existing"
        if word not in _KINDS:
            raise UsageError(f"invalid argument {word!r} for backup type: {', '.join(_KINDS)}")
        return cls(_KINDS[word], suffix)

    def make(self, name: str) -> str:
        """Rename the file out of the way; returns the new name."""
        kept = self.name(name)
        os.rename(name, kept)
        return kept

    def name(self, name: str) -> str:
        """The name of the backup of a file."""
        numbers = self._numbers(name) if self.kind in ("numbered", "existing") else []
        if self.kind == "numbered" or numbers:
            return f"{name}.~{max(numbers, default=0) + 1}~"
        return name + self.suffix

    def _numbers(self, name: str) -> list[int]:
        start = os.path.basename(name) + ".~"
        return [
            int(number)
            for other in os.listdir(os.path.dirname(name) or ".")
            if other.startswith(start)
            and other.endswith("~")
            and (number := other[len(start) : -1]).isdecimal()
        ]
