"""fstab(5) as it is found in the wild.  Breaks when a line is split, unescaped or passed over differently."""

from __future__ import annotations

import pytest

from toolbox import fstab

TEXT = """\
# <file system> <mount point> <type> <options> <dump> <pass>

UUID=12-34\t/\text4\terrors=remount-ro,noatime 0 1
/dev/vda2 /a\\040b\\011c\\134d vfat
tmpfs /tmp tmpfs size=1g,,nosuid 0 2 # more
LABEL=x none
proc /proc proc defaults 0 x
\\999 /\\04 x
"""


def test_lines() -> None:
    entries = fstab.parse(TEXT)
    assert [(e.source, e.target, e.kind, e.options, e.order) for e in entries] == [
        ("UUID=12-34", "/", "ext4", ["errors=remount-ro", "noatime"], 1),
        ("/dev/vda2", "/a b\tc\\d", "vfat", ["defaults"], 0),
        ("tmpfs", "/tmp", "tmpfs", ["size=1g", "nosuid"], 2),
        ("proc", "/proc", "proc", ["defaults"], 0),
        ("\\999", "/\\04", "x", ["defaults"], 0),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "#", "a", "a b", " # a b c"])
def test_no_entries(text) -> None:
    assert fstab.parse(text) == []


def test_a_missing_file_has_none_and_a_folder_is_an_error(tmp_path) -> None:
    assert fstab.read(str(tmp_path / "fstab")) == []
    with pytest.raises(IsADirectoryError):
        fstab.read(str(tmp_path))


def test_names_are_bytes(tmp_path) -> None:
    (tmp_path / "fstab").write_bytes(b"x /\xff tmpfs\n")
    assert fstab.read(str(tmp_path / "fstab"))[0].target == "/\udcff"
