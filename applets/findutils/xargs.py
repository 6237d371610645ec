"""xargs [-0oprtx] [-a FILE] [-d C] [-I TEXT] [-L N] [-n N] [-P N] [-s N] [COMMAND [ARGUMENT]...]

Run COMMAND (usually echo) with arguments read from standard input. They are separated
by blanks and newlines; quotes and backslashes protect those.

  -0, --null            arguments end with a zero byte, nothing is quoted
  -d, --delimiter=C     arguments end with C (\\n, \\t, \\0, \\xHH), nothing is quoted
  -a, --arg-file=FILE   read FILE; standard input is COMMAND's
  -E END                an argument END ends the input
  -e, --eof[=END]       the same; without END: nothing does
  -I TEXT               one COMMAND per line, which takes the place of TEXT in its arguments
  -i, --replace[=TEXT]  the same; usually {}
  -L, --max-lines=N     at most N lines per COMMAND; a line that ends with a blank goes on
  -l[=N]                the same; usually 1
  -n, --max-args=N      at most N arguments per COMMAND
  -s, --max-chars=N     command lines of at most N bytes
  -x, --exit            end when a command line would be longer
  -P, --max-procs=N     up to N at a time; 0: as many as possible
      --process-slot-var=NAME  the environment's NAME tells them apart, from 0
  -r, --no-run-if-empty  no COMMAND when there are no arguments
  -t, --verbose         print each command line before
  -p, --interactive     ask before each
  -o, --open-tty        COMMAND's standard input is the terminal
      --show-limits     print the limits of command lines

Status: 123 a COMMAND failed, 124 one ended with 255, 125 one was ended by a signal,
126 cannot be run, 127 not found, 1 other errors.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, say, warn
from toolbox.options import Options
from toolbox.streams import Source, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.options import Values

options = Options(__doc__)

#: Command lines are no longer than this unless -s says so (findutils' default).
_USUAL = 128 * 1024

_SOME_FAILED = 123
_SAID_STOP = 124
_SIGNALLED = 125


def main(argv: list[str]) -> int:
    opt, command = options.parse(argv)
    runner = _Runner(opt, command or ["echo"])
    if opt.arg_file is not None and opt.arg_file != "-":
        source = Source(os.open(opt.arg_file, os.O_RDONLY | os.O_CLOEXEC), opt.arg_file)
        runner.stdin = None
    else:
        source = Source(0, "standard input")
    if opt.open_tty:
        runner.stdin = "/dev/tty"
    with source:
        try:
            runner.run(_arguments(opt, source))
        except _Stop:
            pass
        finally:
            runner.wait_all()
    return runner.status


class _Stop(Exception):
    """A command said to stop, or could not be run: nothing more is started."""


# -- input ---------------------------------------------------------------------------------


def _arguments(opt: Values, source: Source) -> Iterator[tuple[str, bool]]:
    """Each argument, and whether the input line (as -L counts them) ends with it."""
    how = opt.last("null", "delimiter")
    if how:
        end = b"\0" if how == "null" else _delimiter(opt.delimiter)
        for item in source.lines(end):
            yield os.fsdecode(item), True
        return
    given = opt.last("E", "eof")
    end_mark = (opt.eof or None) if given == "eof" else opt.E
    told = False
    for word, last in _lines(source) if _replaces(opt) else _words(source):
        if word == end_mark:
            return
        if "\0" in word:
            if not told:
                warn(
                    "a NUL in the input ends the argument it is in; -0 is for names ended by NULs",
                    0,
                )
                told = True
            word = word.partition("\0")[0]
        yield word, last


def _replaces(opt: Values) -> bool:
    """Whether lines take the place of -I's string: -n 1 beside it says no more than -I does."""
    given = opt.last("I", "replace", "max_args", "max_lines", "l")
    return given in ("I", "replace") or (
        given == "max_args" and opt.I is not None and opt.max_args == 1
    )


