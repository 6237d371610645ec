"""Benchmarks, in one run, as ratios.  Never a test: a slow machine fails nothing.

    ./dev bench [start] [size] [memory] [boot] [cold] [update] [patterns] [--json FILE]

start   whole processes, started in turn with their rivals: milliseconds, page faults, instructions
memory  private memory of idle processes; servers from exec to their first answer
size    the program, a squashfs with it alone, the files that boot
boot    from the kernel's "Run /init" to the lease, HTTP, the SSH banner; memory of the booted box
cold    the first start from a squashfs that was mounted just now
update  an update of a running box, a slot's parts, boots from a disk
patterns  grep's searches; tests.bench.patterns compares them with another checkout's

Each part's module says what its columns are.  `x NAME`: the row's value over NAME's.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "packaging")]  # this folder's modules are tests.bench's

from snakeroot import qemu  # noqa: E402

PARTS = ("start", "memory", "size", "boot", "cold", "update", "patterns")


def main(argv: list[str]) -> int:
    """Measure the named parts, all of them by default, and print each one's tables when it is done."""
    if argv[:1] == ["--inside"]:  # cold calls itself in a mount namespace
        from tests.bench import cold

        cold.inside(argv[1], argv[2], argv[3:])
        return 0
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], metavar="part")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tables there, too")
    options = parser.parse_args(argv)
    # Machines have two processors, as those had that the peers were measured on, even where QEMU may hang with them.
    qemu.PARALLEL = (0, 0)
    found = {}
    for name in options.part or PARTS:
        begun, load = time.monotonic(), os.getloadavg()[0]
        tables = importlib.import_module(f"tests.bench.{name}").measure()
        for table in tables:
            print(f"\n{table.text()}")
        spent = time.monotonic() - begun
        print(f"  ({spent:.0f} s; load before: {load:.1f})", flush=True)
        found[name] = {"load": load, "tables": [dataclasses.asdict(table) for table in tables]}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
