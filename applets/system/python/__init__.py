"""python [-iuVIEsSBOqPx] [-W FILTER] [-X OPTION] [-c CODE | -m MODULE | FILE | -] [ARG]...

Run Python: a file, a module, code, standard input, or a prompt on a terminal.

  -c CODE    run CODE; the rest are its arguments
  -m MODULE  run a module or package of sys.path
  -i         the prompt afterwards
  -u         unbuffered output
  -q         no greeting
  -V         print the version of the language
  -E         PYTHONPATH and its like do not count
  -P         the script's folder, or the current one, is not searched for modules
  -I         both
  -O         the program's asserts are left out; -OO: its docstrings too
  -B         write no compiled modules
  -W FILTER  how to warn, as python3 has it
  -X OPTION  dev, faulthandler, tracemalloc[=N], int_max_str_digits=N, pycache_prefix=DIR
  -x         skip the program's first line
  -s, -S, -b, -d, -v, -R change nothing but sys.flags

In the frozen program this is a whole Python: the standard library and the libraries that the
box uses are inside.  PYTHONPATH is obeyed.  From a checkout the host's own python3 takes over.
"""

from __future__ import annotations

import _sitebuiltins
import os
import sys

from applets.system.python import absent
from toolbox.errors import Fatal, UsageError
from toolbox.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

alters_process = True

options = Options(__doc__, trouble=2, permute=False)

#: Letters that are obeyed, and those that need nothing done: this interpreter is set up as they ask, or
#: they would only change what it reports.
FLAGS = frozenset("iuVIEPOBqxsbdvh?")
IGNORED = frozenset("SR")


class CommandLine:
    """What the arguments say.  kind: "code", "module", "file", "stdin" or "" (a prompt or stdin).

    flags: the letters given, as often as they were given; filters: of -W; extras: of -X.
    """

    __slots__ = ("arguments", "extras", "filters", "flags", "kind", "what")

    def __init__(self, words: list[str]) -> None:
        self.kind = self.what = ""
        self.arguments: list[str] = []
        self.filters: list[str] = []
        self.extras: list[str] = []
        self.flags = ""
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
        if word not in ("--version", "--help"):
            raise UsageError(f"unrecognized option '{word}'")
        self.flags += word[2].upper()

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
                elif letter == "X":
                    self.extras.append(value)
                else:
                    self.kind, self.what = ("code" if letter == "c" else "module"), value
                    return True
                return False
            if letter in FLAGS:
                self.flags += letter
            elif letter not in IGNORED:
                raise UsageError(f"invalid option -- {letter!r}")
        return False

    def has(self, letters: str) -> bool:
        """Whether one of these letters was given."""
        return any(letter in self.flags for letter in letters)


def main(argv: list[str]) -> int:
    """Run it and return its exit status as python3 does."""
    options.standard([word for word in argv if word != "--version"])
    if not getattr(sys, "frozen", False):
        os.execv(sys.executable, [sys.executable, *argv[1:]])
    line = CommandLine(argv[1:])
    if line.has("hH?"):
        options.standard(["python", "--help"])
    if line.has("V"):
        from toolbox.streams import stdout

        stdout().write(f"Python {sys.version.split()[0]}\n".encode())
        return 0
    return run(line)


def run(line: CommandLine) -> int:
    """Set the process up as python3 does, run the program, and end as it ends."""
    import atexit
    import threading

    from applets.system.python.settings import apply

    _signals()
    apply(line)
    _paths(line)
    _site()
    try:
        status = _guarded(line)
        if line.has("i") and line.kind:
            status = _prompt(line)
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
        except KeyboardInterrupt:
            pass
        atexit._run_exitfuncs()
    status = _flushed(status)
    if status == -1:
        _end_by_interrupt()
    return status


def _flushed(status: int) -> int:
    """The status after what was printed is written: 120 when it cannot be, as python3's."""
    for name in ("stderr", "stdout"):
        stream = getattr(sys, name)
        try:
            if stream is None or stream.closed:  # by the program; there is nothing to write
                setattr(sys, name, None)
                continue
            stream.flush()
        except OSError as error:
            setattr(sys, name, None)
            os.write(2, f"python: write error: {error.strerror}\n".encode())
            status = 120
    return status


def _guarded(line: CommandLine) -> int:
    """Run the program; an uncaught exception is shown as python3 shows it.  -1: it was interrupted."""
    try:
        return _execute(line)
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            return exit_status(leave.code or 0)
        print(leave.code, file=sys.stderr)
        missing = str(leave.code).endswith(f"No module named {line.what}")  # runpy's words
        if line.kind == "module" and missing and (why := absent.reason(line.what)):
            print(why, file=sys.stderr)
        return 1
    except BaseException as error:
        absent.explain(error)
        trace = error.__traceback__
        # The first frames are ours and runpy's: nothing that the program's author wrote.
        while trace and trace.tb_frame.f_globals.get("__name__") in (__name__, "runpy"):
            trace = trace.tb_next
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return -1 if isinstance(error, KeyboardInterrupt) else 1


def exit_status(code: int) -> int:
    """The status of a process that ends by SystemExit(code): 255 when it is no C long, as python3's."""
    return code & 0xFF if -(2**63) <= code < 2**63 else 255


