"""What starts touch, and a plan that puts it side by side, and what no start touches by what it is.

A page of the program costs a start a page fault, and a cold one a read of the disk.  A start touches some 30 kB of the heap,
which recording has scattered over 250 pages, and functions and tables all over the program.  valgrind tells which
bytes a run of the program touches (watch.c).  In the heap each belongs to a block, and the plan says for each block of
the next recording in which area it shall lie (plan.c).  Blocks that no start touches lie with their like, strings with
strings and code with code: so they are compressed to five sixths of what they are in the order of their making.
In the rest of the program each belongs to a symbol, and so to a section of
its own, which the next link puts first (layout.ld includes the lists).
"""

from __future__ import annotations

import bisect
import os
import re
import shutil
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from interpreter.workshop import output, run

HERE = Path(__file__).parent

#: plan.c's areas: written at every start, read at every start, touched by some, by what a boot calls; from COLD on those
#: of the kinds.
WRITTEN, READ, WARM, CALLED, COLD = range(5)

#: Kinds of blocks that have an area of their own, in plan.c's (SNAPSHOT_AREAS) the most that there is room for.
KINDS = 27

#: Bytes from which on a block is not moved: of a large table a start reads some words, all over it.
LARGE = 1 << 16

#: Granules up to which a block is small: a name is, a text is not.
SMALL = 3

#: For plan.c: there is no block any more.
NOWHERE = 255

PAGE, GRANULE = 4096, 16
HEAP = 0x40000000

#: A plan for the first recording: nothing is known.
NO_PLAN = b"0 0 0\n"

#: The beginnings of init and of the box's daemons.
REHEARSALS = sorted(HERE.glob("rehearsals/*.py"))

#: What a boot calls, made by tests/bench/calls.py: "module: qualified names", and the names of C's functions and tables.
FUNCTIONS = HERE / "boot.functions"
SYMBOLS = HERE / "boot.symbols"

#: The starts that are watched, as words after the program's name.  The first one is what every start does, the second
#: one is what a boot calls; the longest of the others follow, for several are watched at once.
STARTS = (
    ("true",),
    ("-c", (HERE / "touch.py").read_text(), FUNCTIONS.read_text()),
    *(("-c", rehearsal.read_text()) for rehearsal in REHEARSALS),
    ("echo", "hello"),
    ("ls", "-l", "."),
    ("sh", "-c", "for i in 1 2; do echo $i; done"),
    ("-c", "import asyncio, ssl, http.server, json"),
    *((daemon, "--help") for daemon in ("init", "dhcp", "ntp", "randomd", "httpd", "breakglass")),
)

#: For the C library: a processor as the architecture's first ones were, wherever this runs.
OLD_PROCESSOR = (
    "GLIBC_TUNABLES=glibc.cpu.hwcaps="
    "-SSE4_1,-SSE4_2,-SSSE3,-AVX,-AVX2,-AVX512F,-BMI1,-BMI2,-LZCNT,-MOVBE,-ERMS,-FSRM"
)

TOOL = HERE / "watch.c"

#: A line that it prints.
ACCESS = re.compile(r"^([0-9a-f]+) (\d+) ([rw])$", re.MULTILINE)

#: The lists of sections for the linker: file -> types of symbols (nm(1)), inputs, prefixes of their sections' names.
#: Of data only that inside the image.
LISTS = {
    "text.ld": ("tTwW", "*", (".text.hot.", ".text.", ".text.unlikely.")),
    "rodata.ld": ("rR", "*", (".rodata.",)),
    "data.ld": ("dDbB", "*/inside/*.a:*", (".data.", ".bss.")),
}


@dataclass(frozen=True)
class Access:
    """Bytes that a run has touched, and none around them in the same way."""

    address: int
    size: int
    written: bool


def make_tool(folder: Path, log: Path) -> Path:
    """Compile watch.c with valgrind's own headers and libraries; returns the folder that valgrind finds it in."""

    def said(*words: str) -> list[str]:
        return output(["pkg-config", *words, "valgrind"]).split()

    architecture, system = said("--variable=arch") + said("--variable=os")
    (load_address,) = said("--variable=valt_load_address")
    # Valgrind begins without the C library's help, where the program that it runs leaves it room.
    alone = ["-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie", "-static"]
    alone += ["-nostartfiles", "-nodefaultlibs", "-Wl,--entry=_start"]
    alone += [f"-Wl,-Ttext-segment={load_address}", "-Wl,--build-id=none"]
    macros = [f"-DVGA_{architecture}", f"-DVGO_{system}", f"-DVGP_{architecture}_{system}"]
    tools = folder / "valgrind"
    tools.mkdir(parents=True, exist_ok=True)
    program = tools / f"watch-{architecture}-{system}"
    words: list[str | Path] = ["gcc", "-O2", "-std=gnu11", *alone, *macros, *said("--cflags")]
    run([*words, TOOL, *said("--libs"), "-o", program], log=log)
    return tools


