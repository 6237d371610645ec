"""Other files for a running service, in the box's memory.  `snakeroot dev` has the box's Python run this, as root.

A tmpfs is mounted over nothing but /run; in it lie `lower`, the service's folder as the release has it, and `top`, which
is bound over that folder: a tree of links into `lower`, whose folders become real ones as far as something in them
changes.  No module of the kernel's is needed for that, and a program's packages take no memory.

Standard input has requests, each a line of JSON and then the bytes of the files that it names; each is answered by a
line of JSON.  When it ends, or the connection does, the box is put back to its release.

  {"op": "open", "services": {NAME: {FILE: [KIND, MODE, SHA-256 or TARGET]}}}  ->  {"wanted": {NAME: [FILE]}, "room": BYTES}
  {"op": "change", "service": NAME, "remove": [FILE], "items": [[FILE, KIND, MODE, SIZE or TARGET]]}  ->  {},
      or {"trouble": TEXT} when the service does not start
  {"op": "close"}  ->  {}

KIND is "file", "link", "folder", or "code": the bytecode of a .py file of that name.  An error is {"error": TEXT}.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import IO, Any

#: Where programs lie, and where what is put over them does.
PROGRAMS, PLACE = "/lib/snakeroot", "/run/snakeroot-dev"

#: The most that it may take of the box's memory.
SHARE = "25%"


class Overlay:
    """What one service has instead of its release.  `top` may be changed; nothing is seen before show()."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.covered = f"{PROGRAMS}/{name}"
        self.place = f"{PLACE}/{name}"
        self.lower, self.top, self.stage = (
            f"{self.place}/{part}" for part in ("lower", "top", "stage")
        )
        self.shown = False

    def lock(self) -> None:
        """Keep others from it.  RuntimeError when one of them has it, or there is no such service."""
        if not os.path.isdir(self.covered):
            raise RuntimeError(f"the box has no service {self.name}: bring it there by an update")
        os.makedirs(self.place, exist_ok=True)
        held = os.open(f"{self.place}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"another `snakeroot dev` has the service {self.name}") from None

    def mount(self) -> None:
        """Make it.  OSError, or RuntimeError with a program's words."""
        self.unmount()  # what one left behind that was killed
        options = f"size={SHARE},mode=0755,nosuid,nodev"
        call("mount", "-t", "tmpfs", "-o", options, "snakeroot-dev", self.place)
        for folder in (self.lower, self.stage):
            os.mkdir(folder)
        call("mount", "--bind", self.covered, self.lower)
        self._unfold("")

    def keep(self, files: dict[str, list[Any]]) -> list[str]:
        """Have what the release has already; returns the names of what differs."""
        wanted = []
        for name, (kind, mode, what) in sorted(files.items()):
            lower = f"{self.lower}/{name}"
            if kind == "folder":
                if not os.path.islink(lower) and os.path.isdir(lower):
                    self._unfold(name)
                else:
                    wanted.append(name)
            elif kind == "link":
                if not os.path.islink(lower) or os.readlink(lower) != what:
                    wanted.append(name)
            elif not _is(lower, mode, what):
                wanted.append(name)
            elif name.endswith(".py"):
                # A program that asks where it lies itself is to find its neighbours as they are now.
                self._unfold(os.path.dirname(name))
                top = f"{self.top}/{name}"
                os.unlink(top)
                shutil.copy(lower, top)
        return wanted

    def change(self, remove: list[str], items: list[list[Any]], source: IO[bytes]) -> None:
        """Take files away, and put others there: all of them, or none when there is no room.  OSError."""
        failure = None
        staged = []
        for number, (_, kind, mode, what) in enumerate(items):
            if kind not in ("file", "code"):
                staged.append("")
                continue
            data = source.read(what)
            if len(data) != what:
                raise EOFError
            staged.append(f"{self.stage}/{number}")
            try:
                if failure is None:
                    with open(staged[-1], "wb") as file:
                        file.write(data)
                    os.chmod(staged[-1], mode)
            except OSError as error:
                failure = error  # the rest is still to be read
        try:
            if failure:
                raise failure
            for name in remove:
                self._remove(name)
            for (name, kind, _, what), path in zip(items, staged, strict=True):
                self._put(name, kind, what, path)
        finally:
            for path in staged:
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def show(self) -> None:
        """Let programs see it."""
        if not self.shown:
            call("mount", "--bind", self.top, self.covered)
            self.shown = True

    def unmount(self) -> None:
        """Put the folder back, even when somebody has a file in it open."""
        for path in (self.covered, self.lower, self.place):
            if os.path.ismount(path):
                call("umount", "-l", path)
        self.shown = False

    def _unfold(self, name: str) -> None:
        """Make a folder below top, and those that it lies in, a real one whose entries lead to the release's."""
        parent = os.path.dirname(name)
        if name:
            self._unfold(parent)
        top, lower = (f"{place}/{name}".rstrip("/") for place in (self.top, self.lower))
        if os.path.isdir(top) and not os.path.islink(top):
            return
        of_release = not name or (os.path.islink(top) and os.readlink(top) == lower)
        if name and os.path.lexists(top):
            os.unlink(top)
        os.mkdir(top)
        if not of_release or not os.path.isdir(lower):
            os.chmod(top, 0o755)
            return
        status = os.stat(lower)
        os.chown(top, status.st_uid, status.st_gid)
        os.chmod(top, status.st_mode & 0o7777)
        for entry in os.listdir(lower):
            os.symlink(f"{lower}/{entry}", f"{top}/{entry}")

    def _remove(self, name: str) -> None:
        path = f"{self.top}/{name}"
        if os.path.lexists(path):
            self._unfold(os.path.dirname(name))
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if name.endswith(".py"):
            self._remove(bytecode(name))

    def _put(self, name: str, kind: str, target: str, staged: str) -> None:
        if kind == "code":
            name = bytecode(name)
        elif kind == "folder":
            self._unfold(name)
            return
        else:
            self._remove(name)
        self._unfold(os.path.dirname(name))
        path = f"{self.top}/{name}"
        if kind == "link":
            os.symlink(target, path)
        else:
            os.replace(staged, path)


def bytecode(name: str) -> str:
    """Where the bytecode of a .py file lies."""
    folder, file = os.path.split(name)
    cached = f"__pycache__/{file.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{cached}" if folder else cached


def _is(path: str, mode: int, digest: str) -> bool:
    """Whether a file, not a link, has that content, and may be executed or not."""
    try:
        if os.path.islink(path) or bool(os.stat(path).st_mode & 0o100) != bool(mode & 0o100):
            return False
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def call(*words: str) -> None:
    """Run a program of the box; RuntimeError with its words when it fails."""
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{words[0]}: status {done.returncode}")


class Session:
    """All overlays of one connection."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.overlays: dict[str, Overlay] = {}
        self.logs: subprocess.Popen[bytes] | None = None

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["op"] == "open":
            wanted, room = {}, 0
            for name, files in asked["services"].items():
                overlay = Overlay(name)
                overlay.lock()
                self.overlays[name] = overlay
                overlay.mount()
                wanted[name] = overlay.keep(files)
                free = os.statvfs(overlay.place)
                room = free.f_bavail * free.f_frsize
            # Standard output is for answers.
            words = ["logs", "-f", "-n", "0", "--", *self.overlays]
            self.logs = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=2)
            return {"wanted": wanted, "room": room}
        overlay = self.overlays[asked["service"]]
        overlay.change(asked["remove"], asked["items"], self.source)
        overlay.show()
        try:
            call("service", "restart", overlay.name)
        except RuntimeError as error:
            return {"trouble": str(error)}
        return {}

    def close(self) -> None:
        """Put the box back."""
        for overlay in self.overlays.values():
            shown = overlay.shown
            overlay.unmount()
            if shown:
                with contextlib.suppress(RuntimeError):  # it does not start in its release either
                    call("service", "restart", overlay.name)
        if self.logs:
            self.logs.terminate()


def main() -> None:
    """Answer until there is no more to answer."""
    # The connection's end.
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(1))
    source = sys.stdin.buffer
    session = Session(source)
    try:
        while line := source.readline():
            asked = json.loads(line)
            if asked["op"] == "close":
                break
            try:
                _say(session.answer(asked))
            except OSError as error:
                _say({"error": _described(error)})
            except RuntimeError as error:
                _say({"error": str(error)})
    finally:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        session.close()
    _say({})


def _described(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"it takes more than {SHARE} of the box's memory: keep big files on /perm (snakeroot cp)"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
