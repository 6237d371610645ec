"""python is the Python that a program of the box's owner expects.

In the checkout the host's python3 takes over, so what holds there is what the frozen one must do.
Breaks when arguments, paths, statuses, tracebacks or signals are not as with python3.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

ARGUMENTS = "import sys; print(sys.argv)"


@pytest.mark.parametrize(
    ("words", "stdin", "out"),
    [
        (["-c", ARGUMENTS, "a", "-c"], b"", "['-c', 'a', '-c']\n"),
        (["-c" + ARGUMENTS], b"", "['-c']\n"),
        (["-", "a"], ARGUMENTS.encode(), "['-', 'a']\n"),
        ([], ARGUMENTS.encode(), "['']\n"),
        (["-IEsSBO", "-Xutf8", "-W", "ignore", "-c", "print(1)"], b"", "1\n"),
        (["-uc", "print(1)"], b"", "1\n"),
        (["-c", "print(__name__)\nif 1:\n  print(2)"], b"", "__main__\n2\n"),
        (["-c", "import __main__; x = 1; print(__main__.x)"], b"", "1\n"),
        (["-c", "import sys; print(sys.path[0] == '')"], b"", "True\n"),
        (["-OOc", "assert 0\ndef f(): 'doc'\nprint(f.__doc__)"], b"", "None\n"),
        (["-Bc", "import sys; print(sys.dont_write_bytecode)"], b"", "True\n"),
        (["-c", "import sys; print(1); sys.stdout.close()"], b"", "1\n"),
        (["-m", "json.tool", "--compact"], b'{"a": 1}', '{"a":1}\n'),
        (["-c", "import atexit; atexit.register(print, 'bye'); print('hi')"], b"", "hi\nbye\n"),
        (
            [
                "-c",
                "import threading as t, time\n"
                "t.Thread(target=lambda: (time.sleep(.1), print('late'))).start()",
            ],
            b"",
            "late\n",
        ),
        (["-c", "import time; print(input() + input())"], b"a\nb\n", "ab\n"),
        (["-c", "import sys; print(sys.stdin.read())"], "ä".encode(), "ä\n"),
        (
            ["-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(7)'])"],
            b"",
            "7\n",
        ),
    ],
)
def test_what_runs(run: Run, words: list[str], stdin: bytes, out: str) -> None:
    r = run("python", *words, stdin=stdin)
    assert (r.status, r.out.decode(), r.err) == (0, out, b"")


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        ([], "f.ignore_environment, f.isolated, f.safe_path", "(0, 0, False)"),
        (["-I"], "f.ignore_environment, f.isolated, f.safe_path", "(1, 1, True)"),
        (["-E"], "f.ignore_environment, f.isolated", "(1, 0)"),
        (["-OOqb"], "f.optimize, f.quiet, f.bytes_warning", "(2, 1, 1)"),
        (["-Xdev"], "f.dev_mode, faulthandler.is_enabled()", "(True, True)"),
        (["-X", "faulthandler"], "f.dev_mode, faulthandler.is_enabled()", "(False, True)"),
        (["-Xtracemalloc=3"], "tracemalloc.get_traceback_limit()", "3"),
        (["-Xint_max_str_digits=900"], "f.int_max_str_digits, len(str(9**900))", "(900, 859)"),
        (["-Xpycache_prefix=/x"], "sys.pycache_prefix", "/x"),
        (["-Xa", "-Xb=c=d"], "sys._xoptions", "{'a': True, 'b': 'c=d'}"),
        (
            ["-Wignore", "-Werror::UserWarning"],
            "sys.warnoptions",
            "['ignore', 'error::UserWarning']",
        ),
        ([], "__loader__.__name__, sorted({'exit', 'quit', 'help'} & {*dir(__builtins__)})", None),
    ],
)
def test_what_its_options_set(run: Run, words: list[str], code: str, out: str | None) -> None:
    code = f"import faulthandler, sys, tracemalloc; f = sys.flags; print(({code}))"
    r = run("python", *words, "-c", code)
    expected = out or "('BuiltinImporter', ['exit', 'help', 'quit'])"
    assert (r.status, r.out.decode(), r.err) == (0, f"{expected}\n", b"")


@pytest.mark.parametrize(
    ("name", "value", "code", "out"),
    [
        ("PYTHONOPTIMIZE", "2", "sys.flags.optimize", "2"),
        ("PYTHONDEVMODE", "1", "sys.flags.dev_mode", "True"),
        ("PYTHONSAFEPATH", "1", "'' in sys.path", "False"),
        ("PYTHONINTMAXSTRDIGITS", "0", "sys.get_int_max_str_digits()", "0"),
        ("PYTHONIOENCODING", "latin-1:replace", "sys.stdout.encoding, sys.stdout.errors", None),
        ("PYTHONWARNINGS", "error,ignore::UserWarning", "len(sys.warnoptions)", "2"),
    ],
)
def test_what_the_environment_sets(
    run: Run, name: str, value: str, code: str, out: str | None
) -> None:
    """And -E forbids."""
    words = ["-c", f"import sys; print(({code}))"]
    told = run("python", *words, env={name: value})
    expected = out or "('latin-1', 'replace')"
    assert (told.status, told.out.decode().replace("iso8859-1", "latin-1")) == (0, f"{expected}\n")
    deaf = run("python", "-E", *words, env={name: value})
    assert deaf.status == 0 and deaf.out != told.out


@pytest.mark.parametrize(
    "words", [["-X", "int_max_str_digits=3", "-c", "1"], ["-X", "tracemalloc=no", "-c", "1"]]
)
def test_values_that_make_no_sense(run: Run, words: list[str]) -> None:
    r = run("python", *words)
    assert r.status and words[1].partition("=")[0].encode() in r.err
    assert b"Traceback" not in r.err


@pytest.mark.parametrize(
    ("code", "status", "err"),
    [
        ("raise SystemExit", 0, ""),
        ("exit(7)", 7, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit(256)", 0, ""),
        ("raise SystemExit(2**64)", 255, ""),
        ("raise SystemExit('why')", 1, "why\n"),
        ("import sys; sys.exit(True)", 1, ""),
        ("import os; os._exit(4)", 4, ""),
        ("1/0", 1, "ZeroDivisionError: division by zero\n"),
        ("import sys; sys.stderr.write('x'); sys.exit(5)", 5, "x"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt\n"),
        ("import os; os.kill(os.getpid(), 2)", -signal.SIGINT, "KeyboardInterrupt\n"),
    ],
)
def test_how_it_ends(run: Run, code: str, status: int, err: str) -> None:
    r = run("python", "-c", code)
    assert r.status == status
    assert r.err.decode().endswith(err)
    assert bool(r.err) == bool(err)


def test_a_script_finds_its_folder_and_shows_its_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "near.py").write_text("value = 7\n")
    (tmp_path / "prog.py").write_text(
        "import near, sys\nprint(near.value, sys.argv, __file__)\n\ndef f():\n    1/0\n\nf()\n"
    )
    r = run("python", "prog.py", "-x", cwd=tmp_path)
    assert (r.status, r.out) == (1, f"7 ['prog.py', '-x'] {tmp_path}/prog.py\n".encode())
    lines = r.err.decode().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith('  File "') and lines[1].endswith('prog.py", line 7, in <module>')
    assert "    1/0" in lines
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_modules_packages_and_archives(run: Run, tmp_path: Path) -> None:
    import zipfile

    package = tmp_path / "lib" / "pack"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys; print('main', sys.argv[1:])\n")
    env = {"PYTHONPATH": str(tmp_path / "lib")}
    assert run("python", "-m", "pack", "a", env=env).out == b"main ['a']\n"
    assert run("python", "lib/pack", cwd=tmp_path).out == b"main []\n"
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", "print(__name__)\n")
    assert run("python", "app.pyz", cwd=tmp_path).out == b"__main__\n"
    started = tmp_path / "started.pyz"
    started.write_bytes(b"#!/usr/bin/env python3\n" + (tmp_path / "app.pyz").read_bytes())
    assert run("python", "-I", started).out == b"__main__\n"


def test_a_programs_own_modules_come_before_those_that_are_built_in(
    run: Run, tmp_path: Path
) -> None:
    """Of the standard library, and of libraries that the frozen program has inside."""
    own = tmp_path / "own"
    for name, text in (
        ("numbers.py", "print('own numbers')"),
        ("h11/__init__.py", "from .deep import where"),
        ("h11/deep.py", "where = 'own h11'"),
        ("typing_extensions.py", "where = 'own typing_extensions'"),
        ("json/no_package", ""),
    ):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    env = {"PYTHONPATH": str(own)}
    assert run("python", "-m", "numbers", env=env).out == b"own numbers\n"
    code = "import h11, json, typing_extensions as t; print(h11.where, t.where, json.dumps(1))"
    assert run("python", "-c", code, env=env).out == b"own h11 own typing_extensions 1\n"
    again = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    assert run("python", "-c", again, env=env).out == b"own h11 own typing_extensions 1\n"
    (tmp_path / "prog.py").write_text("import queue; print(queue.where)")
    (tmp_path / "queue.py").write_text("where = 'beside it'")
    assert run("python", tmp_path / "prog.py").out == b"beside it\n"
    assert run("python", "-Ic", "import queue; print(queue.Queue.__name__)", cwd=tmp_path).out == (
        b"Queue\n"
    )


#: A pool of processes for each way to start them; the program starts itself with a script, too.
PROCESSES = """
import multiprocessing, subprocess, sys

