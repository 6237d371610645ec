"""What is kept of updates: replaced as a whole, and no reason to fail when it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.storage import update_record
from toolbox.storage.update_record import COMMITTED, Record

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
FIELDS = st.fixed_dictionaries({"trial": JSON, "last": JSON, "floor": JSON})


@given(st.binary(max_size=40) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode()))
def test_anything_can_lie_there(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "record"
    path.write_bytes(data)
    record = Record(str(path))
    assert all(isinstance(name, str) for name in record.unready)
    for entry in (record.trial, record.last):
        assert entry is None or {"slot", "version", "reason"} <= set(entry)


def test_progress_lasts_as_long_as_the_lock(tmp_path: Path) -> None:
    lock, note = str(tmp_path / "lock"), str(tmp_path / "progress")
    assert update_record.progress(note, lock) is None
    with update_record.locked(lock) as mine:
        assert mine
        update_record.note_progress("1.1", 5, 10, note)
        with update_record.locked(lock) as theirs:
            assert not theirs
        found = update_record.progress(note, lock)
        assert found == {"version": "1.1", "done": 5, "total": 10}
    assert update_record.progress(note, lock) is None
