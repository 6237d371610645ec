"""What is kept of updates across boots, in one small file on /perm: the trial that is on, how the last one ended,
which releases failed, and how new the channel was.

Nothing that decides what is booted is here (that is the boot state's): a record that is lost costs an
explanation, never a boot, and one that cannot be written is said to be so and gone on without.  /perm may be
full, broken or read-only; the release that repairs that must be installable all the same.

The file is replaced as a whole, and flushed.  Beside it lies a spare of the same size: what is written goes
into the spare, and both change their names, so that a full disk has the blocks and the inode for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

from toolbox.errors import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

#: Where it lies on a box.
PATH = "/perm/snakeroot/update.json"

#: Held by who changes slots; how far that is.
LOCK, PROGRESS = "/run/update.lock", "/run/update.progress"

#: How a try ended.
COMMITTED, FAILED, NOT_INSTALLED = "committed", "failed", "not installed"

#: The longest record, and the longest reason in it.
_LONGEST, _LONGEST_REASON = 1 << 16, 1000

#: The record is padded to whole blocks, so that the spare has room for the next one.
_BLOCK = 4096

#: So many releases that failed are remembered; the oldest is forgotten first.
_MOST_FAILED = 16

#: Seconds until a release that could not be installed is tried again by itself: the first time, and at most; each
#: wait is twice the one before.  After so many tries only the owner tries again.
FIRST_WAIT, LONGEST_WAIT, MOST_TRIES = 900.0, 86400.0, 10


class Record:
    """trial: the slot that is to be tried, with its version and what is known of the trial so far; None for none
    last: outcome, version, slot, reason and time (Unix seconds) of the last try; None before the first
    failed: version -> outcome, count and time of the last try, of releases that failed and did not succeed since
    floor: no version below it is taken, since a release that was committed said so
    seen: the newest channel file so far: place (of the channel), created and version; None before the first
    """

    def __init__(self, path: str = PATH, say: Callable[[str], None] = lambda text: None) -> None:
        """What the file says; as on a new box when there is none, or none that can be read.

        say: is told when the record cannot be written, once for each reason
        """
        self.path = path
        self.say = say
        self.trial: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.failed: dict[str, dict[str, Any]] = {}
        self.floor = "0"
        self.seen: dict[str, Any] | None = None
        self._trouble = ""
        try:
            with open(path, "rb") as file:
                found = json.loads(file.read(_LONGEST))
        except (OSError, ValueError, RecursionError):
            return
        if isinstance(found, dict):
            self.trial, self.last = (_entry(found.get(key)) for key in ("trial", "last"))
            self.failed = _failures(found.get("failed"))
            self.floor = str(found.get("floor", "0"))
            self.seen = _seen(found.get("seen"))

    def save(self) -> bool:
        """Keep it; when this returns True it stays.  False, and a word to `say`, when it cannot be kept."""
        fields = {
            "trial": self.trial,
            "last": self.last,
            "failed": self.failed,
            "floor": self.floor,
            "seen": self.seen,
        }
        data = json.dumps(fields, indent=1).encode()
        try:
            _replace(self.path, data + b" " * (-(len(data) + 1) % _BLOCK) + b"\n")
        except OSError as error:
            if self._trouble != (text := describe(error)):
                self._trouble = text
                self.say(f"what is known of updates is not kept: {text}")
            return False
        self._trouble = ""
        return True

    def prepare(self) -> None:
        """Make the file and its spare, while there is room for them."""
        if not all(os.path.exists(path) for path in (self.path, f"{self.path}.new")):
            self.save()

    def begin(self, slot: str, version: str, unready: Sequence[str] = ()) -> None:
        """A slot is about to be tried.

        unready: services that do not work now, and so need not then; older releases look for them here, newer ones
            in the slot (Updates.excused)
        """
        self.trial = {"slot": slot, "version": version, "reason": "", "unready": list(unready)}
        self.save()

    @property
    def unready(self) -> list[str]:
        """The services that need not work in the trial that is on."""
        found = self.trial.get("unready") if self.trial else None
        return [str(name) for name in found] if isinstance(found, list) else []

    def explain(self, reason: str) -> None:
        """Why the trial that is on has not succeeded so far; kept in case it never does."""
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
        """A try has ended; what is on trial now is `trial`."""
        self.trial = trial
        self.last = {
            "outcome": outcome,
            "version": version,
            "slot": slot,
            "reason": reason[:_LONGEST_REASON],
            "time": int(now),
        }
        self.floor = floor or self.floor
        if outcome == COMMITTED:
            self.failed.pop(version, None)
        else:
            self._count(outcome, version, int(now))
        self.save()

    def _count(self, outcome: str, version: str, now: int) -> None:
        former = self.failed.pop(version, None)
        count = former["count"] + 1 if former and former["outcome"] == outcome else 1
        if former and former["outcome"] == FAILED:
            outcome = FAILED  # that it cannot be installed now does not make it better
        self.failed[version] = {"outcome": outcome, "count": count, "time": now}
        while len(self.failed) > _MOST_FAILED:
            # The one that failed the longest ago; but what nobody could install matters less than a failed trial.
            order = [v for v, one in self.failed.items() if one["outcome"] != FAILED]
            del self.failed[next(iter(order or self.failed))]

    def may_try(self, version: str, now: float) -> bool:
        """Whether a release is to be tried without the owner's word: it did not fail, or long enough ago."""
        failure = self.failed.get(version)
        if failure is None:
            return True
        if failure["outcome"] == FAILED or failure["count"] >= MOST_TRIES:
            return False
        wait = min(FIRST_WAIT * 2.0 ** (failure["count"] - 1), LONGEST_WAIT)
        # A clock that went back says nothing of how long ago it was.
        return not 0 <= now - failure["time"] < wait

    def forget(self) -> None:
        """The owner wants all that failed to be tried again, and no channel to be called old."""
        self.failed, self.seen = {}, None
        self.save()

    def look(self, place: str, created: int, version: str) -> int:
        """The channel's file was read; returns the highest `created` of that channel before, 0 for none.

        place: which channel, whatever string that stays
        """
        former = self.seen
        known = former["created"] if former and former["place"] == place else 0
        if created > known:
            self.seen = {"place": place, "created": created, "version": version}
            self.save()
        return known


