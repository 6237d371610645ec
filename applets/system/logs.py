"""logs [-fk] [-n N] [--since=SEQ] [--json] [NAME]...

Print what services, init and the kernel logged. Without NAME: all of them, in the order of their
arrival.

  -f, --follow      go on with what is logged from now on
  -n, --lines=N     only the last N lines
  -k, --kernel      the kernel's messages (the same as the name kernel)
      --since=SEQ   only lines with a number above SEQ (see --json)
      --json        one JSON object a line: seq, time (Unix seconds), service, text
"""

from __future__ import annotations

import json
import time

from toolbox import control
from toolbox.errors import UsageError
from toolbox.harmless import harmless
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Stream the lines from init to standard output."""
    opt, names = options.parse(argv)
    asked: dict[str, Any] = {"services": [*names, *(["kernel"] if opt.kernel else [])]}
    if opt.lines is not None:
        asked["lines"] = opt.lines
    if opt.since is not None:
        if not (opt.since.isascii() and opt.since.isdecimal()):
            raise UsageError(f"invalid number: {opt.since!r}")
        asked["since"] = int(opt.since)
    out = stdout()
    lines: Iterable[dict[str, Any]] = control.stream("logs", follow=opt.follow, **asked)
    if not opt.follow:
        # Numbers say in which order init saw the lines; the kernel's are older than that.
        lines = sorted(lines, key=lambda line: line["time"])
    for line in lines:
        text = json.dumps(line) if opt.json else _shown(line)
        out.write(text.encode("utf-8", "backslashreplace") + b"\n")
        if opt.follow:
            out.flush()
    return 0


def _shown(line: dict[str, Any]) -> str:
    when = time.localtime(line["time"])
    stamp = time.strftime("%b %d %H:%M:%S", when)
    millis = int(line["time"] % 1 * 1000)
    return harmless(f"{stamp}.{millis:03d} {line['service']}: {line['text']}", keep="\t")
