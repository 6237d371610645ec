"""Run modules of CPython's tests in a program, and compare what two programs made of them.

    run(program, tests, module)      -> Verdict: each test's outcome, and the end of the output
    differences(reference, other)    -> the tests whose outcomes differ
    compare(programs, tests, module) -> Comparison, after as many runs as it takes to be sure

A test that is not the same in two runs of one program (it depends on time, or on the order of threads) is
unsteady, which is no difference; a difference is a test of which the programs, each run RUNS times, have
no outcome in common.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.regrtest.sandbox import ENVIRONMENT, command

#: Runs of a module in each program before a difference is believed.
RUNS = 3

#: Seconds for a module.
LIMIT = 120

#: Outcomes of tests that have come to no end.
NO_END = ("hung", "crashed")

#: What an outcome of a whole module is noted under.
END = "(the module's end)"


@dataclass
class Verdict:
    """How a module ran: outcome of each test by id, reasons of those that are not "ok", the output's last lines."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""

    def count(self, *outcomes: str) -> int:
        """How many tests had one of these outcomes."""
        return sum(outcome in outcomes for outcome in self.outcomes.values())

    @property
    def failed(self) -> dict[str, str]:
        """The tests that did not pass."""
        good = ("ok", "skipped", "expected failure")
        return {test: outcome for test, outcome in self.outcomes.items() if outcome not in good}


@dataclass
class Difference:
    """A test's outcomes in the runs of the reference, and in those of the other program."""

    test: str
    reference: list[str]
    other: list[str]


@dataclass
class Comparison:
    """What two programs made of a module: tests that differ, that differ as expected, that are unsteady; verdicts."""

    module: str
    differences: list[Difference]
    expected: list[Difference]
    unsteady: list[Difference]
    reference: Verdict
    other: Verdict


def read(text: str) -> Verdict:
    """The verdict that inside.py's lines tell; a test that began and has no outcome is "crashed"."""
    verdict = Verdict()
    started = ""
    ended = False
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # the last line of what was killed
            continue
        started = row.get("start", started)
        ended = "end" in row
        if "id" in row:
            test, outcome = row["id"], row["outcome"]
            if test == started:
                started = ""
            # A test may come twice: an error of its tearDown after its outcome, a class used again.
            if verdict.outcomes.get(test) not in ("failure", "error"):
                verdict.outcomes[test] = outcome
                verdict.reasons[test] = row["why"]
    if started:
        verdict.outcomes[started] = "crashed"
    if not ended:
        verdict.outcomes[END] = "crashed"
    return verdict


class Run:
    """A module of `tests` (CPython's Lib/test) that runs in a sandbox; a context manager, whose end kills it."""

    def __init__(
        self, program: Path, tests: Path, module: str, without: Iterable[str] = ()
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="regrtest-")
        self._results = Path(self._folder.name)
        words = ["/bin/python", "/suite/inside.py", "/results/outcomes", module, *without]
        self._started = time.monotonic()
        with (self._results / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command(program, tests, self._results, words),
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def verdict(self, limit: float) -> Verdict:
        """Wait for the end; what is not over `limit` seconds after its start is killed."""
        late = False
        try:
            self._process.wait(max(self._started + limit - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            late = True
            self._process.kill()
            self._process.wait()
        outcomes = self._results / "outcomes"
        verdict = read(outcomes.read_text() if outcomes.exists() else "")
        verdict.seconds = time.monotonic() - self._started
        output = (self._results / "output").read_bytes()
        verdict.output = output[-6000:].decode(errors="replace")
        if late:
            for test, outcome in verdict.outcomes.items():
                if outcome == "crashed":
                    verdict.outcomes[test] = "hung"
        return verdict


def run(
    program: Path, tests: Path, module: str, without: Iterable[str] = (), limit: float = LIMIT
) -> Verdict:
    """Run one module, and wait for its verdict."""
    with Run(program, tests, module, without) as running:
        return running.verdict(limit)


def differences(
    references: Sequence[Verdict], others: Sequence[Verdict]
) -> tuple[list[Difference], list[Difference]]:
    """Of two programs' runs of a module: the tests that differ, and those that are unsteady."""
    differ = []
    unsteady = []
    names = dict.fromkeys(test for verdict in (*references, *others) for test in verdict.outcomes)
    for test in names:
        reference = [verdict.outcomes.get(test, "absent") for verdict in references]
        other = [verdict.outcomes.get(test, "absent") for verdict in others]
        found = Difference(test, reference, other)
        if not set(reference) & set(other):
            differ.append(found)
        elif len({*reference, *other}) > 1:
            unsteady.append(found)
    return differ, unsteady


def compare(
    programs: tuple[Path, Path],
    tests: Path,
    module: str,
    without: Collection[str] = (),
    expected: Container[str] = (),
    limit: float = LIMIT,
) -> Comparison:
    """Run a module in the reference and in the other program, at the same time; again while they differ.

    `without`: tests that are not run, by the start of their ids.  `expected`: tests that may differ.
    """
    runs: tuple[list[Verdict], list[Verdict]] = ([], [])
    while True:
        with contextlib.ExitStack() as stack:
            both = [stack.enter_context(Run(p, tests, module, without)) for p in programs]
            for verdicts, running in zip(runs, both, strict=True):
                verdicts.append(running.verdict(limit))
        found, unsteady = differences(*runs)
        known = [one for one in found if one.test in expected]
        differ = [one for one in found if one.test not in expected]
        if not differ or len(runs[0]) == RUNS:
            return Comparison(module, differ, known, unsteady, runs[0][-1], runs[1][-1])