def _replace(path: str, data: bytes) -> None:
    """Put `data` in the file's place, flushed.  OSError as the file system says.

    Where a spare of the same size lies there, nothing is asked of the file system that a full one refuses.
    """
    folder, spare = os.path.dirname(path), f"{path}.new"
    os.makedirs(folder, exist_ok=True)
    _fill(spare, data)
    if not _exchange(spare, path):
        os.rename(spare, path)
        with contextlib.suppress(OSError):  # the spare is for worse days
            _fill(spare, data)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exchange(spare: str, path: str) -> bool:
    """Let two files change their names at once; False where there is only one, or the file system cannot."""
    from toolbox.linux.syscall import syscall

    at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
    try:
        syscall("renameat2", at_cwd, spare, at_cwd, path, exchange)
    except OSError:
        return False
    return True


def _fill(path: str, data: bytes) -> None:
    """Put `data` into a file, over what is there: its blocks are used again."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        at = 0
        while at < len(data):
            at += os.pwrite(fd, data[at:], at)
        os.ftruncate(fd, len(data))
        os.fsync(fd)
    finally:
        os.close(fd)


# -- while something is being installed --------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: str = LOCK, note: str = PROGRESS) -> Iterator[bool]:
    """Only one program at a time changes slots; False when another does.

    note: the progress, which ends with it.  OSError when the lock's file cannot be had.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        _unlink(note)  # of one that was killed
        try:
            yield True
        finally:
            _unlink(note)
    finally:
        os.close(fd)


def note_progress(version: str, done: int, total: int, path: str = PROGRESS) -> None:
    """How far an installation is, in bytes, for others to see; what cannot be noted is not."""
    pid = os.getpid()
    found = {"version": version, "done": done, "total": total, "pid": pid, "started": _started(pid)}
    with contextlib.suppress(OSError):
        with open(f"{path}.new", "w") as file:
            json.dump(found, file)
        os.rename(f"{path}.new", path)


def progress(path: str = PROGRESS) -> dict[str, Any] | None:
    """version, done and total of the installation that is under way; None when none is.

    It only looks: the lock is for those who change something, and an observer must never hold it.
    """
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(4096))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    pid, started = found.pop("pid", None), found.pop("started", None)
    if type(pid) is not int or pid <= 0 or started is None or _started(pid) != started:
        return None  # who installed was killed
    return found


def _started(pid: int) -> int | None:
    """When a process began, in ticks after the boot (proc_pid_stat(5)); None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


# -- reading what may be anything --------------------------------------------------------------------------


def _entry(value: Any) -> dict[str, Any] | None:
    """An entry as it was written, with every text that readers ask for."""
    if not isinstance(value, dict):
        return None
    return {**value, **{key: str(value.get(key, "")) for key in ("slot", "version", "reason")}}


def _failures(value: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for version, entry in value.items() if isinstance(value, dict) else ():
        if isinstance(entry, dict) and entry.get("outcome") in (FAILED, NOT_INSTALLED):
            numbers = {key: _number(entry.get(key)) for key in ("count", "time")}
            found[version] = {"outcome": entry["outcome"], **numbers}
            found[version]["count"] = max(1, numbers["count"])
    return found


def _seen(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    texts = {key: str(value.get(key, "")) for key in ("place", "version")}
    return {**texts, "created": _number(value.get("created"))}


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 60 else 0
