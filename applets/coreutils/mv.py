"""mv [-bfinTuv] [-S SUFFIX] [-t DIR] FILE...

Move or rename files: `mv SOURCE TARGET`, or `mv SOURCE... DIR`.

  -f, --force          do not ask before something is overwritten
  -i, --interactive    ask
  -n, --no-clobber     do not overwrite anything
  -u                   overwrite only what is older than the SOURCE, or not there
      --update[=WORD]  the same: older; all; none
  -b                   keep what is overwritten, with a suffix
      --backup[=WORD]  the same: none, numbered, existing or simple
  -S, --suffix=SUFFIX  the suffix, instead of ~
  -t, --target-directory=DIR  move into DIR
  -T, --no-target-directory  TARGET is no directory to move into
      --no-copy        fail when TARGET is on another file system
      --strip-trailing-slashes  take slashes off the ends of SOURCEs
  -v, --verbose        print each file
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox.backups import Backups
from toolbox.errors import Fatal, UsageError, warn
from toolbox.options import Options, Values
from toolbox.same_file import Side, may_move
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.copying import Copier
    from toolbox.walk import Visit

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    mover = _Mover(opt)
    if opt.strip_trailing_slashes:
        files = [f.rstrip("/") or "/" for f in files]
    directory = opt.target_directory
    if directory is not None:
        if opt.no_target_directory:
            raise UsageError(
                "cannot combine --target-directory (-t) and --no-target-directory (-T)"
            )
        if not os.path.isdir(directory):
            raise Fatal(f"target directory {directory!r}: {_why(directory)}")
    else:
        if len(files) < 2:
            raise UsageError(f"missing destination file operand after {files[0]!r}")
        *files, last = files
        if opt.no_target_directory and len(files) > 1:
            raise UsageError(f"extra operand {last!r}")
        if not opt.no_target_directory and os.path.isdir(last):
            directory = last
        elif len(files) > 1:
            raise Fatal(f"target {last!r}: {_why(last)}")
        else:
            mover.move(files[0], last)
            return 0
    for source in files:
        mover.move(source, os.path.join(directory, os.path.basename(source.rstrip("/")) or "/"))
    return 0


def _why(path: str) -> str:
    return "Not a directory" if os.path.lexists(path) else "No such file or directory"


class _Mover:
    def __init__(self, opt: Values) -> None:
        self.opt = opt
        self.backups = Backups.from_options(opt)
        self.overwrite = opt.last("force", "interactive", "no_clobber")
        self.keep = "skip" if self.overwrite == "no_clobber" else ""
        self.older = opt.u or opt.update in ("", "older")
        if opt.update is not None:
            if opt.update not in ("", "older", "all", "none", "none-fail"):
                raise UsageError(f"invalid argument {opt.update!r} for '--update'")
            if opt.update.startswith("none"):
                self.keep = "fail" if opt.update == "none-fail" else "skip"
        if self.overwrite == "no_clobber" and self.backups.wanted:
            raise UsageError("options --backup and --no-clobber are mutually exclusive")
        self.copier: Copier | None = None
        self.made: set[tuple[int, int, str]] = set()

    def move(self, source: str, target: str) -> None:
        """Move one operand to a name."""
        try:
            status = os.lstat(source)
        except OSError as error:
            warn(f"cannot stat {source!r}: {error.strerror}")
            return
        try:
            existing = os.lstat(target)
        except OSError:
            existing = None
        if existing is not None and not self._may_replace(source, target, status, existing):
            return
        kept = None
        try:
            if existing is not None and self.backups.wanted:
                _check_rename(source, target, status)
                kept = self.backups.make(target)
            renamed = self._rename(source, target, status, existing, kept)
        except OSError as error:
            if kept and not os.path.lexists(target):
                # What was there comes back: a backup is for what was replaced.
                os.rename(kept, target)
            if error.errno == errno.EINVAL and stat.S_ISDIR(status.st_mode):
                warn(f"cannot move {source!r} to a subdirectory of itself, {target!r}")
            else:
                warn(f"cannot move {source!r} to {target!r}: {error.strerror}")
            return
        made = os.lstat(target) if os.path.lexists(target) else status
        self.made.add((made.st_dev, made.st_ino, os.path.basename(target)))
        if self.opt.verbose and renamed:
            _tell(f"renamed {source!r} -> {target!r}{_note(kept)}")

    def _may_replace(
        self, source: str, target: str, status: os.stat_result, existing: os.stat_result
    ) -> bool:
        if self.keep == "fail":
            warn(f"not replacing {target!r}")
        if self.keep:
            return False
        new, old = Side(source, status), Side(target, existing)
        directories = stat.S_ISDIR(status.st_mode) and not new.is_entry_of(old)
        # A directory into itself: the rename tells.
        if not directories and not may_move(new, old, backup=self.backups.wanted):
            warn(f"{source!r} and {target!r} are the same file")
            return False
        if self.backups.wanted and self.backups.endangers(source, target):
            warn(f"backing up {target!r} might destroy source; {source!r} not moved")
            return False
        if not self._agreed(target, status, existing):
            return False
        if (existing.st_dev, existing.st_ino, os.path.basename(target)) in self.made:
            warn(f"will not overwrite just-created {target!r} with {source!r}")
            return False
        directory = stat.S_ISDIR(status.st_mode)
        if self.backups.wanted:
            return True
        if stat.S_ISDIR(existing.st_mode) and not directory:
            warn(f"cannot overwrite directory {target!r} with non-directory")
            return False
        if directory and not stat.S_ISDIR(existing.st_mode):
            warn(f"cannot overwrite non-directory {target!r} with directory {source!r}")
            return False
        return True

    def _agreed(self, target: str, status: os.stat_result, existing: os.stat_result) -> bool:
        """Whether -n, -u, -i, or a write-protected target and a terminal, let the target be replaced."""
        directory = stat.S_ISDIR(status.st_mode)  # -u is about files (GNU)
        if self.older and not directory and existing.st_mtime_ns >= status.st_mtime_ns:
            return False
        if self.overwrite == "force":
            return True
        question = None
        if self.overwrite == "interactive":
            question = f"mv: overwrite {target!r}? "
        elif (
            not stat.S_ISLNK(existing.st_mode)
            and not os.access(target, os.W_OK)
            and _is_terminal(0)
        ):
            mode = existing.st_mode & 0o7777
            letters = stat.filemode(existing.st_mode)[1:]
            question = f"mv: replace {target!r}, overriding mode {mode:04o} ({letters})? "
        if question is None:
            return True
        from toolbox.confirm import confirm

        return confirm(question)

    def _rename(
        self,
        source: str,
        target: str,
        status: os.stat_result,
        existing: os.stat_result | None,
        kept: str | None,
    ) -> bool:
        """Rename it, or copy it to another file system: whether it was renamed.  kept: the backup's name."""
        try:
            os.rename(source, target)
            return True
        except OSError as error:
            if error.errno != errno.EXDEV or self.opt.no_copy:
                raise
        if existing is not None and not self.backups.wanted:
            # As rename(2): an empty directory goes, a full one stays and is an error.
            if stat.S_ISDIR(existing.st_mode):
                os.rmdir(target)
            else:
                os.unlink(target)
        if self.copier is None:
            from toolbox.copying import ALL, Copier

            self.copier = Copier(recursive=True, follow="never", preserve=ALL)
        if self.opt.verbose:

            def copied(old: str, new: str) -> None:
                if stat.S_ISDIR(os.lstat(old).st_mode):
                    _tell(f"created directory {new!r}")
                else:
                    _tell(f"copied {old!r} -> {new!r}{_note(kept) if new == target else ''}")

            self.copier.told = copied
        # The source goes only when all of it has arrived.
        if self.copier.copy(source.rstrip("/") or "/", target):
            from toolbox.removal import remove_tree

            remove_tree(source.rstrip("/") or "/", removed=_removed if self.opt.verbose else None)
            return False
        raise OSError(errno.EIO, "not all could be copied; the source stays")


def _check_rename(source: str, target: str, status: os.stat_result) -> None:
    """OSError as rename(2), where it is certain to fail: before a backup takes the place of an older one."""
    if os.path.basename(source.rstrip("/")) in (".", ".."):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    if stat.S_ISDIR(status.st_mode):
        outer, inner = os.path.realpath(source), os.path.realpath(os.path.dirname(target) or ".")
        if os.path.commonpath((outer, inner)) == outer:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _removed(visit: Visit) -> None:
    _tell(f"removed {'directory ' if visit.is_directory else ''}{visit.path!r}")


def _note(kept: str | None) -> str:
    return f" (backup: {kept!r})" if kept else ""


def _tell(line: str) -> None:
    stdout().write(os.fsencode(f"{line}\n"))


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
