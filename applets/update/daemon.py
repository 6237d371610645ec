"""The service `update`: what is healthy is committed, what is not is left, and new releases are looked for.

It is ready (READY=1) when the release that runs is committed; init restarts a box on trial in which that
does not happen in time (applets/init/health.py), whatever happens to this program.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time

from applets.update import work
from applets.update.door import Door
from applets.update.health import Health, check, restarts, troubles
from toolbox import control, waits
from toolbox.errors import Fatal, UsageError, describe, say
from toolbox.linux import pstore
from toolbox.notify import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from toolbox.options import Values

#: Its own name among the services.
NAME = "update"

#: As long as this file exists nothing is installed that nobody asked for.
HOLD = "/perm/snakeroot/hold"

#: Seconds: all has to be well for so long; in this time; between two looks at the services.
AFTER, WITHIN, PACE = 3.0, 60.0, 0.25

#: Seconds after the start until a release is looked for, at least; less for who looks more often.
FIRST_POLL = 60.0


def run(opt: Values) -> int:
    """Never ends by itself."""
    after = AFTER if opt.after is None else opt.after
    within = WITHIN if opt.within is None else opt.within
    window = parse_window(opt.window or "")
    if user := opt.__dict__["for"]:
        open_door(user)
    try:
        settle(after, within, opt.check or "")
    except ValueError as error:
        say(f"update: {error}")
        notify("READY=1", f"STATUS={error}")
    poll = opt.poll or 0.0
    if not poll or (box := work.own_or_none()) is None or not box.url:
        while True:
            waits.sleep(math.inf)
    waits.sleep(min(FIRST_POLL, poll) + random.random() * min(poll, 600.0))
    while True:
        look(window)
        waits.sleep(poll * (0.5 + random.random()))  # a thousand boxes don't ask at once


def open_door(user: str) -> None:
    """Let a service's user have releases installed; what it began is finished before we end."""
    from toolbox.users import user_id

    try:
        door = Door(user_id(user))
    except OSError as error:
        say(f"update: {describe(error)}: {user} cannot install releases")
        return

    def end(number: int, frame: object) -> None:
        door.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)


def settle(after: float, within: float, command: str) -> None:
    """After the boot: see how the last trial ended, and commit this one when it is healthy, or leave it.

    ValueError when the box has no slots.
    """
    with work.opened(writable=True) as updates:
        if last := updates.settle(pstore.last_crash()):
            why = f": {last['reason']}" if last["reason"] else ""
            say(f"update: version {last['version']} in slot {last['slot']} {last['outcome']}{why}")
        updates.record.prepare()
        trial = updates.on_trial
        described = updates.describe()
        excused = updates.excused
        if trial:
            updates.record.explain("its services were starting...")
        record = updates.record
    if described["state"] in ("committed", "armed"):
        notify("READY=1", f"STATUS=slot {described['slot']}, {described['version']}")
        return
    word = described["state"]
    say(f"update: slot {described['slot']} runs, {word}: it is committed when it is healthy")
    health = Health(after, within, time.monotonic())
    while (well := health.look(*_look(excused, command))) is None:
        notify(f"STATUS={health.trouble}")
        if trial:
            record.explain(f"{health.trouble}...")
        time.sleep(PACE)
    with work.opened(writable=True) as updates:
        if well:
            updates.commit()
            say(f"update: slot {described['slot']} is healthy: committed")
        elif trial:
            updates.record.explain(f"not healthy within {within:g} s: {health.trouble}")
    if well:
        notify("READY=1", f"STATUS=slot {described['slot']}, {described['version']}")
    elif trial:
        say(f"update: not healthy within {within:g} s: {health.trouble}: going back")
        control.request("power", action="reboot")
    else:
        say(f"update: not healthy: {health.trouble}; there is no other release to go to")
        notify("READY=1", f"STATUS={health.trouble}")


def _look(excused: Container[str], command: str) -> tuple[str, float, int]:
    """What `Health.look` is to be told."""
    try:
        services = control.request("list")["services"]
    except Fatal as error:
        return str(error), time.monotonic(), 0
    services = [service for service in services if service.get("name") != NAME]
    found, again = troubles(services, excused), restarts(services, excused)
    trouble = "; ".join(found) if found or not command else check(command)
    return trouble, time.monotonic(), again


# -- looking for releases ----------------------------------------------------------------------------------


def look(window: tuple[int, int] | None) -> None:
    """Install the channel's latest release if it is new, did not fail, and this is the time for it."""
    if os.path.exists(HOLD) or not within(window, time.gmtime()):
        return
    try:
        found = work.latest()
        if old := work.age(found.channel.created):
            notify(f"STATUS=the channel's newest is {found.channel.version}, {old}")
        if not found.newer or not found.channel.includes(identity()):
            return
        if not (due := work.is_due(found.channel.version)):
            return
        if due == work.INSTALL:
            installed, slot = work.apply(found.place)
            say(f"update: version {installed} is in slot {slot}; restarting into it")
        control.request("power", action="reboot")
    except (ValueError, OSError, Fatal) as error:
        say(f"update: {describe(error)}")


def identity(sysfs: str = "/sys") -> str:
    """What tells this box from others in a staged rollout, and stays: not which of its interfaces is the first."""
    name = os.uname().nodename
    texts = [_text(f"{sysfs}/class/dmi/id/product_uuid")]
    try:
        interfaces = os.listdir(folder := f"{sysfs}/class/net")
    except OSError:
        interfaces = []
    real = [i for i in interfaces if os.path.exists(f"{folder}/{i}/device")]
    texts += sorted(_text(f"{folder}/{interface}/address") for interface in real)
    return next((f"{name} {text}" for text in texts if text), name)


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def parse_window(text: str) -> tuple[int, int] | None:
    """Minutes of the day from and to; None for any time.  UsageError for what is no window."""
    if not text:
        return None
    minutes = []
    for word in text.split("-"):
        hours, colon, rest = word.partition(":")
        if not (colon and hours.isdecimal() and rest.isdecimal()):
            raise UsageError(f"invalid window: {text!r} (02:00-04:30)")
        minutes.append(int(hours) * 60 + int(rest))
    if len(minutes) != 2 or not all(0 <= minute <= 24 * 60 for minute in minutes):
        raise UsageError(f"invalid window: {text!r} (02:00-04:30)")
    return minutes[0], minutes[1]


def within(window: tuple[int, int] | None, now: time.struct_time) -> bool:
    """Whether a time lies in a window, which may go past midnight."""
    if window is None:
        return True
    start, end = window
    minute = now.tm_hour * 60 + now.tm_min
    return start <= minute < end if start <= end else minute >= start or minute < end
