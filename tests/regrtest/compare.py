"""python -m tests.regrtest.compare [--plain FILE] [--snapshot FILE] [MODULE]...

CPython's own tests, in the plain program and in the one that starts from the snapshot: each test must come out
the same.  What fails in both is listed; it says what a static, frozen Python without a standard library on disk
cannot do.  Without MODULEs (`json`, `asyncio.events`) all of table.py.  Status 1: there is a difference.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from interpreter import stages  # noqa: E402
from interpreter.workshop import BuildError  # noqa: E402

from tests.regrtest import table, verdicts  # noqa: E402

PLAIN = ROOT / "build/toolbox-plain"
SNAPSHOT = ROOT / "build/toolbox"


def suite() -> Path:
    """Lib/test of the very CPython that is in the programs.  BuildError: it has never been built here."""
    log = ROOT / "build/log/sources.log"
    folder = stages.every(log).python.folder / "source/Lib/test"
    if not folder.exists():
        raise BuildError(f"{folder} is not there: ./dev build makes it")
    return folder


def full_name(module: str) -> str:
    """CPython's name of a module of the table: asyncio.events -> test_asyncio.test_events."""
    return ".".join(f"test_{part}" for part in module.split("."))


def one(programs: tuple[Path, Path], tests: Path, module: str) -> verdicts.Comparison:
    """Compare what two programs make of a module of the table; what must differ is no difference."""
    left_out = table.TESTS_LEFT_OUT.get(module, ())
    return verdicts.compare(programs, tests, full_name(module), left_out, table.BY_DESIGN)


def report(found: verdicts.Comparison) -> str:
    """What is wrong: tests that differ with their outcomes, no end in either program, ends of outputs; "" if nothing."""
    endless = verdicts.END in found.reference.outcomes
    if not found.differences and not endless:
        return ""
    lines = [f"{found.module}: {len(found.differences)} tests differ (plain / snapshot)"]
    if endless:
        lines.append(
            "  It came to no end in the plain program, so that not all of its tests were compared."
        )
    for one in found.differences:
        why = [run.reasons.get(one.test, "") for run in (found.reference, found.other)]
        lines.append(f"  {one.test}: {', '.join(one.reference)} / {', '.join(one.other)}")
        lines += [f"      {text}" for text in why if text]
    for title, run in (("plain", found.reference), ("snapshot", found.other)):
        lines += [f"  -- end of the output, {title}:", *run.output.splitlines()[-25:]]
    return "\n".join(lines)


def summary(found: verdicts.Comparison) -> str:
    """A line: the module, how many tests ran and passed, seconds in both programs."""
    run = found.reference
    skipped = run.count("skipped")
    text = f"{found.module:<40} {len(run.outcomes):5} tests {skipped:4} skipped"
    text += f" {len(run.failed):4} fail in both" if not found.differences else " DIFFER"
    text += f" {len(found.unsteady):3} unsteady" if found.unsteady else ""
    return f"{text}  {run.seconds:5.1f} s {found.other.seconds:5.1f} s"


def compare_all(programs: tuple[Path, Path], tests: Path, modules: Sequence[str]) -> int:
    """Compare the modules one by one; 1 and a report if any differs, or does not where it must."""
    started = time.monotonic()
    total: collections.Counter[str] = collections.Counter()
    failing = []
    reports = []
    known = set()
    with tempfile.TemporaryDirectory() as folder:
        # Whoever builds meanwhile does not change what is compared.
        kept = [Path(shutil.copy(program, folder)) for program in programs]
        for module in modules:
            found = one((kept[0], kept[1]), tests, module)
            print(summary(found), flush=True)
            total.update(found.reference.outcomes.values())
            known |= {one.test for one in found.expected}
            failing += [f"  {test}: {how}" for test, how in found.reference.failed.items()]
            if text := report(found):
                print(text, flush=True)
                reports.append(found.module)
    print("\nFail in the plain program, and in the snapshot alike but for what differs:")
    print("\n".join(failing) or "  none")
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in total.most_common())
    minutes = (time.monotonic() - started) / 60
    print(f"\n{len(modules)} modules, {total.total()} tests: {outcomes}; {minutes:.0f} min")
    names = tuple(f"test.{full_name(module)}." for module in modules)
    stale = [test for test in table.BY_DESIGN if test.startswith(names) and test not in known]
    print(f"Differ by design: {len(known)}")
    print(f"Should differ by design, and do not: {', '.join(stale) or 'none'}")
    print(f"Differences: {', '.join(reports) or 'none'}")
    return int(bool(reports or stale))


def main() -> int:
    """Compare; the status says whether there are differences."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--plain", type=Path, default=PLAIN, metavar="FILE")
    parser.add_argument("--snapshot", type=Path, default=SNAPSHOT, metavar="FILE")
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.modules if name not in table.CHOSEN]
    if unknown:
        parser.error(f"{', '.join(unknown)}: not in {Path(table.__file__).name}")
    programs = (arguments.plain, arguments.snapshot)
    return compare_all(programs, suite(), arguments.modules or table.CHOSEN)


if __name__ == "__main__":
    sys.exit(main())
