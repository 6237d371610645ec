"""machine-id: 32 hexadecimal digits that name this box, made once (machine-id(5))."""

from __future__ import annotations

import os

from toolbox.files import read_file, replace_file


def valid(text: bytes | None) -> bool:
    """Whether `text` is a machine-id: 32 lower-case hexadecimal digits, not all zero, and a newline."""
    digits = (text or b"").removesuffix(b"\n")
    return len(digits) == 32 and not digits.strip(b"0123456789abcdef") and bool(digits.strip(b"0"))


def create(random: bytes) -> bytes:
    """A machine-id from 16 random bytes, in the form of a random UUID (RFC 9562 5.4)."""
    value = bytearray(random)
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    return value.hex().encode() + b"\n"


def load(folder: str) -> bytes | None:
    """The machine-id kept in `folder`; None when there is none, or a damaged one."""
    text = read_file(os.path.join(folder, "machine-id"), 64)
    return text if valid(text) else None


def publish(text: bytes, etc: str, run: str) -> str:
    """Put the machine-id where programs look for it: in `etc`, or where that is read-only, in `run`.

    The path that has it.  An /etc/machine-id that is there already is somebody's decision and stays.
    """
    path = os.path.join(etc, "machine-id")
    if valid(read_file(path, 64)):
        return path
    try:
        replace_file(path, text, mode=0o444)
    except OSError:
        path = os.path.join(run, "machine-id")
        if read_file(path, 64) != text:
            replace_file(path, text, mode=0o444)
    return path