def _delimiter(text: str) -> bytes:
    named = {
        "\\n": b"\n",
        "\\t": b"\t",
        "\\0": b"\0",
        "\\r": b"\r",
        "\\a": b"\a",
        "\\b": b"\b",
        "\\f": b"\f",
        "\\v": b"\v",
        "\\\\": b"\\",
    }
    if text in named:
        return named[text]
    if text.startswith("\\"):
        try:
            value = int(text[2:], 16) if text[1:2] == "x" else int(text[1:], 8)
            return bytes((value,))
        except ValueError:
            raise UsageError(f"invalid delimiter: {text!r}") from None
    delimiter = os.fsencode(text)
    if len(delimiter) != 1:
        raise UsageError(f"invalid delimiter: {text!r} is not one byte")
    return delimiter


def _words(source: Source) -> Iterator[tuple[str, bool]]:
    """Words as POSIX xargs splits them, each with whether its line ends there."""
    import re

    # A word is made of plain characters, '...', "..." and \\x; what cannot be continued is an error.
    token = re.compile(rb"(?:[^\s'\"\\]+|'[^'\n]*'|\"[^\"\n]*\"|\\.)+", re.DOTALL)
    pending: str | None = None
    held = b""
    for block in source.line_blocks():
        text = held + block
        held = b""
        # An escaped newline joins two blocks.
        if text.endswith(b"\\\n") and (len(text) - len(text.rstrip(b"\n").rstrip(b"\\"))) % 2 == 0:
            held = text
            continue
        at = 0
        while at < len(text):
            found = token.match(text, at)
            if found:
                if pending is not None:
                    yield pending, False
                pending = os.fsdecode(_unquoted(found[0]))
                at = found.end()
                continue
            c = text[at : at + 1]
            if c in b"'\"":
                which = "single" if c == b"'" else "double"
                raise Fatal(f"unmatched {which} quote; use -0 or -d '\\n' for names with quotes")
            if c == b"\\":
                break  # a backslash at the very end of the input is nothing
            if c == b"\n" and pending is not None and text[at - 1 : at] not in (b" ", b"\t"):
                # A blank at the end of a line joins the next one to it (POSIX -L).
                yield pending, True
                pending = None
            at += 1
    if held:
        word = os.fsdecode(_unquoted(held.rstrip(b"\n").strip()))
        if word:
            yield word, True
    if pending is not None:
        yield pending, True


def _unquoted(word: bytes) -> bytes:
    """A word without its quotes."""
    if b"\\" not in word and b"'" not in word and b'"' not in word:
        return word
    out = bytearray()
    at = 0
    while at < len(word):
        c = word[at : at + 1]
        if c in b"'\"":
            end = word.index(c, at + 1)
            out += word[at + 1 : end]
            at = end + 1
        elif c == b"\\":
            out += word[at + 1 : at + 2]
            at += 2
        else:
            out += c
            at += 1
    return bytes(out)


def _lines(source: Source) -> Iterator[tuple[str, bool]]:
    """Lines without leading blanks, for -I; quotes are taken away, blanks inside stay."""
    for line in source.lines():
        line = line.lstrip()
        if not line:
            continue
        if any(c in line for c in b"'\"\\"):
            try:
                line = _unquoted(line)
            except ValueError:
                raise Fatal("unmatched quote; use -0 or -d '\\n' for names with quotes") from None
        yield os.fsdecode(line), True


# -- commands ------------------------------------------------------------------------------


