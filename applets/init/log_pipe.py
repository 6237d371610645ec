"""The pipe through which a service logs: one for its whole life, however often it is started.

init keeps the writing end for the next start, so the pipe never ends; what a process has said is complete
when the process has ended and the pipe is empty.
"""

from __future__ import annotations

import os

from applets.init.logs import Assembler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.init.logs import Logs
    from applets.init.loop import Loop

#: Bytes read in one turn of the loop, so that a flood of one service delays no other.
READ_SIZE = 1 << 16

#: Bytes a second that one service may log; a flood costs processor time, not memory.
MAX_RATE = 1 << 20


class LogPipe:
    """Lines of the service `name`, from its pipe into the logs."""

    def __init__(self, loop: Loop, logs: Logs, name: str) -> None:
        """OSError when no pipe is to be had."""
        self.loop = loop
        self.logs = logs
        self.name = name
        self.assembler = Assembler()
        self.window, self.taken = 0.0, 0  # the second in which `taken` bytes were read
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self._watch()

    def writer(self) -> int:
        """The end for a process that is about to start."""
        # A program may have made it non-blocking for itself, and so for its successors.
        os.set_blocking(self.writing, True)
        return self.writing

    def drain(self) -> None:
        """Take the last words of a process that ended."""
        for _ in range(16):  # the pipe's size, were nobody writing any more
            if not self._take():
                break
        now = self.loop.clock()
        for line in self.assembler.flush():
            self.logs.add(self.name, line, now)

    def _watch(self) -> None:
        self.loop.watch(self.reading, self.loop.READ, self._ready)

    def _ready(self, events: int) -> None:
        self._take()
        if self.taken > MAX_RATE:
            # The pipe fills and the service waits: it slows itself down, and not the box.
            self.loop.unwatch(self.reading)
            self.loop.at(self.window + 1, self._watch)

    def _take(self) -> bool:
        """Log a block of what is there; False when nothing is."""
        try:
            data = os.read(self.reading, READ_SIZE)
        except BlockingIOError:
            return False
        now = self.loop.clock()
        if now >= self.window + 1:
            self.window, self.taken = now, 0
        self.taken += len(data)
        for line in self.assembler.feed(data):
            self.logs.add(self.name, line, now)
        return True
