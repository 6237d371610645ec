"""mountinfo, mount's options and fstab, as text.  Breaks when a name with blanks or a flag is read wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox import fstab
from toolbox.linux import mount as m


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", (0, "")),
        ("defaults", (0, "")),
        ("ro,nosuid,size=4k", (m.MS_RDONLY | m.MS_NOSUID, "size=4k")),
        ("ro,rw", (0, "")),
        ("nosuid,defaults", (0, "")),
        ("noatime,relatime", (m.MS_RELATIME, "")),
        ("relatime,noatime", (m.MS_NOATIME, "")),
        ("rbind,a=1,b", (m.MS_BIND | m.MS_REC, "a=1,b")),
        ("remount,bind,ro", (m.MS_REMOUNT | m.MS_BIND | m.MS_RDONLY, "")),
    ],
)
def test_options(words, expected) -> None:
    assert m.parse_options(words.split(",")) == expected


def test_a_line_of_mountinfo() -> None:
    line = rb"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 shared:2 - ext3 /dev/ro\134ot ro,errors=continue"
    one = m.Mount(line)
    assert (one.id, one.parent, one.device, one.root, one.target) == (
        36,
        35,
        "98:0",
        "/mnt1",
        "/mnt 2",
    )
    assert (one.kind, one.source) == ("ext3", "/dev/ro\\ot")
    assert one.all_options == "rw,noatime,errors=continue"


def test_ours() -> None:
    assert any(one.target == "/proc" and one.kind == "proc" for one in m.mounts())


def test_fstab() -> None:
    text = "# c\n\n/dev/vda1\t/\text4 defaults,ro 0 1\nLABEL=x /a\\040b vfat\nshort line\n"
    first, second = fstab.parse(text)
    assert (first.source, first.target, first.kind, first.options, first.order) == (
        *("/dev/vda1", "/", "ext4", ["defaults", "ro"], 1),
    )
    assert (second.target, second.options, second.order) == ("/a b", ["defaults"], 0)
    assert fstab.read("/nonexistent") == []


@given(st.text())
def test_no_fstab_does_harm(text) -> None:
    for entry in fstab.parse(text):
        assert entry.kind
