"""python [-iuVIEsSBOqP] [-W FILTER] [-X OPTION] [-c CODE | -m MODULE | FILE | -] [ARG]...

Run Python: a file, a module, code, standard input, or a prompt on a terminal.

  -c CODE    run CODE; the rest are its arguments
  -m MODULE  run a module or package of sys.path
  -i         the prompt afterwards
  -u         unbuffered output
  -V         print the version of the language
  -W FILTER  how to warn, as python3 has it
  -X OPTION  accepted; so are -I -E -s -S -B -O -q -P

In the frozen program this is a whole Python: the standard library and the libraries that the
box uses are inside.  PYTHONPATH is obeyed.  From a checkout the host's own python3 takes over.
"""

from __future__ import annotations

import os
import sys

from toolbox.errors import Fatal, UsageError
from toolbox.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

alters_process = True

options = Options(__doc__, trouble=2, permute=False)

#: Letters that are understood and need nothing done: this interpreter is set up as they ask, or they
#: would only change what it reports.
ACCEPTED = frozenset("IEsSBOqPbdvRx")


class CommandLine:
    """What the arguments say.  kind: "code", "module", "file", "stdin" or "" (a prompt or stdin)."""

    __slots__ = ("arguments", "filters", "interactive", "kind", "unbuffered", "version", "what")

    def __init__(self, words: list[str]) -> None:
        self.kind = self.what = ""
        self.arguments: list[str] = []
        self.filters: list[str] = []
        self.interactive = self.unbuffered = self.version = False
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "-" or not word.startswith("-"):
                self.kind, self.what = ("stdin", "-") if word == "-" else ("file", word)
                break
            if word == "--":
                continue
            if word.startswith("--"):
                self._long(word)
            elif self._letters(word[1:], words):
                break
        self.arguments = words

    def _long(self, word: str) -> None:
        if word != "--version":
            raise UsageError(f"unrecognized option '{word}'")
        self.version = True

    def _letters(self, letters: str, words: list[str]) -> bool:
        """Obey bundled letters; true when what to run has been named."""
        for i, letter in enumerate(letters, 1):
            if letter in "cmWX":
                if letters[i:]:
                    value = letters[i:]
                elif words:
                    value = words.pop(0)
                else:
                    raise UsageError(f"option requires an argument -- {letter!r}")
                if letter == "W":
                    self.filters.append(value)
                elif letter in "cm":
                    self.kind, self.what = ("code" if letter == "c" else "module"), value
                    return True
                return False
            if letter == "i":
                self.interactive = True
            elif letter == "u":
                self.unbuffered = True
            elif letter == "V":
                self.version = True
            elif letter not in ACCEPTED:
                raise UsageError(f"invalid option -- {letter!r}")
        return False


def main(argv: list[str]) -> int:
    """Run it and return its exit status as python3 does."""
    if argv[1:] == ["--help"]:
        options.standard(argv)
    if not getattr(sys, "frozen", False):
        os.execv(sys.executable, [sys.executable, *argv[1:]])
    line = CommandLine(argv[1:])
    if line.version:
        from toolbox.streams import stdout

        stdout().write(f"Python {sys.version.split()[0]}\n".encode())
        return 0
    return run(line)


def run(line: CommandLine) -> int:
    """Set the process up as python3 does, run the program, and end as it ends."""
    import atexit
    import threading

    _signals()
    _streams(line.unbuffered or bool(os.environ.get("PYTHONUNBUFFERED")))
    _paths(line)
    if line.filters:
        import warnings

        warnings._processoptions(line.filters)  # type: ignore[attr-defined]
    try:
        status = _guarded(line)
        if line.interactive and line.kind:
            status = _prompt()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
        except KeyboardInterrupt:
            pass
        atexit._run_exitfuncs()
    for stream in (sys.stderr, sys.stdout):
        if stream is not None:
            stream.flush()
    if status == -1:
        _end_by_interrupt()
    return status


def _guarded(line: CommandLine) -> int:
    """Run the program; an uncaught exception is shown as python3 shows it.  -1: it was interrupted."""
    try:
        return _execute(line)
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            return (leave.code or 0) & 0xFF
        print(leave.code, file=sys.stderr)
        return 1
    except BaseException as error:
        trace = error.__traceback__
        # The first frames are ours and runpy's: nothing that the program's author wrote.
        while trace and trace.tb_frame.f_globals.get("__name__") in (__name__, "runpy"):
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return -1 if isinstance(error, KeyboardInterrupt) else 1


def _execute(line: CommandLine) -> int:
    if line.kind == "module":
        import runpy

        sys.argv[0] = "-m"
        runpy._run_module_as_main(line.what)  # type: ignore[attr-defined]
        return 0
    if line.kind == "code":
        source = line.what if line.what.endswith("\n") else line.what + "\n"
        _run_as_main(compile(source, "<string>", "exec"), None)
        return 0
    if line.kind == "file":
        if os.path.isdir(line.what) or _is_zip(line.what):
            import runpy

            runpy.run_path(line.what, run_name="__main__")
            return 0
        _run_as_main(compile(_read(line.what), line.what, "exec"), line.what)
        return 0
    if line.interactive or (not line.kind and os.isatty(0)):
        return _prompt()
    with open(0, "rb", closefd=False) as file:
        _run_as_main(compile(file.read(), "<stdin>", "exec"), None)
    return 0


def _run_as_main(code: CodeType, path: str | None) -> None:
    names = _main_names()
    if path is not None:
        names["__file__"] = path
    exec(code, names)


def _main_names() -> dict[str, Any]:
    """The namespace of `__main__`, which the program finds by that name."""
    import builtins
    import types

    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __annotations__={})
    sys.modules["__main__"] = module
    return module.__dict__


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SystemExit(
            f"python: can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        ) from None


def _is_zip(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _prompt() -> int:
    from applets.system.python.prompt import interact

    names = sys.modules["__main__"].__dict__
    return interact(names if names.get("__annotations__") is not None else _main_names())


def _signals() -> None:
    """Ctrl-C raises KeyboardInterrupt, a closed pipe is an exception: what a Python program expects."""
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _streams(unbuffered: bool) -> None:
    """-u: nothing of what is printed is held back, neither as text nor as bytes."""
    if not unbuffered:
        return
    import io

    for name, fd in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        if old is not None:
            raw = io.FileIO(fd, "wb", closefd=False)
            new = io.TextIOWrapper(raw, old.encoding, old.errors, write_through=True)
            setattr(sys, name, new)


def _paths(line: CommandLine) -> None:
    """sys.argv and sys.path: the script's folder (or the current one), then PYTHONPATH."""
    first = {"file": line.what, "code": "-c", "stdin": "-"}.get(line.kind, "")
    sys.argv[:] = [first, *line.arguments]
    own = os.environ.get("PYTHONPATH", "")
    paths = [path for path in own.split(":") if path]
    here = os.path.dirname(os.path.abspath(line.what)) if line.kind == "file" else ""
    if line.kind == "module":
        here = os.getcwd()
    sys.path[:0] = [here, *paths]


def _end_by_interrupt() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    raise Fatal("interrupted", 130)
