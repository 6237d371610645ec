"""A terminal for a session: opened, sized, and set up as the client's own one is (RFC 4254, section 8)."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Opcodes of special characters -> their index in c_cc; Linux has no VDSUSP, VFLUSH, VSWTCH, VSTATUS.
_CHARACTERS = dict(
    enumerate(
        ("VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VEOL", "VEOL2", "VSTART", "VSTOP", "VSUSP"),
        1,
    )
) | {12: "VREPRINT", 13: "VWERASE", 14: "VLNEXT", 18: "VDISCARD"}

#: Opcodes of flags -> (index in the attributes, name); names unknown to a system are left alone.
_FLAGS = {
    opcode: (group, name)
    for first, group, names in (
        (30, 0, "IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL"),
        (50, 3, "ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP IEXTEN ECHOCTL ECHOKE"),
        (70, 1, "OPOST OLCUC ONLCR OCRNL ONOCR ONLRET"),
    )
    for opcode, name in enumerate(names.split(), first)
}

#: IUTF8 (RFC 8160), which the termios module has no name for.
_IUTF8_OPCODE, _IUTF8 = 42, 0o40000


def open_terminal(
    size: tuple[int, int, int, int], modes: Mapping[int, int]
) -> tuple[int, int, str]:
    """A new pseudo-terminal: its master (non-blocking), its slave, and the slave's path.

    size: columns, rows, width and height in pixels.  OSError as openpty(3).
    """
    master, slave = os.openpty()
    try:
        os.set_blocking(master, False)
        resize(master, size)
        attributes = termios.tcgetattr(slave)
        apply_modes(attributes, modes)
        try:
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
        except termios.error:
            pass  # a combination that Linux refuses: the defaults serve
        return master, slave, os.ttyname(slave)
    except BaseException:
        os.close(master)
        os.close(slave)
        raise


def resize(master: int, size: tuple[int, int, int, int]) -> None:
    """Tell the terminal (and by SIGWINCH its programs) its size: columns, rows, pixels."""
    columns, rows, width, height = (min(max(n, 0), 0xFFFF) for n in size)
    fcntl.ioctl(
        master, termios.TIOCSWINSZ, struct.pack("HHHH", rows or 24, columns or 80, width, height)
    )


def apply_modes(attributes: list[Any], modes: Mapping[int, int]) -> None:
    """Set termios(3) attributes, as tcgetattr gives them, by the client's modes: opcode -> value."""
    for opcode, value in modes.items():
        if opcode in _CHARACTERS:
            # 255 says that the character is disabled (RFC 4254); Linux says 0.
            character = b"\0" if value == 255 else bytes([value & 255])
            attributes[6][getattr(termios, _CHARACTERS[opcode])] = character
        elif opcode == _IUTF8_OPCODE:
            attributes[0] = attributes[0] | _IUTF8 if value else attributes[0] & ~_IUTF8
        elif opcode in _FLAGS:
            group, name = _FLAGS[opcode]
            flag = getattr(termios, name, 0)
            attributes[group] = attributes[group] | flag if value else attributes[group] & ~flag


def end_of_file(master: int) -> bytes:
    """What to type for "end of input": the terminal's own character when it reads lines, else nothing."""
    attributes = termios.tcgetattr(master)
    return attributes[6][termios.VEOF] if attributes[3] & termios.ICANON else b""
