"""The one loop: descriptors, timers, and a promise that no callback ends it.

    loop.watch(fd, loop.READ, callback)      callback(events) whenever fd is ready
    loop.at(time, callback) -> Timer         callback() at a time of the monotonic clock; timer.cancel()
    loop.each_turn = callback                callback() after each turn, when something happened
    loop.run()                               until loop.stop(status)

An exception of a callback is given to `report` and the loop goes on; a descriptor whose callback keeps
failing rests for a while, lest the loop spin.
"""

from __future__ import annotations

import heapq
import selectors

from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

#: Failures in a row after which a descriptor rests, and for how many seconds.
PATIENCE = 10
REST = 1.0


class Timer:
    """Something to do at a time; `cancel` makes it nothing."""

    __slots__ = ("callback", "order", "time")

    def __init__(self, time: float, order: int, callback: Callable[[], None]) -> None:
        self.time = time
        self.order = order
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return (self.time, self.order) < (other.time, other.order)

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class Watch:
    """Who wants to know about a descriptor."""

    __slots__ = ("callback", "failures")

    def __init__(self, callback: Callable[[int], object]) -> None:
        self.callback = callback
        self.failures = 0


class Loop:
    """`clock` gives monotonic seconds; `report(what, error)` is told of exceptions in callbacks."""

    READ = READ
    WRITE = WRITE

    def __init__(
        self, clock: Callable[[], float], report: Callable[[str, BaseException], None]
    ) -> None:
        self.clock = clock
        self.report = report
        self.selector = selectors.DefaultSelector()
        self.each_turn: Callable[[], None] | None = None
        self.status: int | None = None
        self._timers: list[Timer] = []
        self._order = 0

    def watch(self, fd: int, events: int, callback: Callable[[int], object]) -> None:
        """Call `callback(events)` when `fd` is ready; replaces an earlier watch of it."""
        try:
            self.selector.modify(fd, events, Watch(callback))
        except KeyError:
            self.selector.register(fd, events, Watch(callback))

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor; to be called before it is closed.  No error when it is not watched."""
        try:
            self.selector.unregister(fd)
        except (KeyError, ValueError, OSError):
            pass  # an epoll set forgets a closed descriptor by itself

    def at(self, time: float, callback: Callable[[], None]) -> Timer:
        """Call `callback()` once, at `time` of the monotonic clock or soon after."""
        self._order += 1
        timer = Timer(time, self._order, callback)
        heapq.heappush(self._timers, timer)
        if len(self._timers) > 1000:
            # Cancelled timers stay until their time; don't let them pile up.
            self._timers = [timer for timer in self._timers if timer.callback is not None]
            heapq.heapify(self._timers)
        return timer

    def stop(self, status: int) -> None:
        """End `run` after this turn."""
        self.status = status

    def run(self) -> int:
        """Turn until `stop`; returns its status."""
        while self.status is None:
            self.turn()
        return self.status

    def turn(self, longest: float | None = None) -> None:
        """Wait for the next event (at most `longest` seconds) and deal with it."""
        for key, events in self.selector.select(bounded(self._wait(longest))):
            watch: Watch = key.data
            now_there = self.selector.get_map().get(key.fd)
            if now_there is None or now_there.data is not watch:
                continue  # closed by a callback of this turn; the number may be another's already
            try:
                watch.callback(events)
                watch.failures = 0
            except Exception as error:  # whatever it is, it must not end the loop
                watch.failures += 1
                self._failed(f"descriptor {key.fd}", error)
                if watch.failures % PATIENCE == 0:
                    self._rest(key.fd, key.events, watch)
        now = self.clock()
        while self._timers and self._timers[0].time <= now:
            timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                try:
                    timer.callback()
                except Exception as error:
                    self._failed("timer", error)
        if self.each_turn is not None:
            try:
                self.each_turn()
            except Exception as error:
                self._failed("turn", error)

    def _rest(self, fd: int, events: int, watch: Watch) -> None:
        """Don't watch a descriptor for a while, unless somebody else does by then."""
        self.unwatch(fd)

        def again() -> None:
            try:
                self.selector.register(fd, events, watch)
            except (KeyError, ValueError, OSError):
                pass  # it is watched anew, or closed

        self.at(self.clock() + REST, again)

    def _wait(self, longest: float | None) -> float | None:
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return longest
        wait = self._timers[0].time - self.clock()
        return wait if longest is None else min(wait, longest)

    def _failed(self, what: str, error: Exception) -> None:
        try:
            self.report(what, error)
        except Exception:
            pass  # reporting fails (no memory, no console); the loop goes on all the same
