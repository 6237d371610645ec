"""Run one module of CPython's tests and write each test's outcome.  Runs in the program under test.

    python inside.py OUTPUT MODULE [TEST]...

The TESTs, by their ids or the start of them, are left out.  OUTPUT gets one JSON object per line, at once, so that a crash or a hang leaves what came before it:
{"start": id}, then {"id": id, "outcome": "ok" | "failure" | "error" | "skipped" | "expected failure" |
"unexpected success", "why": text}; {"end": true} is the last.  The folder of this file is on sys.path
and has CPython's `test` package in it.
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import traceback
import types
import unittest

from test import support
from test.support import import_helper, script_helper

#: regrtest's own kinds of tests that are run; off: network, gui, audio, cpu, largefile, walltime, urlfetch...
RESOURCES = ("curses", "subprocess")

#: What a module's tests need besides, and why that is harmless.
MORE_RESOURCES = {"test_socketserver": ["network"]}  # it means the loopback device

#: The extension modules of CPython's own tests, in whose place there are stand-ins.
STAND_INS = ("_testcapi", "_testinternalcapi", "_testlimitedcapi", "_testmultiphase")

#: Modules that hang when a stand-in skips a part of what they have begun.
WITHOUT_STAND_INS = ("test_interpreters",)


class Outcomes(unittest.TestResult):
    """Writes outcomes to a file.  A test with several parts (subTest) has its worst part's."""

    def __init__(self, path):
        super().__init__()
        self._path = path
        self._process = os.getpid()
        self._found = None

    def write(self, **values):
        """Append a line, unless this is a child that a test has forked and lost."""
        if os.getpid() == self._process:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")

    def outcome(self, test, outcome, why=""):
        """The one outcome of a test, or of a module's or class's fixture."""
        self.write(id=test.id(), outcome=outcome, why=why)

    def startTest(self, test):
        super().startTest(test)
        self._found = None
        self.write(start=test.id())
        print("--", test.id(), file=sys.stderr, flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        if self._found:
            self.outcome(test, *self._found)

    def _worse(self, test, outcome, why):
        """Note an outcome, which a failure or an error takes the place of."""
        if not isinstance(test, unittest.TestCase):  # setUpClass, setUpModule
            self.outcome(test, outcome, why)
        elif self._found is None or outcome in ("failure", "error"):
            self._found = (outcome, why)

    def _trouble(self, test, outcome, error):
        lines = traceback.format_exception_only(error[0], error[1])
        traceback.print_exception(*error)
        self._worse(test, outcome, lines[-1].strip()[:300])

    def addSuccess(self, test):
        self._worse(test, "ok", "")

    def addError(self, test, err):
        self._trouble(test, "error", err)

    def addFailure(self, test, err):
        self._trouble(test, "failure", err)

    def addSkip(self, test, reason):
        self._worse(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        self._worse(test, "expected failure", "")

    def addUnexpectedSuccess(self, test):
        self._worse(test, "unexpected success", "")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            kind = "failure" if issubclass(err[0], test.failureException) else "error"
            self._trouble(test, kind, err)


class Missing:
    """In place of whatever such a module has: whoever calls it is skipped."""

    def __init__(self, *words, **values):
        raise unittest.SkipTest("needs an extension module of CPython's own tests")


class StandIn(types.ModuleType):
    """In place of an extension module for tests, which a program without dlopen() lacks.

    Modules that need it for some of their tests only can so run the others.
    """

    def __init__(self, name):
        super().__init__(name)
        self.__dict__.update(limits())
        self.WITH_PYMALLOC = 1
        self.Py_C_RECURSION_LIMIT = 10000  # Include/cpython/pystate.h, x86-64
        self.WITH_MIMALLOC = 0
        self.SIZEOF_PYGC_HEAD = self.SIZEOF_MANAGED_PRE_HEADER = 16
        self.config_get = {"code_debug_ranges": 1, "utf8_mode": 1}.get
        self.get_recursion_depth = absent
        self.get_optimizer = self.set_optimizer = ignored

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        missing = type(name, (Missing,), {})
        setattr(self, name, missing)
        return missing


def absent():
    """What test.support has another way for."""
    raise ImportError


def ignored(*words):
    """A switch of what this build has not."""


def limits():
    """C's limits.h of a 64-bit machine, under _testcapi's names."""
    found = {}
    bits = {"CHAR": 8, "SHRT": 16, "INT": 32, "LONG": 64, "LLONG": 64, "PY_SSIZE_T": 64}
    for name, width in bits.items():
        found[f"{name}_MAX"] = 2 ** (width - 1) - 1
        found[f"{name}_MIN"] = -(2 ** (width - 1))
        found[f"U{name}_MAX"] = 2**width - 1
    return {**found, "SIZE_MAX": 2**64 - 1, "SIZEOF_TIME_T": 8, "SIZEOF_WCHAR_T": 4}


def without(suite, left_out):
    """The tests of a suite but for those whose ids begin with one of `left_out`."""
    kept = type(suite)()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(without(test, left_out))
        elif not test.id().startswith(left_out):
            kept.addTest(test)
    return kept


def load(name):
    """The tests of a module, with stand-ins for what it may import; without where it would rather have nothing."""
    if name not in WITHOUT_STAND_INS:
        sys.modules.update((missing, StandIn(missing)) for missing in STAND_INS)
    try:
        module = importlib.import_module(f"test.{name}")
    except unittest.SkipTest:
        for missing in STAND_INS:
            sys.modules.pop(missing, None)
        module = importlib.import_module(f"test.{name}")
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def main(output, name, *left_out):
    """Load and run the module; the outcomes are the result, the status says only that it came to its end."""
    faulthandler.enable(all_threads=True)
    # Whoever started this in the background had it ignored, which children would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    support.record_original_stdout(sys.stdout)
    support.use_resources = [*RESOURCES, *MORE_RESOURCES.get(name, [])]
    support.verbose = 0
    # Fresh imports would be from the standard library's files, of which there are none.
    import_helper.frozen_modules = lambda enabled=True: contextlib.nullcontext()
    # Children find the package test by PYTHONPATH alone, so they are not started with -I or -E.
    script_helper.__dict__["__cached_interp_requires_environment"] = True
    result = Outcomes(output)
    try:
        suite = load(name)
    except unittest.SkipTest as skip:
        result.write(id=name, outcome="skipped", why=str(skip))
    except Exception as error:
        traceback.print_exc()
        result.write(id=name, outcome="error", why=f"{type(error).__name__}: {error}"[:300])
    else:
        without(suite, left_out).run(result)
    gc.collect()
    result.write(end=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
