"""What all objects of ip share: the options, the kernel, names of interfaces and tables, output."""

from __future__ import annotations

import os
import socket

from applets.networking.ip.words import Refusal
from toolbox.linux.netlink import Netlink
from toolbox.linux.netlink_objects import Link
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INET, INET6 = int(socket.AF_INET), int(socket.AF_INET6)

SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
TABLES = {0: "all", 253: "default", 254: "main", 255: "local"}

#: Protocol numbers of routes (linux/rtnetlink.h, iproute2's rt_protos).
PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}


class Context:
    """One command: its options and its socket."""

    def __init__(self) -> None:
        self.family = 0
        self.oneline = self.brief = self.json = self.pretty = False
        self.details = self.statistics = self.force = False
        self._kernel: Netlink | None = None
        self._links: dict[int, Link] | None = None
        self._tables: dict[int, str] | None = None

    @property
    def kernel(self) -> Netlink:
        if self._kernel is None:
            self._kernel = Netlink()
        return self._kernel

    def close(self) -> None:
        """Close the socket."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def links(self) -> dict[int, Link]:
        """The interfaces by index, as they were when they were first asked for."""
        if self._links is None:
            self._links = {link.index: link for link in self.kernel.links()}
        return self._links

    def forget(self) -> None:
        """Ask for the interfaces again the next time."""
        self._links = None

    def name_of(self, index: int) -> str:
        """The name of an interface; `if7` for one that is not in this namespace."""
        link = self.links().get(index)
        return link.name if link is not None else f"if{index}"

    def check(self, name: str, *, shown: bool = False) -> Link:
        """The interface `name`.  Refusal when there is none."""
        for link in self.links().values():
            if link.name == name:
                return link
        raise Refusal(
            f'Device "{name}" does not exist.' if shown else f'Cannot find device "{name}"'
        )

    def tables(self) -> dict[int, str]:
        """Names of routing tables: the usual ones and those of /etc/iproute2/rt_tables."""
        if self._tables is None:
            self._tables = {**_read_names("/etc/iproute2/rt_tables"), **TABLES}
        return self._tables

    def table_name(self, number: int) -> str:
        return self.tables().get(number, str(number))

    def table(self, word: str) -> int:
        """The number of a table.  Refusal when it has none."""
        return self._by_name(word, self.tables(), "table", 2**32 - 1)

    def protocol(self, word: str) -> int:
        return self._by_name(word, PROTOCOLS, "protocol", 255)

    def scope(self, word: str) -> int:
        return self._by_name(word, SCOPES, "scope", 255)

    def _by_name(self, word: str, names: dict[int, str], what: str, most: int) -> int:
        for number, name in names.items():
            if name == word:
                return number
        try:
            value = int(word, 0)
        except ValueError:
            value = -1
        if not 0 <= value <= most:
            raise Refusal(f'Error: argument "{word}" is wrong: invalid {what}\n', 255)
        return value

    # -- output -----------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Write text; with -o its lines become one."""
        if self.oneline and text.endswith("\n"):
            text = text[:-1].replace("\n", "\\") + "\n"
        stdout().write(os.fsencode(text))

    def write_json(self, objects: list[dict[str, Any]]) -> None:
        """Write the objects of a listing."""
        import json

        text = (
            json.dumps(objects, indent=4)
            if self.pretty
            else json.dumps(objects, separators=(",", ":"))
        )
        stdout().write(text.encode() + b"\n")


def _read_names(path: str) -> dict[int, str]:
    try:
        with open(path, "rb") as file:
            lines = os.fsdecode(file.read()).splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) >= 2 and words[0].isdecimal():
            found[int(words[0])] = words[1]
    return found
