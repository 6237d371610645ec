"""Releases by HTTP: the body of a request, or a place to fetch one from, goes to the program `update`.

It is a process of its own: it streams in constant memory, and neither can hurt the other.
"""

from __future__ import annotations

import os
import subprocess

from applets.httpd.message import Response, plain
from toolbox.errors import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from applets.httpd.message import Request

UPDATE = "update"

#: The longest answer that is passed on, in bytes.
LONGEST = 1 << 20


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
        rest = False
        try:
            with process.stdin as into:
                for piece in pieces:
                    into.write(piece)
        except BrokenPipeError:
            rest = True  # it has seen enough
        except BaseException:
            process.kill()
            raise
        said = process.stdout.read(LONGEST).decode("utf-8", "replace").strip()
        status = process.wait()
    headers = [("Connection", "close")] if rest else []
    if status == 0:
        return plain(200, said, headers)
    return plain(422, said.rpartition("\n")[2] or f"{UPDATE} ended with status {status}", headers)
