"""The first start, when none of the program's pages is in memory: from a squashfs as the box has it.

The program alone in a squashfs (zstd, blocks of 32 KiB) is mounted anew for each start, read-ahead 0 as the first
stage sets it, in a mount namespace of its own.  The squashfs itself stays in memory, so the disk does not count:
decompression does.

pages: of the program in the page cache after the start, 4 KiB each.  no plan: a program whose heap and sections lie as
they come, made once and kept in build/bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from interpreter import link, snapshot, stages
from interpreter.snapshot import heat
from interpreter.workshop import BuildError

from tests.bench.programs import IMPORTS, KEPT, PLAIN, PROGRAM, ROOT
from tests.bench.start import one_start
from tests.bench.table import Table, least, middle

RUNS = 7

TASKS = {
    "true": ("true",),
    "ls -l /": ("ls", "-l", "/"),
    "python asyncio, ssl": ("python", "-c", IMPORTS),
}


def without_plan() -> Path:
    """The present sources' program, recorded once only."""
    inputs = PROGRAM.with_suffix(".inputs")
    key = inputs.read_text().strip()[:16] if inputs.exists() else "unknown"
    made = KEPT / f"toolbox-no-plan-{key}"
    if made.exists():
        return made
    KEPT.mkdir(exist_ok=True)
    log = ROOT / "build" / "log" / "bench.log"
    parts = stages.every(log)
    if not parts.complete:
        raise BuildError("the stages are not in the cache: ./dev build")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        link.freeze(parts.python, parts.code, folder / "frozen", log)
        linker = link.Linker(parts.ssl, parts.python, parts.native, folder / "frozen", log)
        empty = heat.write_lists
        with (
            mock.patch.object(heat, "plan", lambda *words: heat.NO_PLAN),
            mock.patch.object(heat, "write_lists", lambda seen, by, into: empty([], None, into)),
        ):
            snapshot.record(linker.recorder, linker.layouts(), made, log)
    return made


def inside(program: str, image: str, words: list[str]) -> None:
    """In a mount namespace: start from a fresh mount; print ms and pages."""
    folder = tempfile.mkdtemp()
    subprocess.run(["mount", "-o", "loop,ro", image, folder], check=True)
    try:
        device = os.stat(folder).st_dev
        path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/bdi/read_ahead_kb")
        path.write_text("0")
        file = f"{folder}/{Path(program).name}"
        spent, _ = one_start([file, *words])
        pages = subprocess.run(
            ["fincore", "-n", "-o", "PAGES", file], capture_output=True, text=True, check=True
        ).stdout
        print(spent, int(pages))
    finally:
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)


def first_start(program: Path, image: Path, words: tuple[str, ...]) -> tuple[float, int]:
    """Milliseconds and pages of one first start."""
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable]
    argv += [str(ROOT / "tests/bench/run.py"), "--inside", str(program), str(image), *words]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), int(said[1])


def measure() -> list[Table]:
    """One table; needs root, for the mounts."""
    if os.geteuid():
        raise SystemExit("cold: mounting needs root")
    table = Table(f"cold start from a squashfs (medians of {RUNS} runs, alternating)")
    programs = {"ours": PROGRAM, "no plan": without_plan(), "plain": PLAIN}
    with tempfile.TemporaryDirectory() as scratch:
        images = {}
        for name, program in programs.items():
            images[name] = Path(scratch) / name.replace(" ", "-")
            argv = ["mksquashfs", str(program), str(images[name]), "-comp", "zstd", "-b", "32K"]
            subprocess.run([*argv, "-quiet", "-no-progress"], check=True)
        for task, words in TASKS.items():
            seen: dict[str, list[tuple[float, int]]] = {name: [] for name in programs}
            for _ in range(RUNS):
                for name, program in programs.items():
                    seen[name].append(first_start(program, images[name], words))
            for name, runs in seen.items():
                table.add(
                    task=task,
                    program=name,
                    ms=middle(ms for ms, _ in runs),
                    least=least(ms for ms, _ in runs),
                    pages=int(middle(pages for _, pages in runs) or 0),
                )
    table.compare("ms", "task", "plain")
    table.compare("pages", "task", "no plan")
    return [table]
