"""Limits of what a user may have on a file system (quotactl(2)), and the kernel's word when one is reached.

    set_limits("/dev/vda8", 65600, Limits(200 << 20, 50000))
    limits("/dev/vda8", 65600)                                    -> Limits(209715200, 50000)

    warnings = Warnings()             a netlink socket; readable when there is something
    warnings.take()                   -> [Reached(uid=65600, device=64776, what="files")]

The file system must count what users have: ext4 made with the feature `quota` and mounted with `usrquota`.
The warnings are those of every file system of the machine, tmpfs too (Linux's include/uapi/linux/quota.h).
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from toolbox.linux.netlink import Netlink, messages
from toolbox.linux.netlink_objects import attribute, attributes
from toolbox.linux.syscall import syscall

#: QCMD(command, USRQUOTA)
_GET, _SET = 0x800007 << 8, 0x800008 << 8

#: struct if_dqblk: limits of space (hard, soft; in KiB), bytes in use, limits of files (hard, soft), files in use,
#: two times, and which fields count.
_DQBLK = struct.Struct("=8QI4x")
_KIB = 1024
_QIF_BLIMITS, _QIF_ILIMITS = 1, 4

#: Generic netlink: its own family, with which others are looked up by name (linux/genetlink.h).
_NETLINK_GENERIC, _GENL_ID_CTRL = 16, 16
_CTRL_CMD_GETFAMILY, _CTRL_ATTR_FAMILY_NAME, _CTRL_ATTR_MCAST_GROUPS = 3, 2, 7
_CTRL_ATTR_MCAST_GRP_NAME, _CTRL_ATTR_MCAST_GRP_ID = 1, 2
_GENL_HEADER = struct.Struct("=BBxx")
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1

_FAMILY, _GROUP = b"VFS_DQUOT\0", b"events\0"
_ATTR_TYPE, _ATTR_ID, _ATTR_WARNING, _ATTR_MAJOR, _ATTR_MINOR = 1, 2, 3, 4, 5

#: QUOTA_NL_IHARDWARN and QUOTA_NL_BHARDWARN; there are others, of soft limits, which nobody sets here.
FILES, SPACE = "files", "space"
_REACHED = {1: FILES, 4: SPACE}


class Limits:
    """What a user may have: `space` in bytes and `files` (inodes); 0 for as much as there is."""

    __slots__ = ("files", "space")

    def __init__(self, space: int = 0, files: int = 0) -> None:
        self.space = space
        self.files = files

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Limits):
            return NotImplemented
        return (self.space, self.files) == (other.space, other.files)

    def __hash__(self) -> int:
        return hash((self.space, self.files))

    def __repr__(self) -> str:
        return f"Limits({self.space}, {self.files})"


def limits(device: str, uid: int) -> Limits:
    """What the user `uid` may have on the file system of a block device.

    OSError: ESRCH when the file system has no quotas; as quotactl(2).
    """
    found = bytearray(_DQBLK.size)
    _quotactl(_GET, device, uid, found)
    space, _, _, files, *_ = _DQBLK.unpack(found)
    return Limits(space * _KIB, files)


def set_limits(device: str, uid: int, wanted: Limits) -> None:
    """Limit a user, who may have more already: then he gets nothing more.  The kernel counts space in KiB.

    OSError as `limits`.
    """
    space = -(-wanted.space // _KIB)
    fields = (space, 0, 0, wanted.files, 0, 0, 0, 0, _QIF_BLIMITS | _QIF_ILIMITS)
    _quotactl(_SET, device, uid, bytearray(_DQBLK.pack(*fields)))


def _quotactl(command: int, device: str, uid: int, block: bytearray) -> None:
    try:
        syscall("quotactl", command, device, uid, block)
    except OSError as error:
        raise OSError(error.errno, error.strerror, device) from None


class Reached:
    """A limit was reached: uid: whose    device: of the file system (st_dev)    what: FILES or SPACE"""

    __slots__ = ("device", "uid", "what")

    def __init__(self, uid: int, device: int, what: str) -> None:
        self.uid = uid
        self.device = device
        self.what = what


class Warnings:
    """The kernel's word of limits that are reached."""

    def __init__(self) -> None:
        """OSError: ENOENT when the kernel tells nobody (CONFIG_QUOTA_NETLINK_INTERFACE)."""
        self._netlink = Netlink(protocol=_NETLINK_GENERIC)
        self.socket = self._netlink.socket
        try:
            self.socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, self._group())
            self.socket.setblocking(False)
        except BaseException:
            self.close()
            raise

    def _group(self) -> int:
        name = attribute(_CTRL_ATTR_FAMILY_NAME, _FAMILY)
        asked = _GENL_HEADER.pack(_CTRL_CMD_GETFAMILY, 1) + name
        for answer in self._netlink.ask(_GENL_ID_CTRL, 0, asked):
            found = attributes(answer[_GENL_HEADER.size :])
            for group in attributes(found.get(_CTRL_ATTR_MCAST_GROUPS, b"")).values():
                own = attributes(group)
                if own.get(_CTRL_ATTR_MCAST_GRP_NAME) == _GROUP:
                    return int.from_bytes(own[_CTRL_ATTR_MCAST_GRP_ID], sys.byteorder)
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    def fileno(self) -> int:
        """For select and its like."""
        return self.socket.fileno()

    def take(self) -> list[Reached]:
        """What the kernel said since; never waits.  What it said too fast for us is lost."""
        found: list[Reached] = []
        while True:
            try:
                data, (sender, _) = self.socket.recvfrom(1 << 16)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue
                raise
            if sender == 0:
                found += parse(data)

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()


def parse(data: bytes) -> list[Reached]:
    """The limits of users that a datagram says were reached; anything else is passed over."""
    found = []
    for _, _, _, body in messages(data):
        said = attributes(body[_GENL_HEADER.size :])
        numbers = {key: int.from_bytes(value, sys.byteorder) for key, value in said.items()}
        what = _REACHED.get(numbers.get(_ATTR_WARNING, 0))
        if what is None or numbers.get(_ATTR_TYPE) != 0 or _ATTR_ID not in numbers:
            continue  # of a group, or not of a limit that was reached
        device = os.makedev(numbers.get(_ATTR_MAJOR, 0), numbers.get(_ATTR_MINOR, 0))
        found.append(Reached(numbers[_ATTR_ID], device, what))
    return found
