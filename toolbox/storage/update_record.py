"""What is kept of updates across boots, in one small file on /perm: the trial that is on, and how the last one ended.

Nothing that decides what is booted is here (that is the boot state's): a record that is lost costs an
explanation, never a boot.  It is replaced as a whole, and flushed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

#: Where it lies on a box.
PATH = "/perm/snakeroot/update.json"

#: Held by who changes slots; how far that is.
LOCK, PROGRESS = "/run/update.lock", "/run/update.progress"

#: How a try ended.
COMMITTED, FAILED, NOT_INSTALLED = "committed", "failed", "not installed"

#: The longest record, and the longest reason in it.
_LONGEST, _LONGEST_REASON = 1 << 16, 1000


class Record:
    """trial: the slot that is to be tried, with its version and what is known of the trial so far; None for none
    last: outcome, version, slot, reason and time (Unix seconds) of the last try; None before the first
    floor: no version below it is taken, since a release that was committed said so
    """

    def __init__(self, path: str = PATH) -> None:
        """What the file says; as on a new box when there is none, or none that can be read."""
        self.path = path
        self.trial: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.floor = "0"
        try:
            with open(path, "rb") as file:
                found = json.loads(file.read(_LONGEST))
        except (OSError, ValueError):
            return
        if isinstance(found, dict):
            self.trial, self.last = (_entry(found.get(key)) for key in ("trial", "last"))
            self.floor = str(found.get("floor", "0"))

    def save(self) -> None:
        """Keep it; when this returns it stays.  OSError as the file system says."""
        folder = os.path.dirname(self.path)
        os.makedirs(folder, exist_ok=True)
        fields = {"trial": self.trial, "last": self.last, "floor": self.floor}
        fresh = f"{self.path}.new"
        with open(fresh, "wb") as file:
            file.write(json.dumps(fields, indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, self.path)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def begin(self, slot: str, version: str, unready: Sequence[str] = ()) -> None:
        """A slot is about to be tried.  OSError as for `save`.

        unready: services that do not work now, and so need not then
        """
        self.trial = {"slot": slot, "version": version, "reason": "", "unready": list(unready)}
        self.save()

    @property
    def unready(self) -> list[str]:
        """The services that need not work in the trial that is on."""
        found = self.trial.get("unready") if self.trial else None
        return [str(name) for name in found] if isinstance(found, list) else []

    def explain(self, reason: str) -> None:
        """Why the trial that is on has not succeeded so far; kept in case it never does.  OSError as for `save`."""
        if self.trial is not None and self.trial["reason"] != (short := reason[:_LONGEST_REASON]):
            self.trial["reason"] = short
            self.save()

    def end(
        self,
        outcome: str,
        version: str,
        slot: str,
        now: float,
        reason: str = "",
        *,
        floor: str = "",
        trial: dict[str, Any] | None = None,
    ) -> None:
        """A try has ended; what is on trial now is `trial`.  OSError as for `save`."""
        self.trial = trial
        self.last = {
            "outcome": outcome,
            "version": version,
            "slot": slot,
            "reason": reason[:_LONGEST_REASON],
            "time": int(now),
        }
        self.floor = floor or self.floor
        self.save()


# -- while something is being installed --------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: str = LOCK) -> Iterator[bool]:
    """Only one program at a time changes slots; False when another does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def note_progress(version: str, done: int, total: int, path: str = PROGRESS) -> None:
    """How far an installation is, in bytes, for others to see.  OSError as the file system says."""
    with open(f"{path}.new", "w") as file:
        json.dump({"version": version, "done": done, "total": total}, file)
    os.rename(f"{path}.new", path)


def progress(path: str = PROGRESS, lock: str = LOCK) -> dict[str, Any] | None:
    """version, done and total of the installation that is under way; None when none is."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(4096))
        with open(lock, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        pass
    return None


def _entry(value: Any) -> dict[str, Any] | None:
    """An entry as it was written, with every text that readers ask for."""
    if not isinstance(value, dict):
        return None
    return {**value, **{key: str(value.get(key, "")) for key in ("slot", "version", "reason")}}
