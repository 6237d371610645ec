"""Libraries that start things when they are asked to: threads, event loops, children, the end of a program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

#: Programs that print the same, whether started from the image or from nothing.
PROGRAMS = {
    "asyncio": """
import asyncio, signal
async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda r, w: (w.write(b"hello\\n"), w.close()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print(await reader.read())
    writer.close(); server.close()
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    print(await process.communicate(b"through cat"))
    print(await asyncio.to_thread(sum, [1, 2]), await loop.run_in_executor(None, str.upper, "x"))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0.001, "slept"))
    print(task.result())
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, stop.set)
    signal.raise_signal(signal.SIGUSR1)
    await stop.wait()
    try:
        async with asyncio.timeout(0.001): await asyncio.sleep(60)
    except TimeoutError: print("timeout")
asyncio.run(main()); asyncio.run(asyncio.sleep(0))
""",
    "subprocess": """
import subprocess, sys
print(subprocess.run(["cat"], input=b"x", capture_output=True, check=True).stdout)
print(subprocess.run([sys.executable, "-c", "import sys; sys.exit(7)"]).returncode)
print(subprocess.check_output("echo $0 $A", shell=True, env={"A": "b"}, text=True))
print(subprocess.Popen(["sleep", "60"], start_new_session=True).send_signal(9))
try: subprocess.run(["sleep", "60"], timeout=0.01)
except subprocess.TimeoutExpired as error: print(error)
try: subprocess.run(["/nonexistent"])
except OSError as error: print(error)
""",
    "fork": """
import multiprocessing as m, os
def square(queue, number): queue.put((number ** 2, os.getppid() == parent, m.current_process().name))
parent = os.getpid()
context = m.get_context("fork")
queue = context.Queue()
made = [context.Process(target=square, args=(queue, n)) for n in range(3)]
[p.start() for p in made]; print(sorted(queue.get() for _ in made)); [p.join() for p in made]
print([p.exitcode for p in made], m.active_children(), len(m.current_process().authkey))
with context.Pool(2) as pool: print(pool.map(abs, [-1, -2, 3]), pool.apply_async(divmod, (7, 2)).get(60))
lock, value = context.Lock(), context.Value("i", 5)
with lock, value.get_lock(): value.value += 1
print(value.value)
""",
    "futures": """
import concurrent.futures as f, multiprocessing as m
with f.ThreadPoolExecutor(3) as pool: print(list(pool.map(pow, [1, 2, 3], [2, 2, 2])))
with f.ProcessPoolExecutor(2, mp_context=m.get_context("fork")) as pool: print(list(pool.map(abs, [-1, -2])))
future = f.Future(); future.set_result(3); print(next(f.as_completed([future])).result())
""",
    "threading": """
import os, threading, queue, time
def work(): names.put(threading.current_thread().name)
names = queue.Queue()
made = [threading.Thread(target=work, name=f"n{i}") for i in range(5)]
[t.start() for t in made]; [t.join() for t in made]
print(sorted(names.get() for _ in made), threading.active_count(), threading.Thread().name)
timer = threading.Timer(0.001, work); timer.start(); timer.join(); print(names.get()[:7])
barrier = threading.Barrier(2); t = threading.Thread(target=barrier.wait); t.start(); barrier.wait(); t.join()
print(threading.main_thread(), barrier.broken) if 0 else print(barrier.broken)
event, condition = threading.Event(), threading.Condition()
with condition: print(condition.wait(0.001), event.wait(0.001))
threading.excepthook = lambda args: print("hook", args.exc_type.__name__)
t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()
if os.fork() == 0:
    print(threading.active_count(), threading.current_thread().name); os.sys.stdout.flush(); os._exit(0)
os.wait()
""",
    "atexit": """
import atexit, sys, weakref, threading
class Thing: pass
thing = Thing()
weakref.finalize(thing, print, "finalized")
atexit.register(print, "first registered"); atexit.register(print, "second registered")
threading.Thread(target=lambda: atexit.register(print, "by a thread")).start()
print("main"); sys.exit(0)
""",
    "atexit anew": """
import atexit
atexit._clear(); atexit.register(print, "registered")
""",
    "logging at the end": """
