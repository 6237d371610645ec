"""ntp [-qnw] [-t SECONDS] [-p SERVER] [SERVER]...

Set the clock by NTP, and keep it right. Without SERVER: the servers that dhcp was told of, else
those of pool.ntp.org. A clock that is off by more than half a second is set at once, a smaller
error is led away slowly. The time is saved hourly and at the end, and restored at the start.

  -q, --quit            set the clock once and end; status 1 when no server answers in time
  -t, --timeout=SECONDS  how long -q tries (20)
  -n, -w, --dry-run     never touch the clock; print by how much it is off
  -p, --peer=SERVER...  ask SERVER
      --port=N          the servers' port (123)
      --leases=DIR      read dhcp's leases in DIR instead of /run/dhcp
      --save=FILE       save the time in FILE instead of /perm/snakeroot/clock
"""

from __future__ import annotations

from toolbox.errors import UsageError
from toolbox.options import Options

options = Options(__doc__)

#: Takes signals, sets the clock and stays.
alters_process = True


def main(argv: list[str]) -> int:
    """Run the client until it is told to stop, or once with -q."""
    opt, operands = options.parse(argv)
    from applets.ntp.clock import DryClock, SavedTime, SystemClock
    from applets.ntp.daemon import Daemon

    port = 123 if opt.port is None else opt.port
    if not 0 < port < 65536:
        raise UsageError(f"invalid port: {port}")
    daemon = Daemon(
        names=[*opt.peer, *operands],
        clock=DryClock() if opt.dry_run else SystemClock(),
        saved=None if opt.dry_run else SavedTime(opt.save or "/perm/snakeroot/clock"),
        leases=opt.leases or "/run/dhcp",
        port=port,
        once=opt.quit,
        patience=20.0 if opt.timeout is None else opt.timeout,
        report=opt.dry_run,
    )
    return daemon.run()
