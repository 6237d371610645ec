"""ln [-bfiLnPrsTv] [-S SUFFIX] [-t DIR] FILE...

Make links to files. Forms: `ln TARGET NAME`, `ln TARGET` (in the current directory),
`ln TARGET... DIR`, `ln -t DIR TARGET...`.

  -s, --symbolic       symbolic links instead of hard ones
  -f, --force          remove what stands in the place of the link
  -i, --interactive    ask before
  -n, --no-dereference  NAME is the link's name even when it is a link to a directory
  -T, --no-target-directory  NAME is the link's name even when it is a directory
  -t, --target-directory=DIR  make the links in DIR
  -r, --relative       symbolic links relative to where they stand
  -L, --logical        hard links to what symbolic TARGETs point to
  -P, --physical       hard links to symbolic TARGETs themselves (usual)
  -b                   keep what stands in the place, with a suffix
      --backup[=WORD]  the same: none, numbered, existing or simple
  -S, --suffix=SUFFIX  the suffix, instead of ~
  -v, --verbose        print each link
"""

from __future__ import annotations

import os

from toolbox.backups import Backups
from toolbox.errors import UsageError, warn
from toolbox.files import put_in_place
from toolbox.options import Options, Values
from toolbox.same_file import leads_through, same_name
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    backups = Backups.from_options(opt)
    if opt.target_directory is not None and opt.no_target_directory:
        raise UsageError("cannot combine --target-directory and --no-target-directory")
    if opt.relative and not opt.symbolic:
        raise UsageError("cannot do --relative without --symbolic")
    for target, name in _pairs(opt, files):
        try:
            _link(target, name, opt, backups)
        except OSError as error:
            shown = f"{name!r} -> {target!r}" if opt.symbolic else f"{name!r} => {target!r}"
            kind = "symbolic" if opt.symbolic else "hard"
            warn(f"failed to create {kind} link {shown}: {error.strerror}")
    return 0


def _pairs(opt: Values, files: list[str]) -> list[tuple[str, str]]:
    """Each target and the name of its link."""
    if opt.no_target_directory:
        if len(files) != 2:
            raise UsageError(
                f"missing destination file operand after {files[0]!r}"
                if len(files) < 2
                else f"extra operand {files[2]!r}"
            )
        return [(files[0], files[1])]
    directory = opt.target_directory
    if directory is None:
        if len(files) == 1:
            directory = "."
        else:
            last = files[-1]
            into = os.path.isdir(last) and not (opt.no_dereference and os.path.islink(last))
            if not into:
                if len(files) > 2:
                    raise UsageError(f"target {last!r} is not a directory")
                return [(files[0], last)]
            directory = last
            files = files[:-1]
    return [(f, os.path.join(directory, os.path.basename(f.rstrip("/")))) for f in files]


def _link(target: str, name: str, opt: Values, backups: Backups) -> None:
    if not opt.symbolic:
        # A target that cannot be linked must not cost what stands in the place.
        if os.path.isdir(target) and (opt.logical or not os.path.islink(target)):
            warn(f"{target}: hard link not allowed for directory")
            return
        os.lstat(target)
    if os.path.lexists(name) and (opt.force or opt.interactive or backups.wanted):
        if _would_lead_to_itself(target, name, opt, backups):
            warn(f"{target!r} and {name!r} are the same file")
            return
        if os.path.isdir(name) and not os.path.islink(name):
            warn(f"{name}: cannot overwrite directory")
            return
        if opt.interactive and opt.last("force", "interactive") == "interactive":
            from toolbox.confirm import confirm

            if not confirm(f"ln: replace {name!r}? "):
                return
        if backups.wanted and not opt.symbolic and backups.endangers(target, name):
            warn(f"backing up {name!r} might destroy source; {target!r} not linked")
            return
        # The link is there before what it replaces goes: an older backup is lost for nothing else.
        keep = (lambda: backups.make(name)) if backups.wanted else None
        put_in_place(name, lambda new: _make(target, new, opt), before=keep)
    else:
        _make(target, name, opt)
    _tell(target, name, opt)


def _would_lead_to_itself(target: str, name: str, opt: Values, backups: Backups) -> bool:
    """Whether the link would take the place of the file that it is to lead to."""
    if not opt.symbolic:
        follow = opt.last("logical", "physical") == "logical" and os.path.islink(target)
        return not follow and same_name(target, name)
    # With a backup the file is there under another name (GNU); a link's place may be taken.
    if backups.wanted or os.path.islink(name):
        return False
    # A symbolic link's TARGET is read from where the link stands.
    found = target if opt.relative else os.path.join(os.path.dirname(name), target)
    return leads_through(found, name) or same_name(target, name)


def _make(target: str, name: str, opt: Values) -> None:
    if opt.symbolic:
        if opt.relative:
            from toolbox.realpath import real_path

            start = real_path(os.path.dirname(name) or ".", missing="any")
            target = os.path.relpath(real_path(target, missing="any"), start)
        os.symlink(target, name)
        return
    follow = opt.last("logical", "physical") == "logical"
    if follow:
        # Not every system's link(2) can follow: the descriptor's name always can.
        target = os.path.realpath(target, strict=True)
    os.link(target, name, follow_symlinks=False)


def _tell(target: str, name: str, opt: Values) -> None:
    if opt.verbose:
        arrow = "->" if opt.symbolic else "=>"
        stdout().write(os.fsencode(f"{name!r} {arrow} {target!r}\n"))
