"""Capabilities and no_new_privs of this process: capabilities(7), capset(2), prctl(2)."""

from __future__ import annotations

import errno
import os
import struct

from toolbox.linux.syscall import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: Names without CAP_ -> numbers (linux/capability.h).
NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid"),
            *("setuid", "setpcap", "linux_immutable", "net_bind_service", "net_broadcast"),
            *("net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio"),
            *("sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice"),
            *("sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write"),
            *("audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm"),
            *("block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
        )
    )
}

_VERSION_3 = 0x20080522

# linux/prctl.h
_SET_KEEPCAPS = 8
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_CAP_AMBIENT_RAISE = 2


def no_new_privileges() -> None:
    """From now on no program that this process executes gains privileges.  OSError as prctl(2)."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def become_with(names: Iterable[str], uid: int | None) -> None:
    """Become the user `uid` (None: stay) with exactly these capabilities, for this program and those after.

    What isn't named leaves the bounding set too, so that no program can give it back.  OSError as
    prctl(2), capset(2) and setresuid(2); after one the process is in no state to go on.
    """
    numbers = {NUMBERS[name] for name in names}
    for number in range(64):
        if number not in numbers:
            try:
                _prctl(_CAPBSET_DROP, number)
            except OSError as error:
                if error.errno == errno.EINVAL:  # beyond the kernel's last capability
                    break
                raise
    if uid is not None:
        _prctl(_SET_KEEPCAPS, 1)
        os.setresuid(uid, uid, uid)
    _capset(numbers)
    for number in numbers:
        _prctl(_CAP_AMBIENT, _CAP_AMBIENT_RAISE, number)


def _capset(numbers: set[int]) -> None:
    mask = sum(1 << number for number in numbers)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=Ii", _VERSION_3, 0)
    # effective, permitted, inheritable: low halves, then high halves
    data = struct.pack("=6I", low, low, low, high, high, high)
    syscall("capset", header, data)


def _prctl(option: int, *arguments: int) -> int:
    return syscall("prctl", option, *arguments, *[0] * (4 - len(arguments)))