import logging.handlers, sys
memory = logging.handlers.MemoryHandler(9, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(memory); logging.warning("kept until the end"); print("main")
""",
    "another handler in the same list": """
import logging, sys
class Handler(logging.Handler):
    def close(self): print("closed")
logging._handlerList.clear(); handler = Handler(); print("main")
""",
    "warnings": """
import sys, warnings
sys.stderr = sys.stdout
print(warnings.filters)
warnings.warn("user"); warnings.warn("deprecated", DeprecationWarning); warnings.warn("resource", ResourceWarning)
exec("for _ in range(3): warnings.warn('once')")
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always"); warnings.warn("x", DeprecationWarning); print(len(seen), seen[0].category.__name__)
exec(compile("x = 1 is 1", "f", "exec"))
print(sys.warnoptions, warnings.onceregistry)
""",
    "logging": """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(name)s %(levelname)s %(process)d".replace("%(process)d", "%(threadName)s"))
logging.getLogger("a.b").warning("x"); logging.getLogger("a").info("not"); print(logging.root.handlers[0].stream is sys.stdout)
sys.stderr = sys.stdout
logging.lastResort.handle(logging.makeLogRecord({"msg": "last", "levelno": 40}))
""",
    "collector": """
import gc, weakref
class Node: pass
def ring():
    a, b = Node(), Node(); a.other, b.other = b, a
    return weakref.ref(a)
gone = ring(); gc.collect(); print(gone(), gc.isenabled(), gc.get_threshold(), len(gc.garbage))
seen = []; weakref.finalize(Node(), seen.append, 1); print(seen)
refs = [ring() for _ in range(10000)]; print(sum(r() is not None for r in refs) < 10000)
""",
    "imports": """
import importlib, sys
import json, json.decoder
json.loads.__module__; del sys.modules["json"], sys.modules["json.decoder"]
import json as again
print(again is not json, again.loads("[1]"), importlib.reload(again) is again, importlib.import_module("colorsys").__name__)
import importlib.util, curses, unittest, doctest, pdb, multiprocessing.pool
print(json.__spec__.origin, json.__file__, json.__loader__.__name__, sys.modules["json"] is again)
for name in ("colorsys", "json", "applets.coreutils.cat", "cryptography.x509"):
    print(importlib.util.find_spec(name).origin)
""",
    "json of errors": """
import traceback, sys
def f(): raise ValueError("x")
try:
    try: f()
    except ValueError as e: raise KeyError("y") from e
except KeyError: print(traceback.format_exc())
import json
try: json.loads("{")
except ValueError: print(len(traceback.format_exc().splitlines()), traceback.format_exc().splitlines()[-1])
""",
    "types": """
import abc, dataclasses, enum, typing, collections, functools, copy, pickle
@dataclasses.dataclass
class P: x: int; y: list = dataclasses.field(default_factory=list)
class C(enum.Enum): A = 1; B = 2
N = collections.namedtuple("N", "a b")
@functools.lru_cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
@functools.singledispatch
def kind(x): return "any"
@kind.register
def _(x: int): return "int"
class S(collections.abc.Sized):
    def __len__(self): return 3
class V(collections.abc.Sequence): pass
collections.abc.Sequence.register(S)
print(P(1), C(2), N(1, 2), fib(80), kind(1), kind(""), isinstance(S(), collections.abc.Sequence), fib.cache_info())
print(copy.deepcopy(P(1, [2])), pickle.loads(pickle.dumps(N(1, 2)))) if 0 else print(copy.deepcopy(P(1, [2])))
try: V()
except TypeError as error: print(error)
class M(type): pass
class D(dict, metaclass=M): pass
D.new = 1; int.__subclasses__; print(D(a=1).new, type(D), sorted(k.__name__ for k in collections.abc.Sized.__subclasses__())[:3])
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_output(both: Callable[..., str], name: str) -> None:
    assert both(PROGRAMS[name])


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_multiprocessing(both: Callable[..., str], tmp_path: Path, method: str) -> None:
    """From a program in a file: spawn starts this program again, which imports that file."""
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import multiprocessing as m, os, sys
def work(queue, number): queue.put((number, m.current_process().name, __name__ != "__main__" or {method == "fork"}))
if __name__ == "__main__":
    context = m.get_context({method!r})
    queue = context.Queue()
    made = [context.Process(target=work, args=(queue, n)) for n in range(2)]
    [p.start() for p in made]; print(sorted(queue.get(timeout=60) for _ in made)); [p.join() for p in made]
    print([p.exitcode for p in made])
"""
    )
    code = "import os, sys; os.execv(sys.executable, ['python', sys.argv[1]])"
    assert "[0, 0]" in both(code, str(program))


def test_faulthandler(snapshot: Path, plain: Path) -> None:
    """A crash's traceback, the thread's name for it, and the signal; not enabled by itself."""
    for program in (snapshot, plain):
        for code, there in (("import faulthandler; faulthandler.enable(); ", True), ("", False)):
            code += "import os\ndef crash(): os.kill(os.getpid(), 11)\ncrash()"
            done = subprocess.run([program, "-c", code], capture_output=True, timeout=60)
            assert done.returncode == -11
            assert (b'"<string>", line 2 in crash' in done.stderr) is there
    code = "import faulthandler; faulthandler.dump_traceback()"
    done = subprocess.run([snapshot, "-c", code], capture_output=True, timeout=60)
    assert b'File "<string>", line 1 in <module>' in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "import sys; sys.exit('message')",
        "raise SystemExit(5)",
        "raise KeyboardInterrupt",
        "def",
    ],
)
def test_same_end(snapshot: Path, plain: Path, code: str) -> None:
    ours, theirs = (
        subprocess.run([p, "-c", code], capture_output=True, timeout=60) for p in (snapshot, plain)
    )
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        theirs.returncode,
        theirs.stdout,
        theirs.stderr,
    )
