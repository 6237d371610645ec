"""What starts touch: a plan that puts it side by side.

A page of the image costs a start a page fault, and a cold one a read of the disk.  A start touches some 30 kB of the heap,
which recording has scattered over 250 pages.  valgrind's lackey tells every address that a run of the program touches; each
belongs to a block, and the plan says for each block of the next recording in which area it shall lie (plan.c).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from pathlib import Path

from interpreter.workshop import run

#: plan.c's areas: written at every start, read at every start, touched by some, by none.
WRITTEN, READ, WARM, COLD = range(4)

PAGE, GRANULE = 4096, 16
HEAP = 0x40000000

#: A plan for the first recording: nothing is known.
NO_PLAN = b"0 0 0 0 0\n"

#: The starts that are watched, as words after the program's name.  The first one is what every start does.
STARTS = (
    ("true",),
    ("echo", "hello"),
    ("ls", "-l", "."),
    ("sh", "-c", "for i in 1 2; do echo $i; done"),
    ("-c", "import asyncio, ssl, http.server, json"),
)

#: For the C library: a processor as the architecture's first ones were, wherever this runs.
OLD_PROCESSOR = (
    "GLIBC_TUNABLES=glibc.cpu.hwcaps="
    "-SSE4_1,-SSE4_2,-SSSE3,-AVX,-AVX2,-AVX512F,-BMI1,-BMI2,-LZCNT,-MOVBE,-ERMS,-FSRM"
)

ACCESS = re.compile(rb"^ ([LSM]) ([0-9a-f]+),(\d+)$", re.MULTILINE)


def accesses(
    program: Path, words: tuple[str, ...], scratch: Path, log: Path
) -> Iterator[tuple[int, bool]]:
    """(granule of the heap, whether it is written) for each access of a run."""
    trace = scratch / "trace"
    folder = scratch / "watched"
    folder.mkdir(exist_ok=True)
    # The plan decides what the program's bytes are, so nothing of this run may depend on the moment: neither
    # the environment and the folder, nor how much has been written to the file that it prints to (its offset is
    # an int of Python's), nor the vector instructions that the C library finds (they read past a string's end).
    argv = (
        *("sh", "-c", 'exec "$@" >../printed 2>&1', "sh", "env", "-i", OLD_PROCESSOR),
        *("setarch", "--addr-no-randomize", "valgrind", "--tool=lackey", "--trace-mem=yes"),
        *(f"--log-file={trace}", program, *words),
    )
    run(argv, log=log, cwd=folder)
    for kind, address, size in ACCESS.findall(trace.read_bytes()):
        start = int(address, 16) - HEAP
        if start >= 0:
            for granule in range(start // GRANULE, (start + int(size) - 1) // GRANULE + 1):
                yield granule, kind != b"L"


def plan(program: Path, recorded: Path, scratch: Path, log: Path) -> bytes:
    """Watch the starts of a program that was made of `recorded`, and write the plan for the next recording."""
    numbers = array("I", (recorded / "blocks").read_bytes())
    count = max(numbers)
    # The granules inside a block know the block's number, too.
    sizes = array("I", bytes(4 * (count + 1)))
    marks = int.from_bytes((recorded / "starts").read_bytes(), "little")
    bits = bin(marks)[:1:-1]
    current = 0
    for granule in range(len(numbers)):
        if granule < len(bits) and bits[granule] == "1":
            current = numbers[granule]
        numbers[granule] = current
        sizes[current] += GRANULE
    areas = bytearray([COLD]) * (count + 1)
    for index, words in enumerate(STARTS):
        for granule, written in accesses(program, words, scratch, log):
            if granule < len(numbers):
                block = numbers[granule]
                area = WARM if index else WRITTEN if written else READ
                areas[block] = min(areas[block], area)
    wanted = [0, 0, 0]
    for block in range(1, count + 1):
        if areas[block] != COLD:
            wanted[areas[block]] += sizes[block]
    room = " ".join(str((size // PAGE + 1) * PAGE) for size in wanted)
    chapters = (recorded / "chapters").read_bytes()
    digits = bytes(b"0123"[area] for area in areas[1:])
    return f"{room} {len(chapters) // 4} {count}\n".encode() + chapters + digits
