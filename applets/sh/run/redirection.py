"""Redirections (POSIX XCU 2.7): descriptors of the shell itself are moved, and moved back after a builtin.

A saved descriptor lies at 10 or above, closed on exec, so that scripts may use 0 to 9.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from applets.sh.descriptors import FIRST_PRIVATE
from applets.sh.errors import RedirectionError, ShellError
from applets.sh.expand import expansion
from applets.sh.numbers import decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from applets.sh.shell.state import State
    from applets.sh.syntax.nodes import Redirection

_FLAGS = {
    "<": os.O_RDONLY,
    "<>": os.O_RDWR | os.O_CREAT,
    ">": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    ">|": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "&>": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    ">>": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "&>>": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


class Applied:
    """Redirections that hold until the `with` statement ends.

    An error that leaves the body is told while standard error is still the command's.
    """

    __slots__ = ("_shell", "saved")

    def __init__(self, shell: State) -> None:
        self._shell = shell
        self.saved: list[tuple[int, int]] = []  # (descriptor, its copy; -1 when it was closed)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if isinstance(error, ShellError):
            self._shell.report(error)
        while self.saved:  # the last first
            fd, copy = self.saved.pop()
            if copy < 0:
                _close(fd)
            else:
                os.dup2(copy, fd)
                os.close(copy)

    def keep(self) -> None:
        """They hold from now on (exec)."""
        while self.saved:
            copy = self.saved.pop()[1]
            if copy >= 0:
                os.close(copy)


def apply(shell: State, redirections: list[Redirection], keep: bool = False) -> Applied:
    """Do the redirections in order; they hold during a `with` of what is returned.

    keep: nothing is saved, because this process will not come back to what was before.
    Raises RedirectionError, which has been told; then those already done are undone.
    """
    applied = Applied(shell)
    if redirections:
        try:
            for redirection in redirections:
                _apply_one(shell, redirection, None if keep else applied.saved)
        except BaseException as error:
            applied.__exit__(type(error), error, None)
            raise
    return applied


def _apply_one(shell: State, redirection: Redirection, saved: list[tuple[int, int]] | None) -> None:
    fd, operator = redirection.fd, redirection.operator
    if operator == "<<":
        _move(_here_document(shell, redirection), fd, saved)
        return
    target = expansion.text(shell, redirection.target)
    if operator == "<<<":
        _move(here_document(target + "\n"), fd, saved)
    elif operator in ("<&", ">&"):
        if target == "-":
            _save(fd, saved)
            _close(fd)
        elif target.isdecimal():
            _duplicate(_descriptor(target), fd, saved)
        elif operator == ">&" and fd == 1:
            _move(_open(shell, "&>", target), 1, saved)
            _duplicate(1, 2, saved)
        else:
            raise ShellError("syntax error: bad fd number")
    else:
        _move(_open(shell, operator, target), fd, saved)
        if operator[0] == "&":
            _duplicate(1, 2, saved)


def _descriptor(text: str) -> int:
    """The number of a descriptor; RedirectionError when the system cannot count so far."""
    number = decimal(text)
    if number is None:
        raise RedirectionError(f"{text}: {os.strerror(errno.EBADF)}")
    return number


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


def _save(fd: int, saved: list[tuple[int, int]] | None) -> None:
    if saved is None:
        return
    try:
        saved.append((fd, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)))
    except OSError as error:
        if error.errno != errno.EBADF:
            raise RedirectionError(f"{fd}: {error.strerror}") from None
        saved.append((fd, -1))


def _move(source: int, fd: int, saved: list[tuple[int, int]] | None) -> None:
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


def _duplicate(source: int, fd: int, saved: list[tuple[int, int]] | None) -> None:
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


def _here_document(shell: State, redirection: Redirection) -> int:
    """A here-document whose body cannot be expanded is a redirection that fails, as all shells have it."""
    try:
        text = expansion.text(shell, redirection.target)
    except ShellError as error:
        raise RedirectionError(str(error)) from None
    return here_document(text)


def here_document(text: str) -> int:
    """A descriptor to read `text` from: a file in memory, so that no process must write it."""
    fd = os.memfd_create("here-document")
    data = memoryview(os.fsencode(text))
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
