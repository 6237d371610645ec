"""The folder in which a service keeps its state, and to whom it belongs.

    prepare("/perm/home/web", uid, gid)   made for this user alone; given to it when another one owns it
    Former().remember(path)               whose it was, so that a release on trial can be undone

A folder may have another owner because an update gave the service another user.  Everything in it is
given by descriptor: no symbolic link is followed, other file systems are not entered, and a file that has
a second name is given only when it was the folder's former owner's, since that name may be anywhere.
The folder itself comes last, so that what was interrupted is done again at the next start.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Log = Callable[[str], None]

#: Lines about files that could not be given; more are only counted.
_TOLD = 5


def prepare(path: str, uid: int | None, gid: int | None, log: Log) -> None:
    """Make a service's folder, or see to it that it is the user's.  None: there is no other user.

    What cannot be given is logged.  OSError when the folder cannot be made, opened or given.
    """
    try:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        if uid is not None:
            give(path, uid, gid, log)
        return
    if uid is not None:
        os.chown(path, uid, -1 if gid is None else gid)


def give(path: str, uid: int, gid: int | None, log: Log) -> None:
    """Give a folder and all that is in it to a user, unless it is that user's already.

    A symbolic link in the folder's place is left alone: only the box's owner can have put it there.
    OSError when the folder itself cannot be given.
    """
    top = os.lstat(path)
    if top.st_uid == uid or not stat.S_ISDIR(top.st_mode):
        return
    from toolbox.walk import walk

    group = -1 if gid is None else gid
    failed = 0

    def complain(error: OSError) -> None:
        nonlocal failed
        failed += 1
        if failed <= _TOLD:
            log(f"{error.filename}: cannot be given to user {uid}: {error.strerror}")

    count = 0
    for visit in walk(path, one_device=True, failed=complain):
        if visit.depth == 0 or (visit.is_directory and not visit.leaving):
            continue
        try:
            count += _give_one(visit.name, visit.dir_fd, uid, group, top)
        except OSError as error:
            complain(visit.error(error))
    if failed > _TOLD:
        log(f"{path}: {failed} files could not be given to user {uid}")
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, uid, group)
    finally:
        os.close(fd)
    log(f"{path}: was user {top.st_uid}'s; it and {count} files in it now are user {uid}'s")


def _give_one(name: str, folder: int | None, uid: int, gid: int, former: os.stat_result) -> bool:
    """Give one file; False when it stays whose it is."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(fd)
        if status.st_uid == uid or status.st_dev != former.st_dev:
            return False
        shared = status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
        if shared and status.st_uid != former.st_uid:
            return False
        # The file that was looked at, whatever bears its name by now: chown(2) of the descriptor's link.
        os.chown(f"/proc/self/fd/{fd}", uid, gid)
    finally:
        os.close(fd)
    return True


class Former:
    """Whose the folders were before this boot, while a release is on trial.

    The release that the box goes back to may know its services by the former users.
    """

    def __init__(self) -> None:
        self.owners: dict[str, tuple[int, int]] = {}

    def remember(self, path: str) -> None:
        """To be called before each start of the folder's service; the first call counts."""
        if path in self.owners:
            return
        try:
            status = os.lstat(path)
        except OSError:
            return  # it is not there yet: nobody else's
        self.owners[path] = (status.st_uid, status.st_gid)

    def give_back(self, log: Log) -> None:
        """Give each folder back to whom it belonged; what fails is logged."""
        for path, (uid, gid) in self.owners.items():
            try:
                give(path, uid, gid, log)
            except OSError as error:
                log(f"{path}: cannot be given back: {error.strerror}")
