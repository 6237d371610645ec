"""What the interpreter knows about itself and its process is in both programs the same.

A dump of attributes, made without a list of what should be in it: whatever a module has of a simple value.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

#: Attribute -> why it is not the same in both programs, or not in two starts of one.
EXCEPTIONS = {
    "ctypes._cast_addr": "a function's address",
    "ctypes._string_at_addr": "a function's address",
    "ctypes._wstring_at_addr": "a function's address",
    "gc.get_count()": "the image's objects are not counted",
    "gc.get_freeze_count()": "those of the image's objects that a collection has met: dictionaries that were changed",
    "gc.get_stats()": "what importing has cost",
    "logging._startTime": "the time; a test of its own looks at it",
    "os.getpid()": "the process's",
    "posix.environ": "in the order of hashes",
    "re._cache": "a cache",
    "re._cache2": "a cache",
    "sys._base_executable": "the program's path",
    "sys.executable": "the program's path",
    "sys.getallocatedblocks()": "the image's objects are not pymalloc's",
    "sys.getunicodeinternedsize()": "of all modules in the image",
    "sys.meta_path": "importlib.metadata, which is in the image, adds a finder",
    "sys.modules": "that there are more is what the image is for",
    "sys.path_importer_cache": "a cache",
    "sys.orig_argv": "the program's path",
    "sysconfig._CONFIG_VARS": "made at the first question; sysconfig.get_config_vars() is compared",
    "sysconfig._CONFIG_VARS_INITIALIZED": "made at the first question; sysconfig.get_config_vars() is compared",
    "sysconfig._PROJECT_BASE": "where CPython would have been built, if the folder looked like that",
    "threading._active": "keys are addresses",
    "threading.get_ident()": "an address",
    "threading.get_native_id()": "the process's",
    "time.__all__": "without it `import *` would not ask __getattr__",
    "time.__dir__": "names what __getattr__ knows",
    "time.__getattr__": "answers the first question for the time zone, whose attributes are compared",
}

DUMP = r"""
import builtins, codecs, errno, gc, importlib, io, json, locale, logging, math, os, posix, random, re, select, signal
import socket, ssl, string, struct, subprocess, sys, sysconfig, threading, time, warnings, asyncio, decimal, zlib
import encodings, pickle, copyreg, selectors, tempfile, email, ctypes, platform, shutil, stat, traceback, tokenize
import types, hashlib, contextvars, concurrent.futures.thread, atexit, faulthandler, fcntl, mimetypes, zoneinfo

known = {}

def plain(value, depth=0):
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes, complex):
        return repr(value)
    if depth > 3:
        return kind.__name__
    if kind in (list, tuple) or isinstance(value, tuple):
        return [kind.__name__, *(plain(one, depth + 1) for one in value)]
    if kind in (set, frozenset):
        return [kind.__name__, *sorted(str(plain(one, depth + 1)) for one in value)]
    if kind is dict or kind is types.MappingProxyType:
        items = [[str(plain(a, depth + 1)), plain(b, depth + 1)] for a, b in value.items()]
        return [kind.__name__, sorted(items, key=str)]
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", kind.__name__)
    return kind.__name__

time.tzname
modules = [importlib.import_module(name) for name in wanted]
for module in modules:
    for name in dir(module):
        value = getattr(module, name)
        if not isinstance(value, types.ModuleType):
            known[f"{module.__name__}.{name}"] = plain(value)
for call in (
    "sys.getrecursionlimit sys.getswitchinterval sys.getallocatedblocks sys.getunicodeinternedsize sys.gettrace"
    " sys.getprofile sys.getdefaultencoding sys.getfilesystemencoding sys.getfilesystemencodeerrors"
    " sys.get_int_max_str_digits sys.get_coroutine_origin_tracking_depth sys.get_asyncgen_hooks"
    " sys.is_finalizing sys._is_gil_enabled sys.is_stack_trampoline_active"
    " gc.get_threshold gc.isenabled gc.get_debug gc.get_count gc.get_stats gc.get_freeze_count"
    " os.getcwd os.getcwdb os.getpid os.getuid os.getgroups os.cpu_count os.process_cpu_count"
    " os.get_exec_path os.getpriority signal.getitimer"
    " locale.getlocale locale.localeconv locale.getpreferredencoding locale.getencoding"
    " threading.get_ident threading.get_native_id threading.active_count threading.stack_size threading.gettrace"
    " socket.getdefaulttimeout faulthandler.is_enabled tempfile.gettempdir asyncio.get_event_loop_policy"
    " io.text_encoding logging.getLevelName platform.machine platform.node platform.release platform.python_build"
    " platform.python_compiler platform.libc_ver sysconfig.get_paths sysconfig.get_platform"
    " mimetypes.guess_type re.compile warnings._defaultaction"
).split():
    arguments = {"io.text_encoding": [None], "os.getpriority": [0, 0], "signal.getitimer": [0],
                 "mimetypes.guess_type": ["a.html"], "logging.getLevelName": [30], "re.compile": ["x"]}
    module, _, name = call.rpartition(".")
    function = getattr(sys.modules[module], name)
    known[call + "()"] = plain(function(*arguments.get(call, []))) if callable(function) else plain(function)
