"""What a copy keeps of its source besides the data: owner, permissions, times, extended attributes."""

from __future__ import annotations

import os
import stat

from toolbox.modes import current_umask, set_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.walk import Visit

#: Everything that can be preserved.
ALL = frozenset(("mode", "ownership", "timestamps", "links", "xattr"))


class Attributes:
    """Sets them.

    preserve: a subset of `ALL`; required: those of them that are warned of when they cannot be set;
    usual_mode: new files get the permissions that any new file gets; fail: is told what could not be done.
    """

    def __init__(
        self,
        preserve: frozenset[str],
        required: frozenset[str],
        usual_mode: bool,
        fail: Callable[[str], None],
    ) -> None:
        self.preserve = preserve
        self.required = required
        self.usual_mode = usual_mode
        self.fail = fail
        self.umask = current_umask()

    def keep(
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
                    self.fail(f"failed to preserve ownership for {path!r}: {error.strerror}")
        if "mode" in preserve:
            os.fchmod(target, mode)
        elif new and (preserve or stat.S_ISDIR(status.st_mode)):
            os.fchmod(target, self.mode(status) & ~self.umask)
        if "xattr" in preserve or "mode" in preserve:
            self._extended_attributes(target, visit, source, path)
        if "timestamps" in preserve:
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def mode(self, status: os.stat_result) -> int:
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
                self.fail(f"setting attributes for {path!r}: {error.strerror}")
        finally:
            if opened is not None:
                os.close(opened)

    def keep_by_name(
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
            set_mode(name, mode if "mode" in preserve else self.mode(status) & ~self.umask, fd)
        if "timestamps" in preserve:
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)
