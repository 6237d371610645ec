"""What a box that looks for releases does by itself: what failed is not tried for ever, nor forgotten too soon.

Breaks when a box installs a release again that it left, loops on one that cannot be installed, or takes an old
copy of its channel for the newest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from applets.update import daemon, work
from tests.toolbox.release.factory import CREATED, KEY, KEYS, TARGET
from tests.toolbox.storage.test_update import NEW, NEWER, Box, installed
from toolbox import control
from toolbox.release import channel, manifest, own, signed
from toolbox.release.channel import Channel
from toolbox.release.own import Own
from toolbox.storage import update_record
from toolbox.storage.update import Updates
from toolbox.storage.update_record import COMMITTED, FAILED, NOT_INSTALLED, Record

FILES = {"1.1": NEW, "1.2": NEWER}


class Field:
    """A box in the field, and the web server that it looks at.  `restarts` counts what it asked init for."""

    def __init__(self, folder: Path) -> None:
        self.box = Box(installed("1.0"), folder)
        self.place = folder / "releases"
        self.place.mkdir()
        self.restarts = 0
        self.now = float(CREATED)
        self.said: list[str] = []
        self.fetched = 0

    @contextlib.contextmanager
    def opened(self, *, writable: bool = False) -> Iterator[Updates]:
        updates = self.box.updates()
        updates.clock = lambda: self.now
        yield updates

    def publish(self, version: str, created: int = CREATED, damage: bool = False) -> None:
        data = FILES[version]
        if damage:
            data = data[: len(data) // 3] + bytes(len(data))[len(data) // 3 :]
        name = manifest.file_name(TARGET, version)
        (self.place / name).write_bytes(data)
        message = Channel(channel.DEFAULT, TARGET, version, name, created).encode()
        self.channel.write_bytes(signed.seal(message, KEY, created, self.channel.name))

    @property
    def channel(self) -> Path:
        return self.place / channel.file_name(TARGET)

    def look(self) -> str:
        """One look; the version that was put into the other slot and armed, "" for none."""
        before = self.restarts
        daemon.look(None)
        updates = self.box.updates()
        armed = updates.describe()["state"] == "armed"
        assert armed == (self.restarts > before)
        return updates.version(updates.other) if armed else ""

    @property
    def record(self) -> Record:
        return Record(self.box.path)


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    found = Field(tmp_path)

    def asked(verb: str, **words: Any) -> dict[str, Any]:
        if verb == "power":
            found.restarts += 1
        return {"ok": True, "services": []}

    monkeypatch.setattr(work, "opened", found.opened)
    monkeypatch.setattr(work, "Record", lambda **more: Record(found.box.path, **more))
    monkeypatch.setattr(own, "load", lambda: Own(TARGET, KEYS, str(found.place)))
    monkeypatch.setattr(work.time, "time", lambda: found.now)
    monkeypatch.setattr(control, "request", asked)
    monkeypatch.setattr(daemon, "say", found.said.append)
    monkeypatch.setattr(work, "_say", found.said.append)
    lock, note = str(tmp_path / "lock"), str(tmp_path / "progress")
    locked, noted = update_record.locked, update_record.note_progress
    monkeypatch.setattr(update_record, "locked", lambda: locked(lock, note))
    monkeypatch.setattr(update_record, "note_progress", lambda *now: noted(*now, note))
    return found


def left(field: Field) -> None:
    """The trial is not committed, and the box comes back with its old release."""
    field.box.boot()
    assert field.box.boot() == "1.0"
    last = field.box.updates().settle()
    assert last
    assert last["outcome"] == FAILED


def test_a_new_release_is_installed_once(field: Field) -> None:
    field.publish("1.1")
    assert field.look() == "1.1"
    field.box.boot()
    field.box.updates().commit()
    assert field.look() == ""


def test_one_that_failed_is_not_tried_again_whatever_else_was_tried(field: Field) -> None:
    field.publish("1.1")
    assert field.look() == "1.1"
    left(field)
    assert field.look() == ""
    # Somebody pushes something that is refused: it takes the place of the last try.
    field.box.updates().record.end(NOT_INSTALLED, "0.9", "b", field.now, "it is older")
    field.now += 10**8
    assert field.look() == ""
    field.publish("1.2", CREATED + 1)
    assert field.look() == "1.2", "a newer one is"


def test_the_owner_may_have_it_tried_again(field: Field) -> None:
    field.publish("1.1")
    field.look()
    left(field)
    assert field.look() == ""
    work.retry()
    assert field.look() == "1.1"


def test_one_that_succeeded_by_its_owners_word_is_no_failure_any_more(field: Field) -> None:
    field.publish("1.1")
    field.look()
    left(field)
    work.apply(str(field.place / manifest.file_name(TARGET, "1.1")))
    assert field.box.boot() == "1.1"
    field.box.updates().commit()
    assert field.record.failed == {}


def test_what_cannot_be_installed_is_tried_again_later_and_later(field: Field) -> None:
    field.publish("1.1", damage=True)
    tries = []
    for hour in range(24 * 10):
        field.now = float(CREATED + 3600 * hour)
        before = field.record.failed.get("1.1", {}).get("count", 0)
        assert field.look() == ""
        if field.record.failed["1.1"]["count"] > before:
            tries.append(hour)
    assert tries == [0, 1, 2, 3, 5, 9, 17, 33, 57, 81]
    assert field.box.updates().describe()["last"]["outcome"] == NOT_INSTALLED
    field.publish("1.2", CREATED + 1)
    assert field.look() == "1.2"


def test_a_trial_that_failed_is_known_though_nothing_can_be_kept(field: Field) -> None:
    """The boot state knows which slot is bad, and its label what is in it."""
    field.publish("1.1")
    assert field.look() == "1.1"
    left(field)
    Path(field.box.path).unlink()
    assert field.look() == ""
    field.publish("1.2", CREATED + 1)
    assert field.look() == "1.2"


def test_one_that_waits_for_the_restart_is_not_installed_again(field: Field) -> None:
    field.publish("1.1")
    assert field.look() == "1.1"
    writes = len(field.box.disk.events)
    assert field.look() == "1.1", "the restart is asked for again"
    assert len(field.box.disk.events) == writes


def test_the_channel_is_read_once_for_a_look(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers may be of two releases."""
    field.publish("1.1")
    read, locate = 0, work.fetch.locate

    def counted(*words: Any, **more: Any) -> Any:
        nonlocal read
        read += 1
        found = locate(*words, **more)
        field.publish("1.2", CREATED + 1)
        return found

    monkeypatch.setattr(work.fetch, "locate", counted)
    assert field.look() == "1.1"
    assert read == 1


