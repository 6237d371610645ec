"""What is kept of updates: replaced as a whole, and no reason to fail when it cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.storage import faults
from toolbox.storage import update_record
from toolbox.storage.update_record import COMMITTED, FAILED, NOT_INSTALLED, Record

REFUSED = "refused"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "snakeroot" / "update.json")


def test_it_is_kept(path: str) -> None:
    record = Record(path)
    assert (record.trial, record.last, record.floor) == (None, None, "0")
    record.begin("b", "1.1", ["ntp"])
    record.explain("hello is starting...")
    again = Record(path)
    assert again.unready == ["ntp"]
    assert again.trial == {
        "slot": "b",
        "version": "1.1",
        "reason": "hello is starting...",
        "unready": ["ntp"],
    }
    again.end(COMMITTED, "1.1", "b", 17.9, floor="1.0")
    last = Record(path)
    assert last.trial is None
    assert last.floor == "1.0"
    assert last.last == {
        "outcome": "committed",
        "version": "1.1",
        "slot": "b",
        "reason": "",
        "time": 17,
    }


def test_a_reason_without_a_trial_writes_nothing(path: str) -> None:
    Record(path).explain("x")
    assert not Path(path).exists()


def test_a_refusal_does_not_end_the_trial(path: str) -> None:
    record = Record(path)
    record.begin("b", "1.1")
    record.end(REFUSED, "1.0", "b", 1, trial=record.trial)
    assert Record(path).trial == record.trial


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)
FIELDS = st.fixed_dictionaries(
    {"trial": JSON, "last": JSON, "floor": JSON, "seen": JSON}
    | {"failed": JSON | st.dictionaries(st.text(max_size=3), JSON)}
)


@given(st.binary(max_size=40) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode()))
def test_anything_can_lie_there(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "record"
    path.write_bytes(data)
    record = Record(str(path))
    assert all(isinstance(name, str) for name in record.unready)
    assert record.may_try("1.1", 17.0) in (True, False)
    record.say = lambda text: None
    record.end(FAILED, "1.1", "b", 1)
    record.look("x", 5, "1.1")
    for entry in (record.trial, record.last):
        assert entry is None or {"slot", "version", "reason"} <= set(entry)


def test_progress_lasts_as_long_as_the_lock(tmp_path: Path) -> None:
    lock, note = str(tmp_path / "lock"), str(tmp_path / "progress")
    assert update_record.progress(note) is None
    with update_record.locked(lock, note) as mine:
        assert mine
        update_record.note_progress("1.1", 5, 10, note)
        with update_record.locked(lock, note) as theirs:
            assert not theirs
        found = update_record.progress(note)
        assert found == {"version": "1.1", "done": 5, "total": 10}
    assert update_record.progress(note) is None


def test_who_looks_never_holds_the_lock(tmp_path: Path) -> None:
    """A page that is open looks every second; an installation that begins then must not be refused."""
    lock, note = str(tmp_path / "lock"), str(tmp_path / "progress")
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            update_record.progress(note)

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    refused = 0
    for _ in range(1000):
        with update_record.locked(lock, note) as mine:
            refused += not mine
            update_record.note_progress("1.1", 5, 10, note)
    over.set()
    for watcher in watchers:
        watcher.join()
    assert refused == 0


def test_the_progress_of_one_that_was_killed_is_none(tmp_path: Path) -> None:
    lock, note = str(tmp_path / "lock"), str(tmp_path / "progress")
    script = (
        "import os, sys; from toolbox.storage import update_record as r\n"
        "with r.locked(*sys.argv[1:]):\n"
        "    r.note_progress('1.1', 5, 10, sys.argv[2]); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, lock, note], check=False)
    assert Path(note).exists()
    assert update_record.progress(note) is None
    with update_record.locked(lock, note) as mine:
        assert mine
        assert not Path(note).exists()


def test_a_full_disk_has_room_for_the_next_record(path: str) -> None:
    """The spare and the record change their names: no inode and no block is asked for."""
    record = Record(path)
    record.begin("b", "1.1")
    inodes = {name: Path(name).stat().st_ino for name in (path, f"{path}.new")}
    record.explain("x" * 900)
    record.end(COMMITTED, "1.1", "b", 1)
    assert {name: Path(name).stat().st_ino for name in (path, f"{path}.new")} == inodes
    assert {Path(name).stat().st_size % 4096 for name in inodes} == {0}
    assert Record(path).last == record.last


def test_a_new_box_makes_room_for_its_records_at_once(path: str) -> None:
    Record(path).prepare()
    inodes = {Path(name).stat().st_ino for name in (path, f"{path}.new")}
    Record(path).prepare()
    Record(path).begin("b", "1.1", ["ntp"])
    assert {Path(name).stat().st_ino for name in (path, f"{path}.new")} == inodes
    assert Record(path).unready == ["ntp"]


def works(path: str, said: list[str]) -> Record:
    """Everything that is done with a record, by several that read it anew."""
    Record(path, said.append).begin("b", "1.1", ["ntp"])
    Record(path, said.append).explain("hello is starting...")
    Record(path, said.append).look("http://x stable", 5, "1.1")
    Record(path, said.append).end(FAILED, "1.1", "b", 1, "it did not come up")
    record = Record(path, said.append)
    record.end(COMMITTED, "1.2", "b", 2, floor="1.0")
    record.forget()
    return record


@pytest.mark.parametrize("number", faults.ERRORS)
def test_whatever_cannot_be_written_is_gone_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    reached = 0
    for n, (first, last) in enumerate(faults.every()):
        folder = tmp_path / str(n)
        said: list[str] = []
        with monkeypatch.context() as patch:
            failing = faults.Faults(patch, str(folder), first, last, number)
            record = works(str(folder / "update.json"), said)
        assert record.last
        assert record.last["outcome"] == COMMITTED, "what is known in memory stays right"
        if failing.calls < first:
            break
        reached += 1
        for text in said:
            assert os.strerror(number) in text
        # Whatever is there is whole: an older record, or none.
        again = Record(str(folder / "update.json"))
        assert again.last is None or again.last["version"] in ("1.1", "1.2")
    assert reached > 40


def test_failures_are_remembered_each_for_itself(path: str) -> None:
    record = Record(path)
    record.end(FAILED, "5", "b", 100)
    record.end(NOT_INSTALLED, "4", "b", 101, "it is older")
    record.end(COMMITTED, "3", "a", 102)
    again = Record(path)
    assert not again.may_try("5", 10**9), "another try was recorded since, and it is not forgotten"
    assert again.may_try("6", 0)
    again.end(NOT_INSTALLED, "5", "b", 200)
    assert not Record(path).may_try("5", 10**9), "nor because it cannot even be installed now"
    again.end(COMMITTED, "5", "b", 300)
    assert Record(path).may_try("5", 301), "it succeeded, by its owner's word"
    again.end(FAILED, "7", "b", 400)
    again.forget()
    assert Record(path).may_try("7", 401)


def test_what_cannot_be_installed_is_tried_again_later_and_not_for_ever(path: str) -> None:
    record = Record(path)
    now, waits = 1000.0, list[float]()
    for _ in range(update_record.MOST_TRIES):
        assert record.may_try("5", now)
        record.end(NOT_INSTALLED, "5", "b", now, "the disk is bad")
        wait = next((w for w in range(0, 200_000, 100) if record.may_try("5", now + w)), None)
        if wait is None:
            break
        waits.append(wait)
        now += wait
    assert waits == [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]
    assert not record.may_try("5", now + 10**9)
    assert Record(path).failed["5"]["count"] == update_record.MOST_TRIES


def test_a_clock_that_went_back_does_not_put_a_try_off(path: str) -> None:
    record = Record(path)
    record.end(NOT_INSTALLED, "5", "b", 2_000_000_000)
    assert record.may_try("5", 1_700_000_000)


def test_refused_releases_do_not_wash_a_failed_one_away(path: str) -> None:
    record = Record(path)
    record.end(FAILED, "5", "b", 1)
    for n in range(100):
        record.end(NOT_INSTALLED, f"1.{n}", "b", n)
    assert len(record.failed) == 16
    assert not Record(path).may_try("5", 10**9)
    assert not Record(path).may_try("1.99", 100)


def test_the_newest_channel_file_is_remembered_for_its_place(path: str) -> None:
    record = Record(path)
    assert record.look("http://x stable", 100, "5") == 0
    assert Record(path).look("http://x stable", 90, "4") == 100
    assert Record(path).seen == {"place": "http://x stable", "created": 100, "version": "5"}
    assert Record(path).look("http://y stable", 50, "4") == 0, "another place has its own time"
    assert Record(path).look("http://y stable", 50, "4") == 50
