"""The client's sockets: raw frames while the interface has no address, UDP while it has one.

packet(7), udp(7), ip(7).  No libpcap and no ctypes: the filter is nine instructions by hand.
"""

from __future__ import annotations

import array
import errno
import socket
import struct

from toolbox.net import ProtocolError, arp
from toolbox.net.dhcp import CLIENT_PORT, SERVER_PORT
from toolbox.net.ip import address_bytes, build_udp, parse_udp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
EVERYBODY = b"\xff" * 6
LARGEST = 65536
#: How many waiting messages are taken at once, so that a flood cannot keep us from all else.
BATCH = 32

SO_ATTACH_FILTER = 26
IP_PKTINFO = 8
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_CSUMNOTREADY = 8

# What the kernel lets through (bpf(4) of the BSDs, Documentation/networking/filter.rst):
# UDP to port 68, unfragmented, its header after an IP header of any length.
_FILTER = (
    (0x30, 0, 0, 9),  # A = protocol
    (0x15, 0, 6, 17),  # UDP, or drop
    (0x28, 0, 0, 6),  # A = flags and fragment offset
    (0x45, 4, 0, 0x1FFF),  # a later fragment: drop
    (0xB1, 0, 0, 0),  # X = length of the IP header
    (0x48, 0, 0, 2),  # A = destination port
    (0x15, 0, 1, CLIENT_PORT),
    (0x06, 0, 0, LARGEST),  # take all of it
    (0x06, 0, 0, 0),  # drop
)

#: What sending says when a link or an address has just gone: the timers will try again.
PASSING = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENXIO, errno.ENODEV)


class Raw:
    """Hears DHCP replies on an interface whatever their address, and broadcasts from 0.0.0.0."""

    def __init__(self, interface: str) -> None:
        # Protocol 0 hears nothing until bind, so that nothing comes in before the filter stands.
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        self.interface = interface
        try:
            _attach(self.socket)
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.bind((interface, ETH_P_IP))
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes, source: str, destination: str) -> None:
        """Broadcast `data` as a frame; OSError when the link is gone."""
        packet = build_udp(source, CLIENT_PORT, destination, SERVER_PORT, data)
        self.socket.sendto(packet, (self.interface, ETH_P_IP, 0, 0, EVERYBODY))

    def receive(self) -> Iterator[tuple[bytes, str]]:
        """The payloads that wait, each with its source address; damaged packets are passed over."""
        for _ in range(BATCH):
            try:
                packet, extra, _, _ = self.socket.recvmsg(LARGEST, 64)
            except BlockingIOError:
                return
            # Between namespaces and virtual machines the sender leaves the checksum to hardware
            # that is never passed; the kernel says so, and then it cannot be checked.
            unready = any(
                (level, kind) == (SOL_PACKET, PACKET_AUXDATA)
                and struct.unpack_from("I", value)[0] & TP_STATUS_CSUMNOTREADY
                for level, kind, value in extra
                if len(value) >= 4
            )
            try:
                datagram = parse_udp(packet, verify=not unready)
            except ProtocolError:
                continue
            if datagram.source_port == SERVER_PORT and datagram.destination_port == CLIENT_PORT:
                yield datagram.payload, datagram.source


class Udp:
    """Port 68 of an interface that has its address: for renewal, rebinding and release."""

    def __init__(self, interface: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            # Not bound to the lease's address: a NAK comes by broadcast.
            self.socket.bind(("", CLIENT_PORT))
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes, source: str, destination: str) -> None:
        """Send `data` from the address `source`; OSError when there is no way."""
        # struct in_pktinfo (ip(7)): interface 0, the source to use, (unused when sending)
        info = struct.pack("i4s4x", 0, address_bytes(source))
        control = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
        self.socket.sendmsg([data], control, 0, (destination, SERVER_PORT))

    def receive(self) -> Iterator[tuple[bytes, str]]:
        """The payloads that wait, each with its source address."""
        for _ in range(BATCH):
            try:
                data, (source, port) = self.socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for what we sent: the server is not there; timers know
            if port == SERVER_PORT:
                yield data, source


class Arp:
    """Asks whether somebody else has our address."""

    def __init__(self, interface: str, hardware: bytes) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        self.socket = socket.socket(socket.AF_PACKET, kind, 0)
        self.interface = interface
        self.hardware = hardware
        try:
            self.socket.bind((interface, ETH_P_ARP))
        except OSError:
            self.socket.close()
            raise

    def probe(self, address: str) -> None:
        """Ask everybody on the link who has `address`."""
        self._send(arp.probe(self.hardware, address))

    def announce(self, address: str) -> None:
        """Tell everybody that we have `address`."""
        self._send(arp.announcement(self.hardware, address))

    def _send(self, packet: bytes) -> None:
        self.socket.sendto(packet, (self.interface, ETH_P_ARP, 0, 0, EVERYBODY))

    def other_owner(self, address: str) -> bytes | None:
        """The hardware address of another host that has `address`, if one has spoken up."""
        for _ in range(BATCH):
            try:
                packet = self.socket.recv(LARGEST)
            except BlockingIOError:
                return None
            try:
                hardware, owned = arp.sender(packet)
            except ProtocolError:
                continue
            if owned == address and hardware != self.hardware:
                return hardware
        return None


def _attach(to: socket.socket) -> None:
    program = array.array("B", b"".join(struct.pack("HBBI", *step) for step in _FILTER))
    address, _ = program.buffer_info()  # the kernel copies the program before the call returns
    to.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), address))