def test_an_older_copy_of_the_channel_is_refused(field: Field) -> None:
    field.publish("1.2", CREATED + 200_000)
    old = field.channel.read_bytes()
    assert work.latest().newer
    field.publish("1.1", CREATED)
    assert field.look() == ""
    assert any("one of 2023-11-17T05:46:40Z was there before" in text for text in field.said)
    field.channel.write_bytes(old)
    assert field.look() == "1.2"


def test_the_owner_may_go_back_to_an_older_channel(field: Field) -> None:
    field.publish("1.2", CREATED + 200_000)
    work.latest()
    field.publish("1.1", CREATED)
    work.retry()
    assert field.look() == "1.1"


def test_an_old_newest_is_said_to_be_old(field: Field) -> None:
    field.publish("1.1")
    field.now = CREATED + 89 * 86400.0
    assert work.age(work.latest().channel.created) == ""
    field.now = CREATED + 90 * 86400.0
    assert work.age(work.latest().channel.created) == "of 2023-11-14T22:13:20Z, 90 days ago"
    shown = "\n".join(work.lines(work.describe()))
    assert "the channel's newest is 1.1, of 2023-11-14T22:13:20Z, 90 days ago" in shown


def test_what_failed_is_shown(field: Field) -> None:
    field.publish("1.1")
    field.look()
    left(field)
    shown = "\n".join(work.lines(work.describe()))
    assert "version 1.1 failed once: 'update retry' forgets that" in shown
    field.box.updates().record.end(COMMITTED, "1.1", "b", 1)
    assert "failed once" not in "\n".join(work.lines(work.describe()))


def test_who_sends_no_release_never_holds_the_lock(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    opened = work.opened

    @contextlib.contextmanager
    def counted(*, writable: bool = False) -> Iterator[Updates]:
        nonlocal taken
        taken += writable
        with opened(writable=writable) as updates:
            yield updates

    monkeypatch.setattr(work, "opened", counted)
    junk = field.place / "junk.release"
    junk.write_bytes(b"no release\n" * 1000)
    with pytest.raises(ValueError, match="signature"):
        work.apply(str(junk))
    assert taken == 0


def test_the_identity_in_a_rollout_is_not_the_interfaces_order(tmp_path: Path) -> None:
    def sysfs(name: str, addresses: dict[str, str]) -> str:
        for interface, address in addresses.items():
            folder = tmp_path / name / "class" / "net" / interface
            folder.mkdir(parents=True)
            (folder / "address").write_text(f"{address}\n")
            if interface != "lo":
                (folder / "device").mkdir()
        return str(tmp_path / name)

    one, two, three = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
    lo = "00:00:00:00:00:00"
    first = daemon.identity(sysfs("a", {"lo": lo, "eth0": one, "eth1": two}))
    assert first == daemon.identity(sysfs("b", {"lo": lo, "eth1": one, "eth0": two}))
    assert first != daemon.identity(sysfs("c", {"lo": lo, "eth0": three, "eth1": two}))
    (tmp_path / "a" / "class" / "dmi" / "id").mkdir(parents=True)
    (tmp_path / "a" / "class" / "dmi" / "id" / "product_uuid").write_text("4711\n")
    assert daemon.identity(str(tmp_path / "a")).endswith(" 4711")
