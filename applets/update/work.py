"""What the verbs of `update` do: the box's disk, its record and its releases, put together."""

from __future__ import annotations

import contextlib
import os
import time

from toolbox.errors import Fatal
from toolbox.harmless import harmless
from toolbox.linux import power
from toolbox.release import ReleaseError, fetch, manifest, own, partial
from toolbox.release.sources import is_url, open_source
from toolbox.storage import perm, tryboot, update_record
from toolbox.storage.device import Disk
from toolbox.storage.update import BAD, Updates, find_disk
from toolbox.storage.update_record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from toolbox.release.channel import Channel
    from toolbox.release.own import Own
    from toolbox.release.sources import Source

#: Seconds between two notes of how far it is.
PACE = 0.5

#: Days after which a channel's newest release is said to be old: it may be that nobody tells of newer ones.
OLD = 90

#: What may be due (`is_due`).
INSTALL, RESTART = "install", "restart"

#: Releases come through this while they are pushed.
STANDARD_INPUT = "-"


def own_or_none() -> Own | None:
    """What this box is; None when it takes no releases."""
    try:
        return own.load()
    except ReleaseError:
        return None


@contextlib.contextmanager
def opened(*, writable: bool = False) -> Iterator[Updates]:
    """The box's updates; writable: nobody else changes anything meanwhile.

    Fatal when somebody does already, ValueError when the box has no slots.
    """
    words = tryboot.command_line()
    path = find_disk(words)
    with contextlib.ExitStack() as stack:
        if writable and not stack.enter_context(update_record.locked()):
            raise Fatal("another update is under way: see 'update show'")
        disk = stack.enter_context(Disk(path, writable=writable))
        told = power.arranged()
        record, has = Record(say=_say), perm.features()
        updates = Updates(disk, words, record, own_or_none(), argument=told, perm=has)
        try:
            yield updates
        finally:
            if updates.control.argument != told:
                power.arrange(updates.control.argument)


# -- showing -----------------------------------------------------------------------------------------------


def describe() -> dict[str, Any]:
    """slot, version, state, last, slots, failed releases, the channel, and progress of an installation."""
    with opened() as updates:
        described = updates.describe()
        described["failed"] = updates.record.failed
        described["channel"] = updates.record.seen
    described["progress"] = update_record.progress()
    if described["progress"]:
        described["state"] = "installing"
    return described


def lines(described: dict[str, Any]) -> list[str]:
    """For people."""
    found = [f"slot {described['slot']} runs, {described['state']}"]
    for name, one in described["slots"].items():
        mark = "*" if name == described["slot"] else " "
        found.append(f"{mark} {name}  {one['state']:<6} {one['version']}".rstrip())
    if progress := described["progress"]:
        percent = 100 * int(progress["done"]) // max(1, int(progress["total"]))
        found.append(f"version {progress['version']} is being installed: {percent} %")
    if last := described["last"]:
        when = date(int(last.get("time") or 0))
        why = f": {last['reason']}" if last["reason"] else ""
        found.append(f"last: {when} version {last['version']} {last.get('outcome')}{why}")
    for version, one in described["failed"].items():
        tries = "once" if one["count"] == 1 else f"{one['count']} times"
        found.append(f"version {version} {one['outcome']} {tries}: 'update retry' forgets that")
    if (channel := described["channel"]) and (old := age(channel["created"])):
        found.append(f"the channel's newest is {channel['version']}, {old}")
    return [harmless(line) for line in found]


# -- finding releases --------------------------------------------------------------------------------------


def _own() -> Own:
    return own.load()


class Latest:
    """The channel's latest release.  place: where it is    channel: the channel file
    newer: whether it is newer than what runs
    """

    __slots__ = ("channel", "newer", "place")

    def __init__(self, place: str, channel: Channel, newer: bool) -> None:
        self.place = place
        self.channel = channel
        self.newer = newer


def latest() -> Latest:
    """What the box's channel has, read once.  ReleaseError when nobody can tell, or the channel is an old copy."""
    box = _own()
    if not box.url:
        raise ReleaseError("this box knows no place of releases: name a file or a URL")
    try:
        place, found = fetch.locate(box.url, box.target, box.keys, name=box.channel, retry=_retry())
    except OSError as error:
        raise ReleaseError(f"{error.filename or box.url}: {error.strerror}") from None
    if found is None:
        raise ReleaseError(f"{box.url}: has no channel {box.channel}")
    _not_replayed(box, found)
    with opened() as updates:
        version = updates.version(updates.running)
    return Latest(place, found, manifest.compare(found.version, version or "0") > 0)


