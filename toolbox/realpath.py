"""The real path of a file: absolute, without symbolic links, `.` and `..` (realpath(3))."""

from __future__ import annotations

import errno
import os
import stat

#: As many links as Linux follows (path_resolution(7)).
_MOST_LINKS = 40


def real_path(name: str, *, missing: str = "none") -> str:
    """The real path of `name`.

    missing: what need not exist: "none", the "last" component, "any".
    OSError names `name`.
    """
    try:
        return _resolve(name, missing)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None


def _resolve(name: str, missing: str) -> str:
    if not name:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    path = "" if name.startswith("/") else os.getcwd().rstrip("/")
    # A slash at the end asks for a directory.
    todo = [part for part in reversed(name.split("/")) if part]
    directory_wanted = name.endswith(("/", "/."))
    links = 0
    gone = False  # whether the path so far does not exist
    while todo:
        part = todo.pop()
        if part == ".":
            continue
        if part == "..":
            path = path.rpartition("/")[0]
            gone = gone and not os.path.lexists(path or "/")
            continue
        path = f"{path}/{part}"
        if gone:
            continue
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            absent = error.errno == errno.ENOENT
            last = not any(p != "." for p in todo)
            if missing == "any" or (missing == "last" and absent and last):
                gone = True
                continue
            raise
        if stat.S_ISLNK(mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(path)
            path = "" if target.startswith("/") else path.rpartition("/")[0]
            todo += [p for p in reversed(target.split("/")) if p]
        elif not stat.S_ISDIR(mode) and (todo or directory_wanted):
            if missing != "any":
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            gone = True
    return path or "/"
