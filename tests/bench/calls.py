"""What a boot calls of the program, until all services run: the lists by which heat.py lays the program out.

    build/venv/bin/python tests/bench/calls.py

Writes packaging/interpreter/snapshot/boot.functions and boot.symbols anew, from a boot of build/toolbox in QEMU that a
plugin watches.  Lists that are old cost time in a boot, and nothing else: make them anew when daemons have changed.
"""

from __future__ import annotations

import collections
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "packaging")]  # this folder's modules are tests.bench's

from interpreter.snapshot import heat  # noqa: E402
from snakeroot import qemu  # noqa: E402

from tests.bench import boot  # noqa: E402
from tests.bench.instances import instance  # noqa: E402
from tests.bench.programs import PROGRAM  # noqa: E402

#: In the program: address, size, module and qualified name of the code of each function of the image.
CODES = """
import functools, sys
from types import CodeType, FunctionType
HOLDERS = (FunctionType, classmethod, staticmethod, functools._lru_cache_wrapper)
seen = set()

def code(one, module):
    if id(one) not in seen:
        seen.add(id(one))
        print(id(one), one.__sizeof__(), module, one.co_qualname)
        for const in one.co_consts:
            if isinstance(const, CodeType):
                code(const, module)

def walk(value, module):
    if isinstance(value, property):
        value = value.fget
    while isinstance(value, HOLDERS) and hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    if isinstance(value, FunctionType):
        code(value.__code__, value.__module__)
    elif isinstance(value, type) and id(value) not in seen:
        seen.add(id(value))
        for inner in list(vars(value).values()):
            walk(inner, module)

for name, module in sorted(sys.modules.items()):
    for value in list(vars(module).values()):
        walk(value, name)
"""


def main() -> None:
    """Both lists."""
    touched = watched_boot()
    functions = collections.defaultdict[str, set[str]](set)
    said = subprocess.run([PROGRAM, "-c", CODES], check=True, capture_output=True, text=True)
    for line in said.stdout.splitlines():
        at, size, module, name = line.split(" ", 3)
        first, last = int(at) // heat.GRANULE, (int(at) + int(size) - 1) // heat.GRANULE
        if module != "__main__" and b"\1" in touched[first : last + 1]:
            functions[module].add(name)
    lines = [f"{module}: {' '.join(sorted(names))}\n" for module, names in functions.items()]
    heat.FUNCTIONS.write_text("".join(sorted(lines)))
    rows = [line.split() for line in heat.symbols_of(PROGRAM).read_text().splitlines()]
    symbols = sorted((int(at, 16), name) for at, kind, name in rows if kind in "tTwWrR")
    granules = [place for place, byte in enumerate(touched[: heat.HEAP // heat.GRANULE]) if byte]
    seen = {heat.Access(place * heat.GRANULE, heat.GRANULE, written=False) for place in granules}
    places = heat.symbols_touched(seen, [address for address, _ in symbols])
    found = {symbols[place][1].removesuffix(".cold") for place in places}
    heat.SYMBOLS.write_text("".join(f"{name}\n" for name in sorted(found - {"frozen_code"})))
    print(f"{sum(map(len, functions.values()))} functions, {len(found)} symbols")


def later(record: Path) -> bytes:
    """What is there when the idle services have started, too, of a machine that the plugin makes slow."""
    time.sleep(8)
    return record.read_bytes()


def watched_boot() -> bytes:
    """A byte for each granule: whether it was touched."""
    with tempfile.TemporaryDirectory() as scratch, instance(PROGRAM) as (box, image):
        plugin, record = Path(scratch, "calls.so"), Path(scratch, "touched")
        version = 1 if qemu.version() < (8, 2) else 2
        words = ["gcc", "-O2", "-shared", "-fPIC", f"-DVERSION={version}", "-o", plugin]
        subprocess.run([*words, Path(__file__).with_name("calls.c")], check=True)
        ports = qemu.forwarded(box)
        to = {guest: host for host, guest in ports.items()}
        argv = [*qemu.command(box, image, ports), "-plugin", f"{plugin},into={record}"]
        found: list[bytes] = []
        boot.watched(
            argv,
            box.output / "net.pcap",
            to[80],
            0,
            lambda _: found.append(later(record)),
        )
        return found[0]


if __name__ == "__main__":
    main()
