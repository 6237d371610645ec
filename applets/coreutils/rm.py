"""rm [-dfiIrRv] [FILE]...

Remove files.

  -f, --force            no error when a FILE is not there; never ask
  -i                     ask before each
  -I                     ask once when there are more than three FILEs, or with -r
      --interactive[=WHEN]  never, once (as -I) or always (as -i)
  -r, -R, --recursive    directories, too, and all that is in them
  -d, --dir              empty directories, too
  -v, --verbose          print each name
      --one-file-system  with -r leave out directories on other file systems
      --preserve-root[=WORD]  refuse to remove / (usual)
      --no-preserve-root  do not
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox.errors import Fatal, UsageError, warn
from toolbox.options import Options, Values
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.walk import Visit

options = Options(__doc__)

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block special file",
    stat.S_IFCHR: "character special file",
}


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    when = _when(opt)
    if not files and not opt.force:
        raise UsageError("missing operand")
    if when == "once" and (len(files) > 3 or (opt.recursive and files)):
        from toolbox.confirm import confirm

        many = f"{len(files)} argument{'s' if len(files) > 1 else ''}"
        if not confirm(f"rm: remove {many}{' recursively' if opt.recursive else ''}? "):
            return 0
    remover = _Remover(opt, when)
    for name in files:
        remover.remove(name)
    return 0


def _when(opt: Values) -> str:
    given = opt.last("force", "i", "I", "interactive")
    if given == "interactive":
        word = opt.interactive or "always"
        word = {"no": "never", "none": "never", "yes": "always"}.get(word, word)
        if word not in ("never", "once", "always"):
            raise UsageError(f"invalid argument {word!r} for '--interactive'")
        return str(word)
    return {"force": "never", "i": "always", "I": "once", None: "protected"}[given]


class _Remover:
    def __init__(self, opt: Values, when: str) -> None:
        self.opt = opt
        self.when = when
        # Write-protected files are asked for only where somebody can answer (POSIX).
        self.ask_protected = when == "protected" and _is_terminal(0)
        root = os.lstat("/")
        self.root = (
            None
            if opt.last("preserve_root", "no_preserve_root") == "no_preserve_root"
            else (
                root.st_dev,
                root.st_ino,
            )
        )

    def remove(self, name: str) -> None:
        """Remove one operand."""
        last = name.rstrip("/").rpartition("/")[2]
        if last in (".", ".."):
            warn(f"refusing to remove '.' or '..' directory: skipping {name!r}")
            return
        try:
            status = os.lstat(name)
        except OSError as error:
            absent = error.errno in (errno.ENOENT, errno.ENOTDIR)
            if not (self.opt.force and absent):
                warn(f"cannot remove {name!r}: {error.strerror}")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._remove_file(name, status)
        elif self.opt.recursive:
            if self.root == (status.st_dev, status.st_ino):
                warn("it is dangerous to operate recursively on '/'")
                raise Fatal("use --no-preserve-root to override this failsafe")
            self._remove_tree(name)
        elif self.opt.dir:
            self._remove_directory(name, status)
        else:
            warn(f"cannot remove {name!r}: Is a directory")

    def _remove_file(self, name: str, status: os.stat_result) -> None:
        if not self._agreed(name, status, None):
            return
        try:
            os.unlink(name)
        except OSError as error:
            warn(f"cannot remove {name!r}: {error.strerror}")
            return
        self._tell(f"removed {name!r}")

    def _remove_directory(self, name: str, status: os.stat_result) -> None:
        if not self._agreed(name, status, None):
            return
        try:
            os.rmdir(name)
        except OSError as error:
            warn(f"cannot remove {name!r}: {error.strerror}")
            return
        self._tell(f"removed directory {name!r}")

    def _remove_tree(self, name: str) -> None:
        from toolbox.removal import remove_tree

        remove_tree(
            name,
            wanted=self._wanted if self.when == "always" or self.ask_protected else None,
            removed=self._removed if self.opt.verbose else None,
            failed=lambda error: warn(f"cannot remove {error.filename!r}: {error.strerror}"),
            one_device=bool(self.opt.one_file_system),
        )

    def _wanted(self, visit: Visit) -> bool:
        try:
            status = visit.lstat()
        except OSError:
            return True  # the removal tells
        if visit.is_directory and not visit.leaving:
            if self._is_empty(visit):
                return True  # asked for when it is removed
            return self._ask(
                f"descend into {self._described(visit.path, status, visit)}", status, visit
            )
        return self._agreed(visit.path, status, visit)

    def _is_empty(self, visit: Visit) -> bool:
        try:
            fd = os.open(
                visit.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=visit.dir_fd
            )
        except OSError:
            return True
        try:
            with os.scandir(fd) as entries:
                return next(entries, None) is None
        finally:
            os.close(fd)

    def _described(self, path: str, status: os.stat_result, visit: Visit | None) -> str:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            kind = "regular file" if status.st_size else "regular empty file"
        protected = "write-protected " if self._is_protected(path, status, visit) else ""
        return f"{protected}{kind} {path!r}"

    def _is_protected(self, path: str, status: os.stat_result, visit: Visit | None) -> bool:
        if stat.S_ISLNK(status.st_mode):
            return False
        name, fd = (visit.name, visit.dir_fd) if visit else (path, None)
        return not os.access(name, os.W_OK, dir_fd=fd, effective_ids=True)

    def _ask(self, question: str, status: os.stat_result, visit: Visit | None) -> bool:
        protected = "write-protected" in question
        if self.when == "always" or (self.ask_protected and protected):
            from toolbox.confirm import confirm

            return confirm(f"rm: {question}? ")
        return True

    def _agreed(self, path: str, status: os.stat_result, visit: Visit | None) -> bool:
        if self.when in ("never", "once") or not (self.when == "always" or self.ask_protected):
            return True
        return self._ask(f"remove {self._described(path, status, visit)}", status, visit)

    def _removed(self, visit: Visit) -> None:
        self._tell(f"removed {'directory ' if visit.is_directory else ''}{visit.path!r}")

    def _tell(self, text: str) -> None:
        if self.opt.verbose:
            stdout().write(os.fsencode(text + "\n"))


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
