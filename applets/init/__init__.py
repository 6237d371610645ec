"""init [--config FILE] [--control PATH]

Start services, start them again when they end, keep their logs and stop them.

  --config=FILE    the services (default: /etc/snakeroot/services.json)
  --control=PATH   the control socket (default: $SNAKEROOT_CONTROL, else /run/init.sock)

As the first process of a machine it mounts what is needed, loads kernel modules and sets the host
name before that; as the first process of a container, and on a developer's machine, it leaves all
that alone.

Signals: SIGTERM and SIGINT (the keys Ctrl-Alt-Del) reboot, SIGUSR2 powers off, SIGUSR1 halts.
Where init is not the machine's first process each of them stops the services and ends init.  As the
machine's first process it ignores its arguments and environment: they are words of the kernel's
command line.
"""

from __future__ import annotations

from toolbox.options import Options

alters_process = True

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Supervise until told to leave."""
    from applets.init.boot import run

    return run(argv, options)
