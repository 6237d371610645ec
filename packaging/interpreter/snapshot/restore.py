"""What each process that starts from the image does first: make Python's ideas of its process true again.

C has done its part before (restore.c).  This module is in the image, under no name; record.py prepares it.
"""

import _imp
import _thread
import logging
import posix
import sys
import threading
import time
import zoneinfo

#: (stdin, stdout, stderr), each for a file, a pipe and a terminal: state.h has the order.
streams = ()

#: Module -> its code, for all that were imported while recording.  Their marshalled code is not in the program.
codes = {}

true_frozen_object = _imp.get_frozen_object


def get_frozen_object(name, *data):
    """In place of _imp's function: the code of a frozen module, for who imports one again."""
    code = None if data else codes.get(name)
    return true_frozen_object(name, *data) if code is None else code


#: What the module time learns from the time zone (tzset(3)), which costs reading a file.
ZONE = ("timezone", "altzone", "daylight", "tzname")


def restore(executable, argv, stdin, stdout, stderr):
    """The process's words and standard streams; its only thread; what is known since its start."""
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


def zone(name):
    """The module time's __getattr__: the first question about the time zone looks it up."""
    if name not in ZONE:
        raise AttributeError(f"module 'time' has no attribute {name!r}")
    time.tzset()
    return time.__dict__[name]


def names_of_time():
    """The module time's __dir__."""
    return sorted({*time.__dict__, *ZONE})
