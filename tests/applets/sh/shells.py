"""Rows of programs, and the shells that run them: ours, and those it is held against.

A row says what every shell makes of a program.  Where a shell differs the row names it and says why; the
tests hold that as well, so that no row claims an agreement, or a difference, which is not there.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: The oracles, as `./dev test` installs them; bash is there on every Debian.
ORACLES = {"dash": ["dash"], "ash": ["busybox", "ash"], "bash": ["bash", "--posix"]}

#: The status of an error of the shell itself: POSIX says only that it is not 0 (XCU 2.8.1).
ERROR = 2

#: Seconds for one program; only a broken shell takes that long.
DEADLINE = 60


class Row(NamedTuple):
    """A program for `sh -c`, what it writes to standard output, its exit status.

    `differs`: why a shell ("dash", "ash", "bash") has another output or status.
    """

    program: str
    out: str = ""
    status: int = 0
    differs: Mapping[str, str] = {}

    def holds(self, out: bytes, status: int) -> bool:
        """Whether output and status are the row's."""
        if out.decode("utf-8", "surrogateescape") != self.out:
            return False
        return status not in (0, -1) if self.status == ERROR else status == self.status


def row(program: str, out: str = "", status: int = 0, **differs: str) -> Row:
    """A row; see Row."""
    return Row(program, out, status, differs)


#: Runs each program of standard input (JSON) in a fork, in a folder of its own; writes what came of it.
DRIVER = r"""
import base64, json, os, signal, sys
import applets.sh.expand.arithmetic, applets.sh.run.evaluator, applets.sh.prompt, applets.sh.run.substitution
import applets.coreutils.echo, applets.coreutils.printf, applets.coreutils.test, toolbox.errors, toolbox.streams
from toolbox import multicall
job = json.load(sys.stdin)
got = []
for program in job["programs"]:
    os.mkdir(folder := os.path.join(job["folder"], str(len(got))))
    out, err = (os.memfd_create(name) for name in ("out", "err"))
    pid = os.fork()
    if not pid:
        status = 99
        try:
            os.setpgid(0, 0)
            signal.alarm(job["deadline"])
            os.chdir(folder)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.closerange(3, 256)
            status = multicall.main(["sh", "-c", os.fsdecode(program.encode("utf-8", "surrogateescape"))])
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    read = [base64.b64encode(os.pread(fd, os.fstat(fd).st_size, 0)).decode() for fd in (out, err)]
    got.append([status, *read])
    os.close(out)
    os.close(err)
json.dump(got, sys.stdout)
"""


def ours(
    python: list[str], environment: Mapping[str, str], programs: Iterable[str]
) -> dict[str, tuple[int, bytes, bytes]]:
    """Status, output and errors of each program in our shell.

    python: the words that start Python with our modules (the checkout's, or the frozen program), because
    a process for each row would cost the checkout's start a thousand times.
    """
    chosen = list(programs)
    with tempfile.TemporaryDirectory() as folder:
        job = {"programs": chosen, "folder": folder, "deadline": DEADLINE}
        done = subprocess.run(
            [*python, "-c", DRIVER],
            input=json.dumps(job).encode("ascii"),
            env=dict(environment),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return {
        program: (status, base64.b64decode(out), base64.b64decode(err))
        for program, (status, out, err) in zip(chosen, json.loads(done.stdout), strict=True)
    }


def oracle(name: str, environment: Mapping[str, str], program: str) -> tuple[int, bytes, bytes]:
    """Status, output and errors of a program in another shell, which must be installed."""
    words = ORACLES[name]
    assert shutil.which(words[0]), f"{words[0]} is missing: ./dev test installs it"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*words, "-c", os.fsencode(program)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=DEADLINE,
        )
    return done.returncode, done.stdout, done.stderr


def python_of(toolbox: list[str]) -> list[str]:
    """The words that start Python with our modules, from those that start the multicall program."""
    return [sys.executable] if toolbox[1:] else toolbox
