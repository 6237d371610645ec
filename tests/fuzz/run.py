"""Many inputs for each target, on all processors: python -m tests.fuzz.run [NAME]...

Each target gets a million inputs, or as many as five minutes let through; the first input of a kind that is not refused
as documented, or that takes longer than a second, is shown, and the status is 1.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.fuzz.target import attempt
from tests.fuzz.targets import TARGETS, inputs

_INPUTS = 1_000_000
_SECONDS = 300
_SLOW = 1.0


def batch(name: str, start: int, count: int, end: float) -> tuple[int, dict[str, bytes]]:
    """Try inputs until there were so many or the time has come: how many, and one input of each kind of failure."""
    failures: dict[str, bytes] = {}
    done = 0
    for data in itertools.islice(inputs(name, start), count):
        began = time.process_time()
        try:
            attempt(TARGETS[name], data)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            failures.setdefault(f"{type(error).__name__} in {place.name}: {error}"[:200], data)
        if time.process_time() - began > _SLOW:
            failures.setdefault("slow", data)
        done += 1
        if time.monotonic() > end:
            break
    return done, failures


def main(names: list[str]) -> int:
    """Run the named targets, all of them without a name."""
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"no target is called {unknown[0]}: there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    status = 0
    workers = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers) as pool:
        for name in names or TARGETS:
            end = time.monotonic() + _SECONDS
            jobs = [
                pool.submit(batch, name, 1 + number, _INPUTS // workers, end)
                for number in range(workers)
            ]
            done, failures = 0, {}
            for job in jobs:
                count, found = job.result()
                done += count
                failures.update(found)
            print(f"{name}: {done} inputs, {len(failures)} kinds of failures", flush=True)
            for kind, data in failures.items():
                print(f"  {kind}\n    {data!r}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
