"""What differs between a program's folder and what a box has of it: what `snakeroot dev` sends."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from snakeroot import programs
from snakeroot.config import Instance
from snakeroot.host import BuildError
from snakeroot.hostfiles import Item


@dataclass(frozen=True)
class File:
    """A thing of the folder, with what makes it another one.

    kind: "file", "link" or "folder"    mode: its permissions    what: SHA-256, or the link's target
    """

    kind: str
    mode: int
    what: str = ""


@dataclass
class Change:
    """remove: names that are no more, or something else now    put: those that are new or different"""

    remove: list[str] = field(default_factory=list)
    put: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.remove or self.put)


class Folder:
    """A program's folder, with what was found at the last look."""

    def __init__(self, source: Path, instance: Instance, warn: Callable[[str], None]) -> None:
        """warn: takes a line for what cannot be sent, once for each"""
        self.source = source
        self.instance = instance
        self._warn = warn
        self._warned: set[str] = set()
        self._known: dict[str, tuple[tuple[int, ...], File]] = {}

    def look(self) -> dict[str, File]:
        """Name -> what is there now; only what has changed since the last look is read.  OSError, BuildError."""
        found: dict[str, File] = {}
        odd: set[str] = set()

        def tell(name: str, text: str) -> None:
            odd.add(name)
            if name not in self._warned:
                self._warn(text)

        def left_out(name: str, error: BuildError | OSError) -> None:
            if isinstance(error, BuildError):
                tell(name, f"{error}: it is not sent")
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR):  # it is gone by now
                tell(name, f"{shown(self.source / name)}: {error.strerror}: it is not sent")

        for item in programs.own_files(self.source, self.instance, left_out):
            if not item.name:
                continue
            try:
                item.name.encode(), item.target.encode()
            except UnicodeEncodeError:
                tell(item.name, f"{shown(item.path)}: its name is no UTF-8: it is not sent")
                continue
            if stat.S_ISLNK(item.mode) and not os.path.exists(item.path):
                tell(item.name, f"{item.path}: leads to nothing: it is sent as it is")
            try:
                found[item.name] = self._file(item)
            except OSError as error:
                left_out(item.name, error)
        self._warned = odd
        self._known = {name: self._known[name] for name in found if name in self._known}
        return found

    def size(self, found: dict[str, File], names: Iterable[str]) -> int:
        """How many bytes the files among those names have.  OSError."""
        return sum((self.source / n).stat().st_size for n in names if found[n].kind == "file")

    def read(self, found: dict[str, File], names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of those names that are files.  What was written since the look is put right in `found`."""
        data = {}
        for name in names:
            if found[name].kind == "file":
                data[name] = (self.source / name).read_bytes()
                digest = hashlib.sha256(data[name]).hexdigest()
                found[name] = replace(found[name], what=digest)
        return data

    def _file(self, item: Item) -> File:
        if stat.S_ISLNK(item.mode):
            return File("link", 0o777, item.target)
        if stat.S_ISDIR(item.mode):
            return File("folder", 0o755)
        status = os.stat(item.path)
        # Whatever writes to a file changes one of them.
        signature = (
            *(status.st_dev, status.st_ino, status.st_size, status.st_mode),
            *(status.st_mtime_ns, status.st_ctime_ns),
        )
        known = self._known.get(item.name)
        if known and known[0] == signature:
            return known[1]
        with open(item.path, "rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        file = File("file", programs.mode_of(item), digest)
        self._known[item.name] = (signature, file)
        return file


def between(has: dict[str, File], wanted: dict[str, File]) -> Change:
    """What makes the one from the other."""
    change = Change()
    gone: set[str] = set()
    for name in sorted(has):
        new = wanted.get(name)
        # What lies in a folder that goes, goes with it.
        if new is None or new.kind != has[name].kind:
            gone.add(name)
            if not _below(name, gone):
                change.remove.append(name)
    for name in sorted(wanted):
        if has.get(name) != wanted[name] or _below(name, gone):
            change.put.append(name)
    return change


def request(
    service: str,
    change: Change,
    wanted: dict[str, File],
    data: dict[str, bytes],
    code: dict[str, bytes],
) -> tuple[dict[str, Any], list[bytes]]:
    """The words for overlay.py, and the bytes that follow them.

    data: of each file that is put    code: the bytecode of each .py file
    """
    items: list[list[Any]] = []
    pieces = []
    for name in change.put:
        file = wanted[name]
        what: str | int = file.what
        if file.kind == "file":
            pieces.append(data[name])
            what = len(data[name])
        items.append([name, file.kind, file.mode, what])
        if name in code:
            pieces.append(code[name])
            items.append([name, "code", 0o644, len(code[name])])
    words = {"op": "change", "service": service, "remove": change.remove, "items": items}
    return words, pieces


def saved(source: Path, names: Iterable[str], noticed: float) -> float:
    """When the newest of these files was written, in Unix seconds; `noticed` when that tells nothing."""
    newest = 0.0
    for name in names:
        try:
            newest = max(newest, (source / name).lstat().st_mtime)
        except OSError:
            continue  # it is gone
    # One that was moved here, or unpacked, has the time of its making.
    return newest if noticed - 2.0 < newest <= noticed else noticed


def shown(path: str | Path) -> str:
    """A path for a message, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _below(name: str, folders: set[str]) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(name).parents)
