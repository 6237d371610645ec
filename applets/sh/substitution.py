"""Command substitution (POSIX XCU 2.6.3): a subshell whose output is read through a pipe."""

from __future__ import annotations

import os

from applets.sh.syntax import Node, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.state import State


def substitute(shell: State, body: Node | None) -> str:
    """The output of the commands without trailing newlines; sets `shell.substituted` to the status."""
    if body is None:
        shell.substituted = 0
        return ""
    if isinstance(body, Simple) and not body.words and not body.assignments:
        output = _file(shell, body)
    else:
        output = _fork(shell, body)
    if b"\0" in output:
        output = output.replace(b"\0", b"")
    return os.fsdecode(output.rstrip(b"\n"))


def _fork(shell: State, body: Node) -> bytes:
    from applets.sh.evaluator import run_child

    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(writer, 1)
        if writer != 1:
            os.close(writer)
        if reader != 1:
            os.close(reader)
        run_child(shell, body)
    os.close(writer)
    output = read_all(reader)
    os.close(reader)
    shell.status = shell.substituted = shell.jobs.wait_for(pid)
    return output


def _file(shell: State, body: Simple) -> bytes:
    """`$(<file)`: the file's contents, as in BusyBox, ksh and bash."""
    from applets.sh import redirection

    saved = redirection.apply(shell, body.redirections)
    try:
        shell.substituted = 0
        return read_all(0) if any(r.fd == 0 for r in body.redirections) else b""
    finally:
        redirection.undo(saved)


def read_all(fd: int) -> bytes:
    """Everything up to the end of the file."""
    blocks = []
    while block := os.read(fd, 65536):
        blocks.append(block)
    return b"".join(blocks)
