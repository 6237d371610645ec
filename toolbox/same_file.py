"""Whether a file would be lost because source and target of a copy, move or link are one file.

One file may be reached by one name written in two ways (`f`, `./f`, `d/../f`), by hard links, and by symbolic links.
What then happens depends on how the target is replaced: written through its links, unlinked first, or renamed as a
backup.  The answers are those of GNU cp, mv and ln; where these lose something, ours is the safe one.
"""

from __future__ import annotations

import os
import stat

#: What may_copy answers: the work may begin; there is nothing to do; the file would be lost.
GO, DONE, SAME = "go", "done", "same"

#: Symbolic links that are followed before a chain is given up (path_resolution(7)).
_LINKS = 40


class Side:
    """A source or target: its path, and its status, links followed and not.

    name, fd: how os.stat(name, dir_fd=fd) finds it, where that is not by the path; itself: its lstat(2), if known.
    """

    __slots__ = ("_followed", "_place", "itself", "path")

    def __init__(
        self,
        path: str,
        itself: os.stat_result | None = None,
        name: str | None = None,
        fd: int | None = None,
    ) -> None:
        """OSError when there is nothing of this name."""
        self.path = path
        self._place = (path, None) if name is None else (name, fd)
        self.itself = itself or self._stat(follow=False)
        self._followed: tuple[os.stat_result | None] | None = None

    def _stat(self, *, follow: bool) -> os.stat_result:
        name, fd = self._place
        return os.stat(name, dir_fd=fd, follow_symlinks=follow)

    @property
    def followed(self) -> os.stat_result | None:
        """stat(2); None for a link that leads nowhere."""
        if self._followed is None:
            try:
                self._followed = (self._stat(follow=True) if self.is_link else self.itself,)
            except OSError:
                self._followed = (None,)
        return self._followed[0]

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.itself.st_mode)

    def is_entry_of(self, other: Side) -> bool:
        """Whether both are one entry of one directory."""
        return same_name(self.path, other.path)


def key(status: os.stat_result | None) -> tuple[int, int] | None:
    """Device and inode; None for nothing."""
    return None if status is None else (status.st_dev, status.st_ino)


def same_name(one: str, other: str) -> bool:
    """Whether two paths are one entry of one directory, however they are written."""
    first = _entry(one)
    return first is not None and first == _entry(other)


def _entry(path: str) -> tuple[int, int, str] | None:
    """The directory that holds a path's last component, and that component's name; None when there is none."""
    head, slash, base = path.rstrip("/").rpartition("/")
    try:
        if base in ("", ".", ".."):
            # The directory's own name is found from within it.
            head, slash, base = os.path.realpath(path).rpartition("/")
        status = os.stat(head or slash or ".")
    except OSError:
        return None
    return status.st_dev, status.st_ino, base


def leads_through(link: str, name: str) -> bool:
    """Whether the chain of symbolic links that begins at the path `link` has the entry `name` in it."""
    for _ in range(_LINKS):
        if same_name(link, name):
            return True
        try:
            following = os.readlink(link)
        except OSError:
            return False
        link = os.path.join(os.path.dirname(link), following)
    return False


def may_copy(
    source: Side,
    target: Side,
    *,
    follow: bool,
    through: bool,
    backup: bool = False,
    remove_first: bool = False,
    link: bool = False,
    symbolic: bool = False,
) -> str:
    """Whether `source` can be copied to the existing `target` without harm to itself: GO, DONE or SAME.

    follow: what the source's link points to is copied; through: the target is opened by its name, links followed;
    backup, remove_first: it is renamed or unlinked before; link, symbolic: a link to the source takes its place.
    """
    data = key(source.followed if follow else source.itself)
    if link and data == key(target.itself):
        return DONE
    if backup or remove_first:
        # The target's name goes first: the source must not be found by it.
        by_name = leads_through if follow and source.is_link else same_name
        if by_name(source.path, target.path):
            return SAME
    if source.is_link and target.is_link and not follow:
        if source.is_entry_of(target):
            return SAME
        # One link takes another's place; of two hard links to one link nothing needs to be done.
        return DONE if key(source.itself) == key(target.itself) and not backup else GO
    if follow and data != key(target.followed if through else target.itself):
        return GO
    if backup or (remove_first and (target.is_link or key(source.itself) == key(target.itself))):
        return GO
    if not source.is_link and not target.is_link:
        return GO if key(source.itself) != key(target.itself) else SAME
    if symbolic and target.is_link:
        return GO
    if follow:
        return SAME
    if source.followed is None or key(source.followed) != key(target.followed):
        return GO
    if not link:
        return SAME
    return GO if target.is_link else DONE


def may_move(source: Side, target: Side, *, backup: bool = False) -> bool:
    """Whether `source` can be renamed to the existing `target` without the loss of what both lead to."""
    if source.is_entry_of(target):
        return False
    one_inode = key(source.itself) == key(target.itself)
    if backup:
        return True
    if one_inode:
        # rename(2) of two links to one file does nothing, and says that it was done.
        return False
    if target.is_link or not source.is_link:
        return True
    # A link takes the place of a file: what it leads to must have another name.
    return key(source.followed) != key(target.itself) or not leads_through(source.path, target.path)
