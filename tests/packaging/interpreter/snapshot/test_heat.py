"""What starts touch lies side by side in the program that was built: a cold start reads and unpacks blocks of it."""

from __future__ import annotations

import signal
import struct
import subprocess
from pathlib import Path

import pytest
from interpreter.snapshot import heat
from interpreter.snapshot.image import LOAD, NOTE, NOTE_HEADER, Elf

#: Bytes of a squashfs's block: as much is unpacked for the first byte that is touched.
BLOCK = 1 << 15

#: Each array is of a page or more, so that none lies in another's.
TOUCHING = """
#include <fcntl.h>
#include <unistd.h>
#define ARRAY(name) char name[8192] __attribute__((aligned(4096)))
ARRAY(read_by_code); ARRAY(written_by_code); ARRAY(both);
ARRAY(read_by_kernel); ARRAY(written_by_kernel); ARRAY(left_alone);
int main(void)
{
    *(volatile long *)(written_by_code + 200) = *(volatile int *)(read_by_code + 100);
    *(volatile char *)(both + 300) = *(volatile int *)(both + 300);
    int written = write(open("/dev/null", O_WRONLY), read_by_kernel + 16, 5);
    return read(open("/dev/zero", O_RDONLY), written_by_kernel + 32, 3) != 3 || written != 5;
}
"""


#: The C library's reading of GLIBC_TUNABLES, and the table that it looks names up in.
TUNABLES = ("_dl_tunable_set_hwcaps", "_dl_x86_hwcap_flags")

#: After touch.py: how many of the functions it finds, and how many there are.
FOUND = """
rows = [line.partition(": ") for line in sys.argv[1].splitlines()]
listed = [(module, name) for module, _, names in rows for name in names.split()]
found = [row for row in listed if find(sys.modules.get(row[0]), row[1].split("."), [])]
print(len(found), len(listed))
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    return heat.make_tool(folder, folder / "log")


def blocks(program: Path, words: tuple[str, ...], tools: Path, scratch: Path) -> set[int]:
    """The numbers of the blocks of the heap that a run touches, of hundreds."""
    seen = heat.accesses(program, words, tools, scratch, scratch / "log")
    heap = range(heat.HEAP, heat.HEAP + (160 << 20))
    found = set[int]()
    for one in seen:
        if one.address in heap:
            first, last = one.address - heat.HEAP, one.address - heat.HEAP + one.size - 1
            found.update(range(first // BLOCK, last // BLOCK + 1))
    return found


def symbols_of(program: Path) -> list[tuple[int, str]]:
    """Address and name, in the order of addresses."""
    rows = [line.split() for line in heat.symbols_of(program).read_text().splitlines()]
    return sorted((int(row[0], 16), row[2]) for row in rows)


def test_reads_and_writes_are_told_apart(tools: Path, tmp_path: Path) -> None:
    """The bytes of a program whose addresses are known; what the kernel does for a call is seen as well."""
    source, program = tmp_path / "touching.c", tmp_path / "touching"
    source.write_text(TOUCHING)
    flags = ["-O1", "-static", "-no-pie", "-fno-builtin"]
    subprocess.run(["gcc", *flags, "-o", program, source], check=True)
    seen = heat.accesses(program, ("one",), tools, tmp_path, tmp_path / "log")
    symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    places = {name: int(at, 16) for at, _, name in map(str.split, symbols.splitlines()) if at}

    def touched(name: str) -> list[tuple[int, int, bool]]:
        at = places[name]
        inside = [one for one in seen if at <= one.address < at + 4096]
        return sorted((one.address - at, one.size, one.written) for one in inside)

    assert touched("read_by_code") == [(100, 4, False)]
    assert touched("written_by_code") == [(200, 8, True)]
    assert touched("both") == [(300, 1, True), (301, 3, False)]
    assert touched("read_by_kernel") == [(16, 5, False)]
    assert touched("written_by_kernel") == [(32, 3, True)]
    assert touched("left_alone") == []


def test_a_start_touches_few_blocks_of_the_heap(
    snapshot: Path, tools: Path, tmp_path: Path
) -> None:
    """Several more, when an interpreter's cache sends it to old names all over the heap."""
    assert len(blocks(snapshot, ("true",), tools, tmp_path)) <= 8


