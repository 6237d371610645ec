"""What may be asked of init by the control socket: a function for each verb, with the client and its request.

Each answers by what the client has for it: a line now (`send`), one when something is done (`answer_when`), or
all that comes (`more`, `watching`).  A request that cannot be met is `Refused`.
"""

from __future__ import annotations

import json

from applets.init.config import RESERVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from applets.init.control import Client
    from applets.init.service import Service

#: Lines of each service's log that a list may hold.
MOST_LINES = 16

#: Seconds that the end of the machine may be put off.
LONGEST_DELAY = 60


class Refused(Exception):
    """A request that cannot be met; the text is the answer."""


def encode(answer: dict[str, Any]) -> bytes:
    """One JSON line."""
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


def _list(client: Client, asked: dict[str, Any]) -> None:
    """All services; with "log": N each has the last N lines of its log, so that one question is enough."""
    box, count = client.server.box, asked.get("log")
    services = [box.describe(name) for name in box.services]
    if count is not None:
        if not _is_number(count) or not 0 <= count <= MOST_LINES:
            raise Refused(f'"log" is a number of lines up to {MOST_LINES}')
        epoch = box.epoch()
        for one in services:
            lines = box.logs.last(one["name"], count)
            one["log"] = [box.log_line(line, epoch) for line in lines]
    client.send({"ok": True, "services": services})


def _status(client: Client, asked: dict[str, Any]) -> None:
    client.send({"ok": True, **client.server.box.describe(_service(client, asked).config.name)})


def _context(client: Client, asked: dict[str, Any]) -> None:
    """What a program needs to run as the service does."""
    box, config = client.server.box, _service(client, asked).config
    if config.problem:
        raise Refused(f"{config.name}: {config.problem}")
    client.send(
        {
            "ok": True,
            "common": box.environment_of(config.name),
            "environment": config.environment,
            "user": config.user,
            "group": config.group,
            "capabilities": config.capabilities,
            "no_new_privs": config.no_new_privs,
            "directory": config.directory,
            "limits": config.limits,
            "oom_score_adj": config.oom_score_adj,
        }
    )


def _change(client: Client, asked: dict[str, Any]) -> None:
    """start, stop, restart; with "wait": true the answer comes when it is done."""
    box = client.server.box
    names = _services(client, asked, "names")
    if not names:
        raise Refused('"names" is a list of services')
    if box.leaving:
        raise Refused(f"{box.leaving} is under way")
    verb = asked["verb"]
    for name in names:
        problem = box.services[name].config.problem
        if problem and verb != "stop":
            raise Refused(f"{name}: {problem}")
    for name in names:
        box.change(verb, name)

    def answer() -> dict[str, Any] | None:
        if asked.get("wait") is True and not all(box.settled(name) for name in names):
            return None
        return {"ok": True, "services": [box.describe(name) for name in names]}

    client.answer_when = answer


def _power(client: Client, asked: dict[str, Any]) -> None:
    """reboot, poweroff, halt; after "after" seconds, or when who asks has closed the connection ("when": "closed").

    A process that asks for the latter ends when it has said all that it had to say, and that is the moment.
    """
    action, after, when = asked.get("action"), asked.get("after", 0), asked.get("when")
    if when not in (None, "closed"):
        raise Refused('"when" is closed')
    if action not in ("reboot", "poweroff", "halt"):
        raise Refused('"action" is reboot, poweroff or halt')
    if not (_is_number(after) or isinstance(after, float)) or not 0 <= after <= LONGEST_DELAY:
        raise Refused(f'"after" is a number of seconds up to {LONGEST_DELAY}')
    client.send({"ok": True})
    loop, leave = client.server.loop, client.server.box.leave
    if when:
        client.on_close = lambda: leave(action)  # a client that stays silent is sent away
    elif after:
        loop.at(loop.clock() + after, lambda: leave(action))
    else:
        leave(action)


def _logs(client: Client, asked: dict[str, Any]) -> None:
    box = client.server.box
    box.kernel_log_now()
    names = _services(client, asked, "services", also=(*box.logs.rings, *RESERVED))
    lines, since = asked.get("lines"), asked.get("since")
    if not (lines is None or _is_number(lines)) or not (since is None or _is_number(since)):
        raise Refused('"lines" and "since" are numbers')
    place = 0 if since is None else since
    if lines is not None:
        place = max(place, box.logs.tail(lines, names))
    follow = asked.get("follow") is True
    end, epoch = box.logs.seq, box.epoch()

    def more() -> bytes | None:
        nonlocal place, epoch
        found = box.logs.read(place, names)
        if not found or (not follow and found[0].seq > end):
            return b"" if follow else None
        if follow:
            epoch = box.epoch()  # the clock may be set while somebody listens
        else:
            # Its reader sorts by time: with an epoch of each line's own it would mix up the lines.
            found = [line for line in found if line.seq <= end]
        place = found[-1].seq
        return b"".join(encode(box.log_line(line, epoch)) for line in found)

    client.more = more
    client.pump()


def _watch(client: Client, asked: dict[str, Any]) -> None:
    client.watching = True
    client.changed.update(client.server.box.services)
    client.pump()


#: What no service's user may ask for: it tells the secrets in others' environments.
ROOTS_ALONE = frozenset({"context"})

VERBS: dict[str, Callable[[Client, dict[str, Any]], None]] = {
    "list": _list,
    "status": _status,
    "context": _context,
    "start": _change,
    "stop": _change,
    "restart": _change,
    "power": _power,
    "logs": _logs,
    "watch": _watch,
}


def _service(client: Client, asked: dict[str, Any]) -> Service:
    name = asked.get("name")
    if not isinstance(name, str) or name not in client.server.box.services:
        raise Refused(f"there is no service {_shown(name)}")
    return client.server.box.services[name]


def _services(
    client: Client, asked: dict[str, Any], key: str, also: tuple[str, ...] = ()
) -> list[str]:
    names = asked.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(f'"{key}" is a list of names')
    for name in names:
        if name not in client.server.box.services and name not in also:
            raise Refused(f"there is no service {_shown(name)}")
    return list(dict.fromkeys(names))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _shown(value: object) -> str:
    return repr(value)[:60]
