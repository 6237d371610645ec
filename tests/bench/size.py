"""Bytes of the program, of what it is shipped in, and of the files that boot."""

from __future__ import annotations

import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.instances import instance
from tests.bench.programs import PLAIN, PROGRAM
from tests.bench.table import Table

KINDS = {
    "gzip": ("-comp", "gzip"),
    "xz": ("-comp", "xz", "-Xbcj", "x86"),
    "zstd": ("-comp", "zstd", "-Xcompression-level", "19"),
}
BLOCKS = ("128K", "1M")


def squashed(program: Path, words: tuple[str, ...], target: Path) -> int:
    """The size of a squashfs with a program alone, by one processor."""
    quiet = ("-quiet", "-no-progress", "-processors", "1")
    argv = ["mksquashfs", str(program), str(target), *words, *quiet]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return target.stat().st_size


def measure() -> list[Table]:
    """One table."""
    table = Table("size (bytes)")
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        jobs = {
            (program.name, f"squashfs {kind} {block}"): pool.submit(
                squashed,
                program,
                (*words, "-b", block),
                Path(scratch) / f"{program.name}-{kind}-{block}",
            )
            for program in (PROGRAM, PLAIN)
            for kind, words in KINDS.items()
            for block in BLOCKS
            # Of plain only what the box is shipped in: the rest would take another minute.
            if program == PROGRAM or (kind, block) == ("zstd", "128K")
        }
        rows = [("file", "ours", PROGRAM.stat().st_size), ("file", "plain", PLAIN.stat().st_size)]
        names = {PROGRAM.name: "ours", PLAIN.name: "plain"}
        rows += [(what, names[file], job.result()) for (file, what), job in jobs.items()]
    for name, program in (("ours", PROGRAM), ("plain", PLAIN)):
        with instance(program) as (_, built):
            rows.append(("initramfs of a box", name, built.initramfs.stat().st_size))
            rows.append(("root of a box", name, built.root.stat().st_size))
    for what, name, size in sorted(rows, key=lambda row: row[0]):
        table.add(what=what, program=name, bytes=size)
    table.compare("bytes", "what", "plain")
    return [table]
