"""What a lease leaves in the file system: /run/dhcp/IFACE.json, /run/resolv.conf, and the last address.

Other programs read the first two (ntp its servers, the resolver its name servers); the last is
for our own next start, which then needs two messages instead of four.
"""

from __future__ import annotations

import json
import os
import socket

from applets.dhcp.lease import check_host
from toolbox.errors import describe, say
from toolbox.files import make_folder, read_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from applets.dhcp.lease import Lease

NAMELESS = ("", "(none)", "localhost", "localhost.localdomain")
#: resolv.conf(5): the resolver reads no more than three.
MOST_SERVERS = 3


class Records:
    """The files, below `run` and `state`.  A file that cannot be written is one line in the log."""

    def __init__(self, run: str, state: str) -> None:
        self.leases = os.path.join(run, "dhcp")
        self.resolv_conf = os.path.join(run, "resolv.conf")
        self.state = state

    def store(self, interface: str, lease: Lease, now: float) -> None:
        """Publish the lease that holds now; `now` is a Unix time."""
        text = json.dumps(lease.as_json(interface, now), indent=1) + "\n"
        try:
            os.makedirs(self.leases, exist_ok=True)
            replace_file(self._lease(interface), text.encode())
            self._write_resolv_conf()
        except OSError as error:
            say(f"dhcp: {interface}: {describe(error)}")

    def remove(self, interface: str) -> None:
        """Take the lease back."""
        try:
            os.unlink(self._lease(interface))
            self._write_resolv_conf()
        except FileNotFoundError:
            pass
        except OSError as error:
            say(f"dhcp: {interface}: {describe(error)}")

    def remember(self, interface: str, address: str) -> bool:
        """Keep the address for the next start; False when there is nowhere to keep it.

        Written only when it changes: flash memory wears out.
        """
        path = os.path.join(self.state, interface)
        try:
            if self.remembered(interface) == address:
                return True
            make_folder(self.state, levels=2)
            replace_file(path, address.encode() + b"\n", durable=True)
        except FileNotFoundError:
            return False
        except OSError as error:
            say(f"dhcp: {interface}: {describe(error)}")
            return False
        return True

    def remembered(self, interface: str) -> str | None:
        """The address of the last run; None when there is none, or nonsense."""
        try:
            data = read_file(os.path.join(self.state, interface), 64)
            if data is None:
                return None
            address = data.decode("ascii").strip()
            check_host(address)
            return address
        except (OSError, ValueError):
            return None

    def _lease(self, interface: str) -> str:
        return os.path.join(self.leases, f"{interface}.json")

    def _write_resolv_conf(self) -> None:
        """The name servers and domains of all leases of the box, in the order of the interfaces."""
        servers: dict[str, None] = {}
        domains: dict[str, None] = {}
        for lease in self._all():
            servers.update(dict.fromkeys(_texts(lease.get("dns"))))
            own = _texts(lease.get("search")) or _texts([lease.get("domain")])
            domains.update(dict.fromkeys(own))
        lines = ["# written by dhcp"]
        if domains:
            lines.append("search " + " ".join(domains))
        lines += [f"nameserver {server}" for server in list(servers)[:MOST_SERVERS]]
        replace_file(self.resolv_conf, ("\n".join(lines) + "\n").encode())

    def _all(self) -> list[dict[str, Any]]:
        found = []
        for name in sorted(os.listdir(self.leases)):
            if name.endswith(".json"):
                try:
                    found.append(json.loads(read_file(os.path.join(self.leases, name)) or b"{}"))
                except ValueError:
                    continue  # not ours: we only write whole files
        return [lease for lease in found if isinstance(lease, dict)]


def _texts(value: object) -> list[str]:
    """The texts in a list; none when it is something else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def name_the_box(name: str) -> bool:
    """Take `name` as host name when the box has none of its own; whether that was so."""
    if os.uname().nodename not in NAMELESS:
        return False
    socket.sethostname(name)
    return True
