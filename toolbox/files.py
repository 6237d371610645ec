"""Files that are replaced as a whole: a reader sees the old contents or the new, never a part."""

from __future__ import annotations

import itertools
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def replace_file(path: str, data: bytes, *, mode: int = 0o644, durable: bool = False) -> None:
    """Give the file at `path` the contents `data` and the permissions `mode`, atomically (rename(2)).

    durable: return only when a power cut cannot undo it (fsync of the file and of its folder).
    Raises OSError; then the old file is untouched and no new one is left behind.
    """
    new = f"{path}.new"
    # A leftover of a writer that was killed is no obstacle, and must not lend its permissions.
    try:
        os.unlink(new)
    except FileNotFoundError:
        pass
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(fd, mode)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(new, path)
    except OSError:
        os.unlink(new)
        raise
    if durable:
        sync_folder(os.path.dirname(path) or ".")


def put_in_place(
    name: str,
    make: Callable[[str], None],
    fd: int | None = None,
    before: Callable[[], object] | None = None,
) -> None:
    """Replace the file `name` (of the directory `fd`) by what `make` makes, so that there is always one of them.

    make: called with a name in the same directory that is free; FileExistsError makes it be called again.
    before: called when it has been made, as to rename the old file.
    OSError of `make` or rename(2): the old file is untouched.
    """
    folder = os.path.dirname(name)
    for number in itertools.count():
        new = os.path.join(folder, f".new-{os.getpid()}-{number}")
        try:
            make(new)
            break
        except FileExistsError:
            continue
    try:
        if before is not None:
            before()
        os.rename(new, name, src_dir_fd=fd, dst_dir_fd=fd)
    finally:
        # rename(2) of two links to one file does nothing at all, and the new one stays.
        try:
            os.unlink(new, dir_fd=fd)
        except FileNotFoundError:
            pass


def sync_folder(path: str) -> None:
    """Make the names in the folder `path` durable (fsync(2) on the directory)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_file(path: str, most: int = 1 << 20) -> bytes | None:
    """The contents of a small file, at most `most` bytes; None when there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        parts = []
        while most > 0 and (part := os.read(fd, most)):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def make_folder(path: str, *, levels: int = 1, mode: int = 0o700) -> None:
    """Make the folder at `path`, and of its parents at most the last `levels` - 1.

    FileNotFoundError when more is missing: a box without /perm must not get one in its root.
    """
    if os.path.isdir(path):
        return
    if levels > 1:
        make_folder(os.path.dirname(path), levels=levels - 1, mode=mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        pass  # another daemon was faster