def accesses(
    program: Path, words: tuple[str, ...], tools: Path, scratch: Path, log: Path
) -> set[Access]:
    """All that a run touches below 4 GiB, of instructions and of data; its stack and new memory lie above."""
    trace = scratch / "trace"
    folder = scratch / "watched"
    scratch.mkdir(exist_ok=True)
    # What another run has left there would be of the moment, too.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # The plan decides what the program's bytes are, so nothing of this run may depend on the moment: neither
    # the environment, the folder and the signals that are ignored, nor how much has been written to the file that
    # it prints to (its offset is an int of Python's), nor the vector instructions that the C library finds (they
    # read past a string's end).
    argv: list[str | Path] = [
        *("sh", "-c", 'exec "$@" >../printed 2>&1', "sh"),
        *("env", "-i", "--default-signal", OLD_PROCESSOR),
        f"VALGRIND_LIB={os.path.relpath(tools, folder)}",
        *("setarch", "--addr-no-randomize", "valgrind", "--tool=watch", "-q"),
        *(f"--log-file={trace}", str(program), *words),
    ]
    run(argv, log=log, cwd=folder)
    found = ACCESS.findall(trace.read_text())
    return {Access(int(at, 16), int(size), how == "w") for at, size, how in found}


def watch(program: Path, scratch: Path, log: Path) -> list[set[Access]]:
    """What each of STARTS touches.  As many are watched at once as there are processors."""
    tools = make_tool(scratch, log)

    def one(number: int) -> set[Access]:
        return accesses(program, STARTS[number], tools, scratch / f"{number:02}", log)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(len(STARTS))))


