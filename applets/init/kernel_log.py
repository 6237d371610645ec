"""The kernel's messages, merged into the logs with their own times (/dev/kmsg, dev-kmsg ABI)."""

from __future__ import annotations

import os

from applets.init.logs import kernel_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.init.logs import Logs
    from applets.init.loop import Loop

KMSG = "/dev/kmsg"

#: Records read in one turn.
BURST = 200


class KernelLog:
    """Reads the records that are there, and those that come."""

    def __init__(self, loop: Loop, logs: Logs, path: str = KMSG) -> None:
        """OSError when the kernel's messages may not be read here."""
        self.loop = loop
        self.logs = logs
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        loop.watch(self.fd, loop.READ, self._read)

    def catch_up(self) -> None:
        """Read all that is there (the kernel's ring holds some thousands of records)."""
        self._read(0, 100 * BURST)

    def _read(self, events: int, most: int = BURST) -> None:
        for _ in range(most):
            try:
                record = os.read(self.fd, 8192)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # records were overwritten before we read them; the next read goes on
            except OSError:
                self.loop.unwatch(self.fd)
                return
            if not record:
                self.loop.unwatch(self.fd)
                return
            found = kernel_record(record)
            if found is not None:
                _priority, time, text = found
                self.logs.add("kernel", text, time)
