"""What a release says of itself: for which box, which version, and the hashes that vouch for its bytes."""

from __future__ import annotations

import re

from toolbox.release import ReleaseError
from toolbox.versions import version_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYPE = "snakeroot release"
FORMAT = 1

#: Ending of a release's file.
SUFFIX = ".release"

#: What each part of a name may be; together they make a file's name that is safe on every file system and in
#: every URL.  A version is digits between dots, and perhaps `~rc1` (before the version) or `a` (after it).
WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
VERSION = re.compile(r"(?=.{1,32}\Z)[0-9]+(\.[0-9]+)*(~?[a-z]+[0-9]*)?")
FILE = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9][A-Za-z0-9._~-]*")

#: The field of a release's trusted comment (signed.seal) that has the features of ext4, between commas, with which
#: its init can mount /perm.  A release without the field is older than all of them.
MOUNTS = "mounts"

#: What this version's init can mount, with any kernel: its users' shares are counted (applets/init/early.py).
QUOTA = "quota"
MOUNTED = (QUOTA,)

#: What a slot is made of, in this order.
PARTS = ("boot", "root")

#: Bounds, in bytes, before anything is allocated.
LARGEST_PART = 16 << 30
LONGEST_NOTES = 1 << 15
MOST_CHUNKS = 1 << 16
ENTRY = 40

#: Release numbers are compared by GRUB, which counts in 32 bits with a sign.
MAX_NUMBER = (1 << 31) - 1

_HASH = re.compile("[0-9a-f]{64}")
_KEYS = frozenset(
    (
        *("type", "format", "name", "architecture", "board", "version", "number", "floor"),
        *("created", "notes", "parts", "index", "pack"),
    )
)


class Blob:
    """A run of bytes: how many, and their SHA-256 in hexadecimal."""

    __slots__ = ("sha256", "size")

    def __init__(self, size: int, sha256: str) -> None:
        self.size = size
        self.sha256 = sha256

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blob) and (self.size, self.sha256) == (other.size, other.sha256)

    def __hash__(self) -> int:
        return hash((self.size, self.sha256))

    def __repr__(self) -> str:
        return f"Blob({self.size}, {self.sha256!r})"


