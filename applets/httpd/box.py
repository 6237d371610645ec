"""What there is to know about the box, as plain data.  How it looks is page.py's business.

    Box(root).describe() -> {"hostname": ..., "services": [...], ...}    JSON, and what the page is made of

Everything comes from /proc, /sys, a few files and init; what cannot be had is left out, never an error.
"""

from __future__ import annotations

import os
import time

from toolbox.errors import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: File systems that hold somebody's data; others are the kernel's own.
_DISKS = {
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "vfat",
    "exfat",
    "squashfs",
    "erofs",
    "overlay",
}
_DISKS |= {"9p", "virtiofs", "nfs", "nfs4", "ntfs3"}

#: Files in which boards and machines say what they are.
_MODELS = ("proc/device-tree/model", "sys/class/dmi/id/product_name")
_VENDOR = "sys/class/dmi/id/sys_vendor"


class Box:
    """The box whose file system begins at `root` (a test may bring its own)."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def describe(self, lines: int = 0) -> dict[str, Any]:
        """Everything, with the services as init sees them, and so many last lines of each one's log."""
        services, problem = self.services(lines)
        system = os.uname()
        now = time.time()
        uptime = self.uptime()
        return {
            "hostname": self.hostname(),
            "model": self.model(),
            "release": self.release(),
            "kernel": f"{system.sysname} {system.release}",
            "machine": system.machine,
            "time": round(now, 3),
            "uptime": uptime,
            "load": self.load(),
            "processors": os.cpu_count() or 1,
            "memory": self.memory(),
            "disks": self.disks(),
            "addresses": self.addresses(),
            "update": self.update(),
            "services": services,
            "problem": problem,
        }

    # Services.

    def services(self, lines: int = 0) -> tuple[list[dict[str, Any]], str | None]:
        """The services as init lists them, and when it cannot be asked, why not.

        lines: how many of the last of its log each has, as "log"; one question answers all of it.
        """
        from toolbox.control import request

        try:
            return list(request("list", log=lines)["services"]), None
        except (Fatal, KeyError) as error:
            return [], str(error)

    def last_lines(self, services: list[str], count: int) -> list[dict[str, Any]]:
        """The last lines of these services' logs (none named: of all); none when init cannot be asked."""
        from toolbox.control import stream

        try:
            return list(stream("logs", services=services, lines=count, follow=False, timeout=5.0))
        except Fatal:
            return []

    # The machine.

    def hostname(self) -> str:
        """The name that the kernel goes by."""
        return os.uname().nodename

    def model(self) -> str:
        """What the machine calls itself."""
        for path in _MODELS:
            name = self._text(path)
            if name:
                vendor = self._text(_VENDOR) if "dmi" in path else ""
                return name if name.startswith(vendor) else f"{vendor} {name}"
        return ""

    def release(self) -> dict[str, str]:
        """Name, version and image version of what is installed (os-release(5))."""
        fields = {}
        for line in self._text("etc/os-release").split("\n"):
            name, equals, value = line.partition("=")
            if equals:
                fields[name] = value.strip().strip("'\"")
        return {
            "name": fields.get("NAME", ""),
            "version": fields.get("VERSION", fields.get("VERSION_ID", "")),
            "image": fields.get("IMAGE_VERSION", ""),
        }

    def update(self) -> dict[str, Any]:
        """slot that runs ("" where there are none), whether on trial, last try, progress of the next."""
        from toolbox.storage import tryboot, update_record
        from toolbox.storage.bootstate import Booted

        try:
            booted = Booted(tryboot.command_line(self.root))
        except OSError:
            booted = Booted("")
        record, progress = (
            os.path.join(self.root, path.lstrip("/"))
            for path in (update_record.PATH, update_record.PROGRESS)
        )
        kept = update_record.Record(record)
        return {
            "slot": booted.slot,
            "trial": booted.word == "trial" and kept.trial is not None,
            "last": kept.last,
            "progress": update_record.progress(progress),
        }

    def uptime(self) -> float:
        """Seconds since the start."""
        return float((self._text("proc/uptime") or "0").split()[0])

    def load(self) -> list[float]:
        """Processes that wanted to run, on average over 1, 5 and 15 minutes."""
        return [float(word) for word in self._text("proc/loadavg").split()[:3]]

    def memory(self) -> dict[str, int]:
        """Bytes of memory: total, available to programs, and used."""
        sizes = {}
        for line in self._text("proc/meminfo").split("\n"):
            name, _, value = line.partition(":")
            if value.endswith("kB"):
                sizes[name] = int(value.split()[0]) * 1024
        total, available = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
        return {"total": total, "available": available, "used": total - available}

    def disks(self) -> list[dict[str, Any]]:
        """The mounted file systems that hold data, and /perm whatever it is; sizes in bytes."""
        found: dict[str, dict[str, Any]] = {}
        for line in self._text("proc/self/mounts", 1 << 20).split("\n"):
            fields = line.split(" ")
            if len(fields) < 4:
                continue
            device, path, kind = (_unescape(field) for field in fields[:3])
            if kind not in _DISKS and path != "/perm":
                continue
            try:
                size = os.statvfs(path)
            except OSError:
                continue
            if size.f_blocks == 0 or not os.path.isdir(path):
                continue
            entry = {
                "path": path,
                "device": device,
                "type": kind,
                "size": size.f_blocks * size.f_frsize,
                "used": (size.f_blocks - size.f_bfree) * size.f_frsize,
                "available": size.f_bavail * size.f_frsize,
                "read_only": bool(size.f_flag & os.ST_RDONLY),
            }
            # A device that is mounted at several places is told of once, at the shortest path.
            key = device if device.startswith("/dev/") else path
            if key not in found or len(path) < len(found[key]["path"]):
                found[key] = entry
        return sorted(found.values(), key=lambda disk: str(disk["path"]))

    def addresses(self) -> list[dict[str, Any]]:
        """The addresses of all interfaces but the loopback; none when the kernel has no network."""
        from toolbox.linux.netlink import Netlink

        try:
            with Netlink() as netlink:
                names = {link.index: link.name for link in netlink.links()}
                found = netlink.addresses()
        except OSError:
            return []
        return [
            {
                "interface": names.get(one.index, str(one.index)),
                "family": "IPv6" if ":" in one.local else "IPv4",
                "address": one.local,
                "prefix": one.prefix,
            }
            for one in found
            if one.local != "::1" and not one.local.startswith("127.")
        ]

    def _text(self, path: str, most: int = 1 << 16) -> str:
        try:
            with open(os.path.join(self.root, path), "rb", buffering=0) as file:
                data = b""
                while len(data) < most and (block := file.read(most - len(data))):
                    data += block
        except OSError:
            return ""
        return data.decode("utf-8", "replace").strip("\0\n ")


def _unescape(text: str) -> str:
    """A field of /proc/mounts: space, tab, newline and backslash are octal (getmntent(3))."""
    for escape, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, letter)
    return text
