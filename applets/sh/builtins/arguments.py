"""What the builtins' argument lists have in common."""

from __future__ import annotations

import os
import re

from applets.sh.errors import ShellError
from applets.sh.numbers import decimal


def letters(argv: list[str], known: str) -> tuple[str, list[str]]:
    """Leading option letters out of `known`, and the operands; raises ShellError for any other."""
    found = ""
    for index in range(1, len(argv)):
        word = argv[index]
        if word == "--":
            return found, argv[index + 1 :]
        if len(word) < 2 or word[0] != "-":
            return found, argv[index:]
        for letter in word[1:]:
            if letter not in known:
                raise ShellError(f"illegal option -{letter}")
            found += letter
    return found, []


def number(text: str) -> int:
    """A non-negative decimal number (see numbers.decimal); raises ShellError."""
    value = decimal(text)
    if value is None:
        raise ShellError(f"Illegal number: {text}")
    return value


def seconds(text: str) -> float:
    """A time in seconds, as `3` or `0.25`; raises ShellError."""
    if re.fullmatch(r"[0-9]+\.?[0-9]*|\.[0-9]+", text, re.ASCII):
        return float(text)
    raise ShellError(f"invalid timeout: {text}")


def write(text: str) -> None:
    """Standard output, at once: the next command may write to the same descriptor.

    OSError when that fails; who calls the builtin makes it the builtin's status.
    """
    from toolbox.streams import write_all

    if text:  # /dev/full and a closed descriptor refuse even nothing
        write_all(1, os.fsencode(text))
