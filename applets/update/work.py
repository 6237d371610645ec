"""What the verbs of `update` do: the box's disk, its record and its releases, put together."""

from __future__ import annotations

import contextlib
import os
import time

from toolbox.errors import Fatal
from toolbox.linux import power
from toolbox.release import ReleaseError, fetch, manifest, own, partial
from toolbox.release.sources import is_url, open_source
from toolbox.storage import tryboot, update_record
from toolbox.storage.device import Disk
from toolbox.storage.update import Updates, find_disk
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
        updates = Updates(disk, words, Record(), own_or_none(), argument=told)
        try:
            yield updates
        finally:
            if updates.control.argument != told:
                power.arrange(updates.control.argument)


# -- showing -----------------------------------------------------------------------------------------------


def describe() -> dict[str, Any]:
    """slot, version, state, last, slots, and progress while something is being installed."""
    with opened() as updates:
        described = updates.describe()
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
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(last.get("time") or 0)))
        why = f": {last['reason']}" if last["reason"] else ""
        found.append(f"last: {when} version {last['version']} {last.get('outcome')}{why}")
    return ["".join(c if c.isprintable() else "?" for c in line) for line in found]


# -- finding releases --------------------------------------------------------------------------------------


def _own() -> Own:
    return own.load()


def latest(box: Own) -> tuple[str, Channel]:
    """Where the latest release of the box's channel is, and the channel file.  ReleaseError without one."""
    if not box.url:
        raise ReleaseError("this box knows no place of releases: name a file or a URL")
    place, found = fetch.locate(box.url, box.target, box.keys, name=box.channel, retry=_retry())
    if found is None:
        raise ReleaseError(f"{box.url}: has no channel {box.channel}")
    return place, found


def newer() -> str:
    """The version of the channel's latest release if it is newer than what runs; else "".

    ReleaseError when nobody can tell.
    """
    box = _own()
    try:
        _, found = latest(box)
    except OSError as error:
        raise ReleaseError(f"{error.filename or box.url}: {error.strerror}") from None
    with opened() as updates:
        version = updates.version(updates.running)
    return found.version if manifest.compare(found.version, version or "0") > 0 else ""


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
        return open_source(latest(box)[0])
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
    """Install a release (see the applet's help) and arm it; returns its version and slot."""
    with opened(writable=True) as updates:
        source = _source(what)
        noted = 0.0

        def note(version: str, done: int, total: int) -> None:
            nonlocal noted
            now = time.monotonic()
            if now - noted >= PACE:
                noted = now
                update_record.note_progress(version, done, total)

        try:
            installed = updates.install(
                source, unready=unready(), downgrade=downgrade, say=_say, progress=note
            )
        finally:
            source.close()
            with contextlib.suppress(OSError):
                os.unlink(update_record.PROGRESS)
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
