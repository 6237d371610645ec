"""Importing a module has no effect and reads nothing of the host (so that the interpreter can be snapshotted).

Every module of ours is imported in a fresh interpreter under an audit hook, after the third-party and
standard modules that it uses: what they do at import is theirs.  Breaks when a module of ours opens a file,
reads the environment, makes a socket, thread or random number, or starts a process while it is imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for top in ("toolbox", "applets")
    for path in (ROOT / top).rglob("*.py")
    if path.name != "__main__.py"
)

# Imports all modules once (third-party ones get loaded), drops ours, and imports ours again, watched.
PROBE = """
import builtins, os, sys, importlib, time, random, secrets, threading
ours = lambda n: n.partition(".")[0] in ("toolbox", "applets")
modules = sys.argv[1:]
for name in modules:
    importlib.import_module(name)
for name in [n for n in sys.modules if ours(n)]:
    del sys.modules[name]

current, found = None, []
allowed = {"import", "compile", "exec", "marshal.loads", "object.__getattr__", "sys._getframe",
           "code.__new__", "object.__setattr__", "sys.setprofile", "os.listdir"}
def here():
    frame = sys._getframe(2)
    while frame and not ours(frame.f_globals.get("__name__", "")):
        if frame.f_globals.get("__name__", "").startswith("importlib"):
            return False        # the import system itself, reading the module's file
        frame = frame.f_back
    return frame is not None
def audit(event, arguments):
    if current and event not in allowed and here():
        found.append(f"{current}: {event} {arguments!r}")
sys.addaudithook(audit)

def guard(owner, name):
    true = getattr(owner, name)
    def reader(*a, **k):
        if current and here():
            found.append(f"{current}: reads {name}")
        return true(*a, **k)
    setattr(owner, name, reader)
for owner, names in {
    os: "getpid getcwd getuid geteuid urandom getrandom isatty stat lstat uname times getenv",
    time: "time monotonic perf_counter localtime time_ns monotonic_ns",
    threading: "Lock RLock Thread Condition Event",
    random: "random getrandbits", secrets: "token_bytes token_hex",
}.items():
    for name in names.split():
        if hasattr(owner, name):
            guard(owner, name)

class Environment(type(os.environ)):
    def __getitem__(self, key):
        if current and here():
            found.append(f"{current}: reads the environment ({key})")
        return super().__getitem__(key)
os.environ.__class__ = Environment

for name in modules:
    current = name
    importlib.import_module(name)
current = None
print("\\n".join(sorted(set(found))))
"""


@pytest.fixture(scope="module")
def findings() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROBE, *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_importing_reads_nothing_of_the_host(findings: list[str]) -> None:
    assert findings == []


def test_the_probe_finds_what_it_should(tmp_path: Path) -> None:
    """The check itself can fail: a module that reads the host at import is found out."""
    package = tmp_path / "toolbox"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "dirty.py").write_text(
        "import os, threading, time\nopen('/dev/null').close()\nHOME = os.environ.get('HOME')\n"
        "START = time.time()\nLOCK = threading.Lock()\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROBE, "toolbox.dirty"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("open", "environment (HOME)", "reads time", "reads Lock"):
        assert word in done.stdout
