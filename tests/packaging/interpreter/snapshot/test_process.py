"""What is another one in every process: environment, words, signals, directory, numbers, time, time zone.

Each test fails when restore() or restore.c leaves the thing as it was recorded.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Both = Callable[..., str]
Run = Callable[..., str]


def test_environment(both: Both) -> None:
    """os.environ, bytes, a child's environment, changes of all; entries that are no UTF-8, empty, or twice there."""
    code = """
import os, posix, subprocess, sys
print(sorted(os.environ.items()), sorted(posix.environ.items()), sorted(os.environb.items()))
print(os.environ.get("HOME"), os.getenv("NO"), len(os.environ), "A" in os.environ)
os.environ["NEW"] = "new"
os.putenv("PUT", "put")
del os.environ["A"]
os.unsetenv("B")
show = "import os; print(sorted(os.environb.items()))"
sys.stdout.flush()
subprocess.run([sys.executable, "-c", show], check=True)
if os.fork() == 0:
    os.execv(sys.executable, [sys.executable, "-c", show])
os.wait()
if os.fork() == 0:
    os.execve(sys.executable, [sys.executable, "-c", show], {"ONLY": "this"})
os.wait()
print(os.path.expanduser("~/x"), os.path.expandvars("$NEW"))
"""
    odd = {
        b"A": b"",
        b"B": b"\xff\xfe=",
        b"HOME": b"/here",
        b"LONG": b"x" * 5000,
        b"\xe4": b"\xc3\xa4",
    }
    printed = both(code, env=odd)
    assert "('B', '\\udcff\\udcfe=')" in printed and "(b'PUT', b'put')" in printed
    assert both("import os; print(os.environ)", env={}) == "environ({})\n"


def test_environment_with_entries_that_are_no_settings(snapshot: Path, plain: Path) -> None:
    """What execve(2) lets through: an entry without `=`, one that begins with it, one that is there twice."""
    show = "import os; print(sorted(os.environ.items()))"
    start = (
        "import ctypes, os, sys\n"
        "words = [os.fsencode(w) for w in sys.argv[1:]] + [None]\n"
        "entries = [b'X=1', b'no-equals', b'=x', b'X=2', b'Y=', None]\n"
        "array = lambda items: (ctypes.c_char_p * len(items))(*items)\n"
        "ctypes.CDLL(None).execve(words[0], array(words), array(entries))"
    )
    found = {
        subprocess.check_output([os.sys.executable, "-c", start, program, "-c", show])  # type: ignore[attr-defined]
        for program in (snapshot, plain)
    }
    assert len(found) == 1
    assert b"('X', '1')" in found.pop()


def test_words(snapshot: Path, plain: Path, run: Run, tmp_path: Path) -> None:
    code = (
        "import sys; print([ascii(w) for w in sys.argv], ascii(sys.orig_argv[1:]), sys.executable)"
    )
    for program in (snapshot, plain):
        printed = run(program, code, "a b", "", "\udcff", "ä")
        assert printed.startswith(r"""["'-c'", "'a b'", "''", "'\\udcff'", "'\\xe4'"]""")
        assert printed.endswith(f" {program}\n")
        link = tmp_path / f"other-{program.name}"
        link.symlink_to(program)
        words = [
            b"python",
            b"-c",
            b"import sys; print(sys.executable, sys._base_executable, sys.argv)",
        ]
        done = subprocess.run(words, executable=link, capture_output=True, check=True)
        # Programs start it again by this name.
        assert done.stdout.decode() == f"{program} {program} ['-c']\n"


def test_signals_that_are_ignored(snapshot: Path, plain: Path) -> None:
    """nohup's SIGHUP, a background job's SIGINT; those that were ignored or handled while recording are not."""
    code = (
        "import signal; print({int(n): str(signal.getsignal(n)) for n in signal.valid_signals()})"
    )

    def ignore() -> None:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR2, signal.SIGRTMIN + 3):
            signal.signal(number, signal.SIG_IGN)

    for prepare in (None, ignore):
        found = {
            subprocess.check_output([program, "-c", code], preexec_fn=prepare)
            for program in (snapshot, plain)
        }
        assert len(found) == 1
        text = found.pop().decode()
        assert ("1: '1'" in text) == bool(prepare)
        assert ("37: '1'" in text) == bool(prepare)


def test_signals_that_are_handled(both: Both) -> None:
    """Handlers, the wake-up descriptor, a mask that was inherited, KeyboardInterrupt, timers."""
    code = """
import os, signal, socket, time
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append((number, frame is not None)))
a, b = socket.socketpair()
a.setblocking(False); b.setblocking(False)
print(signal.set_wakeup_fd(b.fileno()))
os.kill(os.getpid(), signal.SIGUSR1)
print(seen, a.recv(9), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
signal.signal(signal.SIGALRM, lambda *a: 1 / 0)
signal.setitimer(signal.ITIMER_REAL, 0.01)
try:
    time.sleep(60)
except ZeroDivisionError:
    print("timer")
"""

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

    assert "SIGUSR2" in both(code, preexec_fn=block)


ZONES = (
    "UTC",
    "EST5EDT",
    "Asia/Tokyo",
    "Europe/Dublin",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    ":nonsense",
    "",
    None,
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "code",
    [
        "import time; print(time.tzname, time.timezone, time.altzone, time.daylight)",
        "from time import timezone, tzname; print(timezone, tzname)",
        "import time; print(time.localtime(10**9), time.strftime('%Z %z', time.localtime(10**9)), time.altzone)",
        "from datetime import datetime as d; print(d.fromtimestamp(10**9).astimezone(), d.fromtimestamp(10**9))",
        "import time; print(time.mktime((2026, 7, 1, 0, 0, 0, 0, 0, -1)), time.ctime(0))",
        "import email.utils; print(email.utils.formatdate(10**9, localtime=True))",
        "import time; print(time.strptime('EDT', '%Z') if 'EDT' in time.tzname else '')",
        "import logging; r = logging.makeLogRecord({'created': 1e9, 'msecs': 0}); print(logging.Formatter().formatTime(r))",
    ],
)
def test_time_zone(both: Both, zone: str | None, code: str) -> None:
    both(code, env={} if zone is None else {"TZ": zone})


