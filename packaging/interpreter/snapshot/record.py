"""Runs inside the recorder, at build time: fill the heap with what a start should find there.

    record()   import everything, make the standard streams, train the interpreter
    audit()    in a child of the recorder: is anything of the host in the heap?

The recorder (record.c) starts in a folder with contents.py, host_audit.py and restore.py, and has loaded the last one.
"""

import _imp
import importlib
import io
import os
import sys
import sysconfig
import threading
import time
import typing

import _restore

#: chapter(): tells the recorder that something else begins (plan.c); it puts the function here.
chapter = None

contents = {}

#: (module, variable) for each question to the environment.
questions = []


def record():
    """Fill the heap."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    execute("contents.py", contents)
    os.environ.clear()
    _imp.get_frozen_object = keep_code
    with watched_environment():
        load()
    _imp.get_frozen_object = _restore.get_frozen_object
    with open("codes", "w", encoding="utf-8") as file:
        file.write("".join(f"{name}\n" for name in _restore.codes))
    chapter()
    _restore.streams = tuple(zip(*(open_streams(sample) for sample in samples()), strict=True))
    prepare()
    train()
    chapter()
    forget()


def execute(path, namespace):
    """Run a file of the recorder's folder."""
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), namespace)


def keep_code(name, *data):
    """_imp.get_frozen_object, while recording: a code object lives on, so the bytes that it came from need not."""
    chapter()
    code = _restore.codes[name] = _restore.true_frozen_object(name, *data)
    return code


def load():
    """Import the declared modules, in an order that is always the same."""
    frozen = _imp._frozen_module_names()
    own = [name for name in frozen if name.partition(".")[0] in contents["OWN"]]
    for name in sorted({*contents["STANDARD"], *contents["LIBRARIES"], *own}):
        if name.rpartition(".")[2] != "__main__":
            importlib.import_module(name)
    there = sorted(name for name in contents["EXCLUDED"] if name in sys.modules)
    if there:
        raise SystemExit(f"snapshot: {', '.join(there)}: imported, but must not be in the image")


class watched_environment:
    """While it lasts, each question to the environment is noted."""

    def __enter__(self):
        self.true = true = os._Environ.__getitem__

        def getitem(self, name):
            frame = sys._getframe(1)
            while frame.f_back and frame.f_globals["__name__"] in ("os", "collections.abc"):
                frame = frame.f_back
            questions.append((frame.f_globals["__name__"], name))
            return true(self, name)

        os._Environ.__getitem__ = getitem

    def __exit__(self, *error):
        os._Environ.__getitem__ = self.true


def samples():
    """Descriptors of a file that can be sought in, of a pipe, and of a terminal."""
    yield os.open(os.devnull, os.O_RDWR)
    yield os.pipe()[1]
    yield os.openpty()[1]


def open_streams(sample):
    """sys.stdin, stdout, stderr as CPython makes them when they are like `sample` (create_stdio in pylifecycle.c)."""
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


def start(*argv):
    """What C does at the start of a process, as far as it is Python's."""
    _restore.restore("/bin/toolbox", [*argv], *next(zip(*_restore.streams, strict=True)))
    sys.modules["toolbox.multicall"].main([*argv])


def prepare():
    """Put off until they are asked for what a start seldom needs."""
    for forget_cached in typing._cleanups:
        forget_cached()
    time.__all__ = [name for name in dir(time) if not name.startswith("_")]
    time.__dir__ = _restore.names_of_time
    for name in _restore.ZONE:
        delattr(time, name)
    time.__getattr__ = _restore.zone
    sysconfig._CONFIG_VARS = None
    sysconfig._CONFIG_VARS_INITIALIZED = False


def train():
    """Do what every start does, until the interpreter has specialized its code and filled its caches of methods.

    A start then finds both as it needs them, and leaves their pages alone.  What the imports had left in the cache
    goes: who puts another name in its place has to look at the old one, which lies anywhere.
    """
    sys._clear_type_cache()
    for _ in range(100):
        chapter()
        # Names whose entries collide put out one another; what every start needs has the last word.
        start("cat", os.devnull)
        start("echo")
        start("toolbox", "true")
        start("true")


def forget():
    """Drop what belongs to the recorder."""
    sys.path_importer_cache.clear()
    sys.argv = sys.orig_argv = threading._main_thread._handle = None
    for module in (_restore, sys.modules[__name__]):
        del sys.modules[module.__name__]
        module.__spec__ = None


def audit():
    """1, and a line for each thing, if anything of the host is in the heap."""
    namespace = sys.modules["host_audit"] = type(sys)("host_audit")
    execute("host_audit.py", namespace.__dict__)
    raw = [stream.buffer.raw for row in _restore.streams for stream in row]
    asked = [one for one in questions if one[1] not in contents["ENVIRONMENT"]]
    found = namespace.findings(contents["HELD"], raw, asked)
    for line in found:
        print("snapshot:", line, file=sys.stderr)
    return int(bool(found))
