"""What a root file system holds, independent of the format it is written in.

A `Tree` is the one thing between where files come from (rootfs) and where they go (cpio).
It is written in the order of the sorted names, with times, owners and modes of our own choosing: same
inputs, same bytes, whoever builds it and wherever.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from snakeroot.host import BuildError
from snakeroot.hostfiles import Unwanted, items

#: So many links may lie in a path, as on Linux (path_resolution(7)).
LINKS = 40


@dataclass(frozen=True)
class Entry:
    """A file, link, folder or device: `mode` as st_mode; `data` a file's bytes or a link's target."""

    mode: int
    data: bytes = b""
    uid: int = 0
    gid: int = 0
    device: tuple[int, int] = (0, 0)


@dataclass
class Tree:
    """Absolute names without the leading slash -> entries.  Parent folders are made as needed.

    What is added below a link to a folder gets to where the link leads.
    """

    entries: dict[str, Entry] = field(default_factory=dict)

    def file(
        self, name: str, data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0
    ) -> None:
        """Add a regular file."""
        raw = data.encode() if isinstance(data, str) else data
        self._add(name, Entry(stat.S_IFREG | mode, raw, uid, gid))

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link that leads to `target`."""
        self._add(name, Entry(stat.S_IFLNK | 0o777, os.fsencode(target)))

    def folder(self, name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Add a folder, or change the mode and owner of one that is there."""
        self._add(name, Entry(stat.S_IFDIR | mode, b"", uid, gid))

    def device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._add(name, Entry(stat.S_IFCHR | mode, device=(major, minor)))

    def copy(
        self,
        name: str,
        source: Path,
        *,
        uid: int = 0,
        gid: int = 0,
        mode: int | None = None,
        shared: bool = False,
        hidden: Unwanted = lambda folder, names: set(),
    ) -> None:
        """Add a file or a whole folder of the host (hostfiles.py).

        Who may read it there may read it here, and nobody else; that somebody may write to it is left out, so that
        the umask of whoever checked it out does not matter.  mode: of all files instead; of folders with x
        wherever there is an r.  shared: what its owner may read and execute there, everybody may here who gets as
        far as `name`.  hidden: names that are left out.
        """
        for item in items(source, hidden):
            place = f"{name}/{item.name}" if item.name else name
            own = _for_all(item.mode) if shared else item.mode
            if stat.S_ISLNK(item.mode):
                self.link(place, item.target)
            elif stat.S_ISDIR(item.mode):
                self.folder(place, _folder_mode(own if mode is None else mode), uid, gid)
            else:
                with open(item.path, "rb") as file:
                    bits = _file_mode(own) if mode is None else mode
                    self.file(place, file.read(), bits, uid, gid)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        yield from sorted(self.entries.items())

    def _add(self, name: str, entry: Entry) -> None:
        name = name.strip("/")
        if ".." in name.split("/"):
            raise BuildError(f"/{name}: a name in the image must not contain '..'")
        folder, _, last = name.rpartition("/")
        name = f"{self._followed(folder)}/{last}".strip("/")
        old = self.entries.get(name)
        if old and stat.S_IFMT(old.mode) != stat.S_IFMT(entry.mode):
            raise BuildError(f"/{name}: is in the image already, as something else")
        parent = name.rpartition("/")[0]
        if parent and parent not in self.entries:
            self.folder(parent)
        elif parent and not stat.S_ISDIR(self.entries[parent].mode):
            raise BuildError(f"/{name}: /{parent} is in the image already, and no folder")
        self.entries[name] = entry

    def _followed(self, folder: str) -> str:
        """Where a folder really lies: /usr/bin is a link to /bin.  BuildError for links that lead to themselves."""
        left, place, links = folder.split("/")[::-1], "", 0
        while left:
            part = left.pop()
            if part == "..":
                place = place.rpartition("/")[0]
                continue
            there = f"{place}/{part}".strip("/")
            entry = self.entries.get(there)
            if entry is None or not stat.S_ISLNK(entry.mode):
                place = there
                continue
            links += 1
            if links > LINKS:
                raise BuildError(f"/{folder}: its links lead to one another")
            target = os.fsdecode(entry.data)
            place = "" if target.startswith("/") else place
            left += [part for part in target.split("/")[::-1] if part not in {"", "."}]
        return place


def _for_all(mode: int) -> int:
    """Let everybody read and execute what its owner may."""
    return mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6


def _file_mode(mode: int) -> int:
    """Its owner may always read it, who may execute it there may here; writing is the owner's."""
    return 0o600 | (mode & (0o755 if mode & 0o100 else 0o644))


def _folder_mode(mode: int) -> int:
    readable = mode & 0o444
    return 0o700 | readable | readable >> 2
