"""Inputs, output and copying: bytes in, bytes out.

    for source in inputs(files):          # "-" and no files: standard input; errors are warned of
        for block in source.line_blocks():
            out.write(block.replace(...))

Blocks are large (`BLOCK` bytes), because the work is done by whole-buffer primitives, and memory is
bounded: only the applets that must (sort, tac) use `read_all`.
"""

from __future__ import annotations

import errno
import os
import sys

from toolbox.errors import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import BinaryIO

#: Bytes read at a time: large enough that a Python statement per block costs nothing.
BLOCK = 1 << 20

#: The most bytes the kernel is asked to copy in one call, so that signals are noticed in between.
_COPY = 1 << 27


def stdout() -> BinaryIO:
    """The buffered binary writer on descriptor 1; the dispatcher flushes and checks it at the end."""
    if sys.stdout is None:  # the process was started with standard output closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    return sys.stdout.buffer


class Source:
    """One input: `name` for messages, `fd` to read from.  Read errors are warned of and end the input.

    failed: whether one has, for whom a part of the input is worse than none
    """

    __slots__ = ("failed", "fd", "name", "status")

    def __init__(self, fd: int, name: str, status: int = 1) -> None:
        self.fd = fd
        self.name = name
        self.status = status
        self.failed = False

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.fd > 2:
            os.close(self.fd)

    def read(self, size: int = BLOCK) -> bytes:
        """Up to `size` bytes as they come; empty at the end and after an error, which is warned of."""
        try:
            return os.read(self.fd, size)
        except OSError as error:
            warn(f"{self.name}: {error.strerror}", self.status)
            self.failed = True
            return b""

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """The input in blocks as they come."""
        while block := self.read(size):
            yield block

    def line_blocks(self, end: bytes = b"\n", size: int = BLOCK) -> Iterator[bytes]:
        """Blocks of whole lines: each ends with `end`, but the last where the input doesn't.

        A line longer than a block makes a longer block.
        """
        held: list[bytes] = []
        while block := self.read(size):
            cut = block.rfind(end) + 1
            if not cut:
                held.append(block)
                continue
            held.append(block[:cut])
            yield b"".join(held) if len(held) > 1 else held[0]
            held = [block[cut:]] if cut < len(block) else []
        if held:
            yield b"".join(held)

    def lines(self, end: bytes = b"\n") -> Iterator[bytes]:
        """The lines without their ends; nothing distinguishes a last line that lacks its end."""
        for block in self.line_blocks(end):
            yield from block.removesuffix(end).split(end)

    def read_all(self) -> bytes:
        """The whole input at once."""
        return b"".join(self.blocks())


def inputs(files: Iterable[str], status: int = 1) -> Iterator[Source]:
    """Open each file in turn; "-", and no files at all, is standard input.

    A file that cannot be opened is warned of with `status` and skipped.  Each source is closed when the
    next is asked for.
    """
    for name in files or ("-",):
        source = open_input(name, status)
        if source is not None:
            with source:
                yield source


def open_input(name: str, status: int = 1) -> Source | None:
    """Open one input; None after a warning when it cannot be."""
    if name == "-":
        return Source(0, "standard input", status)
    try:
        return Source(os.open(name, os.O_RDONLY | os.O_CLOEXEC), name, status)
    except OSError as error:
        warn(error, status)
        return None


def line_end(block: bytes | bytearray, number: int, end: bytes = b"\n", start: int = 0) -> int:
    """The position behind the `number`th line end (from 1) of a block, which must have so many."""
    step = 1 << 16
    while (ends := block.count(end, start, start + step)) < number:
        number -= ends
        start += step
    for _ in range(number):
        start = block.index(end, start) + 1
    return start


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data` to a descriptor; OSError as write(2)."""
    done = os.write(fd, data)
    if done < len(data):
        view = memoryview(data)
        while done < len(view):
            done += os.write(fd, view[done:])


def copy(source: int, target: int, count: int | None = None) -> int:
    """Copy bytes between descriptors by the kernel where it can, from their current positions.

    count: at most so many bytes; None: up to the end.  Returns the bytes copied.
    copy_file_range(2) between files (reflinks where the file system has them), sendfile(2) from a file,
    splice(2) with a pipe, else read and write.  OSError as write(2) and read(2).
    """
    done = 0
    for way in (os.copy_file_range, _sendfile, os.splice):
        try:
            while count is None or done < count:
                moved = way(source, target, _COPY if count is None else min(count - done, _COPY))
                if moved == 0:
                    # The end, or a file of /proc or /sys, of which the kernel copies nothing:
                    # the last way, reading, finds out which.
                    break
                done += moved
        except OSError as error:
            if error.errno not in _UNSUITABLE:
                raise
    while count is None or done < count:
        block = os.read(source, BLOCK if count is None else min(BLOCK, count - done))
        if not block:
            break
        write_all(target, block)
        done += len(block)
    return done


#: "This way of copying does not fit these descriptors": try the next one.
_UNSUITABLE = {
    errno.EINVAL,
    errno.EXDEV,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EBADF,
    errno.EPERM,
    errno.ETXTBSY,
    errno.EISDIR,
    errno.EOVERFLOW,
    errno.EIO,
}


def _sendfile(source: int, target: int, count: int) -> int:
    return os.sendfile(target, source, None, count)  # None: its own position
