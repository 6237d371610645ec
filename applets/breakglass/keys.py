"""Whose keys open the box: authorized_keys files in OpenSSH's form (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

They are read anew for each login, so that a key that was added works at once and one that was removed
no longer does.  A line that cannot be obeyed in full is refused and reported, never obeyed in part.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: The options that the library obeys; with any other the line would promise what nobody keeps.
KNOWN = {"command", "environment", "from", "permitopen", "no-pty", "no-port-forwarding"} | {
    # What is never granted may as well be forbidden.
    "no-agent-forwarding",
    "no-x11-forwarding",
    "no-user-rc",
}

#: The most bytes of one file; a few hundred keys.
LARGEST = 1 << 18


def read_keys(paths: list[str], report: Callable[[str], None]) -> list[str]:
    """The usable lines of all files.  A file that is missing has none; what is wrong is reported."""
    lines: list[str] = []
    for path in paths:
        try:
            lines += select(_read(path), lambda problem, path=path: report(f"{path}: {problem}"))  # type: ignore[misc]
        except FileNotFoundError:
            continue
        except OSError as error:
            report(f"{path}: {error.strerror}")
    return lines


def select(text: str, report: Callable[[str], None]) -> list[str]:
    """The lines with keys, without comments; a line that is malformed or asks too much is reported."""
    chosen = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            unknown = [name for name in option_names(line) if name not in KNOWN]
        except ValueError as error:
            report(f"line {number}: {error}; the key is refused")
            continue
        if unknown:
            report(f"line {number}: option {unknown[0]!r} is not supported; the key is refused")
        else:
            chosen.append(line)
    return chosen


def option_names(line: str) -> list[str]:
    """The names of a line's options in small letters; ValueError for an open quote or a lone word."""
    if line.startswith(("ssh-", "ecdsa-", "sk-")):
        return []
    names, name, quoted, at = [], "", False, 0
    while at < len(line):
        letter = line[at]
        if letter == "\\" and line[at + 1 : at + 2] == '"':
            name, at = name + '"', at + 1
        elif letter == '"':
            quoted = not quoted
        elif quoted:
            name += letter
        elif letter in " \t":
            break
        elif letter == ",":
            names.append(name)
            name = ""
        else:
            name += letter
        at += 1
    if quoted:
        raise ValueError("a quote is not closed")
    if not line[at:].strip().startswith(("ssh-", "ecdsa-", "sk-")):
        raise ValueError("not a public key")
    return [one.partition("=")[0].lower() for one in [*names, name]]


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file; its keys are refused")
        if status.st_mode & 0o022 or status.st_uid not in (0, os.geteuid()):
            raise OSError(0, "others could write it; its keys are refused")
        with open(fd, "rb", closefd=False) as file:
            data = file.read(LARGEST + 1)
    finally:
        os.close(fd)
    if len(data) > LARGEST:
        raise OSError(0, "too large; its keys are refused")
    return data.decode("utf-8", "replace")
