"""Programs and applets as commands (POSIX XCU 2.9.1.1): what a name means, and how it is run.

A program found in PATH that is a link to this very program is one of our applets: it runs in a fork
without an exec.  A name that PATH does not have, but we have, is ours as well, so that a shell with a
broken PATH still has its tools.
"""

from __future__ import annotations

import errno
import os

from applets.sh.errors import Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from applets.sh.state import State

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_program(shell: State, argv: list[str], text: str, path: str | None = None) -> int:
    """Run an applet or a program as a child and wait for it."""
    found = lookup(shell, argv[0], path)
    if found is None:
        return not_found(shell, argv[0])
    if "m" not in shell.flags and not is_ours(found):
        try:
            pid = os.posix_spawn(
                found, argv, shell.environment(), setsigdef=shell.traps.defaults_in_child()
            )
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                return _cannot_run(shell, argv[0], error)
        else:
            return shell.jobs.wait_for(pid, shell)
    return shell.jobs.foreground(shell, [lambda: replace(shell, argv, path)], text)


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


def replace(shell: State, argv: list[str], path: str | None = None) -> NoReturn:
    """Become the applet or the program `argv`; ends by Exit when that fails (or with the applet)."""
    found = lookup(shell, argv[0], path)
    if found is None:
        raise Exit(not_found(shell, argv[0]))
    environment = shell.environment()
    if is_ours(found):
        become_applet(shell, argv, environment)
    shell.traps.before_exec()
    try:
        os.execve(found, argv, environment)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            run_script(shell, found, argv, environment)
        raise Exit(_cannot_run(shell, argv[0], error)) from None


def become_applet(shell: State, argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Run one of our applets as the rest of this process."""
    from toolbox import multicall

    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    shell.traps.before_exec()
    raise Exit(multicall.call([os.path.basename(argv[0]), *argv[1:]]))


def run_script(shell: State, path: str, argv: list[str], environment: dict[str, str]) -> NoReturn:
    """A file that is executable but no program is a shell script (XCU 2.9.1.1)."""
    from applets.sh import main

    os.environ.clear()
    os.environ.update(environment)
    raise Exit(main(["sh", path, *argv[1:]]))


def lookup(shell: State, name: str, path: str | None = None) -> str | None:
    """The file that a command name means; the name itself when it is an applet that PATH lacks."""
    if "/" in name:
        return name
    found = shell.hashed.get(name) if path is None else None
    if found is not None:
        return found
    candidates = search(shell, name, path)
    if candidates:
        if path is None:
            shell.hashed[name] = candidates
        return candidates
    from toolbox import multicall

    return name if multicall.find(name) is not None else None


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


def is_ours(path: str) -> bool:
    """Whether a path is an applet: a bare name, or a link to the program that runs."""
    from toolbox import multicall

    if "/" not in path:
        return True
    name = os.path.basename(path)
    return multicall.find(name) is not None and os.path.realpath(path) == program()


def program() -> str:
    """The file of the multicall program: the frozen one itself, or the script that pip installed."""
    import sys

    if getattr(sys, "frozen", False):
        return os.path.realpath(sys.executable)
    return os.path.join(os.path.realpath(os.path.dirname(sys.executable)), "toolbox")
