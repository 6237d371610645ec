"""Copy files and trees of any depth, with their attributes (cp, mv between file systems).

Both sides are walked by descriptors, so that a symbolic link that somebody puts into the way leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox import same_file
from toolbox.errors import warn
from toolbox.files import put_in_place
from toolbox.modes import set_mode
from toolbox.same_file import DONE, SAME, Side
from toolbox.sparse import copy_with_holes, copy_without_zeros
from toolbox.streams import copy, write_all
from toolbox.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.backups import Backups
    from toolbox.walk import Visit

#: Everything that can be preserved.
ALL = frozenset(("mode", "ownership", "timestamps", "links", "xattr"))

#: Target directories that are kept open, whatever the depth.
_OPEN = 64

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: ioctl_ficlone(2): share the data of two files.
_FICLONE = 0x40049409


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
        from toolbox.modes import current_umask

        self.recursive = recursive
        self.follow = follow
        self.preserve = preserve
        self.required = required
        self.keep = keep
        self.replace = replace
        self.force = force
        self.remove_first = remove_first
        self.link = link
        self.symbolic = symbolic
        self.sparse = sparse
        self.reflink = reflink
        self.attributes_only = attributes_only
        self.usual_mode = usual_mode
        self.copy_contents = copy_contents
        self.one_device = one_device
        self.backups = backups
        self.told = told
        self.umask = current_umask()
        self.linked: dict[tuple[int, int], str] = {}
        self.made: set[tuple[int, int, str]] = set()
        self.complete = True

    def copy(self, source: str, target: str) -> bool:
        """Copy one file or tree to the name `target`; errors are warned of.  Returns whether all was copied."""
        self.complete = True
        targets = _Targets()
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
                elif root is not None and _key(visit.status()) == root:
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

    def _enter(self, visit: Visit, name: str, fd: int | None, path: str, targets: _Targets) -> bool:
        status = visit.status()
        made = False
        try:
            existing = _status(name, fd, follow=not visit.depth)
            if existing is not None and not stat.S_ISDIR(existing.st_mode):
                self._fail(f"cannot overwrite non-directory {path!r} with directory {visit.path!r}")
                return False
            if existing is None:
                # Nobody else may look in before the attributes are set.
                private = 0o700 if self.preserve else self._mode(status) | 0o700
                os.mkdir(name, private, dir_fd=fd)
                made = True
                if self.told:
                    self.told(visit.path, path)
            flags = _DIRECTORY & ~os.O_NOFOLLOW if not visit.depth else _DIRECTORY
            targets.push(os.open(name, flags, dir_fd=fd), made)
        except OSError as error:
            self._fail(f"cannot create directory {path!r}: {error.strerror}")
            return False
        return True

    def _finish_directory(self, visit: Visit, path: str, targets: _Targets) -> None:
        fd, made = targets.top()
        try:
            if made or self.preserve:
                self._attributes(fd, visit, path, new=made)
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
        existing = _status(name, fd, follow=False)
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
        made = _status(name, fd, follow=False)
        if made is not None:
            # With its name: what stands under another one may be its hard link, and is written once more.
            self.made.add((*_key(made), os.path.basename(path)))
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
            earlier = self.linked.get(_key(status))
            if earlier is not None:
                self._make_link(lambda new: _link(earlier, new, fd), name, fd, existing)
                return
            if status.st_nlink > 1:
                # What is written through a link is linked, not the link (GNU).
                through = as_data and existing is not None and stat.S_ISLNK(existing.st_mode)
                self.linked[_key(status)] = os.path.realpath(path) if through else path
        if self.link or self.symbolic:
            self._linked(visit, name, fd, path, existing)
        elif as_data:
            self._data_file(visit, status, name, fd, path, existing)
        else:
            self._special(visit, status, name, fd)
            self._attributes_by_name(visit, status, name, fd, path)

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
        if (*_key(target.itself), os.path.basename(path)) in self.made:
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
            if _key(opened) != _key(status):
                raise _Failed(
                    f"skipping file {visit.path!r}, as it was replaced while being copied"
                )
            target, new = self._open_target(name, fd, path, status, existing)
            try:
                if not self.attributes_only:
                    self._empty(target, opened, visit, path)
                    self._data(source, target, opened, path)
                self._attributes(target, visit, path, new=new, source=source)
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
        mode = 0o600 if self.preserve else self._mode(status)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(name, flags, mode, dir_fd=fd), True
        except OSError as error:
            raise _Failed(f"cannot create regular file {path!r}: {error.strerror}") from None

    # -- data ------------------------------------------------------------------------------

    def _empty(self, target: int, source: os.stat_result, visit: Visit, path: str) -> None:
        """Take the old data away; not those of the source, by whatever name the target was opened."""
        status = os.fstat(target)
        if _key(status) == _key(source):
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

    # -- attributes ------------------------------------------------------------------------

    def _attributes(
        self, target: int, visit: Visit, path: str, *, new: bool, source: int | None = None
    ) -> None:
        """Set what is preserved on an open file; a new one gets at least the permissions."""
        status = visit.status()
        preserve = self.preserve
        mode = status.st_mode & 0o7777
        if "ownership" in preserve:
            try:
                os.fchown(target, status.st_uid, status.st_gid)
            except OSError as error:
                # Only root may give files away: then they must not be set-id ours.
                mode &= ~0o6000
                if os.geteuid() == 0 and "ownership" in self.required:
                    self._fail(f"failed to preserve ownership for {path!r}: {error.strerror}")
        if "mode" in preserve:
            os.fchmod(target, mode)
        elif new and (preserve or stat.S_ISDIR(status.st_mode)):
            os.fchmod(target, self._mode(status) & ~self.umask)
        if "xattr" in preserve or "mode" in preserve:
            self._extended_attributes(target, visit, source, path)
        if "timestamps" in preserve:
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _mode(self, status: os.stat_result) -> int:
        """The permissions of a copy whose mode is not preserved, before the umask."""
        if self.usual_mode:
            return 0o777 if stat.S_ISDIR(status.st_mode) else 0o666
        return status.st_mode & 0o777

    def _extended_attributes(
        self, target: int, visit: Visit, source: int | None, path: str
    ) -> None:
        opened = None
        try:
            if source is None:
                source = opened = os.open(
                    visit.name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=visit.dir_fd
                )
            for name in os.listxattr(source):
                # Access control lists are part of the permissions.
                if "xattr" in self.preserve or name.startswith("system.posix_acl_"):
                    os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if "xattr" in self.required:
                self._fail(f"setting attributes for {path!r}: {error.strerror}")
        finally:
            if opened is not None:
                os.close(opened)

    def _attributes_by_name(
        self, visit: Visit, status: os.stat_result, name: str, fd: int | None, path: str
    ) -> None:
        """Set what is preserved on a link or special file, which must not be opened."""
        preserve = self.preserve
        mode = status.st_mode & 0o7777
        if "ownership" in preserve:
            try:
                os.chown(name, status.st_uid, status.st_gid, dir_fd=fd, follow_symlinks=False)
            except OSError:
                mode &= ~0o6000
        if preserve and not stat.S_ISLNK(status.st_mode):
            set_mode(name, mode if "mode" in preserve else self._mode(status) & ~self.umask, fd)
        if "timestamps" in preserve:
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)


class _Failed(Exception):
    """One file cannot be copied; the text is the whole message."""


class _Targets:
    """The directories that are being filled, the innermost last; only the last ones are kept open."""

    def __init__(self) -> None:
        self.levels: list[tuple[tuple[int, int], bool]] = []
        self.fds: list[int] = []

    @property
    def fd(self) -> int:
        """The innermost one's descriptor."""
        return self.fds[-1]

    @property
    def key(self) -> tuple[int, int]:
        """The innermost one's device and inode."""
        return self.levels[-1][0]

    @property
    def depth(self) -> int:
        """How many there are."""
        return len(self.levels)

    def push(self, fd: int, made: bool) -> None:
        """Go into a directory."""
        self.levels.append((_key(os.fstat(fd)), made))
        self.fds.append(fd)
        # The outermost one may have been reached by a symbolic link; `..` finds all others again.
        if len(self.fds) > _OPEN and self.fds[-_OPEN] >= 0:
            os.close(self.fds[-_OPEN])
            self.fds[-_OPEN] = -1

    def top(self) -> tuple[int, bool]:
        """The innermost one's descriptor, and whether it is new."""
        return self.fds[-1], self.levels[-1][1]

    def pop(self) -> None:
        """Go out of the innermost one."""
        fd = self.fds.pop()
        self.levels.pop()
        try:
            if self.fds and self.fds[-1] < 0:
                outer = os.open("..", _DIRECTORY, dir_fd=fd)
                self.fds[-1] = outer
                if _key(os.fstat(outer)) != self.key:
                    raise OSError(errno.ESTALE, "Directory was moved during the copy")
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close whatever is open."""
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)


def _key(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _status(name: str, fd: int | None, *, follow: bool) -> os.stat_result | None:
    """stat or lstat; None when there is nothing."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=follow)
    except FileNotFoundError:
        return None


def _link(source: str, name: str, fd: int | None) -> None:
    os.link(source, name, dst_dir_fd=fd, follow_symlinks=False)


def _below(source: str, target: str, visit: Visit) -> str:
    """The path of the copy."""
    if not visit.depth:
        return target
    inner = visit.path[len(source) :].lstrip("/")
    return target + inner if target.endswith("/") else f"{target}/{inner}"
