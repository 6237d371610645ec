"""The kernel's word of a limit that was reached; limits themselves need a kernel that keeps them (tests/vm)."""

from __future__ import annotations

import os
import struct

import pytest

from toolbox.linux import quota
from toolbox.linux.netlink_objects import attribute


def said(**changed: int) -> bytes:
    """A message as Linux's fs/quota/netlink.c makes it."""
    value = {"kind": 0, "uid": 70000, "warning": 1, "major": 254, "minor": 8, **changed}
    u32, u64 = (struct.Struct(f) for f in ("=I", "=Q"))
    body = struct.pack("=BBxx", 1, 1)
    body += attribute(1, u32.pack(value["kind"])) + attribute(2, u64.pack(value["uid"]))
    body += attribute(3, u32.pack(value["warning"])) + attribute(4, u32.pack(value["major"]))
    body += attribute(5, u32.pack(value["minor"])) + attribute(6, u64.pack(value["uid"]))
    return struct.pack("=IHHII", 16 + len(body), 30, 0, 1, 0) + body


def test_limits_that_were_reached() -> None:
    files, space = quota.parse(said() + said(uid=(1 << 32) - 2, warning=4))
    assert (files.uid, files.device, files.what) == (70000, os.makedev(254, 8), quota.FILES)
    assert (space.uid, space.what) == ((1 << 32) - 2, quota.SPACE)


@pytest.mark.parametrize(
    "data",
    [
        said(kind=1),  # a group's
        said(warning=7),  # there is room again
        said(warning=2),  # a soft limit
        said(warning=0),
        said()[:-30],
        struct.pack("=IHHII", 16, 30, 0, 1, 0),
        struct.pack("=IHHII", 20, 30, 0, 1, 0) + b"\1\1\0\0",
        b"",
        b"x" * 40,
    ],
)
def test_anything_else_is_passed_over(data: bytes) -> None:
    assert quota.parse(data) == []


def test_the_kernel_is_listened_to() -> None:
    """Its own words for where: the family is looked up by name."""
    warnings = quota.Warnings()
    try:
        assert warnings.fileno() >= 0
        assert warnings.take() == []
    finally:
        warnings.close()


def test_a_file_system_without_quotas() -> None:
    with pytest.raises(OSError, match="/no/such/device") as caught:
        quota.limits("/no/such/device", 1)
    assert caught.value.filename is None or "device" in str(caught.value)
