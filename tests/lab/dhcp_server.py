"""A DHCP server made with scapy, for what no decent server does.  Run in a namespace:

    dhcp_server.py INTERFACE ADDRESS LEASE_SECONDS MODE

MODE: fair     answers as it should
      tease    offers and never acknowledges
      hostile  sends malformed messages of all kinds before each right one
      mute     acknowledges the first request and never speaks again
"""

from __future__ import annotations

import os
import random
import sys

from scapy.arch import get_if_hwaddr
from scapy.config import conf
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

SERVER = "10.9.0.1"


def main(interface: str, address: str, lease: int, mode: str) -> None:
    conf.verb = 0
    own = get_if_hwaddr(interface)
    door = conf.L2socket(iface=interface)
    spoken = 0
    print("ready", file=sys.stderr, flush=True)
    while True:
        frame = door.recv()
        if frame is None or DHCP not in frame or frame[BOOTP].op != 1:
            continue
        kind = dict(o for o in frame[DHCP].options if isinstance(o, tuple) and len(o) == 2).get(
            "message-type"
        )
        print("heard", kind, frame[IP].src, frame[IP].dst, file=sys.stderr, flush=True)
        if kind not in (1, 3) or (mode == "tease" and kind == 3) or (mode == "mute" and spoken > 1):
            continue
        spoken += 1

        head = Ether(src=own, dst=frame[Ether].src) / IP(src=SERVER, dst="255.255.255.255")
        head = head / UDP(sport=67, dport=68)
        good = BOOTP(
            op=2, xid=frame[BOOTP].xid, yiaddr=address, siaddr=SERVER, chaddr=frame[BOOTP].chaddr
        ) / DHCP(
            options=[
                ("message-type", "offer" if kind == 1 else "ack"),
                ("server_id", SERVER),
                ("lease_time", lease),
                ("subnet_mask", "255.255.255.0"),
                ("router", SERVER),
                ("name_server", SERVER),
                "end",
            ]
        )
        if mode == "hostile":
            for bad in malformed(bytes(good)):
                door.send(head / Raw(bad))
        door.send(head / good)


def malformed(good: bytes) -> list[bytes]:
    """Empty, cut, oversized and lying messages; all with the right transaction and address."""
    head, options = good[:240], good[240:]
    chance = random.Random(1)
    return [
        b"",
        b"\0",
        good[:100],
        head,
        head[:-4] + os.urandom(4) + options,
        head + b"\x35",
        head + b"\x35\xff\x02",
        head + b"\x35\x01\x02\x34\x01\x03" + options,
        head + b"\x35\x01\x02" + b"\x77\x02\xc0\x00" + options[3:-1] + b"\x33\x04\0\0\0\0\xff",
        head + b"\x35\x01\x02\x36\x01\x00",
        head + b"\x35\x01\x02\x01\x04\xff\x00\xff\x00\xff",
        head + b"\x35\x01\x02" + b"\x2b\xff" * 5,
        head + b"\0" * 1100,
        good[:16] + bytes(4) + good[20:],
        good[:16] + b"\x7f\0\0\1" + good[20:],
        good + bytes(1000),
        *(
            bytes(b ^ (chance.random() < 0.05) * chance.randrange(256) for b in head)
            + os.urandom(60)
            for _ in range(50)
        ),
    ]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