for number in signal.valid_signals():
    known[f"signal.getsignal({int(number)})"] = repr(signal.getsignal(number))
known["signal.pthread_sigmask"] = plain(signal.pthread_sigmask(0, []))
for name in ("utf-8", "ascii", "latin-1", "idna", "punycode", "cp1252", "base64", "rot13", "mbcs", "nonsense", "utf8"):
    try:
        known[f"codecs.lookup({name})"] = [codecs.lookup(name).name, plain(tuple(codecs.lookup(name)))]
    except LookupError as error:
        known[f"codecs.lookup({name})"] = str(error)
for name in ("strict", "ignore", "replace", "surrogateescape", "surrogatepass", "namereplace", "nonsense"):
    try:
        known[f"codecs.lookup_error({name})"] = codecs.lookup_error(name).__name__
    except LookupError as error:
        known[f"codecs.lookup_error({name})"] = str(error)
for handlers in ("root", "asyncio"):
    logger = logging.getLogger(handlers)
    known[f"logging {handlers}"] = plain([logger.level, logger.handlers, logger.disabled, logger.propagate])
known["sys.displayhook"] = sys.displayhook is sys.__displayhook__
known["sys.excepthook"] = sys.excepthook is sys.__excepthook__
known["threads"] = plain([threading.current_thread() is threading.main_thread(), len(threading.enumerate()),
    threading.main_thread().ident == threading.get_ident(), threading.main_thread().name,
    threading.main_thread().native_id == threading.get_native_id(), threading.main_thread().is_alive(),
    threading.main_thread().daemon, repr(threading.main_thread())[:25]])
variables = sysconfig.get_config_vars()
known["sysconfig.get_config_vars()"] = plain({name: variables[name] for name in variables if name != "projectbase"})
known["decimal"] = repr(decimal.getcontext())
known["context"] = len(contextvars.copy_context())
known["builtins"] = sorted(dir(builtins))
known["ssl"] = plain([ssl.OPENSSL_VERSION, ssl.get_default_verify_paths()])
print(json.dumps(known))
"""

MODULES = [
    "sys",
    "builtins",
    "os",
    "posix",
    "time",
    "signal",
    "locale",
    "_locale",
    "threading",
    "_thread",
    "codecs",
    "encodings",
    "warnings",
    "_warnings",
    "gc",
    "io",
    "_io",
    "errno",
    "socket",
    "select",
    "ssl",
    "struct",
    "math",
    "random",
    "string",
    "re",
    "subprocess",
    "selectors",
    "asyncio.base_events",
    "asyncio.events",
    "logging",
    "tempfile",
    "pickle",
    "copyreg",
    "sysconfig",
    "platform",
    "shutil",
    "stat",
    "zlib",
    "hashlib",
    "atexit",
    "faulthandler",
    "fcntl",
    "resource",
    "mimetypes",
    "zoneinfo",
    "decimal",
    "concurrent.futures.thread",
    "importlib._bootstrap",
    "importlib",
    "importlib.machinery",
    "ctypes",
    "platform",
    "traceback",
    "contextvars",
]


def dump(program: Path) -> dict[str, object]:
    argv = [program, "-c", f"wanted = {MODULES}\n{DUMP}"]
    done = subprocess.run(
        argv,
        env={"HOME": "/", "LANG": "C.UTF-8", "TZ": "EST5EDT"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_same_state(snapshot: Path, plain: Path) -> None:
    """All that a dump finds, but for EXCEPTIONS, each of which still names something."""
    ours, theirs = dump(snapshot), dump(plain)
    assert not EXCEPTIONS.keys() - (ours.keys() | theirs.keys())
    assert len(ours) > 2000
    different = {
        name: (ours.get(name, "absent"), theirs.get(name, "absent"))
        for name in ours.keys() | theirs.keys()
        if name not in EXCEPTIONS and ours.get(name, "absent") != theirs.get(name, "absent")
    }
    lines = [
        f"{name}: {ours} here, {theirs} in plain" for name, (ours, theirs) in different.items()
    ]
    assert not different, "\n".join(sorted(lines))


def test_same_answers_to_stars(both: Callable[..., str]) -> None:
    """`from MODULE import *` and dir() give the same names, whatever is put off until it is asked for."""
    code = """
import sys
for name in sys.argv[1:]:
    there = {}
    exec(f"from {name} import *", there)
    print(name, sorted(n for n in there.keys() - {"__builtins__"} if f"{name}.{n}" not in sys.modules))
    print(name, sorted(n for n in set(dir(sys.modules[name])) - {"__all__", "__dir__", "__getattr__"}
        if f"{name}.{n}" not in sys.modules))
"""
    both(code, "time", "os", "signal", "random", "threading", "logging", "sysconfig", "zoneinfo")
