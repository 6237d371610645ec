"""Every allocation of a process that starts from the image may fail: MemoryError or a message, never a signal.

A program of its own is linked, whose malloc, realloc, mmap... fail at the numbers that its environment says (faults.c).
Limits of memory, which need no link, only reach the large allocations.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from interpreter import link, snapshot
from interpreter.snapshot import heat
from interpreter.snapshot.image import assemble

WRAPPED = ("malloc", "calloc", "realloc", "mmap", "posix_memalign")


@pytest.fixture(scope="module")
def faulty(linker: link.Linker, recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with an image, and faults.c before the C library's memory."""
    folder = tmp_path_factory.mktemp("faulty")
    heat.write_lists([], None, folder)
    assert linker._inside is not None  # `recorder` has been linked
    objects, libraries = linker._inside
    source, faults = Path(__file__).with_name("faults.c"), folder / "faults.o"
    subprocess.run(["gcc", "-c", "-O2", f"-I{link.SNAPSHOT}", source, "-o", faults], check=True)
    options = [f"-Wl,--wrap={name}" for name in WRAPPED]
    layout = link.SNAPSHOT / "layout.ld"
    linker._link(
        folder / "recorder", [*objects, faults], libraries, "-T", layout, f"-L{folder}", *options
    )
    made = snapshot._record(folder / "recorder", heat.NO_PLAN, folder / "made", folder / "log")
    assemble(folder / "recorder", made, folder / "toolbox")
    return folder / "toolbox"


#: Not here: names of users (the C library's own tables of names do not survive a failing malloc), threads that all run out of memory
#: (threading waits for a thread that could not begin, in every CPython).
#: Words of a command line -> how many of its allocations are tried, one start for each.
COMMANDS = {
    ("true",): 40,
    ("echo", "a", "b"): 40,
    ("ls", "-a", "/etc"): 80,
    ("sh", "-c", "for i in 1 2 3; do echo $i; done | cat"): 60,
    ("-c", "print([str(i) * 99 for i in range(99)], {i: i for i in range(999)})"): 60,
    (
        "-c",
        "import json, re, time; print(json.loads('[1]'), re.sub('a+', 'b', 'caat'), time.tzname)",
    ): 60,
    (
        "-c",
        "import keyword; keyword.kwlist.extend(range(9999)); keyword.kwlist.clear(); print(1)",
    ): 60,
}


def ends_well(program: Path, words: tuple[str, ...], first: int, every: int) -> str:
    """What is wrong with a run, or nothing."""
    env = {"FAULT_FIRST": str(first), "FAULT_EVERY": str(every), "PATH": "/bin"}
    try:
        done = subprocess.run(
            [program, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=30
        )
    except subprocess.TimeoutExpired:
        return f"{first}/{every}: does not end"
    if done.returncode < 0:
        return f"{first}/{every}: signal {-done.returncode}: {done.stderr[-300:]!r}"
    # A process that cannot even make its message may be silent, but not successful.
    said = (
        not done.stderr or b"emory" in done.stderr or done.stderr.startswith(b"Fatal Python error")
    )
    if done.returncode and not said:
        return f"{first}/{every}: status {done.returncode}: {done.stderr[-300:]!r}"
    return ""


def test_faults_are_injected(faulty: Path) -> None:
    assert ends_well(faulty, ("true",), 0, 0) == ""
    env = {"FAULT_FIRST": "2", "FAULT_EVERY": "1"}
    done = subprocess.run([faulty, "-c", "print('x' * 99999)"], env=env, capture_output=True)
    assert done.returncode and b"emory" in done.stderr, done


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:30])
@pytest.mark.parametrize("every", [0, 1, 3])
def test_every_allocation_may_fail(faulty: Path, words: tuple[str, ...], every: int) -> None:
    """The nth alone; all from the nth on; the nth and each third after it."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda n: ends_well(faulty, words, n, every), range(1, COMMANDS[words] + 1)
        )
    wrong = [line for line in found if line]
    assert not wrong, "\n".join(wrong[:10])
