"""How this machine reaches the world: HTTP, and the programs of the distribution and of Rust.

Everything goes through one object, so that a test can stand in for the world.  The standard library alone.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import errno
import http.client
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPResponse
from pathlib import Path

from snakeroot.host import cache, is_offline

#: Seconds that a server has to begin to answer, and for each piece of the answer.
TIMEOUT = 20

#: Seconds for a tool's look-up.
TOOL_TIMEOUT = 600

_PIECE = 1 << 20


class UnavailableError(Exception):
    """Why something cannot be had, in a few words; `offline`: because its server cannot be reached."""

    def __init__(self, reason: str, *, offline: bool = False) -> None:
        super().__init__(reason)
        self.offline = offline


class Client:
    """The world as it is."""

    def __init__(self) -> None:
        # For the C library's resolver, here and in the tools: a dead name server is not waited for long.
        os.environ.setdefault("RES_OPTIONS", "timeout:3 attempts:1")

    def head(self, url: str) -> datetime.date | None:
        """Ask for a file without fetching it: the date it was last changed, where the server says so.

        UnavailableError when it is not there.
        """
        with _answer(urllib.request.Request(url, method="HEAD")) as answer:
            return _date(answer.headers.get("Last-Modified"))

    def download(self, url: str, target: Path) -> None:
        """Fetch a file.  UnavailableError is the server's fault, OSError that of `target`."""
        with _answer(urllib.request.Request(url)) as answer, target.open("wb") as file:
            length = answer.headers.get("Content-Length")
            while piece := _read(answer):
                file.write(piece)
            if length is not None and file.tell() != int(length):
                raise UnavailableError(f"ended after {file.tell()} of {length} bytes")

    def output(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """What a program prints.  UnavailableError when it is missing or fails, with its last line of error."""
        words = [os.fspath(word) for word in argv]
        try:
            done = subprocess.run(
                words,
                cwd=cwd,
                env={**os.environ, "LC_ALL": "C", **(env or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TOOL_TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            raise UnavailableError(f"{words[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{words[0]}: no end after {TOOL_TIMEOUT} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace")
            if "No space left on device" in said:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cwd or cache()))
            raise UnavailableError(f"{words[0]}: {_gist(said)}", offline=is_offline(said))
        return done.stdout.decode(errors="replace")


@contextlib.contextmanager
def _answer(request: urllib.request.Request) -> Iterator[HTTPResponse]:
    """The answer to a request; whatever goes wrong on the way to it is an UnavailableError."""
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise UnavailableError(f"{error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _unreachable(reason) from None
    with answer:
        yield answer


def _read(answer: HTTPResponse) -> bytes:
    try:
        return answer.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"the connection broke: {error}") from None


def _unreachable(reason: object) -> UnavailableError:
    if isinstance(reason, socket.gaierror):
        return UnavailableError("no such host name", offline=True)
    if isinstance(reason, TimeoutError):
        return UnavailableError("no answer", offline=True)
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return UnavailableError(said, offline=isinstance(reason, OSError))


def _date(text: str | None) -> datetime.date | None:
    try:
        return email.utils.parsedate_to_datetime(text).date() if text else None
    except ValueError:
        return None


def _gist(said: str) -> str:
    """The line of an error report that says most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(
            "E: Failed to fetch"
        ):  # apt's reason; those after it are its consequences
            return line.removeprefix("E: ")
    if "Caused by:" in lines:  # cargo's innermost reason comes last
        return lines[-1]
    errors = [line for line in lines if line.startswith(("E: ", "error: "))]
    return (errors or lines or ["failed and said nothing"])[-1]