def plan(seen: list[set[Access]], recorded: Path, data: range) -> bytes:
    """The plan for the next recording, from starts of a program that was made of `recorded`.

    data: the addresses of the image's data, where the types of most objects lie.
    """
    numbers = array("I", (recorded / "blocks").read_bytes())
    blocks = list(_blocks(recorded, len(numbers)))
    count = max(numbers)
    areas = bytearray([NOWHERE]) * (count + 1)
    kinds = _kinds(blocks, (recorded / "heap").read_bytes(), data)
    # The granules inside a block know the block's number, too.
    for start, end in blocks:
        areas[numbers[start]] = COLD + kinds[start] if start in kinds else NOWHERE
        numbers[start + 1 : end] = array("I", [numbers[start]]) * (end - start - 1)
    large = {numbers[start] for start, end in blocks if (end - start) * GRANULE > LARGE}
    for index, touched in enumerate(seen):
        usual = CALLED if index == 1 else WARM
        for access in touched:
            first = (access.address - HEAP) // GRANULE
            last = (access.address - HEAP + access.size - 1) // GRANULE
            for granule in range(first, last + 1):
                if 0 <= granule < len(numbers) and numbers[granule] not in large:
                    area = usual if index else WRITTEN if access.written else READ
                    areas[numbers[granule]] = min(areas[numbers[granule]], area)
    wanted = [0] * (COLD + KINDS)
    for start, end in blocks:
        if areas[numbers[start]] != NOWHERE:
            wanted[areas[numbers[start]]] += (end - start) * GRANULE
    room = array("Q", ((size // PAGE + 1) * PAGE for size in wanted)).tobytes()
    chapters = (recorded / "chapters").read_bytes()
    head = f"{len(wanted)} {len(chapters) // 4} {count}\n".encode()
    return head + room + chapters + areas[1:]


def symbols_of(program: Path) -> Path:
    """Where a program's symbols are kept, as nm(1) prints them: it has none itself."""
    return program.with_name(f"{program.name}.symbols")


def touched(plan: bytes) -> int:
    """How many bytes at the heap's beginning are for what starts touch, as a plan says."""
    sizes = array("Q", plan[plan.index(b"\n") + 1 :][: 8 * COLD])
    return sum(sizes)


def _blocks(recorded: Path, granules: int) -> Iterator[tuple[int, int]]:
    """Where the blocks of the heap begin and end, in granules."""
    marks = int.from_bytes((recorded / "starts").read_bytes(), "little")
    bits = bin(marks)[:1:-1]
    start = bits.find("1")
    while 0 <= start < granules:
        end = bits.find("1", start + 1)
        end = end if end >= 0 else granules
        yield start, end
        start = end


def _kinds(blocks: list[tuple[int, int]], heap: bytes, data: range) -> dict[int, int]:
    """Start of a block, in granules -> its kind, below KINDS: the kinds with the most bytes come first.

    A block that begins like an object has that type for its kind: after a count of references, or after two words for
    the collector and the count.  Of the others tables of dictionaries are many, whose second word is small.
    """
    words = memoryview(heap).cast("Q")
    found: dict[tuple[int, bool], list[tuple[int, int]]] = {}
    for start, end in blocks:
        at = start * 2
        if not any(words[at : end * 2]):
            continue
        kind = words[at + 1]
        if kind not in data:
            after = words[at + 3] if end - start > 1 else 0
            kind = after if after in data else int(0 < kind < 1 << 24)
        found.setdefault((kind, end - start <= SMALL), []).append((start, end))
    order = sorted(found, key=lambda kind: (-sum(e - s for s, e in found[kind]), kind))
    return {
        start: min(rank, KINDS - 1) for rank, kind in enumerate(order) for start, _ in found[kind]
    }


def write_lists(seen: Iterable[set[Access]], recorder: Path | None, folder: Path) -> None:
    """The sections that starts touch, for the linker: those of every start first.  Without a recorder: empty lists."""
    lines: dict[str, dict[str, None]] = {name: {} for name in LISTS}
    if recorder is not None:
        rows = [line.split() for line in output(["nm", "--defined-only", recorder]).splitlines()]
        symbols = sorted((int(row[0], 16), row[1], row[2]) for row in rows if len(row) == 3)
        starts = [address for address, _, _ in symbols]
        members = _members()
        booted = set(SYMBOLS.read_text().split())
        found = [symbols_touched(touched, starts) for touched in seen]
        found.append({place for place, row in enumerate(symbols) if row[2] in booted})
        for places in found:
            for place in sorted(places):
                _, kind, symbol = symbols[place]
                if symbol == "frozen_code":  # megabytes, of which few are read
                    continue
                for name, (kinds, inputs, prefixes) in LISTS.items():
                    if kind in kinds:
                        stem = symbol.removesuffix(".cold")
                        sections = " ".join(prefix + stem for prefix in prefixes)
                        lines[name][f"{inputs}({sections})\n"] = None
                if kind in LISTS["text.ld"][0]:
                    for variant in _with_variants(symbol, members):
                        lines["text.ld"].update(dict.fromkeys(members.get(variant, ())))
    for name, inputs_found in lines.items():
        (folder / name).write_text("".join(inputs_found))


def symbols_touched(touched: set[Access], starts: list[int]) -> set[int]:
    """Which of the symbols below the heap, that begin at these sorted addresses, have been touched."""
    places = set[int]()
    for one in touched:
        if one.address < HEAP:
            first = bisect.bisect_right(starts, one.address) - 1
            last = bisect.bisect_left(starts, one.address + one.size) - 1
            places.update(range(max(first, 0), last + 1))
    return places


def _members() -> dict[str, list[str]]:
    """Name of a C library's function -> inputs for the linker: members of archives whose functions have no sections of their own."""
    found: dict[str, list[str]] = {}
    for archive in _archives():
        for line in output(["nm", "-A", "--defined-only", archive]).splitlines():
            place, _, rest = line.removeprefix(str(archive)).rpartition(":")
            words = rest.split()
            if len(words) == 3 and words[1] in LISTS["text.ld"][0]:
                member = f"*{archive.name}:{place.strip(':')}(.text .text.*)\n"
                found.setdefault(words[2], []).append(member)
    return found


def _archives() -> Iterator[Path]:
    """The static libraries of the C library and of the compiler."""
    for name in ("libc.a", "libm.a", "libgcc_eh.a"):
        path = Path(output(["gcc", f"-print-file-name={name}"]).strip())
        with path.open("rb") as file:
            is_archive = file.read(8) == b"!<arch>\n"
        # Else it is a script that tells the linker which ones to take.
        words = [path] if is_archive else re.findall(r"/\S+\.a\b", path.read_text())
        yield from map(Path, words)


def _with_variants(symbol: str, members: Iterable[str]) -> list[str]:
    """A function, and those that the C library takes for it on newer processors than OLD_PROCESSOR."""
    stem = re.split(r"_(?:sse2|avx)(?![^_])", symbol)[0]
    if stem == symbol:
        return [symbol]
    newer = re.compile(f"{re.escape(stem)}_(avx|avx2|avx512|evex)(?!.*rtm)(_.*)?")
    return [symbol, *filter(newer.fullmatch, members)]
