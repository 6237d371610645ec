"""Signals as a readable descriptor, for daemons that wait in one selectors loop (signal(7))."""

from __future__ import annotations

import signal
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType, TracebackType


class Signals:
    """Catches `numbers` while the block runs; readable when one has come, `take` says which.

    For the main thread of a process; the former handlers come back at the end of the block.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = list(numbers)
        self._former: dict[int, object] = {}
        self._wakeup = -1

    def __enter__(self) -> Signals:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            self._former[number] = signal.signal(number, _wake)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            # None: a handler that was not set from Python, and cannot be set again from it
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._reader.fileno()

    def take(self) -> Iterator[int]:
        """The numbers of the signals that have come, in order."""
        try:
            got = self._reader.recv(4096)
        except BlockingIOError:
            return
        yield from (number for number in got if number in self._numbers)


def _wake(number: int, frame: FrameType | None) -> None:
    """Nothing: the interpreter has written the number to the wake-up descriptor."""
