"""Whose keys open the box: authorized_keys files in OpenSSH's form (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

They are read anew for each login, so that a key that was added works at once and one that was removed no longer does.
Each line is parsed here, once, by sshd's rules; the library, whose rules differ, gets what was understood, written
anew.  A line that cannot be obeyed in full is refused and reported with its number, never obeyed in part; the others
are as good as without it.
"""

from __future__ import annotations

import ipaddress
import os
import stat

from toolbox.net.address import plain_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: The options that the library obeys, by whether they have a value; with any other the line would promise what nobody
#: keeps.  What is never granted may as well be forbidden.
KNOWN = {
    "command": True,
    "environment": True,
    "from": True,
    "permitopen": True,
    "no-pty": False,
    "no-port-forwarding": False,
    "no-agent-forwarding": False,
    "no-x11-forwarding": False,
    "no-user-rc": False,
}

#: Those that a line may have once only (sshd refuses the line, too).
_ONCE = ("command", "from")

#: What a key begins with.
_TYPES = ("ssh-", "ecdsa-", "sk-")

#: The most bytes of one file; a few hundred keys.
LARGEST = 1 << 18


class Line:
    """A usable line: where it stands, its options as (name, value) in small letters, and the key with its type."""

    __slots__ = ("key", "options", "where")

    def __init__(self, where: str, options: list[tuple[str, str | None]], key: str) -> None:
        self.where = where
        self.options = options
        self.key = key

    @property
    def text(self) -> str:
        """The line as the library reads it: a backslash before each quote and backslash of a value."""
        shown = []
        for name, value in self.options:
            if value is None:
                shown.append(name)
            else:
                escaped = value.replace("\\", "\\\\").replace('"', '\\"')
                shown.append(f'{name}="{escaped}"')
        return f"{','.join(shown)} {self.key}" if shown else self.key


def read_keys(paths: list[str], report: Callable[[str], None]) -> list[Line]:
    """The usable lines of all files.  A file that is missing has none; what is wrong is reported."""
    lines: list[Line] = []
    for path in paths:
        try:
            lines += select(_read(path), path, report)
        except FileNotFoundError:
            continue
        except OSError as error:
            report(f"{path}: {error.strerror}")
    return lines


def select(text: str, path: str, report: Callable[[str], None]) -> list[Line]:
    """The lines with keys, without comments; a line that is malformed or asks too much is reported."""
    chosen = []
    # Not splitlines(), for which U+2028 and others end a line, too.
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        where = f"{path}: line {number}"
        try:
            chosen.append(parse_line(line, where))
        except ValueError as error:
            report(f"{where}: {error}; the key is refused")
    return chosen


def parse_line(line: str, where: str = "") -> Line:
    """One line with a key.  ValueError says what is wrong with it."""
    if any(c < " " and c != "\t" for c in line):
        raise ValueError("a control character")
    options: list[tuple[str, str | None]] = []
    rest = line
    if not line.startswith(_TYPES):
        options, rest = _parse_options(line)
    words = rest.split(None, 2)
    if len(words) < 2 or not words[0].startswith(_TYPES):
        raise ValueError("not a public key")
    for name, value in options:
        if name not in KNOWN:
            raise ValueError(f"option {name!r} is not supported")
        if (value is not None) is not KNOWN[name]:
            raise ValueError(f"option {name} {'needs a' if KNOWN[name] else 'has no'} value")
    names = [name for name, _ in options]
    for name in _ONCE:
        if names.count(name) > 1:
            raise ValueError(f"option {name} is there twice")
    checked = [(name, _check(name, value)) for name, value in options]
    # What the line says of its key besides is nobody's business but the reader's.
    return Line(where, checked, f"{words[0]} {words[1]}")


def _parse_options(line: str) -> tuple[list[tuple[str, str | None]], str]:
    """The options before the key, and what follows them.  ValueError where sshd would not understand them."""
    options: list[tuple[str, str | None]] = []
    at = 0
    while True:
        begin = at
        while at < len(line) and (line[at].isascii() and (line[at].isalnum() or line[at] == "-")):
            at += 1
        name = line[begin:at].lower()
        if not name:
            raise ValueError("not a public key" if not options else "an option without a name")
        value: str | None = None
        if line[at : at + 1] == "=":
            if line[at + 1 : at + 2] != '"':
                raise ValueError(f"option {name}: its value is not in quotes")
            value, at = _quoted(line, at + 2)
        options.append((name, value))
        if line[at : at + 1] == ",":
            at += 1
        elif line[at : at + 1] in (" ", "\t"):
            return options, line[at:]
        else:
            raise ValueError("not a public key")


def _quoted(line: str, at: int) -> tuple[str, int]:
    """A value from behind its opening quote, and where it ends.  A backslash means something before a quote only."""
    letters = []
    while at < len(line):
        if line.startswith('\\"', at):
            letters.append('"')
            at += 2
        elif line[at] == '"':
            return "".join(letters), at + 1
        else:
            letters.append(line[at])
            at += 1
    raise ValueError("a quote is not closed")


def _check(name: str, value: str | None) -> str | None:
    """The value as it is to be obeyed.  ValueError when it means nothing, or what the library takes for another."""
    if value is None:
        return None
    if name == "from":
        return ",".join(_pattern(pattern) for pattern in value.split(","))
    if name == "permitopen":
        host, colon, port = value.rpartition(":")
        if not colon or not host or not (port == "*" or _is_port(port)):
            raise ValueError(f"permitopen {value!r} is not HOST:PORT")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if name == "environment" and ("=" not in value or value.startswith("=")):
        raise ValueError(f"environment {value!r} is not NAME=VALUE")
    if name == "command" and not value:
        raise ValueError("the command is empty")
    return value


def _pattern(pattern: str) -> str:
    """One pattern of `from`, as addresses are compared here: IPv4 in its own form, also if it was written mapped."""
    negated, word = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if not word or not word.isprintable() or " " in word or '"' in word or "!" in word:
        raise ValueError(f"from: {pattern!r} is no pattern of addresses")
    if "/" not in word:
        return negated + plain_address(word)
    try:
        network = ipaddress.ip_network(word)
    except ValueError as error:
        # Taken for a name it would match nobody, and a denial would let everybody in.
        raise ValueError(f"from: {error}") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return f"{negated}{mapped}/{network.prefixlen - 96}"
    return f"{negated}{network}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536


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
