"""Runs inside the recorder, at build time: import what the image shall hold, and see that nothing of the host is in it.

    record()                     at build time, and then, in a child of the recorder, audit()
    restore(executable, ...)     first thing in each process that starts from the image
    streams                      the standard streams, for each kind of file that a descriptor may be

It is started in the folder where contents.py and host_audit.py lie.
"""

import _imp
import _signal
import _thread
import importlib
import io
import os
import posix
import sys
import time

contents = {}

#: (stdin, stdout, stderr), each for a file, a pipe and a terminal: state.h has the order.
streams = ()


def record():
    """Fill the heap with all that a start should find there."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    with open("contents.py", encoding="utf-8") as file:
        exec(file.read(), contents)
    os.environ.clear()
    watch_environment()
    load()
    global streams
    streams = tuple(zip(*(open_streams(sample) for sample in samples())))
    unwatch_environment()
    prepare()
    train()
    forget()


def load():
    """Import the declared modules, in an order that is always the same."""
    own = [name for name in _imp._frozen_module_names() if name.partition(".")[0] in contents["OWN"]]
    names = [*contents["STANDARD"], *contents["LIBRARIES"], *own]
    for name in sorted(set(names)):
        if name.rpartition(".")[2] != "__main__":
            importlib.import_module(name)
    there = sorted(name for name in contents["EXCLUDED"] if name in sys.modules)
    if there:
        raise SystemExit(f"snapshot: {', '.join(there)}: imported, but must not be in the image")


#: (module, variable) for each question to the environment.
reads = []

getitem_of_environment = os._Environ.__getitem__


def watch_environment():
    """Note each question to the environment."""

    def getitem(self, name):
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals["__name__"] in ("os", "collections.abc", "posixpath"):
            frame = frame.f_back
        reads.append((frame.f_globals["__name__"], name))
        return getitem_of_environment(self, name)

    os._Environ.__getitem__ = getitem


def unwatch_environment():
    os._Environ.__getitem__ = getitem_of_environment


def audit():
    """Status 1 and a line for everything of the host that is in the heap.  record.c calls it in a child."""
    namespace = sys.modules["host_audit"] = type(sys)("host_audit")
    with open("host_audit.py", encoding="utf-8") as file:
        exec(compile(file.read(), "host_audit.py", "exec"), namespace.__dict__)
    raw = [stream.buffer.raw for row in streams for stream in row]
    asked = [one for one in reads if one[1] not in contents["ENVIRONMENT"]]
    found = namespace.findings(contents["HELD"], raw, asked)
    for line in found:
        print("snapshot:", line, file=sys.stderr)
    return int(bool(found))


def samples():
    """Descriptors of a file that can be sought in, of a pipe, and of a terminal."""
    reader, writer = os.pipe()
    primary, terminal = os.openpty()
    yield os.open(os.devnull, os.O_RDWR)
    yield writer
    yield terminal


def open_streams(sample):
    """sys.stdin, stdout and stderr as CPython makes them when they are like `sample` (create_stdio in pylifecycle.c)."""
    made = []
    for fd, now in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        kept = os.dup(fd)
        os.dup2(sample, fd)
        mode = "r" if fd == 0 else "w"
        buffer = open(fd, mode + "b", closefd=False)
        buffer.raw.name = now.name
        lines = fd == 2 or buffer.raw.isatty()
        stream = io.TextIOWrapper(buffer, now.encoding, now.errors, "\n", lines)
        stream.mode = mode
        made.append(stream)
        os.dup2(kept, fd)
        os.close(kept)
    return made


def train():
    """Do what every start does, until the interpreter has specialized its code and filled its caches of methods.

    A start then finds both as it needs them, and leaves their pages alone.
    """
    main = sys.modules["toolbox.multicall"].main
    for _ in range(100):
        restore("/bin/toolbox", ["toolbox"], *next(zip(*streams)))
        for argv in (["true"], ["toolbox", "true"], ["echo"], ["cat", os.devnull]):
            main(argv)


def prepare():
    """Put off until they are asked for what a start seldom needs."""
    for name in ZONE:
        delattr(time, name)
    time.__getattr__ = zone
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = next(zip(*streams))
    threading._main_thread._stderr = sys.stderr
    sysconfig._CONFIG_VARS = None
    sysconfig._CONFIG_VARS_INITIALIZED = False


def forget():
    """Drop what belongs to the recorder."""
    sys.path_importer_cache.clear()
    sys.argv = sys.orig_argv = None
    del sys.modules[__name__]
    global __spec__
    __spec__ = None


#: What the module time learns from the time zone (tzset(3)), which costs reading a file.
ZONE = ("timezone", "altzone", "daylight", "tzname")


def zone(name):
    """The module time's __getattr__: the first question about the time zone looks it up."""
    if name not in ZONE:
        raise AttributeError(f"module 'time' has no attribute {name!r}")
    time.tzset()
    return time.__dict__[name]


import logging
import random
import sysconfig
import threading
import zoneinfo


def restore(executable, argv, stdin, stdout, stderr):
    """Make Python's own ideas of its process true again; C has done its part (restore.c)."""
    sys.stdin = sys.__stdin__ = stdin
    sys.stdout = sys.__stdout__ = stdout
    sys.stderr = sys.__stderr__ = stderr
    sys.argv = argv
    sys.orig_argv = argv[:]
    sys.executable = sys._base_executable = executable
    main = threading._main_thread
    main._ident = ident = _thread.get_ident()
    main._native_id = _thread.get_native_id()
    main._stderr = stderr
    main._handle = _thread._make_thread_handle(ident)
    active = threading._active
    active.clear()
    active[ident] = main
    logging._startTime = time.time_ns()
    if b"PYTHONTZPATH" in posix.environ:
        zoneinfo.reset_tzpath()
