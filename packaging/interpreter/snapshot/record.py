"""Runs inside the recorder, at build time: import what the image shall hold, and see that nothing of the host is in it.

    record()                     at build time
    restore(executable, argv)    first thing in each process that starts from the image
    streams                      the standard streams, for each kind of file that a descriptor may be

The environment variable SNAPSHOT_CONTENTS names the file contents.py.
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
    with open(os.environ["SNAPSHOT_CONTENTS"], encoding="utf-8") as file:
        exec(file.read(), contents)
    os.environ.clear()
    load()
    global streams
    streams = tuple(zip(*(open_streams(sample) for sample in samples())))
    prepare()


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
    sys.path_importer_cache.clear()
    sys.argv = sys.orig_argv = None


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
    random._inst.seed(int.from_bytes(posix.urandom(32), "little"))
    logging._startTime = time.time_ns()
