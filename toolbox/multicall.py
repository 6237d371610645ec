"""argv[0] -> applet -> exit status.

    main(argv)   the whole life of a process: dispatch, run, flush, status
    call(argv)   one applet inside a living process (the shell); returns its status

Only `sys` is imported until the applet is known.  This is also the only place that knows where
applets live: the package `applets` is found by name, so that the ground floor imports nothing above it.

Exit statuses (POSIX XCU 2.8.2): an applet's own; 126 cannot be run; 127 no such applet.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

PROGRAM = "toolbox"


def main(argv: list[str]) -> int:
    """Run the applet that `argv` names, as a process of its own, and return its exit status.

    `argv[0]` may be an applet's name, a path that ends in one, a login name (`-sh`), or the
    program itself, whose first argument then is the applet's name or an option of the program.
    A file of any name is the program (toolbox-plain, a download); a link under a name that is no
    applet's is a mistake (`bash -> toolbox`).
    """
    if not getattr(sys, "frozen", False):
        _default_signals()
    _drop_nameless()
    name = applet_name(argv[0] if argv else PROGRAM)
    if find(name) is not None or not name:
        return call(argv)  # which says that no name is none of an applet, too
    if not name.startswith(PROGRAM) and _is_link(argv[0]):
        if _is_python(name):
            return call(["python", *argv[1:]])
        from toolbox.errors import say
        from toolbox.listing import suggestion

        say(f"{name}: a link to {PROGRAM}, which has no applet of this name{suggestion(name)}")
        return 127
    if _is_script(argv):
        return call(["python", *argv[1:]])
    if len(argv) > 1 and not argv[1].startswith("-"):
        return call(argv[1:])
    if len(argv) > 1 and argv[1][1:2] not in ("", "-") and getattr(sys, "frozen", False):
        # The frozen program is sys.executable: programs start it again with -c CODE, -m MODULE.
        return call(["python", *argv[1:]])
    return _run("toolbox.listing", PROGRAM, [PROGRAM, *argv[1:]])


def _is_link(argv0: str) -> bool:
    """Whether the process was started by a symbolic link whose name is not that of its file.

    A name without a slash was found in PATH, unless the caller made it up (`exec -a NAME`); then
    there is no such link to this program.
    """
    import os

    if argv0.startswith(("/proc/", "/dev/fd/")):  # /proc/self/exe: the program itself
        return False
    name = applet_name(argv0)
    if "/" in argv0:
        paths = [argv0]
    elif getattr(sys, "frozen", False):
        folders = os.environ.get("PATH", os.defpath).split(":")
        paths = [os.path.join(folder, name) for folder in folders]
    else:
        return False
    for path in paths:
        try:
            if os.path.exists(path):
                ours = "/" in argv0 or os.path.samefile(path, "/proc/self/exe")
                return ours and os.path.basename(os.path.realpath(path)) != name
        except OSError:
            break  # there is no /proc: nothing is known
    return False


def _is_python(name: str) -> bool:
    """Whether a link's name is this Python's with its version, as virtual environments have it."""
    return name == f"python{sys.version_info.major}.{sys.version_info.minor}"


def _is_script(argv: list[str]) -> bool:
    """Whether the first argument is a Python program: the frozen one is sys.executable, which runs such."""
    if len(argv) < 2 or not getattr(sys, "frozen", False):
        return False
    word = argv[1]
    return ("/" in word or word.endswith((".py", ".pyz"))) and find(applet_name(word)) is None


def console() -> int:
    """The entry point of the `toolbox` command that pip installs, and of links to it."""
    return main(sys.argv)


def call(argv: list[str]) -> int:
    """Run one applet in this process and return its exit status; never raises but for exits by signal.

    Standard output is flushed and checked.  The caller forks first when `alters_process(name)`.
    """
    name = applet_name(argv[0])
    module = find(name)
    if module is None:
        from toolbox.errors import say
        from toolbox.listing import suggestion

        say(f"{PROGRAM}: {name}: no such applet{suggestion(name)}")
        return 127
    return _run(module, name, argv)


def applet_name(argv0: str) -> str:
    """The name that `argv[0]` calls: its last path component, without a login shell's dash."""
    name = argv0.rpartition("/")[2]
    return name[1:] if name.startswith("-") and len(name) > 1 else name


