"""chmod [-cfRvHLPh] MODE FILE...
chmod [-cfRvHLPh] [--reference=FILE] FILE...

Change permissions. MODE is octal (755) or symbolic (u+rwX,go=u-w).

  -R, --recursive  all files below directories, too
  -c, --changes    print what was changed
  -v, --verbose    print each file
  -f, --silent, --quiet  no messages about files that cannot be changed
      --reference=FILE  the permissions of FILE instead of MODE
  -H               with -R follow links to directories among the FILEs (usual)
  -L               ... all links to directories
  -P               ... none
  -h, --no-dereference  change links themselves, where the system can
      --preserve-root  refuse to change all below /
      --no-preserve-root  do not (usual)
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal, UsageError, current, warn
from toolbox.modes import Mode, current_umask, set_mode
from toolbox.options import Options, Values
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.walk import Visit

options = Options(__doc__, permute=False)


def main(argv: list[str]) -> int:
    # `chmod -w file`: a mode may look like options (POSIX).
    words, mode_word = _split(argv)
    opt, files = options.parse(words)
    if opt.reference is not None:
        mode = Mode(f"{os.stat(opt.reference).st_mode & 0o7777:05o}")
    elif mode_word is not None:
        mode = Mode(mode_word)
    else:
        mode = Mode(files.pop(0))
    if not files:
        raise UsageError(f"missing operand after {mode.text!r}")
    changer = _Changer(opt, mode, warn_masked=mode_word is not None)
    for name in files:
        changer.operand(name)
    return 0


def _split(argv: list[str]) -> tuple[list[str], str | None]:
    """The command line with options first, and a mode such as -w or -rwx taken out of it."""
    options_: list[str] = []
    operands: list[str] = []
    mode: str | None = None
    rest = iter(argv[1:])
    for word in rest:
        if word == "--":
            operands += rest
        elif word[:1] == "-" and len(word) > 1 and set(word[1:]) & set("rwxXstugoa0123456789"):
            if word[1] == "-":
                options_.append(word)
                if word == "--reference":
                    options_ += [w for w in [next(rest, None)] if w is not None]
            else:
                mode = word if mode is None else f"{mode},{word}"
        elif word[:1] == "-" and len(word) > 1:
            options_.append(word)
        else:
            operands.append(word)
    return [argv[0], *options_, "--", *operands], mode


class _Changer:
    def __init__(self, opt: Values, mode: Mode, warn_masked: bool) -> None:
        self.opt = opt
        self.mode = mode
        self.umask = current_umask()
        self.warn_masked = warn_masked
        self.failed = False

    def operand(self, name: str) -> None:
        """Change one operand, and with -R what is below."""
        opt = self.opt
        if not opt.recursive:
            from toolbox.walk import Visit

            self._change(Visit(name, 0, None, 0, not opt.no_dereference))
            return
        from toolbox.walk import walk

        which = opt.last("H", "L", "P")
        follow_how = {"L": "always", "P": "never"}.get(which or "H", "top")
        if opt.last("preserve_root", "no_preserve_root") == "preserve_root" and (
            os.path.samestat(os.stat(name), os.stat("/"))
        ):
            raise Fatal(f"it is dangerous to operate recursively on {name!r}")
        for visit in walk(name, follow=follow_how, failed=self._failed):
            if visit.leaving:
                continue
            # Links that are met on the way, or that -P does not follow, have no permissions of their own.
            met = visit.depth or not visit.followed
            if met and visit.kind == stat.S_IFLNK and not opt.no_dereference:
                continue
            self._change(visit)

    def _failed(self, error: OSError) -> None:
        if self.opt.silent:
            current().status = max(current().status, 1)
        else:
            warn(f"cannot access {error.filename!r}: {error.strerror}")

    def _change(self, visit: Visit) -> None:
        try:
            status = visit.status()
        except OSError as error:
            self._failed(error)
            return
        old = status.st_mode & 0o7777
        directory = stat.S_ISDIR(status.st_mode)
        new = self.mode.apply(old, directory=directory, umask=self.umask)
        try:
            if not stat.S_ISLNK(status.st_mode):
                if visit.followed:
                    os.chmod(visit.name, new, dir_fd=visit.dir_fd)
                else:
                    set_mode(visit.name, new, visit.dir_fd)
            elif self.opt.no_dereference:
                # A link itself cannot be changed on Linux: the kernel says so.
                set_mode(visit.name, new, visit.dir_fd)
            elif not self.opt.silent:
                warn(f"cannot operate on dangling symlink {visit.path!r}")
                return
            else:
                current().status = max(current().status, 1)
                return
        except OSError as error:
            if self.opt.silent:
                current().status = max(current().status, 1)
            else:
                warn(f"changing permissions of {visit.path!r}: {error.strerror}")
            return
        self._tell(visit.path, old, new)
        if self.warn_masked:
            naive = self.mode.apply(old, directory=directory, umask=0)
            if new & ~naive:
                warn(f"{visit.path}: new permissions are {_letters(new)}, not {_letters(naive)}")

    def _tell(self, path: str, old: int, new: int) -> None:
        if old != new:
            if self.opt.changes or self.opt.verbose:
                stdout().write(
                    os.fsencode(
                        f"mode of {path!r} changed from {old:04o} ({_letters(old)})"
                        f" to {new:04o} ({_letters(new)})\n"
                    )
                )
        elif self.opt.verbose and not self.opt.changes:
            stdout().write(
                os.fsencode(f"mode of {path!r} retained as {new:04o} ({_letters(new)})\n")
            )


def _letters(mode: int) -> str:
    return stat.filemode(mode)[1:]
