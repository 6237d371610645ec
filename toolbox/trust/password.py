"""Password hashes: only they are stored, never a password.

The form is the one of the PHC string format: `$scrypt$ln=14,r=8,p=1$SALT$HASH`, where ln is the binary
logarithm of scrypt's N (RFC 7914) and salt and hash are base64 without padding.  One such line is the whole
of a password file.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Stored(NamedTuple):
        cost: int
        block: int
        parallel: int
        salt: bytes
        digest: bytes

else:
    from collections import namedtuple

    Stored = namedtuple("Stored", "cost block parallel salt digest")

#: 16 MB and some 50 ms on a small board: dear for a guesser, bearable for the box.
LN, R, P = 14, 8, 1

#: The most memory that a stored hash may ask for, in bytes: the file's writer cannot exhaust the box.
MEMORY = 1 << 28

#: The longest password that is hashed, in bytes: the length is the sender's choice.
LONGEST = 1024


def hash_password(text: str, salt: bytes | None = None) -> str:
    """The line to store for a password.  ValueError when it is empty or longer than LONGEST bytes."""
    secret = _secret(text)
    if not secret or len(secret) > LONGEST:
        raise ValueError(f"a password has 1 to {LONGEST} bytes")
    salt = os.urandom(16) if salt is None else salt
    digest = _scrypt(secret, Stored(LN, R, P, salt, bytes(32)))
    return f"$scrypt$ln={LN},r={R},p={P}${_text(salt)}${_text(digest)}"


def verify_password(text: str, stored: str) -> bool:
    """Whether `text` is the password that `stored` was made of; takes the same time either way.

    ValueError when `stored` is no hash of this form: its owner must hear that it can match nothing.
    """
    form = parse(stored)
    secret = _secret(text)
    if len(secret) > LONGEST:
        return False
    return hmac.compare_digest(_scrypt(secret, form), form.digest)


def parse(stored: str) -> Stored:
    """The parts of a stored hash; ValueError when it is malformed or asks for more than the limits."""
    fields = stored.strip().split("$")
    if len(fields) != 5 or fields[0] or fields[1] != "scrypt":
        raise ValueError("not a password hash of the form $scrypt$ln=..,r=..,p=..$salt$hash")
    numbers = []
    for part, name in zip(f"{fields[2]},,".split(","), ("ln", "r", "p"), strict=False):
        key, _, value = part.partition("=")
        if key != name or not (value.isascii() and value.isdecimal()) or len(value) > 3:
            raise ValueError(f"password hash: bad parameter {name}")
        numbers.append(int(value))
    cost, block, parallel = numbers
    salt, digest = _bytes(fields[3]), _bytes(fields[4])
    if not (1 <= cost <= 24 and 1 <= block <= 64 and 1 <= parallel <= 16):
        raise ValueError("password hash: parameter out of range")
    if 128 * block << cost > MEMORY:
        raise ValueError("password hash: asks for too much memory")
    if len(fields[2].split(",")) != 3 or len(salt) < 8 or not 16 <= len(digest) <= 64:
        raise ValueError("password hash: wrong length")
    return Stored(cost, block, parallel, salt, digest)


def read_password_file(path: str) -> str:
    """The stored hash in the file's first line, checked.

    OSError when it cannot be read; ValueError, in words for its owner, when it holds no hash.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(fd, 4096).decode("ascii", "replace")
    finally:
        os.close(fd)
    line = text.strip().partition("\n")[0].strip()
    try:
        parse(line)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return line


def _secret(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _scrypt(secret: bytes, form: Stored) -> bytes:
    return hashlib.scrypt(
        secret,
        salt=form.salt,
        n=1 << form.cost,
        r=form.block,
        p=form.parallel,
        maxmem=MEMORY * 2,
        dklen=len(form.digest),
    )


def _text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    if not text.isascii() or "=" in text:
        raise ValueError("password hash: not base64 without padding")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError("password hash: not base64") from None
