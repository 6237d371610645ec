"""Copy files and trees of any depth, with their attributes (cp, mv between file systems).

Both sides are walked by descriptors, so that a symbolic link that somebody puts into the way leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox import same_file
from toolbox.copying.attributes import ALL, Attributes
from toolbox.copying.targets import DIRECTORY, Targets, key_of, status_of
from toolbox.errors import warn
from toolbox.files import put_in_place
from toolbox.same_file import DONE, SAME, Side
from toolbox.sparse import copy_with_holes, copy_without_zeros
from toolbox.streams import copy, write_all
from toolbox.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.backups import Backups
    from toolbox.walk import Visit

#: ioctl_ficlone(2): share the data of two files.
_FICLONE = 0x40049409

__all__ = ["ALL", "Copier"]


class _Failed(Exception):
    """One file cannot be copied; the text is the whole message."""


class Copier:
    """How to copy; one object for one run, since it knows which files were made and linked.

    recursive: directories and special files as such; follow: "never", "top" or "always" (walk);
    preserve: a subset of `ALL`; keep: what exists stays: "" (no), "skip", "fail"; replace: asked with (path,
    source's status, target's status) before something is overwritten; force: remove what cannot be opened;
    remove_first: remove what is there in any case;
    link, symbolic: make links instead of copies; sparse: "auto", "always", "never";
    reflink: "auto", "always", "never"; attributes_only: no data; usual_mode: new files
    get the permissions that any new file gets; told: called with (source, target) of each copy.
    """

    def __init__(
        self,
        *,
        recursive: bool = False,
        follow: str = "never",
        preserve: frozenset[str] = frozenset(),
        required: frozenset[str] = frozenset(),
        keep: str = "",
        replace: Callable[[str, os.stat_result, os.stat_result], bool] | None = None,
        force: bool = False,
        remove_first: bool = False,
        link: bool = False,
        symbolic: bool = False,
        sparse: str = "auto",
        reflink: str = "auto",
        attributes_only: bool = False,
        usual_mode: bool = False,
        copy_contents: bool = False,
        one_device: bool = False,
        backups: Backups | None = None,
        told: Callable[[str, str], None] | None = None,
    ) -> None:
        self.recursive = recursive
        self.follow = follow
        self.preserve = preserve
        self.keep = keep
        self.replace = replace
        self.force = force
        self.remove_first = remove_first
        self.link = link
        self.symbolic = symbolic
        self.sparse = sparse
        self.reflink = reflink
        self.attributes_only = attributes_only
        self.copy_contents = copy_contents
        self.one_device = one_device
        self.backups = backups
        self.told = told
        self.attributes = Attributes(preserve, required, usual_mode, self._fail)
        self.linked: dict[tuple[int, int], str] = {}
        self.made: set[tuple[int, int, str]] = set()
        self.complete = True

    def copy(self, source: str, target: str) -> bool:
        """Copy one file or tree to the name `target`; errors are warned of.  Returns whether all was copied."""
        self.complete = True
        targets = Targets()
        root: tuple[int, int] | None = None
        try:
            for visit in walk(
                source,
                follow=self.follow,
                one_device=self.one_device,
                failed=self._cannot_stat,
            ):
                path = _below(source, target, visit)
                name, fd = (target, None) if not visit.depth else (visit.name, targets.fd)
                if not visit.is_directory:
                    self._guarded(self._file, visit, name, fd, path)
                elif visit.leaving:
                    if targets.depth == visit.depth + 1:
                        self._finish_directory(visit, path, targets)
                elif not self.recursive:
                    self._fail(f"omitting directory {visit.path!r}")
                    visit.prune = True
                elif root is not None and key_of(visit.status()) == root:
                    self._fail(f"cannot copy a directory, {source!r}, into itself, {target!r}")
                    visit.prune = True
                else:
                    if not self._enter(visit, name, fd, path, targets):
                        visit.prune = True
                    elif not visit.depth:
                        root = targets.key
        finally:
            targets.close()
        return self.complete

    # -- errors ----------------------------------------------------------------------------

    def _fail(self, text: str) -> None:
        self.complete = False
        warn(text)

    def _cannot_stat(self, error: OSError) -> None:
        self._fail(f"cannot stat {error.filename!r}: {error.strerror}")

    def _guarded(
        self,
        work: Callable[[Visit, str, int | None, str], None],
        visit: Visit,
        name: str,
        fd: int | None,
        path: str,
    ) -> None:
        try:
            work(visit, name, fd, path)
        except _Failed as failed:
            self._fail(str(failed))
        except OSError as error:
            self._fail(f"cannot copy {visit.path!r} to {path!r}: {error.strerror}")

    # -- directories -----------------------------------------------------------------------

    def _enter(self, visit: Visit, name: str, fd: int | None, path: str, targets: Targets) -> bool:
        status = visit.status()
        made = False
        try:
            existing = status_of(name, fd, follow=not visit.depth)
            if existing is not None and not stat.S_ISDIR(existing.st_mode):
                self._fail(f"cannot overwrite non-directory {path!r} with directory {visit.path!r}")
                return False
            if existing is None:
                # Nobody else may look in before the attributes are set.
                private = 0o700 if self.preserve else self.attributes.mode(status) | 0o700
                os.mkdir(name, private, dir_fd=fd)
                made = True
                if self.told:
                    self.told(visit.path, path)
            flags = DIRECTORY & ~os.O_NOFOLLOW if not visit.depth else DIRECTORY
            targets.push(os.open(name, flags, dir_fd=fd), made)
        except OSError as error:
            self._fail(f"cannot create directory {path!r}: {error.strerror}")
            return False
        return True

    def _finish_directory(self, visit: Visit, path: str, targets: Targets) -> None:
        fd, made = targets.top()
        try:
            if made or self.preserve:
                self.attributes.keep(fd, visit, path, new=made)
        finally:
            targets.pop()

    # -- files -----------------------------------------------------------------------------

    def _file(self, visit: Visit, name: str, fd: int | None, path: str) -> None:
        status = visit.status()
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFLNK and visit.followed:
            raise _Failed(f"cannot stat {visit.path!r}: {os.strerror(errno.ENOENT)}")
        as_data = kind == stat.S_IFREG or (
            kind != stat.S_IFLNK and (not self.recursive or self.copy_contents)
        )
        existing = status_of(name, fd, follow=False)
        kept = None
        if existing is not None:
            target = Side(path, existing, name, fd)
            through = as_data and not (
                self.link or self.symbolic or self.remove_first or self._backs_up
            )
            if not self._may_replace(visit, status, target, through):
                return
            kept = self._make_way(visit, status, name, fd, path, existing)
            if kept is not None:
                existing = None
        try:
            self._place(visit, status, name, fd, path, existing, as_data)
        except (_Failed, OSError):
            if kept:
                # What was there comes back: a backup is for what was replaced.
                os.rename(kept, name, src_dir_fd=fd, dst_dir_fd=fd)
            raise
        made = status_of(name, fd, follow=False)
        if made is not None:
            # With its name: what stands under another one may be its hard link, and is written once more.
            self.made.add((*key_of(made), os.path.basename(path)))
        self._told(visit, path)

    def _place(
        self,
        visit: Visit,
        status: os.stat_result,
        name: str,
        fd: int | None,
        path: str,
        existing: os.stat_result | None,
        as_data: bool,
    ) -> None:
        """Make the copy, where `existing` may be overwritten."""
        if "links" in self.preserve:
            # Also when it is the last link: mv has removed the others already.
            earlier = self.linked.get(key_of(status))
            if earlier is not None:
                self._make_link(lambda new: _link(earlier, new, fd), name, fd, existing)
                return
            if status.st_nlink > 1:
                # What is written through a link is linked, not the link (GNU).
                through = as_data and existing is not None and stat.S_ISLNK(existing.st_mode)
                self.linked[key_of(status)] = os.path.realpath(path) if through else path
        if self.link or self.symbolic:
            self._linked(visit, name, fd, path, existing)
        elif as_data:
            self._data_file(visit, status, name, fd, path, existing)
        else:
            self._special(visit, status, name, fd)
            self.attributes.keep_by_name(visit, status, name, fd, path)

    def _told(self, visit: Visit, path: str) -> None:
        if self.told:
            self.told(visit.path, path)

    @property
    def _backs_up(self) -> bool:
        return self.backups is not None and self.backups.wanted

    def _may_replace(
        self, visit: Visit, status: os.stat_result, target: Side, through: bool
    ) -> bool:
        """Whether what stands at the target may be overwritten; errors are raised as _Failed."""
        path = target.path
        if self.keep == "fail":
            raise _Failed(f"not replacing {path!r}")
        if self.keep:
            return False
        if through and target.followed is None and not self.force:
            raise _Failed(f"not writing through dangling symlink {path!r}")
        verdict = same_file.may_copy(
            Side(visit.path, visit.lstat(), visit.name, visit.dir_fd),
            target,
            follow=visit.followed,
            through=through,
            backup=self._backs_up,
            remove_first=self.remove_first,
            link=self.link,
            symbolic=self.symbolic,
        )
        if verdict == SAME:
            raise _Failed(f"{visit.path!r} and {path!r} are the same file")
        replaced = (target.followed if through else None) or target.itself
        if stat.S_ISDIR(replaced.st_mode):
            raise _Failed(f"cannot overwrite directory {path!r} with non-directory")
        if self.replace and not self.replace(path, status, replaced):
            return False
        if verdict == DONE:
            return False
        if (*key_of(target.itself), os.path.basename(path)) in self.made:
            raise _Failed(f"will not overwrite just-created {path!r} with {visit.path!r}")
        return True

    def _make_way(
        self,
        visit: Visit,
        status: os.stat_result,
        name: str,
        fd: int | None,
        path: str,
        existing: os.stat_result,
    ) -> str | None:
        """Rename what stands at the target as a backup, or unlink what is not to be written into.

        The backup's name, "" when it was unlinked, None when it is still there.
        """
        if self._backs_up and self.backups:
            if self.backups.endangers(visit.path, path):
                raise _Failed(
                    f"backing up {path!r} might destroy source; {visit.path!r} not copied"
                )
            return self.backups.make(name, fd)
        # Who wants attributes alone keeps the data.
        replaced = not self.attributes_only and (
            ("links" in self.preserve and existing.st_nlink > 1)
            or (not visit.followed and not stat.S_ISREG(status.st_mode))
        )
        if self.remove_first or replaced:
            os.unlink(name, dir_fd=fd)
            return ""
        return None

    def _linked(
        self, visit: Visit, name: str, fd: int | None, path: str, existing: os.stat_result | None
    ) -> None:
        if existing is not None and not (self.force or self.replace):
            raise _Failed(f"cannot create link {path!r}: {os.strerror(errno.EEXIST)}")
        if self.symbolic:
            if not visit.path.startswith("/") and os.path.dirname(path) not in ("", "."):
                raise _Failed(f"{path}: can make relative symbolic links only in current directory")

            def make(new: str) -> None:
                os.symlink(visit.path, new, dir_fd=fd)

            self._make_link(make, name, fd, existing)
            return
        # What a link leads to is linked by its descriptor, for link(2) of Linux links the link itself.
        flags = os.O_PATH | os.O_CLOEXEC | (0 if visit.followed else os.O_NOFOLLOW)
        source = os.open(visit.name, flags, dir_fd=visit.dir_fd)
        here = os.open(".", os.O_PATH | os.O_CLOEXEC)

        def link(new: str) -> None:
            if visit.followed:
                os.link(f"/proc/self/fd/{source}", new, src_dir_fd=here, dst_dir_fd=fd)
            else:
                os.link(
                    visit.name,
                    new,
                    src_dir_fd=visit.dir_fd,
                    dst_dir_fd=fd,
                    follow_symlinks=False,
                )

        try:
            self._make_link(link, name, fd, existing)
        finally:
            os.close(source)
            os.close(here)

    def _make_link(
        self,
        make: Callable[[str], None],
        name: str,
        fd: int | None,
        existing: os.stat_result | None,
    ) -> None:
        if existing is None:
            make(name)
        else:
            # What cannot be linked must not cost what stands in the place.
            put_in_place(name, make, fd)

    def _special(self, visit: Visit, status: os.stat_result, name: str, fd: int | None) -> None:
        mode = status.st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(visit.name, dir_fd=visit.dir_fd), name, dir_fd=fd)
        else:
            kept = mode if "mode" in self.preserve else mode & ~0o7000
            os.mknod(name, kept & ~0o077 if self.preserve else kept, status.st_rdev, dir_fd=fd)

    def _data_file(
        self,
        visit: Visit,
        status: os.stat_result,
        name: str,
        fd: int | None,
        path: str,
        existing: os.stat_result | None,
    ) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | (0 if visit.followed else os.O_NOFOLLOW)
        try:
            source = os.open(visit.name, flags, dir_fd=visit.dir_fd)
        except OSError as error:
            raise _Failed(f"cannot open {visit.path!r} for reading: {error.strerror}") from None
        try:
            opened = os.fstat(source)
            if key_of(opened) != key_of(status):
                raise _Failed(
                    f"skipping file {visit.path!r}, as it was replaced while being copied"
                )
            target, new = self._open_target(name, fd, path, status, existing)
            try:
                if not self.attributes_only:
                    self._empty(target, opened, visit, path)
                    self._data(source, target, opened, path)
                self.attributes.keep(target, visit, path, new=new, source=source)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _open_target(
        self,
        name: str,
        fd: int | None,
        path: str,
        status: os.stat_result,
        existing: os.stat_result | None,
    ) -> tuple[int, bool]:
        """A descriptor to write to, and whether the file is new."""
        if existing is not None:
            # What was a file when it was looked at, and is a link now, is somebody's trap.
            follow = 0 if stat.S_ISLNK(existing.st_mode) else os.O_NOFOLLOW
            try:
                return os.open(name, os.O_WRONLY | follow | os.O_CLOEXEC, dir_fd=fd), False
            except OSError as error:
                if error.errno == errno.ENOENT and stat.S_ISLNK(existing.st_mode):
                    raise _Failed(f"not writing through dangling symlink {path!r}") from None
                if not self.force:
                    raise _Failed(
                        f"cannot create regular file {path!r}: {error.strerror}"
                    ) from None
            os.unlink(name, dir_fd=fd)
        mode = 0o600 if self.preserve else self.attributes.mode(status)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(name, flags, mode, dir_fd=fd), True
        except OSError as error:
            raise _Failed(f"cannot create regular file {path!r}: {error.strerror}") from None

    # -- data ------------------------------------------------------------------------------

    def _empty(self, target: int, source: os.stat_result, visit: Visit, path: str) -> None:
        """Take the old data away; not those of the source, by whatever name the target was opened."""
        status = os.fstat(target)
        if key_of(status) == key_of(source):
            raise _Failed(f"{visit.path!r} and {path!r} are the same file")
        if stat.S_ISREG(status.st_mode) and status.st_size:
            os.ftruncate(target, 0)

    def _data(self, source: int, target: int, status: os.stat_result, path: str) -> None:
        try:
            if self.reflink == "always":
                import fcntl

                fcntl.ioctl(target, _FICLONE, source)
                return
            regular = stat.S_ISREG(status.st_mode) and stat.S_ISREG(os.fstat(target).st_mode)
            if regular and self.sparse == "always":
                copy_without_zeros(source, target)
            elif regular and self.sparse == "auto" and status.st_blocks * 512 < status.st_size:
                copy_with_holes(source, target)
            elif self.reflink == "never" or (regular and self.sparse == "never"):
                while block := os.read(source, 1 << 20):
                    write_all(target, block)
            else:
                copy(source, target)
        except OSError as error:
            raise _Failed(f"error copying to {path!r}: {error.strerror}") from None


def _link(source: str, name: str, fd: int | None) -> None:
    os.link(source, name, dst_dir_fd=fd, follow_symlinks=False)


def _below(source: str, target: str, visit: Visit) -> str:
    """The path of the copy."""
    if not visit.depth:
        return target
    inner = visit.path[len(source) :].lstrip("/")
    return target + inner if target.endswith("/") else f"{target}/{inner}"
