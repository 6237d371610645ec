"""An NTP server made with scapy's codec, for what no decent server does.  Run in a namespace:

    ntp_server.py ADDRESS MODE

MODE: liar     says that it is 1000 s later
      hostile  sends malformed and forged answers of all kinds before the right one
      deny     wants nobody (kiss-o'-death DENY)
"""

from __future__ import annotations

import os
import socket
import sys
import time

from scapy.layers.ntp import NTPHeader

EPOCH = 2_208_988_800


def main(address: str, mode: str) -> None:
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((address, 123))
    print("ready", file=sys.stderr, flush=True)
    while True:
        data, source = door.recvfrom(1024)
        now = time.time() + EPOCH + (1000 if mode == "liar" else 0)
        answer = NTPHeader(version=4, mode=4, stratum=1, ref_id=b"GPS\0", recv=now, sent=now)
        if mode == "deny":
            answer = NTPHeader(version=4, mode=4, stratum=0, leap=3, ref_id=b"DENY")
        good = bytearray(bytes(answer))
        good[24:32] = data[40:48]
        for bad in malformed(bytes(good)) if mode == "hostile" else ():
            door.sendto(bad, source)
        door.sendto(bytes(good), source)


def malformed(good: bytes) -> list[bytes]:
    """Empty, cut, oversized, forged and impossible answers."""
    return [
        b"",
        b"\x24",
        good[:47],
        os.urandom(48),
        good[:24] + os.urandom(8) + good[32:],  # forged: not our cookie
        b"\xe4" + good[1:],  # its clock is not set
        b"\x23" + good[1:],  # a request
        good[:1] + b"\x10" + good[2:],  # stratum 16
        good[:4] + b"\xff" * 8 + good[12:],  # an error of hours
        good[:32] + bytes(16),  # no times
        good[:32] + b"\0\0\0\1" + bytes(4) + good[40:],  # got it in 1900
        os.urandom(1400),
    ]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