class Target:
    """For which boxes: name (what they are for), architecture (as `uname -m` has it), board."""

    __slots__ = ("architecture", "board", "name")

    def __init__(self, name: str, architecture: str, board: str = "pc") -> None:
        self.name = name
        self.architecture = architecture
        self.board = board

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.name}-{self.board}-{self.architecture}"

    def check(self, other: Target) -> None:
        """ReleaseError when `other`, of something signed, is not this box's."""
        for what in ("architecture", "board", "name"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs:
                raise ReleaseError(f"it is for {what} {theirs}, and this box has {what} {mine}")


class Manifest:
    """The fields of the signed line.

    target: for which boxes         version: what people call it
    number: of the slot's header    floor: once this one is committed, no version below that is taken
    created: Unix seconds           notes: text for the owner
    parts: what goes into a slot    index, pack: what follows the manifest in the file
    """

    __slots__ = (
        "created",
        "floor",
        "index",
        "notes",
        "number",
        "pack",
        "parts",
        "target",
        "version",
    )

    def __init__(
        self,
        target: Target,
        version: str,
        number: int,
        created: int,
        parts: dict[str, Blob],
        index: Blob,
        pack: Blob,
        floor: str = "0",
        notes: str = "",
    ) -> None:
        self.target = target
        self.version = version
        self.number = number
        self.created = created
        self.parts = parts
        self.index = index
        self.pack = pack
        self.floor = floor
        self.notes = notes

    @property
    def file(self) -> str:
        """The name of the release's file."""
        return file_name(self.target, self.version)

    def encode(self) -> dict[str, Any]:
        """The message that is signed; `decode` reads it."""
        blobs = {name: _blob(blob) for name, blob in self.parts.items()}
        return {
            "type": TYPE,
            "format": FORMAT,
            "name": self.target.name,
            "architecture": self.target.architecture,
            "board": self.target.board,
            "version": self.version,
            "number": self.number,
            "floor": self.floor,
            "created": self.created,
            "notes": self.notes,
            "parts": blobs,
            "index": _blob(self.index),
            "pack": _blob(self.pack),
        }


def decode(message: dict[str, Any]) -> Manifest:
    """The manifest of a signed message.  ReleaseError names the first field that is not as it must be."""
    kind(message, TYPE, FORMAT)
    known(message, _KEYS)
    parts = message["parts"]
    if not isinstance(parts, dict) or set(parts) != set(PARTS):
        raise ReleaseError(f"manifest: parts must be {' and '.join(PARTS)}")
    manifest = Manifest(
        target(message),
        text(message, "version", VERSION),
        integer(message, "number", 1, MAX_NUMBER),
        integer(message, "created", 0, 1 << 40),
        {name: _read_blob(parts[name], name, LARGEST_PART) for name in PARTS},
        _read_blob(message["index"], "index", MOST_CHUNKS * ENTRY),
        _read_blob(message["pack"], "pack", LARGEST_PART * len(PARTS)),
        text(message, "floor", VERSION),
        _notes(message["notes"]),
    )
    if manifest.index.size % ENTRY:
        raise ReleaseError(f"manifest: an index of {manifest.index.size} bytes")
    if compare(manifest.version, manifest.floor) < 0:
        raise ReleaseError("manifest: the version is below the floor")
    return manifest


def file_name(target: Target, version: str) -> str:
    """The name of a release's file."""
    return f"{target}-{version}{SUFFIX}"


def compare(one: str, other: str) -> int:
    """-1, 0 or 1: whether a version is before, the same as, or after another."""
    a, b = version_key(one.encode()), version_key(other.encode())
    return (a > b) - (a < b)


# -- fields, for this and for the channel's ----------------------------------------------------------------


def kind(message: dict[str, Any], wanted: str, newest: int) -> None:
    """ReleaseError unless the message is of this type and a format that is known."""
    found = message.get("type")
    if found != wanted:
        raise ReleaseError(f"it is signed, but not as a {wanted}")
    form = message.get("format")
    if form != newest:
        raise ReleaseError(f"format {form!r} of a {wanted} is unknown to this version")


def known(message: dict[str, Any], keys: frozenset[str]) -> None:
    """ReleaseError unless the message has just these keys."""
    for key in sorted(keys ^ set(message)):
        problem = "missing" if key in keys else "unknown"
        raise ReleaseError(f"manifest: {problem} field {key[:40]!r}")


def target(message: dict[str, Any]) -> Target:
    """For which boxes a message is."""
    return Target(*(text(message, key, WORD) for key in ("name", "architecture", "board")))


def text(message: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    """A field that the whole of `pattern` matches."""
    value = message[key]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ReleaseError(f"manifest: {key} {str(value)[:40]!r} is not allowed")
    return value


def integer(message: dict[str, Any], key: str, least: int, most: int) -> int:
    """A field from `least` to `most`."""
    value = message[key]
    if type(value) is not int or not least <= value <= most:
        raise ReleaseError(f"manifest: {key} is not a number from {least} to {most}")
    return value


def sha256(message: dict[str, Any], key: str) -> str:
    """A field with a hash in hexadecimal."""
    return text(message, key, _HASH)


def _notes(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NOTES:
        raise ReleaseError(f"manifest: notes are text of at most {LONGEST_NOTES} characters")
    return value


def _blob(blob: Blob) -> dict[str, Any]:
    return {"size": blob.size, "sha256": blob.sha256}


def _read_blob(value: Any, name: str, most: int) -> Blob:
    if not isinstance(value, dict) or set(value) != {"size", "sha256"}:
        raise ReleaseError(f"manifest: {name} must have a size and a SHA-256")
    try:
        return Blob(integer(value, "size", 1, most), sha256(value, "sha256"))
    except ReleaseError as error:
        raise ReleaseError(f"{error} (of {name})") from None
