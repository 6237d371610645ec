"""find's actions."""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, describe, say, warn
from toolbox.streams import stdout, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from applets.findutils.find.expression import Expression, Test
    from toolbox.walk import Visit


def action(expression: Expression, word: str) -> Test | None:
    """The action that `word` names; None when it is none."""
    if word == "-prune":
        return _prune
    if word == "-quit":
        return _quit
    expression_acted = True
    made: Test | None = None
    if word in ("-print", "-print0"):
        made = printer(expression, None, b"\n" if word == "-print" else b"\0")
    elif word in ("-fprint", "-fprint0"):
        end = b"\n" if word == "-fprint" else b"\0"
        made = printer(expression, expression.argument(word), end)
    elif word in ("-printf", "-fprintf"):
        file = expression.argument(word) if word == "-fprintf" else None
        made = _formatted(expression, file, expression.argument(word))
    elif word in ("-ls", "-fls"):
        made = _ls(expression, expression.argument(word) if word == "-fls" else None)
    elif word == "-delete":
        made = _delete
    elif word in ("-exec", "-execdir", "-ok", "-okdir"):
        made = _command(expression, word)
    else:
        expression_acted = False
    expression.acted = expression.acted or expression_acted
    return made


def _prune(visit: Visit) -> bool:
    visit.prune = True
    return True


def _quit(visit: Visit) -> bool:
    from applets.findutils.find import Quit

    raise Quit


#: Bytes that are held before they are written.
_HELD = 1 << 16


class File:
    """A file that actions write to: its error names it and ends find, and is told once."""

    def __init__(self, name: str) -> None:
        """OSError when it cannot be opened."""
        self.name = name
        # The descriptor that we have: opening its name would begin anew, and cut off what is there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self.fd = 2 if name == "/dev/stderr" else os.open(name, flags, 0o666)
        status = os.fstat(self.fd)
        self.identity = (status.st_dev, status.st_ino)
        self.held = bytearray()

    def write(self, data: bytes) -> None:
        """Fatal when the file takes no more."""
        self.held += data
        if len(self.held) >= _HELD or self.fd == 2:
            self.flush()

    def flush(self) -> None:
        """Write what is held.  Fatal as above."""
        held, self.held = self.held, bytearray()
        if not held:
            return
        try:
            write_all(self.fd, memoryview(held))
        except OSError as error:
            raise Fatal(f"{self.name}: {describe(error)}") from None

    def finish(self) -> int:
        """Write what is held, and close it; its error is a warning now, as others have to finish, too."""
        try:
            self.flush()
        except Fatal as error:
            warn(str(error))
            return 1
        finally:
            if self.fd > 2:
                os.close(self.fd)
        return 0


def _output(expression: Expression, file: str | None) -> BinaryIO | File:
    """Where an action writes to: standard output, or a file, which all actions share by whatever name (GNU)."""
    if file is None or file == "/dev/stdout":
        return stdout()
    new = File(file)
    for known in expression.files:
        if known.identity == new.identity:
            new.finish()
            return known
    expression.files.append(new)
    expression.finishers.append(new.finish)
    return new


def printer(expression: Expression, file: str | None, end: bytes) -> Test:
    """-print, -print0, -fprint, -fprint0."""
    write = _output(expression, file).write
    encode = os.fsencode

    def show(visit: Visit) -> bool:
        write(encode(visit.path) + end)
        return True

    return show


def _formatted(expression: Expression, file: str | None, text: str) -> Test:
    from applets.findutils.find.formats import compile_format

    out = _output(expression, file)
    render = compile_format(text, expression.now)

    def show(visit: Visit) -> bool:
        line, stop = render(visit)
        out.write(os.fsencode(line))
        if stop:
            out.flush()
        return True

    return show


def _ls(expression: Expression, file: str | None) -> Test:
    from applets.findutils.find.formats import long_line
    from toolbox.users import Names

    out = _output(expression, file)
    names = Names()

    def show(visit: Visit) -> bool:
        out.write(os.fsencode(long_line(visit, names, expression.now)) + b"\n")
        return True

    return show


