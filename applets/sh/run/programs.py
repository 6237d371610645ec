"""Programs and applets as commands (POSIX XCU 2.9.1.1): what a name means, and how it is run.

A program found in PATH that is a link to this very program is one of our applets: it runs in a fork
without an exec.  A name that PATH does not have, but we have, is ours as well, so that a shell with a
broken PATH still has its tools.
"""

from __future__ import annotations

import errno
import os

from applets.sh.errors import Exit
from applets.sh.run.jobs import foreground, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from applets.sh.shell.state import State

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Program:
    """What a command name means.  `path`: the file, or the bare name of an applet that PATH lacks;
    `ours`: one of our applets, which needs no exec.
    """

    __slots__ = ("ours", "path")

    def __init__(self, path: str, ours: bool) -> None:
        self.path = path
        self.ours = ours


def resolve(shell: State, name: str, path: str | None = None) -> Program | None:
    """Decide what a command name means; whoever runs it is handed the answer.

    path: to be searched in place of $PATH.
    """
    if "/" in name:
        return Program(name, is_ours(shell, name))
    found = shell.hashed.get(name) if path is None else None
    if found is None:
        found = search(shell, name, path)
        if found is None:
            from toolbox import multicall

            return Program(name, True) if multicall.find(name) is not None else None
        if path is None:
            shell.hashed[name] = found
    return Program(found, is_ours(shell, found))


def search(shell: State, name: str, path: str | None = None) -> str | None:
    """The first executable file of that name in PATH."""
    if not name:
        return None
    folders = (shell.get("PATH") if path is None else path) or ""
    for folder in folders.split(":"):
        candidate = f"{folder}/{name}" if folder else name
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate if "/" in candidate else f"./{candidate}"
    return None


def is_ours(shell: State, path: str) -> bool:
    """Whether a file is one of our applets: under an applet's name, and the program that runs."""
    from toolbox import multicall

    if multicall.find(path.rpartition("/")[2]) is None:
        return False
    if shell.own_file is None:
        shell.own_file = _identity(_own_path()) or (-1, -1)
    return _identity(path) == shell.own_file


def _own_path() -> str:
    """The multicall program: the frozen one itself, or the script that pip installed."""
    import sys

    if getattr(sys, "frozen", False):
        return "/proc/self/exe"
    return os.path.join(os.path.realpath(os.path.dirname(sys.executable)), "toolbox")


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of a file, the same for all links to it; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def run_program(shell: State, argv: list[str], text: str, path: str | None = None) -> int:
    """Run an applet or a program as a child and wait for it."""
    program = resolve(shell, argv[0], path)
    if program is None:
        return not_found(shell, argv[0])
    if "m" not in shell.flags and not program.ours:
        try:
            pid = os.posix_spawn(
                program.path, argv, shell.environment(), setsigdef=shell.traps.defaults_in_child()
            )
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                return _cannot_run(shell, argv[0], error)
        else:
            return wait_for(pid, shell)
    return foreground(shell, [lambda: become(shell, program, argv)], text)


def not_found(shell: State, name: str) -> int:
    """Say so; status 127."""
    shell.complain(f"{name}: not found" if name else ": Permission denied")
    return 127


def _cannot_run(shell: State, name: str, error: OSError) -> int:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        shell.hashed.pop(name, None)
        shell.complain(f"{name}: not found")
        return 127
    shell.complain(f"{name}: {error.strerror}")
    return 126


def replace(shell: State, argv: list[str]) -> NoReturn:
    """Become what `argv` names; ends by Exit when that fails (or with the applet)."""
    program = resolve(shell, argv[0])
    if program is None:
        raise Exit(not_found(shell, argv[0]))
    become(shell, program, argv)


def become(shell: State, program: Program, argv: list[str]) -> NoReturn:
    """Run an applet or a program as the rest of this process; ends by Exit when that fails."""
    environment = shell.environment()
    shell.traps.before_exec()
    if program.ours:
        _run_applet(argv, environment)
    try:
        os.execve(program.path, argv, environment)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            run_script(program.path, argv, environment)
        raise Exit(_cannot_run(shell, argv[0], error)) from None


def _run_applet(argv: list[str], environment: dict[str, str]) -> NoReturn:
    from toolbox import multicall

    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    raise Exit(multicall.call([os.path.basename(argv[0]), *argv[1:]]))


def run_script(path: str, argv: list[str], environment: dict[str, str]) -> NoReturn:
    """A file that is executable but no program is a shell script (XCU 2.9.1.1)."""
    _run_applet(["sh", path, *argv[1:]], environment)
