"""Releases by HTTP: the body of a request, or a place to fetch one from, goes to the program `update`.

It is a process of its own: it streams in constant memory, and neither can hurt the other.
"""

from __future__ import annotations

import os
import subprocess
import threading

from applets.httpd.message import Response, plain
from toolbox.errors import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from applets.httpd.message import Request

UPDATE = "update"

#: The longest answer that is passed on, in bytes.
LONGEST = 1 << 20

#: Seconds that the program may take when it has all that it is to read.
AFTER = 900.0


def install(request: Request) -> Response:
    """The body is a release, or a part of one (toolbox/release/partial.py); the answer comes when the box is about to restart into it."""
    say(f"httpd: {request.peer}: a release is pushed")
    return _run(["apply", "-"], request.pieces())


def wanted(request: Request) -> Response:
    """The body is a release's head and index; the answer is the line of ranges that the box lacks."""
    return _run(["wanted", "-"], request.pieces())


def fetch(request: Request, place: str) -> Response:
    """A release, or a folder of them, is at a URL or in a file of the box."""
    say(f"httpd: {request.peer}: a release is to be fetched")
    if place.startswith("-"):
        return plain(422, f"{place!r} is no place of releases")
    return _run(["apply", place], ())


def show() -> Response:
    """Which release runs, and how the last update ended."""
    response = _run(["show", "--json"], ())
    if response.status == 200:
        response.headers = [("Content-Type", "application/json")]
    return response


def _run(words: list[str], pieces: Iterable[bytes]) -> Response:
    """200 and what it printed, or 422 and the last line of it, which says what is wrong."""
    try:
        process = subprocess.Popen(
            [UPDATE, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        return plain(503, f"{UPDATE}: {os.strerror(error.errno or 0)}")
    with process:
        if process.stdin is None or process.stdout is None:  # both are pipes
            raise AssertionError
        words_of_it = _Words(process.stdout)
        try:
            with process.stdin as into:
                for piece in pieces:
                    into.write(piece)
        except BrokenPipeError:
            pass  # it has seen enough; what the peer still sends ends the connection
        except BaseException:
            process.kill()
            raise
        try:
            status = process.wait(AFTER)
        except subprocess.TimeoutExpired:
            process.kill()
            return plain(504, f"{UPDATE} took longer than {AFTER:g} s")
        said = words_of_it.all()
    if status:
        last = said.strip().rpartition("\n")[2]
        return plain(422, last or f"{UPDATE} ended with status {status}")
    if words_of_it.cut:
        return plain(502, f"{UPDATE} said more than {LONGEST} bytes")
    return plain(200, said.strip())


class _Words:
    """What a program says, read as it comes: one whose pipe is full waits for us, and we would for it.

    Of more than LONGEST bytes the last are kept, which say how it ended.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._fd = os.dup(
            pipe.fileno()
        )  # its own: somebody who was left behind may keep it for long
        self._said = bytearray()
        self.cut = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with open(self._fd, "rb", buffering=0) as pipe:
            while block := pipe.read(65536):
                self._said += block
                if len(self._said) > LONGEST:
                    self.cut = True
                    del self._said[:-LONGEST]

    def all(self) -> str:
        """What was said until the program ended; whoever it left behind with its output is not waited for."""
        self._reader.join(1.0)
        return bytes(self._said).decode("utf-8", "replace")
