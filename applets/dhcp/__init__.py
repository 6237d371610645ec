"""dhcp [-fnqR] [-t N] [-T SECONDS] [-r ADDRESS] [-H NAME] [-O OPTION] [-x OPTION:VALUE] [IFACE]...

Configure network interfaces by DHCP, and keep them so. Without IFACE: every Ethernet-like
interface, as soon as it appears. The lease is written to /run/dhcp/IFACE.json, its name servers to
/run/resolv.conf. USR1 renews, USR2 releases, TERM withdraws the addresses and ends.

  -i, --interface=IFACE...  configure IFACE
  -f, --foreground        stay in the foreground; it always does
  -n, --now               end with status 1 when there is no lease after some tries
  -q, --quit              end when a lease has been obtained; the address stays
  -R, --release           always release the lease at the end; without it only a lease that could
                          not be remembered in STATE is released
  -t, --retries=N         tries before -n gives up (5)
  -T, --timeout=SECONDS   pause before the second try; it doubles with each (1)
  -r, --request=ADDRESS   ask for ADDRESS
  -H, --hostname=NAME     tell the server this name instead of the host name
  -O OPTION...            ask for OPTION (a number, or a name as in udhcpc) as well
  -x OPTION:VALUE...      send an option: hostname:NAME, vendor:TEXT, or NUMBER:HEX
      --metric=N          metric of the first interface's routes (100)
      --run=DIR           write to DIR instead of /run
      --state=DIR         remember addresses in DIR instead of /perm/snakeroot/dhcp
"""

from __future__ import annotations

from toolbox.errors import UsageError
from toolbox.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

options = Options(__doc__)

#: Takes signals, changes the host's network and stays.
alters_process = True

HOSTNAME, CLIENT_ID = 12, 61

#: Far below the kernel's 32 bits: each further interface has one more.
MOST_METRIC = 1 << 31


def main(argv: list[str]) -> int:
    """Run the client until it is told to stop, or as long as -n and -q say."""
    opt, operands = options.parse(argv)
    import os

    from applets.dhcp.daemon import Daemon, Wishes
    from applets.dhcp.machine import Settings
    from applets.dhcp.records import NAMELESS, Records

    hostname = opt.hostname
    if hostname is None and os.uname().nodename not in NAMELESS:
        hostname = os.uname().nodename
    extra = dict(_extra(text) for text in opt.x)
    hostname = extra.pop(HOSTNAME, b"").decode() or _host_name(hostname)
    settings = Settings(
        hostname=hostname,
        requested=_address(opt.request),
        parameters=[_option(text) for text in opt.O],
        extra=extra,
        tries=(5 if opt.retries is None else max(1, opt.retries)) if opt.now else None,
        timeout=1.0 if opt.timeout is None else max(0.1, opt.timeout),
    )
    metric = 100 if opt.metric is None else opt.metric
    if not 0 <= metric <= MOST_METRIC:
        raise UsageError(f"invalid metric: {metric} (0 to {MOST_METRIC})")
    wishes = Wishes(
        interfaces=list(dict.fromkeys([*opt.interface, *operands])),
        settings=settings,
        give_up=opt.now,
        quit_when_bound=opt.quit,
        always_release=opt.release,
        metric=metric,
    )
    records = Records(opt.run or "/run", opt.state or "/perm/snakeroot/dhcp")
    return Daemon(wishes, records).run()


def _option(text: str) -> int:
    """An option's code from its number or udhcpc's name for it."""
    from toolbox.net.dhcp import OPTION_NAMES

    code = OPTION_NAMES.get(text)
    if code is None and text.isascii() and text.isdecimal() and len(text) < 4:
        code = int(text)
    if code is None or not 0 < code < 255:
        raise UsageError(f"unknown DHCP option: {text!r}")
    return code


def _extra(text: str) -> tuple[int, bytes]:
    """The option that -x sends: texts by name, any other by number with its bytes in hexadecimal."""
    name, colon, value = text.partition(":")
    code = _option(name)
    try:
        if not colon:
            raise ValueError
        data = value.encode("ascii") if name in ("hostname", "vendor") else bytes.fromhex(value)
        if not 0 < len(data) < 256:
            raise ValueError
    except ValueError:
        raise UsageError(f"not OPTION:VALUE: {text!r}") from None
    return code, data


def _address(text: str | None) -> str | None:
    from applets.dhcp.lease import check_host

    try:
        if text is not None:
            check_host(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return text


def _host_name(name: Any) -> str | None:
    """The name to tell the server; a name that is none for DNS is not told."""
    from toolbox.net import ProtocolError, dhcp

    try:
        return dhcp.domain(name.encode("ascii", "replace")) if name else None
    except ProtocolError:
        return None
