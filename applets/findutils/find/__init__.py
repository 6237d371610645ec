"""find [-H] [-L] [-P] [FILE]... [EXPRESSION]

Find files below directories that fit an EXPRESSION. Each FILE is walked; without one
the current directory. Without an action in it, the names of
files for which it is true are printed.

  -P                  never follow symbolic links (usual)
  -H                  follow those among the FILEs
  -L                  follow all

Operators, from the strongest:
  ( EXPR )    ! EXPR, -not    EXPR EXPR, -a, -and    EXPR -o EXPR, -or    EXPR , EXPR

Settings:
  -depth, -d          a directory's contents before the directory itself
  -maxdepth N         go at most N levels below the FILEs
  -mindepth N         not on the first N levels
  -xdev, -mount       stay on one file system
  -daystart           count days from the end of today
  -regextype TYPE     emacs, grep, egrep, sed, posix-basic, posix-extended, ...
  -files0-from FILE   the FILEs to walk, each with a zero byte behind it, are in FILE

Tests (N: exactly, +N: more than, -N: less than):
  -name, -iname PATTERN    the name matches the shell pattern (-i: in any case)
  -path, -wholename, -ipath PATTERN  the path does
  -lname, -ilname PATTERN  it is a link whose target does
  -regex, -iregex REGEX    the whole path matches the regular expression
  -type, -xtype LETTERS    one of b c d f l p s; -xtype: of what a link points to
  -amin, -cmin, -mmin N    accessed, changed, modified N minutes ago
  -atime, -ctime, -mtime N ... N days ago;  -used N: accessed N days after changed
  -newer, -anewer, -cnewer FILE  modified (accessed, changed) after FILE was modified
  -newerXY FILE            X, Y: a, c, m, B; Y may be t: FILE is a date
  -size N[cwbkMG]          bytes, words, blocks of 512 (usual), KiB, MiB, GiB, rounded up
  -empty                   an empty file or directory
  -perm MODE, -MODE, /MODE  exactly these bits, all of them, any of them
  -readable, -writable, -executable  for us
  -user, -group NAME;  -uid, -gid N;  -nouser, -nogroup
  -links, -inum N;  -samefile FILE;  -fstype TYPE
  -true, -false

Actions:
  -print, -print0          print the path, with a newline or a zero byte
  -printf FORMAT           %p path, %f name, %h directory, %P below FILE, %H FILE,
                           %s size, %m mode, %M ls's mode, %y type, %u %g owner and group,
                           %U %G their numbers, %i inode, %n links, %k KiB, %b blocks,
                           %d depth, %l link's target, %t %a %c times, %TX %AX %CX with X
                           of date
  -ls                      as ls -dils
  -fprint, -fprint0, -fprintf, -fls FILE ...   into FILE
  -exec, -execdir COMMAND ;  run the command, {} is the path; true when it succeeds;
                           -execdir: in its directory
  -exec, -execdir COMMAND {} +  run it with many paths at a time
  -ok, -okdir COMMAND ;    ask first
  -delete                  delete, with -depth
  -prune                   do not go into this directory
  -quit                    end
"""

from __future__ import annotations

import errno
import os
from stat import S_IFLNK

from toolbox.errors import Fatal, UsageError, warn
from toolbox.options import Options
from toolbox.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from applets.findutils.find.expression import Expression
    from toolbox.walk import Visit

options = Options(__doc__)

_FOLLOW = {"-P": "never", "-H": "top", "-L": "always"}


def main(argv: list[str]) -> int:
    from applets.findutils.find.expression import Expression

    options.standard(argv)
    words = argv[1:]
    follow = "never"
    while words and (words[0] in _FOLLOW or words[0] == "--" or _ignored(words[0])):
        word = words.pop(0)
        if word == "--":
            break
        follow = _FOLLOW.get(word, follow)
        if word == "-D":
            words[:1] = []
    count = 0
    while count < len(words) and not _starts_expression(words[count]):
        count += 1
    tops = words[:count]
    expression = Expression(words[count:], follow)
    if expression.files_from is not None:
        if tops:
            raise UsageError(
                f"extra operand {tops[0]!r}: file operands cannot go with -files0-from"
            )
        tops = list(_names(expression.files_from))
    elif not tops:
        tops = ["."]
    try:
        for top in tops:
            if not top:
                warn("'': No such file or directory")
                continue
            _walk(top, expression)
    except Quit:
        pass
    except BaseException:
        for file in expression.files:
            file.finish()
        raise
    return expression.finish()


def _ignored(word: str) -> bool:
    return word == "-D" or (word.startswith("-O") and word[2:].isdecimal())


def _starts_expression(word: str) -> bool:
    return (word.startswith("-") and len(word) > 1) or word in ("(", ")", "!", ",")


def _names(source: str) -> Iterator[str]:
    from toolbox.streams import open_input

    found = open_input(source)
    if found is None:
        raise Fatal(f"cannot read {source}")
    with found:
        yield from map(os.fsdecode, found.lines(b"\0"))


def _check_loop(visit: Visit) -> None:
    """Warn of a link that leads to itself (POSIX -L); one that leads to nothing is a file as any."""
    try:
        os.stat(visit.name, dir_fd=visit.dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            warn(visit.error(error))


class Quit(Exception):
    """-quit: the walk ends, what was collected is still run."""


def _walk(top: str, expression: Expression) -> None:
    test = expression.test
    least = expression.least
    depth_first = expression.depth_first
    for visit in walk(
        top,
        follow=expression.follow,
        one_device=expression.one_device,
        most=expression.most,
    ):
        if visit.is_directory and visit.leaving is not depth_first:
            if not visit.leaving:
                continue
            expression.left(visit)
            continue
        if visit.depth >= least:
            try:
                if visit.followed and visit.kind == S_IFLNK and not visit.leaving:
                    _check_loop(visit)
                test(visit)
            except OSError as error:
                if error.filename is None:
                    raise  # no file's: standard output takes no more, and nobody would see the rest
                # A file that went away, or cannot be asked: the others go on.
                warn(error if error.filename else visit.error(error))
        if visit.leaving:
            expression.left(visit)
