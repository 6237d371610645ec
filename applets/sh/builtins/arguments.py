"""What the builtins' argument lists have in common."""

from __future__ import annotations

import os

from applets.sh.errors import ShellError


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
    """A non-negative decimal number; raises ShellError."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    raise ShellError(f"Illegal number: {text}")


def write(text: str) -> None:
    """Standard output, at once: the next command may write to the same descriptor."""
    from toolbox.streams import write_all

    write_all(1, os.fsencode(text))
