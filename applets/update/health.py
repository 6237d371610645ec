"""Is the box healthy?  Its services as init lists them, its owner's own check, and for how long all was well."""

from __future__ import annotations

import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

#: Seconds that the owner's check may take.
CHECK_TIME = 30.0

#: Seconds for which all has to be well, at least, where a service had to be started again: it may soon end once more.
PROBATION = 15.0


def trouble(service: dict[str, Any]) -> str:
    """What a service of init's list lacks; "" for one that is ready, or that waits to be needed, or is done."""
    state, status = service.get("state"), service.get("status") or service.get("exit") or ""
    done = state == "stopped" and service.get("exit") in (None, "exit 0")
    if service.get("ready") or state == "listening" or done:
        return ""
    return f"{service.get('name')} is {state}" + (f" ({status})" if status else "")


def troubles(services: list[dict[str, Any]], excused: Container[str]) -> list[str]:
    """What all services lack but those that are excused."""
    return [text for s in services if s.get("name") not in excused and (text := trouble(s))]


def restarts(services: list[dict[str, Any]], excused: Container[str]) -> int:
    """How often all services but those that are excused had to be started again."""
    return sum(int(s.get("restarts") or 0) for s in services if s.get("name") not in excused)


def check(command: str, timeout: float = CHECK_TIME) -> str:
    """What the owner's check says against it; "" when it succeeds."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the check takes longer than {timeout:g} s: {command}"
    except OSError as error:
        return f"the check cannot be run: {error.strerror}"
    if done.returncode == 0:
        return ""
    last = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"the check failed with status {done.returncode}: {last or command}"


class Health:
    """Whether all has been well for long enough.  after, within: seconds; now: of a monotonic clock."""

    def __init__(self, after: float, within: float, now: float) -> None:
        self.after = after
        self.deadline = now + within
        self.trouble = "its services were starting"
        self._well_since: float | None = None
        self._restarts = 0

    def look(self, trouble: str, now: float, restarts: int = 0) -> bool | None:
        """True: healthy; False: it will not be in time; None: look again.

        trouble: "" when all is well    restarts: how often services had to be started again so far
        """
        if restarts > self._restarts:
            self._restarts, self._well_since = restarts, None
            self.trouble = trouble or "a service had to be started again"
        if trouble:
            self._well_since, self.trouble = None, trouble
        elif self._well_since is None:
            self._well_since = now
        after = max(self.after, PROBATION) if restarts else self.after
        if self._well_since is not None and now - self._well_since >= after:
            return True
        # What has just become well is given its time, but once.
        more = after if self._well_since is not None else 0
        return False if now >= self.deadline + more else None
