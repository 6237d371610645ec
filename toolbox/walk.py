"""Walk trees of any depth, by descriptors: no recursion, no path length limit, no symlink races.

    for visit in walk("dir"):
        if visit.leaving: ...            # a directory, after its contents
        elif visit.is_directory: ...     # before its contents; visit.prune = True leaves them out
        else: ...                        # anything else

Each directory is opened by name below its parent's descriptor, without following a symbolic link that
somebody may have put there in between.  Only the innermost `_OPEN` directories are kept open; to go
back to a closed one, `..` is opened and must be the same directory (as fts(3) does).
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox.errors import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

#: Directories that are kept open, whatever the depth.
_OPEN = 64

#: Paths up to this length are remembered with their directory; longer ones are put together when asked for.
_REMEMBERED = 4096

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class _Level:
    """A directory that the walk is in."""

    __slots__ = ("_prefix", "fd", "key", "left", "name", "parent", "pinned", "visit")

    def __init__(self, visit: Visit, fd: int, key: tuple[int, int], left: list[Visit]) -> None:
        self.visit = visit
        self.name = visit.name
        self.parent = visit.level
        self.fd = fd
        self.key = key
        self.left = left  # entries still to visit, the next one last
        self.pinned = False  # a child was entered by a symbolic link: `..` does not lead back here
        self._prefix: str | None = None

    @property
    def prefix(self) -> str:
        """The directory's path with a slash at the end."""
        if self._prefix is not None:
            return self._prefix
        names = []
        level: _Level | None = self
        while level is not None and level._prefix is None:
            names.append(level.name if level.name.endswith("/") else level.name + "/")
            level = level.parent
        if level is not None and level._prefix is not None:
            names.append(level._prefix)
        path = "".join(reversed(names))
        if len(path) <= _REMEMBERED:
            self._prefix = path
        return path


class Visit:
    """One file, or one side of a directory's contents.

    name: in its directory (the operand itself at the top); depth: 0 at the top;
    leaving: a directory after its contents; prune: set it to leave a directory's contents out;
    unread: the error that kept a directory's contents from being read.
    """

    __slots__ = (
        "_follow",
        "_kind",
        "_status",
        "depth",
        "leaving",
        "level",
        "name",
        "prune",
        "unread",
    )

    def __init__(
        self, name: str, depth: int, level: _Level | None, kind: int, follow: bool
    ) -> None:
        self.name = name
        self.depth = depth
        self.level = level
        self.leaving = False
        self.prune = False
        self.unread: OSError | None = None
        self._kind = kind  # S_IFDIR ...; 0: ask the system
        self._follow = follow
        self._status: os.stat_result | None = None

    @property
    def path(self) -> str:
        """The operand, and the names below it."""
        return self.name if self.level is None else self.level.prefix + self.name

    @property
    def followed(self) -> bool:
        """Whether a symbolic link here stands for what it points to."""
        return self._follow

    @property
    def dir_fd(self) -> int | None:
        """The descriptor that `name` is relative to; None: the current directory.  Valid during the visit."""
        return None if self.level is None else self.level.fd

    def status(self) -> os.stat_result:
        """lstat(2), or stat(2) where links are followed and this one leads somewhere.  OSError names the path."""
        status = self._status
        if status is None:
            status = self._status = self._ask()
            self._kind = stat.S_IFMT(status.st_mode)
        return status

    def lstat(self) -> os.stat_result:
        """lstat(2), whether links are followed or not."""
        if self._status is not None and not self._follow:
            return self._status
        return os.stat(self.name, dir_fd=self.dir_fd, follow_symlinks=False)

    def _ask(self) -> os.stat_result:
        try:
            if self._follow:
                try:
                    return os.stat(self.name, dir_fd=self.dir_fd)
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                        raise
            return os.stat(self.name, dir_fd=self.dir_fd, follow_symlinks=False)
        except OSError as error:
            raise self.error(error) from None

    @property
    def kind(self) -> int:
        """S_IFDIR, S_IFREG...: of what a link points to where links are followed; 0 when it is gone."""
        if not self._kind:
            try:
                self.status()
            except OSError:
                return 0
        return self._kind

    @property
    def is_directory(self) -> bool:
        """Whether the walk goes (or would go, or went) into it."""
        return (self._kind or self.kind) == stat.S_IFDIR

    def error(self, error: OSError) -> OSError:
        """The same error with the path that the user knows."""
        return OSError(error.errno, error.strerror, self.path)