def double(number):
    return number * 2

if __name__ == "__main__" and sys.argv[1:] == ["again"]:
    print("again")
elif __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(double, [1, 2]), flush=True)
    subprocess.run([sys.executable, *sys.argv, "again"])
"""


@pytest.mark.parametrize("name", ["./prog.py", "prog.py", "./prog"])
def test_it_starts_itself(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(PROCESSES)
    r = run("python", name, cwd=tmp_path)
    assert r.out.decode().splitlines() == [
        *(f"{method} [2, 4]" for method in ("fork", "spawn", "forkserver")),
        "again",
    ]
    assert (r.status, r.err) == (0, b"")


def test_a_script_knows_its_loader_and_its_archive_is_searched(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text("print(type(__loader__).__name__, __spec__, __cached__)\n")
    assert run("python", "prog.py", cwd=tmp_path).out == b"SourceFileLoader None None\n"
    (tmp_path / "first.py").write_text("this is no Python\nprint(7)\n")
    assert run("python", "-x", "first.py", cwd=tmp_path).out == b"7\n"
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/__main__.py").write_text("import sys, near; print(sys.path[0], near.x)\n")
    (tmp_path / "dir/near.py").write_text("x = 1\n")
    assert run("python", "dir", cwd=tmp_path).out in (b"dir 1\n", f"{tmp_path}/dir 1\n".encode())


def test_a_file_that_grows_over_its_limit_is_an_error(run: Run, tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))\n"
        "try:\n open('f', 'wb', 0).write(b'x' * 9); open('f', 'ab', 0).write(b'y')\n"
        "except OSError as e: print(e.strerror)"
    )
    assert run("python", "-c", code, cwd=tmp_path).out == b"File too large\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["no/such.py"], 2, "can't open file"),
        (["-m", "no_such_module"], 1, "No module named no_such_module"),
        (["-c", "1 +"], 1, "SyntaxError: invalid syntax"),
        (["-c"], 2, ""),
        (["--nonsense"], 2, ""),
    ],
)
def test_errors(run: Run, words: list[str], status: int, message: str) -> None:
    r = run("python", *words)
    assert (r.status, message in r.err.decode()) == (status, True)
    assert r.err


def test_its_version(run: Run) -> None:
    r = run("python", "-V")
    assert r.out.startswith(b"Python 3.")
    assert run("python", "--version").out == r.out


def test_a_closed_pipe_is_an_exception(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    code = "import os, sys\ntry:\n while 1: os.write(1, b'x' * 9999)\nexcept BrokenPipeError: os._exit(9)"
    with subprocess.Popen(
        [*toolbox_argv, "python", "-c", code], stdout=subprocess.PIPE, env=toolbox_env
    ) as program:
        assert program.stdout
        program.stdout.read(1)
        program.stdout.close()
        assert program.wait(timeout=30) == 9


def test_ctrl_c_is_an_exception_and_ends_by_its_signal(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    # Short sleeps: CPython looks for signals before a system call, and one that arrives between
    # that look and the call waits for the call to return.
    code = """
