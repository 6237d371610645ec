"""The image's memory (memory.c): by itself under AddressSanitizer and valgrind, in threads, forks and long lives."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SNAPSHOT = HERE.parents[3] / "packaging/interpreter/snapshot"


def compile_driver(target: Path, *options: str) -> Path:
    sources = [HERE / "memory_driver.c", SNAPSHOT / "memory.c"]
    flags = ["-g", "-O1", "-fwrapv", "-fno-builtin-malloc", "-pthread", f"-I{SNAPSHOT}", *options]
    subprocess.run(["gcc", *flags, *sources, "-o", target], check=True)
    return target


@pytest.mark.parametrize("seed", range(1, 6))
def test_random_work_with_address_sanitizer(tmp_path: Path, seed: int) -> None:
    options = [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ]
    driver = compile_driver(tmp_path / "driver", *options)
    env = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=0"}
    done = subprocess.run([driver, str(seed), "20000"], env=env, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_random_work_in_valgrind(tmp_path: Path) -> None:
    """memcheck: no read of what was not written, no free of what is not the C library's."""
    driver = compile_driver(tmp_path / "driver")
    argv = ["valgrind", "-q", "--error-exitcode=9", "--max-threads=20", driver, "3", "600"]
    done = subprocess.run(argv, capture_output=True, timeout=120)
    # Sizes that no machine has are asked for on purpose.
    lines = [line for line in done.stderr.splitlines() if b"fishy" not in line]
    assert done.returncode == 0, b"\n".join(lines).decode()


def test_objects_of_the_image_under_threads_and_forks(
    snapshot: Path, run: Callable[..., str]
) -> None:
    """Lists, dictionaries and byte arrays of the image that grow, shrink and are dropped by eight threads."""
    code = """
import gc, keyword, os, re, string, sys, threading, types
lists = [one for one in gc.get_referents(*map(vars, [sys.modules[n] for n in list(sys.modules)])) if type(one) is list]
tables = [one for one in gc.get_referents(*map(vars, [sys.modules[n] for n in ("html.entities", "mimetypes", "stat")]))
          if type(one) is dict and len(one) > 20]
assert len(lists) > 50 and tables
lists = list({id(one): one for one in lists}.values())
lists = [one for one in lists if one is not sys.path and one is not sys.meta_path and one is not sys.argv]
failed = []
def work(number):
    try:
        for turn in range(60):
            for one in lists[number::8]:
                kept = one[:]
                one.extend(range(turn * 10)); one.sort(key=str); one.clear(); one.extend(kept)
                assert one == kept
            for one in tables:
                one[number, turn] = [number] * turn
                assert one.pop((number, turn)) == [number] * turn
            assert re.compile("a{%d,%d}" % (number, number + turn + 1)).match("a" * 99)
    except BaseException as error:
        failed.append(repr(error))
def threads():
    made = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in made]; [t.join() for t in made]
threads()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        threads(); gc.collect()
        os._exit(len(failed))
    children.append(child)
threads()
print(failed, [os.waitpid(child, 0)[1] for child in children], gc.collect() >= 0)
"""
    assert run(snapshot, code) == "[] [0, 0, 0, 0] True\n"


#: A daemon's life: requests over a socket pair; objects of the image grow and shrink; caches, log records, exceptions.
CHURN = """
import asyncio, gc, json, keyword, logging, mimetypes, os, re, socket, sys

def private():
    rows = dict(line.split()[:2] for line in open("/proc/self/smaps_rollup").read().splitlines()[1:])
    return int(rows["Private_Dirty:"])

class Handler(logging.Handler):
    def emit(self, record):
        self.format(record)

log = logging.getLogger("churn"); log.addHandler(Handler()); log.propagate = False

def request(number):
    keyword.kwlist.append(number)
    mimetypes.types_map["." + str(number)] = "x/" + str(number)
    sys.path_importer_cache[number] = [number]
    try:
        re.compile("x%d" % (number % 2000)) if number % 10 == 0 else None
        if number % 20 == 0:
            log.warning("request %d", number)
            json.loads(json.dumps({"n": number, "list": [1, 2, {"a": "b" * 50}]}))
        if number % 50 == 0:
            raise ValueError(number)
    except ValueError as error:
        str(error)
    del mimetypes.types_map["." + str(number)], sys.path_importer_cache[number]
    if number % 1000 == 0:
        keyword.kwlist.clear()
    return b"y" * (number % 3000)

async def main():
    a, b = socket.socketpair()
    ours, theirs = await asyncio.open_connection(sock=a), await asyncio.open_connection(sock=b)
    async def serve():
        while line := await theirs[0].readline():
            first, last = map(int, line.split())
            for number in range(first, last):
                data = request(number)
            theirs[1].write(data + b"\\n")
            await theirs[1].drain()
    server = asyncio.create_task(serve())
    seen = []
    for turn in range(1, REQUESTS // BATCH + 1):
        ours[1].write(b"%d %d\\n" % (turn * BATCH, (turn + 1) * BATCH))
        await ours[0].readline()
        if turn % (REQUESTS // BATCH // 10) == 0:
            gc.collect()
            seen.append(private())
    ours[1].close()
    await server
    print(*seen)

REQUESTS, BATCH = 1_000_000, 50
asyncio.run(main())
"""


def test_a_million_requests(snapshot: Path, run: Callable[..., str]) -> None:
    """Memory of its own after each tenth, in kB: the last is that of the second, but for a page here and there."""
    seen = [int(word) for word in run(snapshot, CHURN, timeout=170).split()]
    assert len(seen) == 10
    assert seen[-1] - seen[1] < 300, seen
    assert seen[-1] < 12_000, seen
