"""Tokens for programs: random, and only their hashes are stored.

A token is 256 random bits, so nobody guesses it and a plain SHA-256 keeps it; a password needs a slow hash.
A file of tokens has a line for each: `sha256:` and the digest in hexadecimal, then what it is for, if anything.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from toolbox.trust.sessions import new_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "sha256:"

#: The longest file of tokens, in bytes, and the longest token.
LONGEST_FILE, LONGEST = 1 << 16, 1024


def make() -> tuple[str, str]:
    """A new token, which only its user keeps, and the line to store for it."""
    token = new_token()
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """The line to store for a token."""
    return PREFIX + hashlib.sha256(_secret(token)).hexdigest()


def parse(line: str) -> bytes:
    """The digest of a stored line.  ValueError when it is none."""
    word = (line.split() or [""])[0]
    digits = word.removeprefix(PREFIX)
    if not word.startswith(PREFIX) or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"a token's hash is {PREFIX} and 64 digits 0-9a-f")
    return bytes.fromhex(digits)


def verify(token: str, stored: Iterable[str]) -> bool:
    """Whether one of the stored lines is the token's; how long that takes tells nothing about them.

    ValueError when a line is no token's hash.
    """
    secret = _secret(token)
    digest = hashlib.sha256(secret[:LONGEST]).digest()
    found = [hmac.compare_digest(digest, parse(line)) for line in stored]
    return any(found) and len(secret) <= LONGEST


def read_file(path: str) -> list[str]:
    """The lines of a file of tokens, checked; none when there is no such file.

    OSError when it cannot be read; ValueError, in words for its owner, when a line is no token's hash.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    with open(fd, "rb") as file:
        text = file.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise ValueError(f"{path}: longer than {LONGEST_FILE} bytes")
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            parse(line)
        except ValueError as error:
            raise ValueError(f"{path}: line {number}: {error}") from None
    return lines


def _secret(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
