"""free [-bkmghltvLw] [-s SECONDS] [-c N]

Show how much memory is used and free.

  -b, --bytes    in bytes
      --kilo     in units of 1000 bytes
      --mega     in units of 1000² bytes
      --giga     in units of 1000³ bytes
      --tera     in units of 1000⁴ bytes
      --peta     in units of 1000⁵ bytes
  -k, --kibi     in KiB (usual)
  -m, --mebi     in MiB
  -g, --gibi     in GiB
      --tebi     in TiB
      --pebi     in PiB
  -h, --human    each number in the unit that fits it
      --si       powers of 1000 instead of 1024
  -l, --lohi     low and high memory too
  -t, --total    a line with the sum of memory and swap
  -v, --committed  a line with what has been promised
  -w, --wide     buffers and cache in columns of their own
  -L, --line     all on one line
  -s, --seconds=SECONDS  again and again
  -c, --count=N  so many times, every second when there is no -s
"""

from __future__ import annotations

from toolbox import waits
from toolbox.errors import UsageError
from toolbox.options import Options, Values
from toolbox.processes import memory
from toolbox.streams import stdout

options = Options(__doc__)

_UNITS = {
    "bytes": (1, 1),
    "kibi": (1024, 1),
    "mebi": (1024, 2),
    "gibi": (1024, 3),
    "tebi": (1024, 4),
    "pebi": (1024, 5),
    "kilo": (1000, 1),
    "mega": (1000, 2),
    "giga": (1000, 3),
    "tera": (1000, 4),
    "peta": (1000, 5),
}


def main(argv: list[str]) -> int:
    opt, _ = options.parse(argv)
    if opt.count is not None and opt.count < 1:
        raise UsageError(f"failed to parse count argument: '{opt.count}'")
    if opt.seconds == 0:
        raise UsageError("seconds argument '0' is not positive number")
    rounds = opt.count or (0 if opt.seconds is not None else 1)
    out = stdout()
    done = 0
    while True:
        out.write(_table(opt, memory()).encode())
        done += 1
        if done == rounds:
            return 0
        out.write(b"" if opt.line else b"\n")
        out.flush()
        waits.sleep(1.0 if opt.seconds is None else opt.seconds)


def _table(opt: Values, kib: dict[str, int]) -> str:
    def show(amount: int) -> str:
        return _human(amount * 1024, opt.si) if opt.human else str(amount * 1024 // unit)

    base, power = _UNITS[opt.last(*_UNITS) or "kibi"]
    # --si turns the binary units into decimal ones.
    unit = (1000 if opt.si else base) ** power if power > 1 or base == 1000 or opt.si else base
    if opt.last(*_UNITS) == "bytes":
        unit = 1
    total, free, buffers = kib["MemTotal"], kib["MemFree"], kib.get("Buffers", 0)
    cache = kib.get("Cached", 0) + kib.get("SReclaimable", 0)
    available = kib.get("MemAvailable", free)
    used = max(0, total - available)
    swap, swap_free = kib.get("SwapTotal", 0), kib.get("SwapFree", 0)
    shared = kib.get("Shmem", 0)
    if opt.line:
        pairs = (
            ("SwapUse", swap - swap_free),
            ("CachUse", buffers + cache),
            ("MemUse", used),
            ("MemFree", free),
        )
        return " ".join(f"{name:>7} {show(amount):>11}" for name, amount in pairs) + "\n"
    heads = ["total", "used", "free", "shared"]
    heads += ["buffers", "cache"] if opt.wide else ["buff/cache"]
    heads.append("available")
    caches = [buffers, cache] if opt.wide else [buffers + cache]
    rows = [("Mem:", [total, used, free, shared, *caches, available])]
    if opt.lohi:
        high, high_free = kib.get("HighTotal", 0), kib.get("HighFree", 0)
        low, low_free = kib.get("LowTotal", total - high), kib.get("LowFree", free - high_free)
        rows.append(("Low:", [low, low - low_free, low_free]))
        rows.append(("High:", [high, high - high_free, high_free]))
    rows.append(("Swap:", [swap, swap - swap_free, swap_free]))
    if opt.total:
        rows.append(("Total:", [total + swap, used + swap - swap_free, free + swap_free]))
    if opt.committed:
        limit, promised = kib.get("CommitLimit", 0), kib.get("Committed_AS", 0)
        rows.append(("Comm:", [limit, promised, limit - promised]))
    lines = [" " * 8 + "".join(f"{head:>12}" for head in heads)]
    lines += [f"{name:<8}" + "".join(f"{show(n):>12}" for n in row) for name, row in rows]
    return "\n".join(lines) + "\n"


def _human(size: int, si: bool) -> str:
    """At most four characters, or five with the `i` of a binary unit: 8.6Mi, 545Mi, 23Gi (procps)."""
    base, suffix, most = (1000, "", 4) if si else (1024, "i", 5)
    if size < 1000:
        return f"{size}B"
    for power, letter in enumerate("KMGTPE", 1):
        scaled = size / base**power
        for text in (f"{scaled:.1f}{letter}{suffix}", f"{int(scaled)}{letter}{suffix}"):
            if len(text) <= most:
                return text
    return f"{size // base**6}E{suffix}"
