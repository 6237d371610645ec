"""Where a download goes, and how far it is."""

from __future__ import annotations

import os
import time

from toolbox.errors import Fatal
from toolbox.sizes import human
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FILE_TROUBLE = 3


class Output:
    """A file, or standard output.  `size` is how much of the download is there."""

    def __init__(self, path: str) -> None:
        """path: "-" for standard output."""
        self.path = path
        self.size = 0
        self._fd = -1

    @property
    def shown(self) -> str:
        """The name in messages."""
        return "STDOUT" if self.path == "-" else self.path

    def open(self, *, append: bool) -> None:
        """Open for writing; without `append` what was there goes.  Fatal when it cannot be."""
        if self.path == "-":
            return
        try:
            if self._fd < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._fd = os.open(self.path, flags, 0o666)
            if append:
                self.size = os.lseek(self._fd, 0, os.SEEK_END)
            else:
                os.ftruncate(self._fd, 0)
                os.lseek(self._fd, 0, os.SEEK_SET)
                self.size = 0
        except OSError as error:
            if error.errno == 22 and self._fd >= 0:
                return  # a device or pipe: there is nothing to cut
            raise Fatal(f"{self.path}: {error.strerror}", FILE_TROUBLE) from None

    def write(self, data: bytes) -> None:
        """Write a block.  Fatal when the disk is full."""
        try:
            if self.path == "-":
                stdout().write(data)
            else:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._fd, view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Fatal(f"{self.shown}: {error.strerror}", FILE_TROUBLE) from None
        self.size += len(data)

    def close(self, modified: int | None = None) -> None:
        """Close; `modified`: the time the file gets, in seconds since 1970."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if modified is not None:
                os.utime(self.path, (modified, modified))

    @property
    def is_open(self) -> bool:
        return self._fd >= 0


def unused_name(path: str) -> str:
    """The path, or path.1, path.2... when there is such a file already."""
    if not os.path.lexists(path):
        return path
    number = 1
    while os.path.lexists(f"{path}.{number}"):
        number += 1
    return f"{path}.{number}"


class Progress:
    """A line that shows how far a download is; on a terminal only."""

    def __init__(
        self, name: str, total: int | None, begin: int, write: Callable[[str], None]
    ) -> None:
        """total: bytes of the whole, None: unknown; begin: how many were there before."""
        self.name = name
        self.total = total
        self.begin = begin
        self.write = write
        self.started = self.shown = time.monotonic()

    def show(self, size: int, *, last: bool = False) -> None:
        """Draw the line again, at most five times a second."""
        now = time.monotonic()
        if not last and now - self.shown < 0.2:
            return
        self.shown = now
        from toolbox.columns import terminal_width

        elapsed = max(now - self.started, 0.001)
        rate = (size - self.begin) / elapsed
        name = self.name if len(self.name) <= 20 else self.name[:18] + ".."
        tail = f" {human(size):>7}  {human(int(rate)):>5}B/s"
        if last:
            tail += f"    in {_duration(elapsed)}"
        elif self.total and rate > 0:
            tail += f"    eta {_duration((self.total - size) / rate)}"
        room = max(10, terminal_width(2) - 20 - 5 - 2 - 42)
        if self.total:
            filled = min(room, room * size // self.total)
            bar = "=" * (filled - 1) + ">" if filled else ""
            percent = f"{min(100, 100 * size // self.total):3d}%"
        else:
            bar, percent = " " * (int(elapsed * 5) % max(1, room - 3)) + "<=>", "    "
        self.write(f"\r{name:<20} {percent}[{bar:<{room}}]{tail:<42}" + ("\n" if last else ""))


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole // 60 % 60}m"
