"""Running the tools of the build: a log, and an error that names it.

./dev uses it too, before there is a virtual environment: the standard library alone.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from snakeroot.host import is_offline

#: Bytes: with less, a disk is full.  No tool of the build writes smaller pieces.
ROOM = 65536


class BuildError(Exception):
    """A step that failed; the text says which, why, and where its log is."""


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a tool, its output appended to `log`.  BuildError shows the log's last lines."""
    words = [os.fspath(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(f"$ {shlex.join(words)}\n".encode())
        file.flush()
        start = file.tell()
        try:
            done = subprocess.run(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError:
            raise BuildError(
                f"{words[0]}: not found; `./dev doctor` says what is missing"
            ) from None
    if done.returncode:
        if full := _full_disk(log, cwd or log.parent):
            raise BuildError(full)
        said = log.read_bytes()[start:].decode(errors="replace")
        if is_offline(said):
            raise BuildError(
                f"no network: {words[0]} reaches no server; connect, and run it again; its log: {log}"
            )
        last = said.splitlines()[-12:]
        raise BuildError(
            f"{words[0]} ended with status {done.returncode}; its log: {log}\n" + "\n".join(last)
        )


def _full_disk(log: Path, cwd: Path) -> str:
    """What to say when a tool failed for want of space: which file system is full.  Nothing when that is not why."""
    tail = log.read_bytes()[-4096:].decode(errors="replace")
    emptiest = min((cwd, log.parent, Path(tempfile.gettempdir())), key=_free)
    if _free(emptiest) >= ROOM and os.strerror(errno.ENOSPC) not in tail:
        return ""
    return no_space(emptiest)


def explain(error: OSError, near: Path) -> str:
    """An error of the system in one line; `near` is where we write when it names no file."""
    where = Path(os.fsdecode(error.filename)) if error.filename else near
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_space(where)
    return f"{where}: {error.strerror or error}"


def no_space(where: Path) -> str:
    """The error for a full disk, in one line."""
    where = _existing(where)
    return (
        f"{where}: no space left on device ({shutil.disk_usage(where).total >> 20} MiB in all):"
        " make room and run it again; what is complete is kept"
    )


def _free(folder: Path) -> int:
    """The bytes that we may still write below a folder."""
    there = os.statvfs(_existing(folder))
    return there.f_bavail * there.f_frsize


def _existing(path: Path) -> Path:
    """A path or the nearest one above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def output(argv: Sequence[str | os.PathLike[str]], *, cwd: Path | None = None) -> str:
    """What a tool prints; BuildError when it is missing or fails."""
    words = [os.fspath(word) for word in argv]
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BuildError(f"{words[0]}: not found; `./dev doctor` says what is missing") from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{shlex.join(words)}: {error.stderr.strip()}") from None
    return done.stdout
