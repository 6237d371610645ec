"""Leading the clock to the right time: clock_adjtime(2), adjtimex(2)."""

from __future__ import annotations

import struct

from toolbox.linux.syscall import syscall

CLOCK_REALTIME = 0

ADJ_OFFSET = 0x0001
ADJ_FREQUENCY = 0x0002
ADJ_MAXERROR = 0x0004
ADJ_STATUS = 0x0010
ADJ_TIMECONST = 0x0020
ADJ_NANO = 0x2000

STA_PLL = 0x0001
STA_UNSYNC = 0x0040

#: The most that the kernel's loop corrects at once, in seconds (MAXPHASE of linux/timex.h).
MAX_OFFSET = 0.5

#: struct timex on 64-bit machines, up to what is read and set here; the kernel's own is 208 bytes.
_TIMEX = struct.Struct("I4xqqqqi4xqqqqqq")
_SIZE = 208


class Adjustment:
    """What the kernel says of its clock: `offset` s still to correct, `frequency` ppm, `synchronized`."""

    __slots__ = ("frequency", "offset", "synchronized")

    def __init__(self, offset: float, frequency: float, synchronized: bool) -> None:
        self.offset = offset
        self.frequency = frequency
        self.synchronized = synchronized


def slew(offset: float, poll: float) -> None:
    """Lead the clock `offset` seconds forward; corrections come every `poll` seconds.

    The kernel's phase-locked loop learns the clock's rate from the sequence of offsets.  OSError: EPERM.
    """
    offset = max(-MAX_OFFSET, min(MAX_OFFSET, offset))
    # The loop's time constant is the binary logarithm of the poll interval less 4 (RFC 5905, kernel NTP).
    constant = max(0, min(10, int(poll).bit_length() - 1 - 4))
    modes = ADJ_OFFSET | ADJ_STATUS | ADJ_TIMECONST | ADJ_MAXERROR | ADJ_NANO
    _adjust(modes, offset=round(offset * 1e9), maxerror=16_000, status=STA_PLL, constant=constant)


def read() -> Adjustment:
    """The clock's state; changes nothing."""
    fields = _TIMEX.unpack_from(_adjust(0))
    nanoseconds = bool(fields[5] & ADJ_NANO)
    return Adjustment(
        fields[1] / (1e9 if nanoseconds else 1e6), fields[2] / 65536, not fields[5] & STA_UNSYNC
    )


def _adjust(
    modes: int, *, offset: int = 0, maxerror: int = 0, status: int = 0, constant: int = 0
) -> bytearray:
    timex = bytearray(_SIZE)
    _TIMEX.pack_into(timex, 0, modes, offset, 0, maxerror, 0, status, constant, 0, 0, 0, 0, 0)
    syscall("clock_adjtime", CLOCK_REALTIME, timex)
    return timex