def walk(
    top: str,
    *,
    follow: str = "never",
    one_device: bool = False,
    order: Callable[[str], Any] | None = None,
    failed: Callable[[OSError], None] = warn,
    most: int | None = None,
) -> Iterator[Visit]:
    """Visit `top` and everything below it.

    follow: symbolic links: "never", "top" (only `top` itself), "always"
    one_device: directories on other file systems are visited, but not entered
    order: key by which names are sorted; None: as they lie in the directory
    failed: called with each OSError (with its path); the walk goes on
    most: the depth below which nothing is visited (0: only `top`)
    """
    always = follow == "always"
    visit = Visit(top, 0, None, 0, follow != "never")
    try:
        device = visit.status().st_dev
    except OSError as error:
        failed(error)
        return
    if not visit.is_directory:
        yield visit
        return
    only = device if one_device else None
    levels: list[_Level] = []
    try:
        yield visit
        if not _enter(levels, visit, always, only, order, failed, most):
            visit.leaving = True
            yield visit
        while levels:
            left = levels[-1].left
            if not left:
                level = levels.pop()
                _leave(levels, level)
                visit = level.visit
                visit.leaving = True
                yield visit
                continue
            visit = left.pop()
            if not visit.is_directory:
                yield visit
                continue
            yield visit
            if not _enter(levels, visit, always, only, order, failed, most):
                visit.leaving = True
                yield visit
    finally:
        for level in levels:
            if level.fd >= 0:
                os.close(level.fd)


def _enter(
    levels: list[_Level],
    visit: Visit,
    always: bool,
    device: int | None,
    order: Callable[[str], Any] | None,
    failed: Callable[[OSError], None],
    most: int | None,
) -> bool:
    """Open a directory and list it; False when it is not to be entered or cannot be."""
    if visit.prune or (most is not None and visit.depth >= most):
        return False
    link = visit._follow
    try:
        fd = os.open(visit.name, _FLAGS | (0 if link else os.O_NOFOLLOW), dir_fd=visit.dir_fd)
    except OSError as error:
        visit.unread = visit.error(error)
        failed(visit.unread)
        return False
    try:
        status = os.fstat(fd)
        key = (status.st_dev, status.st_ino)
        if device is not None and status.st_dev != device:
            os.close(fd)
            return False
        if always and any(level.key == key for level in levels):
            raise OSError(errno.ELOOP, "File system loop detected")
        level = _Level(visit, fd, key, [])
        depth = visit.depth + 1
        with os.scandir(fd) as entries:
            if order is None:
                level.left = [
                    Visit(e.name, depth, level, _kind(e, always), always) for e in entries
                ]
            else:
                level.left = [
                    Visit(e.name, depth, level, _kind(e, always), always)
                    for e in sorted(entries, key=lambda e: order(e.name))
                ]
        level.left.reverse()
    except OSError as error:
        os.close(fd)
        visit.unread = visit.error(error)
        failed(visit.unread)
        return False
    if link and levels and stat.S_ISLNK(visit.lstat().st_mode):
        levels[-1].pinned = True
    levels.append(level)
    if len(levels) > _OPEN:
        outer = levels[-_OPEN - 1]
        if not outer.pinned and outer.fd >= 0:
            os.close(outer.fd)
            outer.fd = -1
    return True


def _leave(levels: list[_Level], level: _Level) -> None:
    """Close a directory that was just popped, and make its parent's descriptor valid again."""
    fd, level.fd = level.fd, -1
    try:
        if levels and levels[-1].fd < 0:
            outer = levels[-1]
            outer.fd = os.open("..", _FLAGS, dir_fd=fd)
            status = os.fstat(outer.fd)
            if (status.st_dev, status.st_ino) != outer.key:
                raise OSError(errno.ESTALE, "Directory was moved during the walk", outer.visit.path)
    finally:
        os.close(fd)


def _kind(entry: os.DirEntry[str], follow: bool) -> int:
    """The type that the directory itself knows; 0: ask the system."""
    if entry.is_symlink():
        return 0 if follow else stat.S_IFLNK
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else 0
    except OSError:
        return 0  # status() tells
