"""wget's messages: to whom and how many."""

from __future__ import annotations

import os
import sys

from applets.networking.wget.output import FILE_TROUBLE
from toolbox.errors import Fatal, current
from toolbox.harmless import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values


class Log:
    """Messages, on standard error or in a file, as far as they are wanted."""

    def __init__(self, opt: Values) -> None:
        letters = opt.n or ""
        brief = opt.no_verbose or "v" in letters
        self.level = 0 if opt.quiet else 1 if brief else 2
        path = opt.output_file if opt.output_file is not None else opt.append_output
        self._fd = 2
        if path is not None and path != "-":
            flags = os.O_APPEND if opt.output_file is None else os.O_TRUNC
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o666)
            except OSError as error:
                raise Fatal(f"{path}: {error.strerror}", FILE_TROUBLE) from None
        terminal = self._fd == 2 and os.isatty(2)
        wanted = opt.progress not in ("none", "dot") and (self.level == 2 or opt.show_progress)
        self.bar = wanted and (terminal or (opt.show_progress and self._fd == 2))

    def say(self, text: str) -> None:
        """A part of the usual messages."""
        if self.level == 2:
            self.write(text)

    def brief(self, text: str) -> None:
        """A line that -nv leaves."""
        if self.level == 1:
            self.write(text + "\n")

    def error(self, text: str) -> None:
        """A line that only -q leaves out."""
        if self.level:
            self.write(f"{current().name}: {text}\n")

    def write(self, text: str) -> None:
        if sys.stdout is not None:
            sys.stdout.flush()
        # What a server says must not reach the terminal as it is.
        shown = harmless(text, keep="\r\n\t", form="\\%03o")
        try:
            os.write(self._fd, shown.encode("utf-8", "surrogateescape"))
        except OSError:
            pass  # nobody listens

    def close(self) -> None:
        if self._fd != 2:
            os.close(self._fd)
