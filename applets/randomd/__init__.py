"""randomd [-q] [--state=DIR]

Keep a seed for random numbers across boots, and give the box an identity. The seed of
the last run is credited once and a new one is saved at once, daily and at the end, so that a box
without a hardware generator need not wait for random numbers.

  -q, --quit         credit and save once, and end
      --state=DIR    keep seed and machine-id in DIR instead of /perm/snakeroot
      --etc=DIR      where machine-id is published first, instead of /etc
      --run=DIR      where it is published when that cannot be written, instead of /run
"""

from __future__ import annotations

from toolbox.options import Options

options = Options(__doc__)

#: Takes signals and stays.
alters_process = True


def main(argv: list[str]) -> int:
    """Run until told to stop, or once with -q."""
    opt, _ = options.parse(argv)
    from applets.randomd.daemon import Daemon
    from applets.randomd.pool import Pool

    return Daemon(
        Pool(),
        state=opt.state or "/perm/snakeroot",
        etc=opt.etc or "/etc",
        run=opt.run or "/run",
        once=opt.quit,
    ).run()