def _not_replayed(box: Own, found: Channel) -> None:
    """ReleaseError when a newer copy of the channel was seen before: its server is stale, or somebody replays it."""
    place = f"{box.url} {box.channel}"
    seen = Record().seen
    known = seen["created"] if seen and seen["place"] == place else 0
    if found.created < known:
        raise ReleaseError(
            f"{box.url}: the channel {box.channel} is of {date(found.created)}, and one of {date(known)}"
            " was there before: an old copy, which somebody may be replaying; nothing is taken from it"
            " (if that is meant: update retry)"
        )
    if found.created > known:
        with update_record.locked() as mine:
            if mine:  # whoever installs something now reads it again the next time
                Record(say=_say).look(place, found.created, found.version)


def age(created: int) -> str:
    """How old a channel file is, in words; "" while it is no news."""
    days = int(time.time() - created) // 86400
    return f"of {date(created)}, {days} days ago" if days >= OLD else ""


def date(seconds: int) -> str:
    """A time in Unix seconds, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def is_due(version: str) -> str:
    """What is to be done, without anybody's word, to have a release: INSTALL, RESTART, or "" for nothing."""
    with opened() as updates:
        record, described = updates.record, updates.describe()
        other = described["slots"][updates.other]
    if described["state"] in ("trial", "armed"):
        armed = described["state"] == "armed" and other["version"] == version
        return RESTART if armed else ""
    trial = record.trial
    unknown = record.last is None or (trial is not None and trial["version"] == version)
    if version not in record.failed and unknown and other == {"state": BAD, "version": version}:
        return ""  # it was tried, and that could not be kept on /perm
    return INSTALL if record.may_try(version, time.time()) else ""


def retry() -> None:
    """The owner wants what failed to be tried again."""
    with opened(writable=True) as updates:
        updates.record.forget()


def _retry() -> fetch.Retry:
    return fetch.Retry(say=_say, tries=3)


def _say(text: str) -> None:
    from toolbox.errors import say

    say(f"update: {text}")


def _source(what: str) -> Source:
    box = _own()
    if what == STANDARD_INPUT:
        return partial.open_pipe("the release", open(0, "rb", closefd=False))
    if not what:
        return open_source(latest().place)
    if manifest.VERSION.fullmatch(what) and not os.path.exists(what):
        if not box.url:
            raise ReleaseError("this box knows no place of releases: name a file or a URL")
        return open_source(fetch.locate(box.url, box.target, box.keys, version=what)[0])
    if os.path.isdir(what) or (is_url(what) and not what.endswith(manifest.SUFFIX)):
        place, _ = fetch.locate(what, box.target, box.keys, name=box.channel, retry=_retry())
        return open_source(place)
    return open_source(what)


# -- installing --------------------------------------------------------------------------------------------


def apply(what: str, *, downgrade: bool = False) -> tuple[str, str]:
    """Install a release (see the applet's help) and arm it; returns its version and slot.

    The signature comes before the lock: who has no release to give cannot keep others out.
    """
    with opened() as updates:  # is there anything to install it in?
        keys = updates.keys
    with contextlib.closing(_source(what)) as source:
        release = fetch.open_release(source, keys, fetch.Retry(_say))
        with opened(writable=True) as updates:
            noted = -PACE

            def note(version: str, done: int, total: int) -> None:
                nonlocal noted
                now = time.monotonic()
                if now - noted >= PACE:
                    noted = now
                    update_record.note_progress(version, done, total)

            installed = updates.install(
                source,
                release=release,
                unready=unready(),
                downgrade=downgrade,
                say=_say,
                progress=note,
            )
            return installed.version, updates.other


def wanted(what: str, *, downgrade: bool = False) -> bytes:
    """The line of ranges (partial.py) of a release that this box lacks; `what`: as for `apply`."""
    with opened() as updates:
        source = _source(what)
        try:
            return partial.encode(updates.wanted(source, downgrade=downgrade))
        finally:
            source.close()


def unready() -> list[str]:
    """The services that do not work before the update, and so need not after it."""
    from applets.update.health import trouble
    from toolbox import control

    try:
        services = control.request("list")["services"]
    except (Fatal, KeyError):
        return []
    return [str(service["name"]) for service in services if trouble(service)]
