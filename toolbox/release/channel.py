"""A channel file: which release is the latest, and for which part of the boxes.  Signed, small, replaced whole.

A box joins a staged rollout by itself: the hash of its identity and a salt says where it stands from 0 to 99,
and it takes the release when that is below the percentage.  The same salt keeps the order of the boxes, so
a higher percentage only adds some; another salt lets others go first the next time.
"""

from __future__ import annotations

import hashlib
import re

from toolbox.release import manifest
from toolbox.release.manifest import FILE, VERSION, WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from toolbox.release.manifest import Target

TYPE = "snakeroot channel"
FORMAT = 1

#: Ending of a channel's file.
SUFFIX = ".latest"

#: The channel of a box that is told no other.
DEFAULT = "stable"

_SALT = re.compile(r"[A-Za-z0-9._~-]{0,64}")
_KEYS = frozenset(
    (
        *("type", "format", "channel", "name", "architecture", "board", "version"),
        *("file", "created", "percent", "salt"),
    )
)


class Channel:
    """channel: its name    target: for which boxes    version, file: the release
    created: Unix seconds    percent, salt: of the rollout
    """

    __slots__ = ("channel", "created", "file", "percent", "salt", "target", "version")

    def __init__(
        self,
        channel: str,
        target: Target,
        version: str,
        file: str,
        created: int,
        percent: int = 100,
        salt: str = "",
    ) -> None:
        self.channel = channel
        self.target = target
        self.version = version
        self.file = file
        self.created = created
        self.percent = percent
        self.salt = salt

    def encode(self) -> dict[str, Any]:
        """The message that is signed; `decode` reads it."""
        return {
            "type": TYPE,
            "format": FORMAT,
            "channel": self.channel,
            "name": self.target.name,
            "architecture": self.target.architecture,
            "board": self.target.board,
            "version": self.version,
            "file": self.file,
            "created": self.created,
            "percent": self.percent,
            "salt": self.salt,
        }

    def includes(self, identity: str) -> bool:
        """Whether the box of this identity (any string that stays) takes part yet."""
        return place(self.salt, identity) < self.percent


def decode(message: dict[str, Any]) -> Channel:
    """The channel of a signed message.  ReleaseError names the first field that is not as it must be."""
    manifest.kind(message, TYPE, FORMAT)
    manifest.known(message, _KEYS)
    return Channel(
        manifest.text(message, "channel", WORD),
        manifest.target(message),
        manifest.text(message, "version", VERSION),
        manifest.text(message, "file", FILE),
        manifest.integer(message, "created", 0, 1 << 40),
        manifest.integer(message, "percent", 0, 100),
        manifest.text(message, "salt", _SALT),
    )


def file_name(target: Target, channel: str = DEFAULT) -> str:
    """The name of a channel's file."""
    return f"{target}-{channel}{SUFFIX}"


def place(salt: str, identity: str) -> int:
    """Where a box stands in a rollout: 0 to 99, evenly spread."""
    digest = hashlib.sha256(f"{salt}|{identity}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") * 100 >> 64
