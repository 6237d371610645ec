"""Runs inside the recorder, at build time: import what the image shall hold, and see that nothing of the host is in it.

    record()                     at build time
    restore(executable, argv)    first thing in each process that starts from the image
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
    with open("contents.py", encoding="utf-8") as file:
        exec(file.read(), contents)
    os.environ.clear()
    reads = []
    watch_environment(reads)
    load()
    global streams
    streams = tuple(zip(*(open_streams(sample) for sample in samples())))
    prepare()
    audit(reads)


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


def watch_environment(reads):
    """Note (module, variable) for each question to the environment; forget() ends it."""
    true = os._Environ.__getitem__

    def getitem(self, name):
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals["__name__"] in ("os", "collections.abc", "posixpath"):
            frame = frame.f_back
        reads.append((frame.f_globals["__name__"], name))
        return true(self, name)

    os._Environ.__getitem__ = getitem
    contents["unwatch"] = lambda: setattr(os._Environ, "__getitem__", true)


def audit(reads):
    """See in a child that nothing of the host is in the heap: what the search itself allocates stays out of the image."""
    contents.pop("unwatch")()
    reads = [one for one in reads if one[1] not in contents["ENVIRONMENT"]]
    child = os.fork()
    if child == 0:
        namespace = sys.modules["host_audit"] = type(sys)("host_audit")
        with open("host_audit.py", encoding="utf-8") as file:
            exec(compile(file.read(), "host_audit.py", "exec"), namespace.__dict__)
        raw = [stream.buffer.raw for row in streams for stream in row]
        found = namespace.findings(contents["HELD"], raw, reads)
        for line in found:
            print("snapshot:", line, file=sys.stderr)
        os._exit(bool(found))
    if os.waitpid(child, 0)[1]:
        raise SystemExit("snapshot: the image would hold what belongs to the machine that makes it")


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


def prepare():
    """Put off until they are asked for what a start seldom needs; drop what belongs to the recorder."""
    for name in ZONE:
        delattr(time, name)
    time.__getattr__ = zone
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = next(zip(*streams))
    sys.path_importer_cache.clear()
    del sys.modules[__name__]
    sys.argv = sys.orig_argv = None
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
import tempfile
import threading
import zoneinfo


def restore(executable, argv):
    """Make Python's own ideas of its process true again; C has done its part (restore.c)."""
    sys.argv = argv
    sys.orig_argv = argv[:]
    sys.executable = sys._base_executable = executable
    main = threading._main_thread
    main._ident = ident = _thread.get_ident()
    main._native_id = _thread.get_native_id()
    main._handle = _thread._make_thread_handle(ident)
    active = threading._active
    active.clear()
    active[ident] = main
    logging._startTime = time.time_ns()
    if b"PYTHONTZPATH" in posix.environ:
        zoneinfo.reset_tzpath()