def test_the_note_names_the_parts_of_the_file_that_starts_touch(
    snapshot: Path, tools: Path, tmp_path: Path
) -> None:
    """Two thirds and more, in a tenth of the file; the rest is the linker's tables, and strings that it has merged."""
    elf = Elf(snapshot.read_bytes())
    _, note = elf.section(NOTE)
    parts = elf.data[note.offset + NOTE_HEADER : note.offset + note.size]
    named = [range(at, at + size) for at, size in struct.iter_unpack("<QQ", parts)]
    assert sum(map(len, named)) < snapshot.stat().st_size / 10
    loaded = [row for row in elf.segments() if row.type == LOAD]
    for words in (("true",), ("-c", heat.REHEARSALS[0].read_text())):
        pages, missed = set[int](), set[int]()
        for one in heat.accesses(snapshot, words, tools, tmp_path, tmp_path / "log"):
            for row in loaded:
                if one.address in range(row.address, row.address + row.file_size):
                    begin = one.address - row.address + row.offset
                    for at in range(begin, begin + one.size):
                        pages.add(at // heat.PAGE)
                        if not any(at in part for part in named):
                            missed.add(at // heat.PAGE)
        assert len(missed) < len(pages) * 0.35, words


def test_the_daemons_starts_touch_few_blocks_of_the_heap(
    snapshot: Path, tools: Path, tmp_path: Path
) -> None:
    """Nearly all of these are what the plan has put together."""
    found = set[int]()
    for rehearsal in heat.REHEARSALS:
        found |= blocks(snapshot, ("-c", rehearsal.read_text()), tools, tmp_path)
    assert len(found) <= 80


def test_signals_that_the_build_ignores_change_nothing(
    snapshot: Path, tools: Path, tmp_path: Path
) -> None:
    """A shell's background job ignores two, and sh notices; the program's bytes must not depend on that."""
    symbols = symbols_of(snapshot)
    starts = [address for address, _ in symbols]

    def decisive() -> tuple[set[heat.Access], set[int]]:
        words = ("sh", "-c", "for i in 1 2; do echo $i; done")
        seen = heat.accesses(snapshot, words, tools, tmp_path, tmp_path / "log")
        places = heat.symbols_touched(seen, starts)
        # Which bytes are touched there is not the same in each run, signals or not; why is not known.  The program
        # depends on the symbols alone.
        chance = [at for at in places if symbols[at][1] in TUNABLES]
        spans = [range(starts[at], starts[at + 1]) for at in chance]
        exact = {one for one in seen if not any(one.address in span for span in spans)}
        assert len(exact) > 1000
        return exact, places

    expected = decisive()
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)
    }
    try:
        assert decisive() == expected
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def test_libraries_look_at_the_processor_when_they_are_needed(
    snapshot: Path, tools: Path, tmp_path: Path
) -> None:
    """OpenSSL and liblzma would ask it at each start (late.c)."""
    symbols = symbols_of(snapshot)

    def touched(*words: str) -> set[str]:
        seen = heat.accesses(snapshot, words, tools, tmp_path, tmp_path / "log")
        places = heat.symbols_touched(seen, [address for address, _ in symbols])
        return {symbols[place][1] for place in places}

    asking = {"OPENSSL_ia32_cpuid", "crc64_set_func"}
    work = "import hashlib, lzma; hashlib.new('sha512'); lzma.compress(b'')"
    assert asking & touched("-c", work) == asking & {name for _, name in symbols}
    every_start = touched("true")
    assert "PyUnicode_New" in every_start
    assert not asking & every_start
    assert "buckets" not in every_start  # CPython's parking lots (restore.c)


def test_what_a_boot_calls_is_known_to_the_program(snapshot: Path) -> None:
    """Lists of names that are no longer there would be of no use; tests/bench/calls.py makes them anew."""
    words = ["-c", (heat.HERE / "touch.py").read_text() + FOUND, heat.FUNCTIONS.read_text()]
    done = subprocess.run([snapshot, *words], check=True, capture_output=True, text=True)
    found, functions = map(int, done.stdout.split())
    assert functions > 500
    assert found > 0.9 * functions
    symbols = heat.SYMBOLS.read_text().split()
    known = {line.split()[2] for line in heat.symbols_of(snapshot).read_text().splitlines()}
    assert len(symbols) > 1000
    assert len(known.intersection(symbols)) > 0.9 * len(symbols)
