"""Command substitution (POSIX XCU 2.6.3): a subshell whose output is read through a pipe."""

from __future__ import annotations

import fcntl
import os

from applets.sh.errors import ShellError
from applets.sh.expand import expansion
from applets.sh.run import programs, redirection
from applets.sh.run.jobs import fork, lists_traps, wait_for
from applets.sh.syntax.nodes import (
    Arithmetic,
    DeclaredValue,
    Literal,
    Node,
    Parameter,
    Part,
    Simple,
    Substitution,
    Tilde,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def substitute(shell: State, body: Node | None) -> str:
    """The output of the commands without trailing newlines; sets `shell.substituted` to the status."""
    if body is None:
        shell.substituted = 0
        return ""
    output: bytes | None
    if isinstance(body, Simple) and not body.words and not body.assignments:
        output = _file(shell, body)
    else:
        output = _without_fork(shell, body) if isinstance(body, Simple) else None
        if output is None:
            output = _fork(shell, body)
    if b"\0" in output:
        output = output.replace(b"\0", b"")
    return os.fsdecode(output.rstrip(b"\n"))


def _fork(shell: State, body: Node) -> bytes:

    reader, writer = os.pipe()
    pid = fork(reader, writer)
    if not pid:
        os.dup2(writer, 1)
        if writer != 1:
            os.close(writer)
        if reader != 1:
            os.close(reader)
        runner = shell.runner
        runner.leave(shell, lambda: runner.run_tail(shell, body), lists_traps(body))
    os.close(writer)
    return _collect(shell, pid, reader)


def _without_fork(shell: State, body: Simple) -> bytes | None:
    """Run one command without a fork of the shell; None when that may not be.

    It may be when expanding its words changes nothing in the shell, and the command is an applet that
    leaves the process as it is, or a program.
    """
    name = body.words[0].literal if body.words else None
    if name is None or body.assignments or body.redirections or "x" in shell.flags:
        return None
    if not all(_pure(word.parts) for word in body.words):
        return None
    if _is_applet(shell, name):
        return _in_process(shell, body)
    return _spawned(shell, body, name)


def _spawned(shell: State, body: Simple, name: str) -> bytes | None:
    """The output of a program, started straight away."""

    if name in shell.functions or name in shell.builtins:
        return None
    program = programs.resolve(shell, name)
    if program is None or program.ours:
        return None
    line = shell.line
    try:
        shell.line = body.line
        argv = expansion.words(shell, body.words)
    except ShellError as error:  # it would end only the subshell
        shell.status = shell.substituted = shell.report(error)
        return b""
    finally:
        shell.line = line
    reader, writer = os.pipe()
    try:
        pid = os.posix_spawn(
            program.path,
            argv,
            shell.environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
            setsigdef=shell.traps.defaults_in_child(),
        )
    except OSError:
        os.close(reader)
        return None  # the subshell will find out why
    finally:
        os.close(writer)
    return _collect(shell, pid, reader)


def _collect(shell: State, pid: int, reader: int) -> bytes:
    output = read_all(reader)
    os.close(reader)
    shell.status = shell.substituted = wait_for(pid)
    return output


def _in_process(shell: State, body: Simple) -> bytes:
    """Call an applet, its output caught in a file in memory."""
    from toolbox import multicall

    line, status = shell.line, shell.status
    kept = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 10) if _is_open(1) else -1
    caught = os.memfd_create("substitution")
    try:
        os.dup2(caught, 1)
        try:
            shell.line = body.line
            shell.substituted = multicall.call(expansion.words(shell, body.words))
        except ShellError as error:  # it would end only the subshell
            shell.substituted = shell.report(error)
        return os.pread(caught, os.fstat(caught).st_size, 0)
    finally:
        shell.line, shell.status = line, status
        os.close(caught)
        if kept < 0:
            os.close(1)
        else:
            os.dup2(kept, 1)
            os.close(kept)
        shell.status = shell.substituted


def _is_applet(shell: State, name: str) -> bool:
    from toolbox import multicall

    if name in shell.functions:
        return False
    builtin = shell.builtins.get(name)
    if builtin is not None:
        return builtin.applet
    if name not in _CAUGHT or multicall.alters_process(name):
        return False
    program = programs.resolve(shell, name)
    return program is not None and program.ours


# Applets that end by themselves and read nothing but their operands.
_CAUGHT = frozenset(
    [
        "basename",
        "dirname",
        "nproc",
        "readlink",
        "realpath",
        "seq",
        "uname",
        "whoami",
        "id",
        "hostname",
    ]
)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _pure(parts: list[Part]) -> bool:
    """Whether expanding the parts leaves the shell as it is."""
    for part in parts:
        if isinstance(part, (Literal, Tilde, Substitution)):
            continue
        if isinstance(part, Arithmetic):
            text = "".join(p.text for p in part.parts if isinstance(p, Literal))
            if "=" in text or "++" in text or "--" in text or not _pure(part.parts):
                return False
        elif isinstance(part, Parameter):
            words = [word for word in (part.word, part.second) if word is not None]
            if part.operator in ("=", ":=") or not all(_pure(word.parts) for word in words):
                return False
        elif isinstance(part, DeclaredValue):
            return False
    return True


def _file(shell: State, body: Simple) -> bytes:
    """`$(<file)`: the file's contents, as in BusyBox, ksh and bash."""

    with redirection.apply(shell, body.redirections):
        shell.substituted = 0
        return read_all(0) if any(r.fd == 0 for r in body.redirections) else b""


def read_all(fd: int) -> bytes:
    """Everything up to the end of the file."""
    blocks = []
    while block := os.read(fd, 65536):
        blocks.append(block)
    return b"".join(blocks)
