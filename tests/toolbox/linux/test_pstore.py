"""The kernel's last words.  Breaks when a record is lost, kept for the wrong boot, or not understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.linux import pstore

EXITED = """\
Panic#1 Part1
<6>[    4.100000] Run /init as init process
<2>[    4.200000] first stage: the root has no /bin/none: ENOENT (2)
<2>[    4.210000] first stage: reboot in 1 s
<0>[    4.300000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100
<4>[    4.400000] CPU: 1 PID: 1 Comm: init Not tainted 6.1.0-56-cloud-amd64
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXITED, "first stage: the root has no /bin/none: ENOENT (2)"),
        (
            "<0>[    1.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
            "Attempted to kill init! exitcode=0x00000100",
        ),
        (
            "<1>[   12.25][  T123] BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
            "<0>[   12.30][  T123] Kernel panic - not syncing: Fatal exception\n",
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        ),
        ("<1>[ 1.0] BUG: unable to handle page fault\n", ""),
        ("", ""),
    ],
)
def test_the_reason_is_the_first_cause(text: str, said: str, tmp_path: Path) -> None:
    assert pstore.reason(text) == said
    log = tmp_path / "crash.log"
    assert pstore.last_crash(str(log)) == ""
    log.write_text(text)
    assert pstore.last_crash(str(log)) == said


@given(st.text(max_size=200))
def test_any_text_is_one_line_at_most(noise: str) -> None:
    said = pstore.reason(f"{noise}\n<0>[ 1.0] Kernel panic - not syncing: it\n{noise}")
    assert len(said.splitlines()) <= 1
    assert said


def test_records_are_taken_once(tmp_path: Path) -> None:
    (tmp_path / "dmesg-ramoops-1").write_bytes(b"second \xff")
    (tmp_path / "dmesg-ramoops-0").write_bytes(b"first\n")
    (tmp_path / "other").write_bytes(b"left alone")
    assert pstore.take(str(tmp_path)) == "first\nsecond \ufffd\n"
    assert pstore.take(str(tmp_path)) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
