"""tail -f: print what is added to files, woken by the kernel (inotify, poll) and not by a clock where that is enough."""

from __future__ import annotations

import os
import select
import stat

from toolbox.errors import warn
from toolbox.linux.inotify import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    Watches,
    sees_all,
)
from toolbox.streams import BLOCK, Source, stdout
from toolbox.waits import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.coreutils.tail import Headers

#: What tells that a file, or the name that leads to it, is not what it was.
_FILE_EVENTS = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
_NAME_EVENTS = (
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
)

#: Blocks of one file before the others, and the end, are looked at.
_TURN = 64

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Ending:
    """What ends it: the process of --pid, and the reader of our output, when they are gone."""

    def __init__(self, pid: int) -> None:
        """pid: 0 for none."""
        self.pid = pid
        self.pidfd: int | None = None
        if pid:
            try:
                self.pidfd = os.pidfd_open(pid)
            except OSError:
                pass  # it has ended, or the kernel has no pidfds: asked by number

    @property
    def needs_looks(self) -> bool:
        """Whether its end must be asked for, as nobody tells."""
        return bool(self.pid) and self.pidfd is None

    def register(self, poll: select.poll) -> None:
        """Let a poll object wake for it."""
        poll.register(1, 0)  # errors, and a closed pipe, are told unasked
        if self.pidfd is not None:
            poll.register(self.pidfd, select.POLLIN)

    def check_output(self) -> None:
        """End as a write would when nobody reads standard output any more."""
        poll = select.poll()
        poll.register(1, 0)
        if poll.poll(0):
            import _signal

            os.kill(os.getpid(), _signal.SIGPIPE)
            raise SystemExit(1)  # it is ignored

    def has_come(self) -> bool:
        """Whether the process has ended.  An output that has gone ends us at once."""
        self.check_output()
        if self.pidfd is not None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            return bool(poll.poll(0))
        return bool(self.pid) and not _lives(self.pid)


