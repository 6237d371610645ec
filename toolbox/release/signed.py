"""One line of JSON below its signature: the head of a release, and all of a channel file.

The first four lines are what `minisign -S` makes of a file that holds the fifth line alone.  So any minisign
can check it (`head -n 4` is the signature, `head -n 5 | tail -n 1` the message), or sign it elsewhere.
"""

from __future__ import annotations

import json

from toolbox.release import ReleaseError
from toolbox.trust import minisign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from toolbox.trust.minisign import PublicKey, SecretKey

#: The longest message, in bytes, with its line feed.
LONGEST_MESSAGE = 1 << 16

#: The longest head of a file: nothing more is read before the signature is checked.
LONGEST = minisign.LONGEST + LONGEST_MESSAGE

LINES = 5

#: The only untrusted comment that counts, so that every bit of a head does.
COMMENT = "signature of the line after the next three"


def seal(
    message: dict[str, Any],
    key: SecretKey,
    created: int,
    name: str,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """The five lines.  created (Unix seconds) and name go into the trusted comment, as minisign writes it.

    more: further fields of the comment, which is signed, too.  Boxes refuse a message with a field that they do not
    know; these they pass over.
    ReleaseError when the message is too long.
    """
    line = encode(message)
    others = "".join(f"\t{field}:{value}" for field, value in (more or {}).items())
    comment = f"timestamp:{created}\tfile:{name}\thashed{others}"
    return attach(minisign.sign(key, [line], comment).encode(), line)


def encode(message: dict[str, Any]) -> bytes:
    """The line that is signed: the same for the same message.  ReleaseError when it is too long."""
    line = json.dumps(message, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    if len(line) > LONGEST_MESSAGE:
        raise ReleaseError(f"{len(line)} bytes of manifest; at most {LONGEST_MESSAGE} are allowed")
    return line


def attach(signature: bytes, line: bytes) -> bytes:
    """The five lines, of a signature file of minisign's and the line that it signs."""
    parsed = minisign.parse_signature(signature)
    parsed.untrusted = COMMENT
    return parsed.encode() + line


def read_head(read: Callable[[int], bytes]) -> bytes:
    """The five lines at the beginning of a file, and what else was read with them.

    read: up to that many bytes, b"" at the end.  At most LONGEST bytes are asked for.
    """
    data = b""
    while data.count(b"\n") < LINES and len(data) < LONGEST:
        more = read(min(LONGEST - len(data), 1 << 14))
        if not more:
            break
        data += more
    return data


def split(data: bytes) -> tuple[bytes, bytes]:
    """The five lines, and what follows.  ReleaseError when there are none."""
    end = -1 if data.startswith(minisign.UNTRUSTED.encode()) else len(data)
    for _ in range(LINES):
        end = data.find(b"\n", end + 1)
        if end < 0:
            raise ReleaseError("it does not begin with a signature")
    return data[: end + 1], data[end + 1 :]


def unseal(lines: bytes, keys: Sequence[PublicKey]) -> tuple[bytes, PublicKey]:
    """The message of the five lines and the key that signed it.

    ReleaseError when it isn't signed by one of `keys`; nothing of the message is looked at before.
    """
    lines, rest = split(lines)
    if rest:
        raise ReleaseError("something follows what is signed")
    start = lines.rindex(b"\n", 0, -1) + 1
    head, line = lines[:start], lines[start:]
    try:
        signature = minisign.parse_signature(head)
        key = minisign.verify(signature, [line], keys, legacy=False)
        if attach(head, line) != lines:
            raise ReleaseError("the head of the file was changed")
    except minisign.SignatureError as error:
        raise ReleaseError(str(error)) from None
    return line, key


def field(lines: bytes, name: str) -> str:
    """A field of the trusted comment of five lines that `unseal` took; "" when it is not there."""
    signature = minisign.parse_signature(lines[: lines.rindex(b"\n", 0, -1) + 1])
    for word in signature.comment.split("\t"):
        key, colon, value = word.partition(":")
        if colon and key == name:
            return value
    return ""


def parse(line: bytes) -> dict[str, Any]:
    """The JSON object of a message: no key twice, no numbers but integers.  ReleaseError for anything else."""
    try:
        message = json.loads(
            line,
            object_pairs_hook=_object,
            parse_float=_refuse,
            parse_constant=_refuse,
            parse_int=_integer,
        )
    except (ValueError, RecursionError):
        raise ReleaseError("the signed text is not strict JSON") from None
    if not isinstance(message, dict):
        raise ReleaseError("the signed text is not a JSON object")
    return message


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _integer(text: str) -> int:
    if len(text) > 18:
        raise ValueError(text)
    return int(text)
