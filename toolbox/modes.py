"""File modes as chmod(1) takes them: octal (`755`) and symbolic (`u+rwX,go=u-w`), POSIX XCU chmod.

Mode("u+x").apply(0o644)    0o744
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import UsageError

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_PERMISSIONS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_COPIES = {"u": 6, "g": 3, "o": 0}


class Mode:
    """A change of mode.  UsageError when the text is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.octal: int | None = None
        self.keep = 0  # special bits of directories that an octal mode leaves alone
        self.clauses: list[tuple[int, bool, list[tuple[str, str]]]] = []
        if text[:1].isdecimal():
            if not set(text) <= set("01234567") or int(text, 8) > 0o7777:
                raise _invalid(text)
            self.octal = int(text, 8)
            # GNU chmod: a directory keeps set-id bits unless they are given in full (00755, 4755).
            self.keep = 0o6000 if len(text) < 5 else 0
            return
        for clause in text.split(","):
            self.clauses.append(_clause(clause, text))

    def apply(self, mode: int, *, directory: bool = False, umask: int | None = None) -> int:
        """The new permission bits for a file whose bits are `mode`.

        umask: what a clause without u, g, o or a leaves alone; None: the process's.
        """
        mode &= 0o7777
        if self.octal is not None:
            return self.octal | (mode & self.keep if directory else 0)
        for who, implied, actions in self.clauses:
            mask = current_umask() if umask is None else umask
            for operator, permissions in actions:
                mode = _changed(
                    mode,
                    who,
                    operator,
                    permissions,
                    ~mask & 0o7777 if implied else 0o7777,
                    directory,
                )
        return mode


def set_mode(name: str, mode: int, dir_fd: int | None = None) -> None:
    """chmod(2) that follows no symbolic link, not even one that takes the name's place at this moment.

    OSError as chmod(2); EOPNOTSUPP for a link, which has no permissions of its own.
    """
    try:
        # The C library opens it with O_PATH, and changes what it has opened (or has fchmodat2(2)).
        os.chmod(name, mode, dir_fd=dir_fd, follow_symlinks=False)
    except (NotImplementedError, ValueError):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), name) from None


def current_umask() -> int:
    """The process's umask, read without a moment in which it is another (Linux >= 4.7), else by umask(2)."""
    try:
        with open("/proc/self/status", "rb") as f:
            for line in f:
                if line.startswith(b"Umask:"):
                    return int(line[6:], 8)
    except OSError:
        pass  # no /proc
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _invalid(text: str) -> UsageError:
    return UsageError(f"invalid mode: {text!r}")


def _clause(clause: str, text: str) -> tuple[int, bool, list[tuple[str, str]]]:
    """Which bits a clause is about, whether that was left out, and its actions in order."""
    rest = clause.lstrip("ugoa")
    who = 0
    for c in clause[: len(clause) - len(rest)]:
        who |= _WHO[c]
    actions = []
    if not rest:
        raise _invalid(text)
    while rest:
        operator = rest[0]
        if operator not in "+-=":
            raise _invalid(text)
        end = 1
        while end < len(rest) and rest[end] not in "+-=":
            end += 1
        permissions = rest[1:end]
        numeric = bool(permissions) and set(permissions) <= set("01234567")
        if numeric and (who or int(permissions, 8) > 0o7777):
            raise _invalid(text)
        if not numeric and not (set(permissions) <= set("rwxXst") or permissions in _COPIES):
            raise _invalid(text)
        actions.append((operator, permissions))
        rest = rest[end:]
    return who or 0o7777, not who, actions


def _changed(
    mode: int, who: int, operator: str, permissions: str, allowed: int, directory: bool
) -> int:
    if permissions and permissions[0].isdecimal():
        bits, who, allowed = int(permissions, 8), 0o7777, 0o7777
    else:
        bits = _bits(mode, permissions, directory) & who
        if "t" in permissions:
            bits |= 0o1000 if who & 0o1000 else 0
        bits &= allowed
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    # Directories keep their set-id bits unless `=` names them (GNU chmod).
    kept = 0o6000 if directory and "s" not in permissions and not permissions[:1].isdecimal() else 0
    return (mode & ~(who & ~kept)) | bits


def _bits(mode: int, permissions: str, directory: bool) -> int:
    if permissions in _COPIES:
        return (mode >> _COPIES[permissions] & 7) * 0o111
    bits = 0
    for c in permissions:
        if c == "X":
            bits |= 0o111 if directory or mode & 0o111 else 0
        else:
            bits |= _PERMISSIONS[c]
    return bits