class _Patient(Source):
    """A pipe, socket or terminal, read without blocking: waits for data, and for the ending meanwhile."""

    __slots__ = ("ending",)

    def __init__(self, fd: int, name: str, ending: Ending) -> None:
        super().__init__(fd, name)
        self.ending = ending

    def read(self, size: int = BLOCK) -> bytes:
        """As Source.read; empty also when the ending comes first."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        self.ending.register(poll)
        while True:
            ready = dict(poll.poll(milliseconds(1.0 if self.ending.needs_looks else None)))
            if self.fd in ready:
                try:
                    return super().read(size)
                except BlockingIOError:
                    continue  # somebody else was quicker
            if self.ending.has_come():
                return b""


class Watched:
    """A file that is followed, by its descriptor or by its name."""

    def __init__(self, name: str, by_name: bool, retry: bool, ending: Ending) -> None:
        self.name = name
        self.shown = "standard input" if name == "-" else name
        self.by_name = by_name and name != "-"
        self.retry = retry  # if it cannot be opened at first
        self.ending = ending
        self.fd: int | None = None
        self.kind = 0  # S_IFREG...
        self.told = False  # that it cannot be opened
        self.fresh = False  # opened, and not yet watched

    def open(self, *, quiet: bool) -> bool:
        """Open it; False after a warning."""
        if self.name == "-":
            self.fd = 0
        else:
            # A pipe without a writer must not hold us: the process of --pid may end before one comes.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
            try:
                self.fd = os.open(self.name, flags)
            except OSError as error:
                if not quiet and not self.told:
                    warn(error)
                    self.told = True
                return False
        self.told = False
        self.fresh = True
        self.kind = stat.S_IFMT(os.fstat(self.fd).st_mode)
        return True

    @property
    def is_awaited(self) -> bool:
        """Whether it is not open, and will be when its name leads to a file."""
        return self.fd is None and (self.by_name or self.retry)

    @property
    def waits(self) -> bool:
        """Whether poll(2) tells when there is something to read.  Of files it says that there always is."""
        return self.kind in (stat.S_IFIFO, stat.S_IFSOCK) or (
            self.kind == stat.S_IFCHR and self.fd is not None and os.isatty(self.fd)
        )

    def source(self) -> Source:
        """The open file as a source."""
        fd = self.fd or 0
        return _Patient(fd, self.shown, self.ending) if self.waits else Source(fd, self.shown)

    def is_worth_following(self) -> bool:
        """Whether more may come.  A pipe that ended on standard input does not grow (POSIX)."""
        if self.fd is None:
            return self.is_awaited
        if self.kind == stat.S_IFDIR and not self.by_name:
            warn(f"{self.shown}: cannot follow end of this type of file; giving up on this name")
            self.close()
            return False
        return self.name != "-" or self.kind != stat.S_IFIFO

    def close(self) -> None:
        """Close it, unless it is standard input."""
        if self.fd:
            os.close(self.fd)
        self.fd = None

    def drain(self, headers: Headers) -> bool:
        """Print what has been added; False when there is still more."""
        for _ in range(_TURN):
            if self.fd is None or self.kind == stat.S_IFDIR:
                return True
            try:
                block = os.read(self.fd, BLOCK)
            except BlockingIOError:
                return True
            except OSError as error:
                warn(f"{self.shown}: {error.strerror}")
                self.close()
                return True
            if not block:
                return True
            headers.show(self.shown)
            stdout().write(block)
            stdout().flush()
        return False

    def look(self, headers: Headers) -> None:
        """See to it that what bears the name is open, and begin again when it became shorter."""
        if self.by_name or self.is_awaited:
            self._look_at_name(headers)
        if self.fd is None or self.kind != stat.S_IFREG:
            return
        if os.fstat(self.fd).st_size < os.lseek(self.fd, 0, os.SEEK_CUR):
            warn(f"{self.name}: file truncated", 0)
            os.lseek(self.fd, 0, os.SEEK_SET)

    def _look_at_name(self, headers: Headers) -> None:
        try:
            now: os.stat_result | None = os.stat(self.name)
        except OSError:
            now = None
        before = os.fstat(self.fd) if self.fd is not None else None
        if now is None:
            if before is not None:
                # What was added before the name went would else be lost.
                self.drain(headers)
                if not self.told:
                    reason = "No such file or directory"
                    warn(f"{self.name}: has become inaccessible: {reason}", 0)
                    self.told = True
                # A renamed log is written to until its daemon opens the new one.
                if not before.st_nlink:
                    self.close()
            return
        if before is None or (before.st_dev, before.st_ino) != (now.st_dev, now.st_ino):
            if before is not None:
                self.drain(headers)
                warn(f"{self.name} has been replaced; following new file", 0)
                self.close()
            elif self.told:
                warn(f"{self.name} has appeared; following new file", 0)
            if self.open(quiet=True):
                self.retry = False

    def renew(self) -> None:
        """After the last writer of a pipe has gone: wait for the next; poll(2) would tell of that end for ever."""
        if self.kind == stat.S_IFIFO and self.fd is not None:
            try:
                again = os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                self.kind = 0  # looked at now and then
                return
            os.dup2(again, self.fd, inheritable=False)
            os.close(again)
        else:
            self.close()


class _Wakeups:
    """Waits until there may be something to print."""

    def __init__(self, interval: float, ending: Ending) -> None:
        self.interval = interval
        self.ending = ending
        try:
            self.watches: Watches | None = Watches()
        except OSError:
            self.watches = None
        self.told: dict[int, bool] = {}  # by id of Watched: whether the kernel tells its changes

    def watch(self, watched: Watched) -> None:
        """Be told of a file's changes, before it is read; of a name's again and again, as its folder may be new."""
        if watched.fresh or watched.by_name or watched.is_awaited or id(watched) not in self.told:
            watched.fresh = False
            self.told[id(watched)] = self._watch(watched)

    def _watch(self, watched: Watched) -> bool:
        if self.watches is None:
            return False
        try:
            if watched.by_name or watched.is_awaited:
                self.watches.add(os.path.dirname(watched.name) or ".", _NAME_EVENTS)
            if watched.fd is None:
                return not os.path.islink(watched.name)
            # By its descriptor, for its name may be another's by now.
            self.watches.add(f"/proc/self/fd/{watched.fd}", _FILE_EVENTS)
            # No watch on a symbolic link's folder tells that the file it leads to was replaced.
            by_link = watched.by_name and os.path.islink(watched.name)
            return not by_link and (watched.waits or sees_all(watched.fd))
        except OSError:
            return False

    def wait(self, files: list[Watched]) -> None:
        """Return when something has happened, or it is time for a look at what nobody tells about."""
        poll = select.poll()
        self.ending.register(poll)
        if self.watches is not None:
            poll.register(self.watches.fd, select.POLLIN)
        waiting = {w.fd: w for w in files if w.fd is not None and w.waits}
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        all_told = all(self.told.get(id(w), False) for w in files) and not self.ending.needs_looks
        ready = dict(poll.poll(milliseconds(None if all_told else self.interval)))
        if self.watches is not None and self.watches.fd in ready:
            self.watches.drain()
        for fd, events in ready.items():
            if fd in waiting and events & _GONE and not events & select.POLLIN:
                waiting[fd].renew()


def follow(files: list[Watched], headers: Headers, interval: float, ending: Ending) -> None:
    """Print what is added to the files, until the ending comes."""
    wakeups = _Wakeups(interval, ending)
    while files:
        # Whether it has come is asked before the last look, so that a process's last words are seen.
        over = ending.has_come()
        complete = True
        for watched in files:
            wakeups.watch(watched)
            watched.look(headers)
            wakeups.watch(watched)
            complete &= watched.drain(headers)
        files = [w for w in files if w.fd is not None or w.is_awaited]
        if over:
            return
        if complete and files:
            wakeups.wait(files)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
