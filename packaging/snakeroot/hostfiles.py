"""What a file or folder of the host becomes in the image: the one place that decides on odd ones.

files, folders      as they are
links               as they are when they stay in the folder, or lead nowhere here (on the box they may lead
                    somewhere); those that lead to something of the host's become what they lead to
anything else       a BuildError that names it: no image can hold a fifo, a socket or a device
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from snakeroot.host import BuildError

#: What an image can not hold, in words.
_KINDS = {
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

#: Names of a folder -> those that are left out.
Unwanted = Callable[[str, list[str]], set[str]]


@dataclass(frozen=True)
class Item:
    """One thing to be copied.

    name: below the top, "" for the top itself    path: of the host's file
    mode: st_mode; of a link that is kept S_IFLNK    target: the link's
    """

    name: str
    path: str
    mode: int
    target: str = ""


#: Takes what is left out because of an error: its name below the top, and the error.
LeftOut = Callable[[str, BuildError | OSError], None]


def items(
    top: str | os.PathLike[str],
    unwanted: Unwanted = lambda folder, names: set(),
    left_out: LeftOut | None = None,
) -> Iterator[Item]:
    """The file or folder `top` with all that is in it, folders before their contents, in the order of names.

    BuildError for what no image can hold; OSError for what cannot be read.  Where `left_out` is given, it is called
    for these, below the top, and they are left out.
    """
    yield from _items(os.fspath(top), os.fspath(top), "", unwanted, left_out, ())


def _items(
    top: str,
    path: str,
    name: str,
    unwanted: Unwanted,
    left_out: LeftOut | None,
    within: tuple[tuple[int, int], ...],
) -> Iterator[Item]:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)
        if name and _stays(name, target):
            yield Item(name, path, stat.S_IFLNK | 0o777, target)
            return
        try:
            status = os.stat(path)
        except OSError:
            if not name:
                raise  # what the settings name must be there
            yield Item(name, path, stat.S_IFLNK | 0o777, target)
            return
    if stat.S_ISREG(status.st_mode):
        yield Item(name, path, status.st_mode)
    elif stat.S_ISDIR(status.st_mode):
        here = (status.st_dev, status.st_ino)
        if here in within:
            raise BuildError(
                f"{_shown(path)}: leads back to a folder that it lies in", "remove that link"
            )
        yield Item(name, path, status.st_mode)
        names = sorted(os.listdir(path))
        hidden = unwanted(path, names)
        for one in names:
            if one in hidden:
                continue
            below = f"{name}/{one}" if name else one
            inner = (*within, here)
            try:
                yield from _items(top, os.path.join(path, one), below, unwanted, left_out, inner)
            except (BuildError, OSError) as error:
                if left_out is None:
                    raise
                left_out(below, error)
    else:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "neither a file nor a folder")
        raise BuildError(
            f"{_shown(path)}: is {kind}, which an image cannot hold", "remove it from the folder"
        )


def _stays(name: str, target: str) -> bool:
    """Whether a link of this name, below the top, leads to something below the top, there or not."""
    if target.startswith("/"):
        return False
    place = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return place != ".." and not place.startswith("../")


def _shown(path: str) -> str:
    """A path for a message, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