def test_time_zone_that_changes(both: Both) -> None:
    code = """
import os, time, datetime
for zone in ("EST5EDT", "Asia/Tokyo", None, "XYZ3"):
    if zone:
        os.environ["TZ"] = zone
    else:
        del os.environ["TZ"]
    time.tzset()
    print(time.tzname, time.timezone, time.localtime(10**9), datetime.datetime.fromtimestamp(10**9))
time.timezone = 7
print(time.timezone)
try:
    time.nonsense
except AttributeError as error:
    print(error)
"""
    assert "('XYZ', 'XYZ') 10800" in both(code, env={"TZ": "UTC"})


def test_zones_from_a_folder_of_ones_own(both: Both, tmp_path: Path) -> None:
    code = "import zoneinfo; print(zoneinfo.TZPATH, zoneinfo.available_timezones())"
    (tmp_path / "Mine").write_bytes(Path("/usr/share/zoneinfo/UTC").read_bytes())
    assert "Mine" in both(code, env={"PYTHONTZPATH": str(tmp_path)})


def test_locale(both: Both) -> None:
    code = """
import locale, sys
print(locale.setlocale(locale.LC_ALL), locale.localeconv(), locale.getlocale(), locale.getpreferredencoding())
for name in ("C", "POSIX", "C.UTF-8", "", "xx_YY"):
    try:
        print(locale.setlocale(locale.LC_ALL, name), locale.localeconv()["decimal_point"])
    except locale.Error as error:
        print(error)
print(f"{1234.5:n}", locale.strxfrm("a"), sys.flags.utf8_mode)
"""
    for name in ("C", "C.UTF-8", "de_DE.UTF-8", "nonsense"):
        both(code, env={"LC_ALL": name})


def test_directory(both: Both, tmp_path: Path) -> None:
    """Nothing of the recorder's; a directory that is removed."""
    code = """
import os, pathlib, tempfile
print(os.getcwd(), os.path.abspath("x"), pathlib.Path.cwd(), pathlib.Path("x").absolute(), os.getenv("PWD"))
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
try:
    os.getcwd()
except FileNotFoundError as error:
    print(error)
print(tempfile.gettempdir())
"""
    assert both(code, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}).startswith(str(tmp_path))
    assert (
        both("import tempfile; print(tempfile.gettempdir())", env={"TMP": "/var/tmp"})
        == "/var/tmp\n"
    )


def test_numbers_of_the_process(snapshot: Path) -> None:
    code = """
import json, os, threading, _thread, time
main = threading.main_thread()
found = []
thread = threading.Thread(target=lambda: found.append([threading.get_ident(), threading.get_native_id()]))
thread.start(); thread.join()
child = os.fork()
if child == 0:
    os._exit(0 if main.native_id == os.getpid() == threading.get_native_id() else 1)
print(json.dumps([os.getpid(), os.getppid(), main.native_id, threading.get_native_id(),
    main.ident == threading.get_ident() == _thread.get_ident(), threading.current_thread() is main,
    threading.enumerate() == [main], list(threading._active) == [main.ident], main.is_alive(),
    found[0][0] != main.ident and found[0][1] != main.native_id,
    os.waitpid(child, 0)[1] == 0, os.uname() == os.uname(), os.getuid(), os.getlogin is not None]))
"""
    process = subprocess.Popen([snapshot, "-c", code], stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    pid, parent, *rest = json.loads(out)
    assert (pid, parent) == (process.pid, os.getpid())
    assert rest == [pid, pid, *[True] * 8, os.getuid(), True]


def test_clocks(snapshot: Path) -> None:
    code = """
import json, logging, time
record = logging.makeLogRecord({})
record = logging.LogRecord("n", 10, "p", 1, "m", (), None)
print(json.dumps([time.time(), time.monotonic(), time.perf_counter(), time.process_time(), time.time_ns() / 1e9,
    record.relativeCreated, time.thread_time()]))
"""
    before = time.time(), time.monotonic(), time.perf_counter()
    now, monotonic, counter, used, ns, relative, thread = json.loads(
        subprocess.check_output([snapshot, "-c", code])
    )
    after = time.time(), time.monotonic(), time.perf_counter()
    for first, value, last in zip(before, (now, monotonic, counter), after, strict=True):
        assert first <= value <= last
    assert before[0] <= ns <= after[0]
    assert 0 <= used < 5 and 0 <= thread < 5
    assert 0 <= relative <= (after[0] - before[0]) * 1000


def test_limits_and_processors(both: Both) -> None:
    code = (
        "import os, resource; print(os.cpu_count(), os.sched_getaffinity(0), resource.getrlimit(7))"
    )

    def narrow() -> None:
        import resource

        os.sched_setaffinity(0, {0})
        resource.setrlimit(resource.RLIMIT_NOFILE, (77, 88))

    assert "{0} (77, 88)" in both(code, preexec_fn=narrow)


def test_users(both: Both) -> None:
    code = "import getpass, os, pwd; print(os.getresuid(), os.getresgid(), os.getgroups(), getpass.getuser())"
    if os.geteuid() == 0:
        assert "(65534, 65534, 65534)" in both(
            code, env={}, user=65534, group=65534, extra_groups=[7]
        )
    both(code, env={"LOGNAME": "somebody"})