def _delete(visit: Visit) -> bool:
    if visit.path == ".":
        return True  # what we stand in stays
    try:
        if visit.leaving:
            os.rmdir(visit.name, dir_fd=visit.dir_fd)
        else:
            os.unlink(visit.name, dir_fd=visit.dir_fd)
    except FileNotFoundError:
        warn(f"{visit.path}: No such file or directory")
        return False
    except OSError as error:
        warn(f"cannot delete {visit.path}: {error.strerror}")
        return False
    return True


# -- commands ------------------------------------------------------------------------------


def _command(expression: Expression, word: str) -> Test:
    words, many = expression.command(word)
    in_directory = word.endswith("dir")
    ask = word.startswith("-ok")
    if many and ask:
        raise UsageError(f"{word} ... {{}} +: questions are asked for single files")
    if many:
        if any("{}" in w for w in words):
            raise UsageError(f"only one instance of {{}} is supported with {word} ... +")
        return _Batch(expression, words, in_directory).add

    def run(visit: Visit) -> bool:
        name = _local(visit) if in_directory else visit.path
        argv = [w.replace("{}", name) for w in words]
        if ask:
            from toolbox.confirm import confirm

            if not confirm(" ".join(argv) + " ?"):
                return False
        directory = _directory_of(visit) if in_directory else None
        return _run(argv, directory, "/dev/null" if ask else None) == 0

    return run


def _local(visit: Visit) -> str:
    """The name relative to its own directory, so that no option can be made of it."""
    if visit.level is None:
        base = os.path.basename(visit.name.rstrip("/"))
        return f"./{base}" if base else "/"
    return f"./{visit.name}"


def _directory_of(visit: Visit) -> int:
    """A descriptor of our own of the directory that a file is in."""
    if visit.dir_fd is not None:
        return os.dup(visit.dir_fd)
    name = visit.name.rstrip("/")
    parent = os.path.dirname(name) or ("/" if visit.name.startswith("/") else ".")
    return os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _run(argv: list[str], directory: int | None, stdin: str | None) -> int:
    """Run a command and wait; `directory` is closed.  A command that cannot be started is warned of."""
    from toolbox.spawn import failure_status, spawn, wait

    # What was printed before must be seen before.
    stdout().flush()
    try:
        return wait(spawn(argv, directory=directory, stdin=stdin))
    except OSError as error:
        say(f"find: {argv[0]}: {error.strerror}")
        return failure_status(error)
    finally:
        if directory is not None:
            os.close(directory)


class _Batch:
    """-exec COMMAND {} +: names are collected until the command line is full."""

    def __init__(self, expression: Expression, words: list[str], in_directory: bool) -> None:
        from toolbox.spawn import argument_room, argument_size

        self.words = words
        self.in_directory = in_directory
        self.size_of = argument_size
        # No more than xargs uses: longer command lines win nothing.
        self.room = min(argument_room(), 128 * 1024) - sum(map(argument_size, words))
        self.names: list[str] = []
        self.used = 0
        self.status = 0
        self.level: object = None  # the directory that the names are in, with -execdir
        self.directory: int | None = None
        expression.finishers.append(self.finish)
        if in_directory:
            expression.directory_done.append(self.leave)

    def add(self, visit: Visit) -> bool:
        """Collect one more file; always true (POSIX)."""
        name = _local(visit) if self.in_directory else visit.path
        size = self.size_of(name)
        if self.names and (
            self.used + size > self.room or (self.in_directory and self.level is not visit.level)
        ):
            self.flush()
        if self.in_directory and not self.names:
            self.level, self.directory = visit.level, _directory_of(visit)
        self.names.append(name)
        self.used += size
        return True

    def leave(self, directory: Visit) -> None:
        """The walk leaves a directory; what was collected just below it must run now."""
        if self.level is not None and getattr(self.level, "visit", None) is directory:
            self.flush()

    def flush(self) -> None:
        """Run the command with what was collected."""
        if not self.names:
            return
        argv = [*self.words, *self.names]
        directory = self.directory
        self.names, self.used, self.level, self.directory = [], 0, None, None
        if _run(argv, directory, None) != 0:
            self.status = 1

    def finish(self) -> int:
        """Run the rest; the exit status is 1 when any command failed."""
        self.flush()
        return self.status
