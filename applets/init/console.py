"""init's own lines on the machine's console, without ever waiting for it.

A serial line may be stopped by its other end for ever; a line that does not go out at once is dropped (it
is in the logs all the same).
"""

from __future__ import annotations

import os

from toolbox.harmless import harmless

CONSOLE = "/dev/console"


class Console:
    """Writes lines to `path`; nothing when it cannot be opened."""

    def __init__(self, path: str = CONSOLE) -> None:
        try:
            self.fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.fd = -1

    def say(self, text: str) -> None:
        """One line. The terminal may be in raw mode under a shell: a carriage return goes before."""
        if self.fd >= 0:
            try:
                os.write(
                    self.fd, f"\rinit: {harmless(text)}\r\n".encode("utf-8", "backslashreplace")
                )
            except OSError:
                pass  # full, or hung up


def say_on_standard_error(text: str) -> None:
    """The console of a container and of a developer's init."""
    try:
        os.write(2, f"init: {harmless(text)}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # closed, or a pipe that nobody reads
