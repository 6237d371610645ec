"""Starts of whole processes, one by one in turn with their rivals.

ms: by the wall clock, from posix_spawn to the end of wait; no shell.
faults: page faults of the process, exact (getrusage).
instructions: of user space, by callgrind, with an empty environment: exact to some hundred.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.programs import IMPORTS, PYTHON, commands
from tests.bench.table import Table, least, middle

#: Files in the folder that `ls -l` lists.
FILES = 1100

#: Runs of each program; fewer where one takes tens of milliseconds.
RUNS, SLOW_RUNS = 40, 10


def one_start(argv: list[str]) -> tuple[float, int]:
    """Milliseconds and page faults of one run."""
    out = (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)
    begun = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, {}, file_actions=[out])
    _, status, used = os.wait4(pid, 0)
    spent = (time.perf_counter() - begun) * 1000
    if status:
        raise SystemExit(f"{' '.join(argv)}: status {os.waitstatus_to_exitcode(status)}")
    return spent, used.ru_minflt


def instructions(argv: list[str]) -> int | None:
    """User instructions of one run; None without valgrind, or when it cannot run the program."""
    if not (valgrind := shutil.which("valgrind")):
        return None
    words = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv]
    said = subprocess.run(words, capture_output=True, text=True, check=False, env={}).stderr
    found = re.search(r"Collected : (\d+)", said)
    return int(found[1]) if found else None


def tasks(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Task -> program -> words."""
    many = folder / "many"
    many.mkdir()
    for number in range(FILES):
        (many / f"file{number:04}").touch()
    found = {
        "true": commands(folder, "true"),
        "echo hi": commands(folder, "echo", "hi"),
        f"ls -l, {FILES} files": commands(folder, "ls", "-l", str(many)),
        "python -c pass": commands(folder, "python", "-c", "pass"),
        "python asyncio, ssl": commands(folder, "python", "-c", IMPORTS),
    }
    if PYTHON.exists():
        found["true"]["python3 -I -S"] = [str(PYTHON), "-I", "-S", "-c", ""]
    return found


def measure() -> list[Table]:
    """One table; ratios of time to BusyBox, or to plain where BusyBox has no such thing."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = tasks(Path(scratch))
        table = Table(f"start (medians of {RUNS} or {SLOW_RUNS} runs, alternating)")
        with ThreadPoolExecutor(2) as pool:
            counts = {
                (task, name): pool.submit(instructions, argv)
                for task, rivals in wanted.items()
                for name, argv in rivals.items()
            }
        for task, rivals in wanted.items():
            seen: dict[str, list[tuple[float, int]]] = {}
            for name, argv in rivals.items():
                seen[name] = [one_start(argv)]  # warms up, and says how long it takes
            for turn in range(RUNS):
                for name, argv in rivals.items():
                    if turn < SLOW_RUNS or seen[name][0][0] < 20:
                        seen[name].append(one_start(argv))
            for name, runs in seen.items():
                table.add(
                    task=task,
                    program=name,
                    ms=middle(ms for ms, _ in runs[1:]),
                    least=least(ms for ms, _ in runs[1:]),
                    faults=int(middle(faults for _, faults in runs[1:]) or 0),
                    instructions=counts[task, name].result(),
                )
        for base in ("busybox", "plain", "GNU", "python3"):
            table.compare("ms", "task", base)
        table.compare("least", "task", "busybox", "least ")
        return [table]
