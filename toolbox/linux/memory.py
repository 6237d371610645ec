"""How much memory there is: proc_meminfo(5)."""

from __future__ import annotations


def sizes(path: str = "/proc/meminfo") -> dict[str, int]:
    """MemTotal, MemAvailable and the others, in bytes; empty when the kernel cannot be asked."""
    found = {}
    try:
        with open(path, "rb") as file:
            lines = file.read(1 << 16).decode("ascii", "replace").split("\n")
    except OSError:
        return {}
    for line in lines:
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if unit == "kB" and number.isdecimal():
            found[name] = int(number) * 1024
    return found