def _execute(line: CommandLine) -> int:
    if line.kind == "module":
        import runpy

        sys.argv[0] = "-m"
        runpy._run_module_as_main(line.what)  # type: ignore[attr-defined]
        return 0
    if line.kind == "code":
        _run_as_main(line.what + "\n", "<string>", line)
        return 0
    if line.kind == "archive":
        import runpy

        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return 0
    if line.kind == "file":
        source = _read(line.what)
        if source is None:
            return 2
        _run_as_main(source, os.path.abspath(line.what), line)
        return 0
    if line.has("i") or (not line.kind and os.isatty(0)):
        return _prompt(line)
    with open(0, "rb", closefd=False) as file:
        _run_as_main(file.read(), "<stdin>", line)
    return 0


def _run_as_main(source: str | bytes, name: str, line: CommandLine) -> None:
    """Compile and run a program; `name` is its path, or what is shown for it in angle brackets."""
    names = _main_names()
    if line.kind == "file":
        from importlib.machinery import SourceFileLoader, SourcelessFileLoader

        names.update(__file__=name, __cached__=None)
        if name.endswith(".pyc"):
            compiled = names["__loader__"] = SourcelessFileLoader("__main__", name)
            exec(compiled.get_code("__main__"), names)  # type: ignore[arg-type]
            return
        names["__loader__"] = SourceFileLoader("__main__", name)
        if line.has("x") and isinstance(source, bytes):
            source = b"\n" + source.partition(b"\n")[2]
    else:
        names["__loader__"] = sys.__spec__.loader
    level = min(line.flags.count("O"), 2)
    exec(compile(source, name, "exec", dont_inherit=True, optimize=level), names)


def _main_names() -> dict[str, Any]:
    """The namespace of `__main__`, which the program finds by that name."""
    import builtins
    import types

    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __annotations__={})
    sys.modules["__main__"] = module
    return module.__dict__


def _read(path: str) -> bytes | None:
    """The program's text; None after a message when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        print(
            f"python: can't open file {os.path.abspath(path)!r}: [Errno {error.errno}]"
            f" {error.strerror}",
            file=sys.stderr,
        )
        return None


def _is_importable(path: str) -> bool:
    """Whether this is a folder, or an archive (with whatever before it), that has a __main__ to be run."""
    if os.path.isdir(path):
        return True
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 65557, 0))  # the archive's last record, with the longest comment
            if b"PK\5\6" not in file.read():
                return False
    except OSError:  # also of pipes (/dev/stdin), which are read as programs
        return False
    import importlib  # noqa: F401  # loads what the plain program puts off, zipimport with it
    from zipimport import ZipImportError, zipimporter

    try:
        zipimporter(path)
    except ZipImportError:
        return False
    return True


def _prompt(line: CommandLine) -> int:
    from applets.system.python.prompt import interact

    names = sys.modules["__main__"].__dict__
    names = names if names.get("__annotations__") is not None else _main_names()
    return interact(names, greet=not line.has("q"))


def _signals() -> None:
    """Ctrl-C raises KeyboardInterrupt; a closed pipe, a file too large are errors: what a Python program expects."""
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # nohup, a job of the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _site() -> None:
    """exit(), quit(), help(): what the module site puts there; it would look for an installation, too."""
    import builtins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D"))
    builtins.help = _sitebuiltins._Helper()
    builtins.copyright = _sitebuiltins._Printer("copyright", sys.copyright)


def _paths(line: CommandLine) -> None:
    """sys.argv and sys.path: the script's folder (or itself, an archive; or the current one), then PYTHONPATH."""
    first = {"file": line.what, "code": "-c", "stdin": "-"}.get(line.kind, "")
    sys.argv[:] = [first, *line.arguments]
    own = "" if line.has("EI") else os.environ.get("PYTHONPATH", "")
    paths = [path for path in own.split(":") if path]
    here = os.path.dirname(os.path.abspath(line.what)) if line.kind == "file" else ""
    if line.kind == "module":
        here = os.getcwd()
    if line.kind == "file" and _is_importable(line.what):
        line.kind, here = "archive", line.what
    elif line.has("PI"):
        sys.path[:0] = paths
        _own_first(paths)
        return
    sys.path[:0] = [here, *paths]
    _own_first([here, *paths])


#: Libraries that are frozen in, and the modules of C that belong to them.
LIBRARIES = frozenset(
    (
        *("asyncssh", "cffi", "cryptography", "dnslib", "h11", "ntplib", "prompt_toolkit"),
        *("pycparser", "typing_extensions", "wcwidth", "_cffi_backend"),
    )
)

#: What python3 has imported, or has frozen in, when a program begins: no module of the program's takes their places.
FIRST = frozenset(
    (
        *("abc", "codecs", "encodings", "genericpath", "importlib", "io", "os", "posixpath"),
        *("runpy", "site", "stat", "sys", "zipimport", "builtins", "_collections_abc"),
    )
)


def _own_first(paths: list[str]) -> None:
    """Let a program's own modules, in these folders, come before frozen ones of the same name, as in python3."""
    own = set()
    for path in paths:
        try:
            names = os.listdir(path or ".")
        except OSError:
            continue  # it is an archive, or not there
        for entry in names:
            name, _, suffix = entry.partition(".")
            if name not in LIBRARIES and (name not in sys.stdlib_module_names or name in FIRST):
                continue
            if suffix:
                found = suffix in ("py", "pyc") or suffix.endswith("so")
            else:
                found = os.path.exists(f"{path or '.'}/{name}/__init__.py")
            if found:
                own.add(name)
    if own:
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]  # imported by us, or in the snapshot
        sys.meta_path.insert(0, _OwnFinder(own))


class _OwnFinder:
    """Finds modules of these names, and those below them, on sys.path alone."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in self._names:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, path, target)


def _end_by_interrupt() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    raise Fatal("interrupted", 130)
