"""Redirections (POSIX XCU 2.7): descriptors of the shell itself are moved, and moved back after a builtin.

A saved descriptor lies at 10 or above, closed on exec, so that scripts may use 0 to 9.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from applets.sh import expansion
from applets.sh.errors import RedirectionError, ShellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.state import State
    from applets.sh.syntax import Redirection

    Saved = list[tuple[int, int]]  # (descriptor, its copy, or -1 when it was closed)

FIRST_PRIVATE = 10
_FLAGS = {
    "<": os.O_RDONLY,
    "<>": os.O_RDWR | os.O_CREAT,
    ">": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    ">|": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "&>": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    ">>": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "&>>": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


def apply(shell: State, redirections: list[Redirection], keep: bool = False) -> Saved:
    """Do the redirections in order; returns what `undo` needs (nothing when they are kept).

    Raises RedirectionError; then those already done are undone.
    """
    saved: Saved = []
    try:
        for redirection in redirections:
            _apply_one(shell, redirection, None if keep else saved)
    except BaseException:
        undo(saved)
        raise
    return saved


def undo(saved: Saved) -> None:
    """Put the descriptors back, the last first."""
    for fd, copy in reversed(saved):
        if copy < 0:
            _close(fd)
        else:
            os.dup2(copy, fd)
            os.close(copy)
    saved.clear()


def _apply_one(shell: State, redirection: Redirection, saved: Saved | None) -> None:
    fd, operator = redirection.fd, redirection.operator
    if operator == "<<":
        _move(here_document(expansion.text(shell, redirection.target)), fd, saved)
        return
    target = expansion.text(shell, redirection.target)
    if operator == "<<<":
        _move(here_document(target + "\n"), fd, saved)
    elif operator in ("<&", ">&"):
        if target == "-":
            _save(fd, saved)
            _close(fd)
        elif target.isdecimal():
            _duplicate(int(target), fd, saved)
        elif operator == ">&" and fd == 1:
            _move(_open(shell, "&>", target), 1, saved)
            _duplicate(1, 2, saved)
        else:
            raise ShellError("syntax error: bad fd number")
    else:
        _move(_open(shell, operator, target), fd, saved)
        if operator[0] == "&":
            _duplicate(1, 2, saved)


def _open(shell: State, operator: str, path: str) -> int:
    flags = _FLAGS[operator]
    try:
        if operator in (">", "&>") and "C" in shell.flags:
            return _open_new(path, flags)
        return os.open(path, flags, 0o666)
    except OSError as error:
        create = flags & os.O_CREAT
        missing = "nonexistent directory" if create else "no such file"
        reason = missing if error.errno in (errno.ENOENT, errno.ENOTDIR) else error.strerror
        verb = "create" if create else "open"
        raise RedirectionError(f"can't {verb} {path}: {reason}") from None


def _open_new(path: str, flags: int) -> int:
    """With -C an existing regular file is not overwritten; devices and pipes are."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    except FileNotFoundError:
        return os.open(path, flags | os.O_EXCL, 0o666)
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC))


def _save(fd: int, saved: Saved | None) -> None:
    if saved is None:
        return
    try:
        saved.append((fd, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)))
    except OSError as error:
        if error.errno != errno.EBADF:
            raise RedirectionError(f"{fd}: {error.strerror}") from None
        saved.append((fd, -1))


def _move(source: int, fd: int, saved: Saved | None) -> None:
    if source == fd:
        # it was closed before, as there is no lower free descriptor
        os.set_inheritable(fd, True)
        if saved is not None:
            saved.append((fd, -1))
        return
    _save(fd, saved)
    try:
        os.dup2(source, fd)
    except OSError as error:
        raise RedirectionError(f"{fd}: {error.strerror}") from None
    finally:
        os.close(source)


def _duplicate(source: int, fd: int, saved: Saved | None) -> None:
    try:
        # a descriptor of the shell's own is none of the script's
        if source >= FIRST_PRIVATE and not os.get_inheritable(source):
            raise RedirectionError(f"{source}: {os.strerror(errno.EBADF)}")
        if source == fd:
            os.fstat(fd)
            return
        os.fstat(source)
        _save(fd, saved)
        os.dup2(source, fd)
    except OSError as error:
        raise RedirectionError(f"dup2({source},{fd}): {error.strerror}") from None


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # closed already: `n>&-` of a closed descriptor is no error


def here_document(text: str) -> int:
    """A descriptor to read `text` from: a file in memory, so that no process must write it."""
    fd = os.memfd_create("here-document")
    data = memoryview(os.fsencode(text))
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def private(fd: int) -> int:
    """Move a descriptor of the shell's own out of the way of scripts."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)
    os.close(fd)
    return moved