import time
try:
    print(1, flush=True)
    while True:
        time.sleep(0.1)
finally:
    print("cleaned")
"""
    with subprocess.Popen(
        [*toolbox_argv, "python", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=toolbox_env,
    ) as program:
        assert program.stdout
        assert program.stdout.readline() == b"1\n"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (out, program.returncode) == (b"cleaned\n", -signal.SIGINT)
    assert err.endswith(b"KeyboardInterrupt\n")


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_the_prompt(toolbox_argv: list[str], toolbox_env: dict[str, str], term: str) -> None:
    """A conversation on a terminal: an answer, an error that is survived, a block, a status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(toolbox_argv[0], [*toolbox_argv, "python", "-q"], {**toolbox_env, "TERM": term})
    seen = b""

    def until(text: bytes) -> None:
        nonlocal seen
        deadline = time.monotonic() + 30
        start = len(seen)
        while text not in seen[start:]:
            ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
            assert ready, seen
            block = os.read(terminal, 4096)
            if b"\x1b[6n" in block:  # where is the cursor?
                os.write(terminal, b"\x1b[1;1R")
            seen += block

    try:
        until(b">>>")
        os.write(terminal, b"6 * 7\r")
        until(b"42\r\n")
        os.write(terminal, b"1 / 0\r")
        until(b"division by zero")
        os.write(terminal, b"for i in 'ab':\r")
        os.write(terminal, b"  print(i * 3)\r\r")
        until(b"bbb")
        os.write(terminal, b"raise SystemExit(5)\r")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    finally:
        os.close(terminal)
