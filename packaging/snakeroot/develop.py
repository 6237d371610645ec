"""`snakeroot dev`: what is saved in a program's folder runs in the box a moment later, until Ctrl-C.

Only what changed is sent, into the box's memory (overlay.py, which runs there for as long as this does).  What does not
compile stays here, and the box goes on with what it has.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakeroot import bytecode, changes, overlay, programs, remote
from snakeroot.changes import File, Folder
from snakeroot.config import Instance
from snakeroot.host import BuildError, run
from toolbox.harmless import harmless

#: Seconds for the box to begin, which may be booting; to take a change; to be put back.
BEGIN, TAKE, BACK = 60.0, 120.0, 30.0

#: Milliseconds of silence after which a save is over, and the longest wait for it.
STEP, LONGEST = 30, 300

#: What runs in the box: it reads so many bytes of program, and what follows is for that.
START = "import sys; exec(compile(sys.stdin.buffer.read({size}), 'overlay.py', 'exec'))"


@dataclass
class Developed:
    """A service, its folder, and what the box has of that.  packages: hashes of what lists its requirements"""

    name: str
    folder: Folder
    has: dict[str, File] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)


def chosen(instance: Instance, names: list[str]) -> dict[str, Path]:
    """Services -> their folders; without names all that have one.  BuildError for those without."""
    services = instance.settings.services
    found = {}
    for name in names or services:
        service = services.get(name)
        if service is None:
            known = ", ".join(services) or "none"
            raise BuildError(f"there is no service '{name}'", f"there is: {known}")
        source = instance.place(service.python) if service.python else None
        why = ""
        if source is None:
            why = "is a binary"
        elif not source.is_dir():
            why = "is a requirement, which has no folder here"
        elif programs.is_project(source):
            why = "is a project, which must be built"
        if why and names:
            raise BuildError(
                f"services.{name} {why}", "bring it into the box by `snakeroot update`, or run"
            )
        if source and not why:
            found[name] = source
    if not found:
        raise BuildError(
            "no service is a folder with a Python program", "make one: snakeroot add ./FOLDER"
        )
    return found


def develop(instance: Instance, sources: dict[str, Path], toolbox: Path, to: str = "") -> int:
    """Watch, check, send and restart until Ctrl-C; then the box is as before."""
    services = [Developed(n, Folder(s, instance, _warn)) for n, s in sources.items()]
    over = threading.Event()
    with contextlib.suppress(KeyboardInterrupt), _connected(instance, to, over) as box:
        now = {one.name: one.folder.look() for one in services}
        for one in services:
            one.packages = _packages(one)
        asked = {n: {f: [o.kind, o.mode, o.what] for f, o in t.items()} for n, t in now.items()}
        opened = box.ask({"op": "open", "services": asked}, seconds=BEGIN)
        wanted, box.room = opened["wanted"], int(opened["room"])
        box.opened = True
        for one in services:
            lacking = set(wanted[one.name])
            one.has = {name: file for name, file in now[one.name].items() if name not in lacking}
        places = ", ".join(str(source) for source in dict.fromkeys(sources.values()))
        print(f"watching {places}; Ctrl-C puts the box back to its release", flush=True)
        with _quiet_watch(dict.fromkeys(sources.values()), over) as saves:
            # What differs from the release already.
            for one in services:
                _bring(box, one, toolbox, time.time())
            for noticed in saves:
                for one in services:
                    _bring(box, one, toolbox, noticed)
        raise box.lost()
    return 0


def _bring(box: Box, one: Developed, toolbox: Path, noticed: float) -> None:
    """Send what changed, if it compiles, and say how long that took."""
    now = one.folder.look()
    if (packages := _packages(one)) != one.packages:
        one.packages = packages
        _warn(
            f"{one.name}: its requirements have changed: packages come by `snakeroot update`, or run"
        )
    change = changes.between(one.has, now)
    if not change:
        return
    try:
        if (size := one.folder.size(now, change.put)) > box.room:
            _warn(
                f"{one.name}: {size >> 20} MiB are more than the box's memory has room for"
                f" ({box.room >> 20} MiB): keep big files on /perm (snakeroot cp)"
            )
            return
        data = one.folder.read(now, change.put)
    except OSError:
        return  # it has gone since: that is the next change
    since = changes.saved(one.folder.source, change.put, noticed)
    wrong, code = _compile(one.name, data, toolbox)
    if wrong:
        print("\n".join(wrong), f"{one.name}: goes on as it was", sep="\n", flush=True)
        return
    try:
        answer = box.ask(*changes.request(one.name, change, now, data, code))
    except Refused as error:
        _warn(f"{one.name}: the box did not take it, and goes on as it was: {error}")
        return
    one.has = now
    if trouble := answer.get("trouble"):
        _warn(f"{one.name}: {harmless(str(trouble))}")
        return
    count = len(change.put) + len(change.remove)
    what_changed = change.put[0] if len(change.put) == 1 == count else f"{count} changes"
    seconds = time.time() - since
    print(f"{one.name}: {what_changed}: running {seconds:.2f} s after it was saved", flush=True)


def _compile(
    service: str, data: dict[str, bytes], toolbox: Path
) -> tuple[list[str], dict[str, bytes]]:
    """What is wrong, in lines; the bytecode of each .py file, if nothing is."""
    names = [name for name in data if name.endswith(".py")]
    if not names:
        return [], {}
    with tempfile.TemporaryDirectory(prefix="snakeroot-dev-") as scratch:
        jobs = []
        for number, name in enumerate(names):
            read, made = (os.path.join(scratch, f"{number}.{kind}") for kind in ("py", "pyc"))
            Path(read).write_bytes(data[name])
            jobs.append([read, made, f"{overlay.PROGRAMS}/{service}/{name}", name])
        said = run([toolbox, "python", bytecode.__file__], stdin=json.dumps(jobs).encode())
        wrong = [harmless(line) for lines in json.loads(said) for line in lines]
        if wrong:
            return wrong, {}
        return [], {job[3]: Path(job[1]).read_bytes() for job in jobs}


def _packages(one: Developed) -> dict[str, str]:
    """What lists the requirements -> what it says."""
    found = {}
    for name in (programs.REQUIREMENTS, programs.LOCK, *programs.PROJECTS):
        with contextlib.suppress(OSError):
            found[name] = (one.folder.source / name).read_text(errors="replace")
    return found


def _warn(text: str) -> None:
    print(f"snakeroot: {harmless(text)}", file=sys.stderr, flush=True)


# -- the watch -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _quiet_watch(sources: dict[Path, None], over: threading.Event) -> Iterator[Iterator[float]]:
    """The Unix times at which something in the folders changed, until `over`.

    The watch begins before the first is asked for: what is saved meanwhile is not lost.
    """
    noticed: queue.SimpleQueue[float | Exception | None] = queue.SimpleQueue()
    begun = threading.Event()

    from watchfiles import watch  # it imports much that no other command needs

    def follow() -> None:
        try:
            for seen in watch(
                *sources,
                watch_filter=None,
                step=STEP,
                debounce=LONGEST,
                stop_event=over,
                rust_timeout=100,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                begun.set()
                if seen:
                    noticed.put(time.time())
            noticed.put(None)
        except (
            Exception
        ) as error:  # the kernel's limit of watches, and whatever else: the main thread says so
            noticed.put(error)
        finally:
            begun.set()

    def times() -> Iterator[float]:
        while (one := noticed.get()) is not None:
            if isinstance(one, Exception):
                raise BuildError(f"the folders cannot be watched: {one}") from one
            yield one

    watcher = threading.Thread(target=follow, daemon=True)
    watcher.start()
    begun.wait()
    try:
        yield times()
    finally:
        over.set()
        watcher.join()


# -- the box -------------------------------------------------------------------------------------------------


class Refused(BuildError):
    """The box could not do it."""


class Box:
    """The program in the box that answers."""

    def __init__(self, ssh: subprocess.Popen[bytes], over: threading.Event) -> None:
        """over: is set when the connection ends"""
        self.opened, self.room = False, 0
        self._ssh = ssh
        self._over = over
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(
        self, words: dict[str, Any], data: list[bytes] | None = None, seconds: float = TAKE
    ) -> dict[str, Any]:
        """The answer.  Refused; BuildError when the connection has ended, or no answer comes."""
        source = self._ssh.stdin
        if source is None:
            raise self.lost()
        try:
            source.write(b"".join((json.dumps(words).encode() + b"\n", *(data or ()))))
            source.flush()
        except BrokenPipeError:
            raise self.lost() from None
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise BuildError(f"the box has not answered for {seconds:.0f} s") from None
        if answer is None:
            raise self.lost()
        if "error" in answer:
            raise Refused(harmless(str(answer["error"])))
        return answer

    def lost(self) -> BuildError:
        """The error for a connection that has ended."""
        return BuildError("the connection to the box has ended", "is it running?")

    def _read(self) -> None:
        try:
            for line in self._ssh.stdout or ():
                answer = json.loads(line)
                if not isinstance(answer, dict):
                    break
                self._answers.put(answer)
        except ValueError:
            pass  # not what we sent there: it is over as well
        self._answers.put(None)
        self._over.set()


@contextlib.contextmanager
def _connected(instance: Instance, to: str, over: threading.Event) -> Iterator[Box]:
    """The program in the box; at the end it puts the box back."""
    code = Path(overlay.__file__).read_bytes()
    command = ["python", "-c", f'"{START.format(size=len(code))}"']
    argv = remote.ssh(instance, command, to=to)
    # Ctrl-C is ours: the client must live until the box is as it was.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # What the program writes to its standard error is the services' log.
        ssh = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stdout
        )
    finally:
        signal.signal(signal.SIGINT, before)
    box = Box(ssh, over)
    try:
        if ssh.stdin:
            with contextlib.suppress(BrokenPipeError):
                ssh.stdin.write(code)
        yield box
    finally:
        _put_back(ssh, box.opened)


def _put_back(ssh: subprocess.Popen[bytes], opened: bool) -> None:
    """End the program's input, after which it puts the box back and ends."""
    ended = ssh.poll() is not None
    with contextlib.suppress(BrokenPipeError):
        if ssh.stdin:
            ssh.stdin.close()
    try:
        ssh.wait(BACK)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        ssh.terminate()
        ssh.wait()
    if not opened:
        return
    if ended or ssh.returncode:
        _warn("the box may not be back to its release; it is after its next start")
    else:
        print("\nthe box is back to its release", flush=True)