def find(name: str) -> str | None:
    """The module of the applet or alias `name` ("applets.coreutils.ls"); None when there is none."""
    import applets

    return applets.MODULES.get(name)


def load(module: str) -> ModuleType:
    """Import an applet's module by its dotted name."""
    __import__(module)
    return sys.modules[module]


def alters_process(name: str) -> bool:
    """Whether the applet changes the process that runs it (directory, ids, signals) or stays for long."""
    module = find(name)
    return module is not None and bool(getattr(load(module), "alters_process", False))


def _run(module: str, name: str, argv: list[str]) -> int:
    """Call the module's main; turn errors into messages and statuses: the one place that does."""
    from toolbox.errors import Fatal, Run, UsageError, describe, say

    trouble = 1
    told = False  # that standard output cannot be written to
    with Run(name) as run:
        try:
            applet = load(module)
            trouble = getattr(getattr(applet, "options", None), "trouble", 1)
            status = max(applet.main(argv), run.status)
        except UsageError as error:
            say(f"{name}: {error}", f"Try '{name} --help' for more information.")
            status = trouble
        except Fatal as error:
            say(f"{name}: {error}")
            status = error.status
        except OSError as error:
            # What only a write meets, and names no file, was met on standard output.
            told = error.filename is None and _is_of_writing(error)
            doing = "write error: " if told else ""
            say(f"{name}: {doing}{describe(error)}")
            status = max(trouble, run.status)
        except MemoryError:
            say(f"{name}: out of memory")
            status = trouble
        except RecursionError:
            say(f"{name}: nested too deeply")
            status = trouble
        except SystemExit as leave:
            status = _status_of(leave, name)
        except Exception as error:
            _internal(name, error)
            status = trouble
        return _flush(name, status, trouble, told)


#: Set to anything, it makes an applet show where an error of ours came from.
TRACEBACK = "SNAKEROOT_TRACEBACK"


def _internal(name: str, error: Exception) -> None:
    """Say in one line that an error slipped through, which is a fault of ours and no answer to anybody."""
    import os

    from toolbox.errors import say

    if os.environ.get(TRACEBACK):
        import traceback

        say(*traceback.format_exc().splitlines())
        return
    what = " ".join(str(error).split())
    say(
        f"{name}: internal error: {type(error).__name__}{': ' if what else ''}{what}"
        f" ({TRACEBACK}=1 shows where; please report it)"
    )


def _is_of_writing(error: OSError) -> bool:
    import errno

    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _flush(name: str, status: int, trouble: int, told: bool) -> int:
    """Write out what standard output still holds.  A full disk is an error, never silence."""
    if sys.stdout is None:  # started with standard output closed, and nothing was written
        return status
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        from toolbox.errors import describe, say

        if not told:
            say(f"{name}: write error: {describe(error)}")
        _drop_unwritten()
        return status or trouble
    return status


def _drop_unwritten() -> None:
    """Forget output that cannot be written, lest the next flush of this process fails for it again."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(1)
    os.dup2(null, 1)
    sys.stdout.flush()
    os.dup2(kept, 1)
    os.close(kept)
    os.close(null)


def _status_of(leave: SystemExit, name: str) -> int:
    if leave.code is None:
        return 0
    if isinstance(leave.code, int):
        return leave.code & 0xFF
    from toolbox.errors import say

    say(f"{name}: {leave.code}")
    return 1


def _drop_nameless() -> None:
    """Forget an entry of the environment without a name (`=x`), which some parents leave.

    No system call of Python's takes one, neither to remove it nor to hand it on.
    """
    import os

    entries: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    entries.pop(b"", None)


def _default_signals() -> None:
    """A closed pipe ends the applet silently and Ctrl-C by its signal, as it does C programs.

    Python ignores SIGPIPE and SIGXFSZ (a file too large for its limit), and turns SIGINT into an
    exception; a SIGINT that the parent ignored stays so.  The frozen program leaves signals as they are.
    """
    import _signal  # `signal` costs an import of enum

    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
