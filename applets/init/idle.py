"""Services that let the others start first, as systemd.service(5) has it for Type=idle."""

from __future__ import annotations

from applets.init.service import STARTING, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from applets.init.service import Service

#: Seconds that are left to one that has just become ready: it is asked for the first time then.
REST = 0.3


def start(
    idle: float, begun: float, others: Iterable[Service], holds: Callable[[str], bool]
) -> float:
    """The moment from which one that is idle for so many seconds may start, as far as it is known now.

    begun: when the services began.  holds(wanted): whether what a service waits for is there.
    """
    latest = 0.0
    for other in others:
        if other.config.idle:
            continue
        if other.state == STARTING or (
            other.state == WAITING and all(map(holds, other.config.wait_for))
        ):
            return begun + idle
        if other.pid is not None:
            latest = max(latest, other.since)
    return min(begun + idle, latest + REST)
