"""Running the tools of the build: a log, and an error that names it.

./dev uses it too, before there is a virtual environment: the standard library alone.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


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
        last = log.read_text(errors="replace").splitlines()[-12:]
        raise BuildError(
            f"{words[0]} ended with status {done.returncode}; its log: {log}\n" + "\n".join(last)
        )


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
