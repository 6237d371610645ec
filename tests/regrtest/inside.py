"""Run one module of CPython's tests and write each test's outcome.  Runs in the program under test.

    python inside.py OUTPUT MODULE

OUTPUT gets one JSON object per line, at once, so that a crash or a hang leaves what came before it:
{"start": id}, then {"id": id, "outcome": "ok" | "failure" | "error" | "skipped" | "expected failure" |
"unexpected success", "why": text}; {"end": true} is the last.  The folder of this file is on sys.path
and has CPython's `test` package in it.
"""

import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
import unittest

from test import support

#: regrtest's own kinds of tests that are run; off: network, gui, audio, cpu, largefile, walltime, urlfetch...
RESOURCES = ("curses", "subprocess")


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


def main(output, name):
    """Load and run the module; the outcomes are the result, the status says only that it came to its end."""
    faulthandler.enable(all_threads=True)
    support.record_original_stdout(sys.stdout)
    support.use_resources = list(RESOURCES)
    support.verbose = 0
    result = Outcomes(output)
    try:
        module = importlib.import_module(f"test.{name}")
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    except unittest.SkipTest as skip:
        result.write(id=name, outcome="skipped", why=str(skip))
    except Exception as error:
        traceback.print_exc()
        result.write(id=name, outcome="error", why=f"{type(error).__name__}: {error}"[:300])
    else:
        suite.run(result)
    gc.collect()
    result.write(end=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