class _Runner:
    """Command lines, and the processes that run them."""

    def __init__(self, opt: Values, command: list[str]) -> None:
        from toolbox.spawn import argument_room, argument_size

        self.opt = opt
        self.command = command
        self.size_of = argument_size
        self.status = 0
        self.stdin: str | None = "/dev/null"
        self.running: dict[int, int] = {}  # process id -> slot
        self.replace: str | None = None
        self.lines: int | None = None
        self.most: int | None = None
        self._limits()
        room = argument_room()
        if opt.max_chars is not None:
            if opt.max_chars < 1:
                raise UsageError(f"value {opt.max_chars} for -s must be at least 1")
            self.room = min(opt.max_chars, room)
        else:
            self.room = min(_USUAL, room)
        if room > 9 * self.room:
            # Pointers find room besides; so command lines are as long as findutils' are.
            self.size_of = lambda text: len(os.fsencode(text)) + 1
        self.parallel = 1 if opt.max_procs is None else opt.max_procs
        if opt.show_limits:
            say(
                f"Bytes of environment: {sum(len(k) + len(v) + 2 for k, v in os.environb.items())}",
                f"Most bytes of arguments that fit: {room}",
                f"Bytes of command lines that are used: {self.room}",
            )

    def _limits(self) -> None:
        """-I, -L and -n exclude each other: the last one given holds."""
        opt = self.opt
        given = opt.last("I", "replace", "max_lines", "l", "max_args")
        if given in ("I", "replace"):
            self.replace = opt.I if given == "I" else opt.replace or "{}"
        elif given == "max_lines":
            self.lines = opt.max_lines
        elif given == "l":
            self.lines = opt.l or 1
        elif given == "max_args":
            self.most = opt.max_args
            # -n 1 beside -I is what -I does anyway.
            if opt.I is not None and self.most == 1:
                self.replace, self.most = opt.I, None
        for name, value in (("-L", self.lines), ("-n", self.most)):
            if value is not None and value < 1:
                raise UsageError(f"value {value} for {name} must be at least 1")

    def run(self, arguments: Iterator[tuple[str, bool]]) -> None:
        """Run the command as often as the arguments need."""
        if self.replace is not None:
            for text, _ in arguments:
                argv = [word.replace(self.replace, text) for word in self.command]
                if sum(map(self.size_of, argv)) > self.room:
                    raise Fatal("argument list too long")
                self._start(argv)
            return
        fixed = sum(map(self.size_of, self.command))
        if fixed > self.room:
            raise UsageError(f"the command alone is longer than -s {self.room}")
        batch: list[str] = []
        used, lines, ran = fixed, 0, False
        for word, ends_line in arguments:
            size = self.size_of(word)
            if batch and (
                used + size > self.room or (self.most is not None and len(batch) >= self.most)
            ):
                if used + size > self.room and (
                    self.opt.exit and (self.most is not None or self.lines is not None)
                ):
                    raise Fatal("argument list too long")
                self._start(self.command + batch)
                batch, used, lines, ran = [], fixed, 0, True
            if used + size > self.room:
                raise Fatal("argument line too long")
            batch.append(word)
            used += size
            lines += ends_line
            if self.lines is not None and lines >= self.lines:
                self._start(self.command + batch)
                batch, used, lines, ran = [], fixed, 0, True
        if batch or not (ran or self.opt.no_run_if_empty):
            self._start(self.command + batch)

    def _start(self, argv: list[str]) -> None:
        from toolbox.spawn import failure_status, spawn

        if not self._confirmed(argv):
            return
        while self.parallel and len(self.running) >= self.parallel:
            self._wait()
        slot = next(i for i in range(len(self.running) + 1) if i not in self.running.values())
        environment = None
        if self.opt.process_slot_var:
            environment = {**os.environ, self.opt.process_slot_var: str(slot)}
        try:
            pid = spawn(argv, stdin=self.stdin, environment=environment)
        except OSError as error:
            say(f"xargs: {argv[0]}: {error.strerror}")
            self.status = failure_status(error)
            raise _Stop from None
        self.running[pid] = slot

    def _confirmed(self, argv: list[str]) -> bool:
        if not (self.opt.verbose or self.opt.interactive):
            return True
        from toolbox.quoting import quote

        line = " ".join(quote(word, "shell-escape") for word in argv)
        if not self.opt.interactive:
            say(line)
            return True
        from toolbox.confirm import confirm

        # Standard input holds the arguments: the answer comes from the terminal.
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return confirm(f"{line} ?...", fd)
        finally:
            os.close(fd)

    def _wait(self) -> None:
        """Wait for one command; _Stop when it says that all should stop."""
        pid, raw = os.waitpid(-1, 0)
        if self.running.pop(pid, None) is None:
            return
        code = os.waitstatus_to_exitcode(raw)
        name = self.command[0]
        if code < 0:
            say(f"xargs: {name}: terminated by signal {-code}")
            self.status = _SIGNALLED
            raise _Stop
        if code == 255:
            say(f"xargs: {name}: exited with status 255; aborting")
            self.status = _SAID_STOP
            raise _Stop
        if code:
            self.status = self.status or _SOME_FAILED

    def wait_all(self) -> None:
        """Wait for whatever still runs."""
        stdout().flush()
        while self.running:
            try:
                self._wait()
            except _Stop:
                pass  # nothing more is started anyway
