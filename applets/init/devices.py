"""Giving a device to a service's user: an entry in its access control list, so that several services may have it.

Sources: acl(5), POSIX.1e draft 17; the attribute's form: linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

#: The attribute that holds the list, and the version that it begins with.
_ACL, _VERSION = "system.posix_acl_access", 2

#: Tags of entries, in the order in which they stand in the list.
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20

#: Of entries that name nobody.
_NOBODY = 0xFFFFFFFF

_READ_AND_WRITE = 6


def give(path: str, uid: int) -> None:
    """Let a user read and write a device, besides those who may already.

    OSError when there is none, when it is no device, or when its file system has no lists.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
        raise OSError(errno.ENODEV, "is no device", path)
    try:
        entries = decode(os.getxattr(path, _ACL))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        entries = {
            (_OWNER, _NOBODY): mode >> 6 & 7,
            (_GROUP, _NOBODY): mode >> 3 & 7,
            (_OTHERS, _NOBODY): mode & 7,
        }
    entries[_USER, uid] = _READ_AND_WRITE
    # It bounds what the group and all who are named may; beside one of those it must be there.
    entries[_MASK, _NOBODY] = (
        entries.get((_MASK, _NOBODY), entries[_GROUP, _NOBODY]) | _READ_AND_WRITE
    )
    os.setxattr(path, _ACL, encode(entries))


def decode(data: bytes) -> dict[tuple[int, int], int]:
    """(tag, user or group) -> permissions, as in a mode."""
    return {(tag, number): bits for tag, bits, number in struct.iter_unpack("<HHI", data[4:])}


def encode(entries: dict[tuple[int, int], int]) -> bytes:
    """The attribute's bytes."""
    parts = [struct.pack("<HHI", tag, bits, n) for (tag, n), bits in sorted(entries.items())]
    return struct.pack("<I", _VERSION) + b"".join(parts)
