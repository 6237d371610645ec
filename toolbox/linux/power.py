"""The machine's power: reboot(2).  None of these syncs or unmounts; init does before it calls them."""

from __future__ import annotations

import os

from toolbox.linux.syscall import syscall

_MAGIC = (0xFEE1DEAD, 672274793)
_RESTART = 0x01234567
_RESTART_WITH = 0xA1B2C3D4
_HALT = 0xCDEF0123
_POWER_OFF = 0x4321FEDC
_KEYS_ON = 0x89ABCDEF
_KEYS_OFF = 0

#: Where an argument waits for the next restart; the longest, in bytes (the kernel's own limit).
ARRANGED, LONGEST = "/run/reboot.argument", 255


def restart(argument: str = "") -> None:
    """Reset the machine.  OSError (EPERM) without the right to.

    argument: for the firmware, where it takes one ("0 tryboot" on a Raspberry Pi)
    """
    if argument:
        syscall("reboot", *_MAGIC, _RESTART_WITH, argument)
    else:
        _reboot(_RESTART)


def arrange(argument: str, path: str = ARRANGED) -> None:
    """Have init's next `restart` take an argument, whoever asks for it; "": none.  OSError as the file system says.

    It is kept in memory: another way of restarting does without.
    """
    if argument:
        with open(path, "w") as file:
            file.write(f"{argument}\n")
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def arranged(path: str = ARRANGED) -> str:
    """What was arranged for; "" for nothing."""
    try:
        with open(path, errors="replace") as file:
            return file.read(LONGEST).partition("\n")[0]
    except OSError:
        return ""


def power_off() -> None:
    """Switch the machine off, or halt it where it cannot be."""
    _reboot(_POWER_OFF)


def halt() -> None:
    """Stop the processors."""
    _reboot(_HALT)


def ctrl_alt_del(at_once: bool) -> None:
    """Whether Ctrl-Alt-Del resets the machine at once, or sends SIGINT to process 1."""
    _reboot(_KEYS_ON if at_once else _KEYS_OFF)


def _reboot(command: int) -> None:
    syscall("reboot", *_MAGIC, command, None)
