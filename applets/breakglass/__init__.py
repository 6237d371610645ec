"""breakglass [-a ADDRESS] [-p PORT] [--keys=FILE] [--host-key=FILE] [--shell=FILE] [--idle=SECONDS]
           [--near=NETWORK]

Let the owner in by SSH: shell, commands, sftp, scp and port forwarding.
Only public keys are accepted. Whatever user name is given, the session is root's (that of the user
who runs the server). Forwarding reaches the box itself and private networks, nothing else.
Started by the supervisor with a listening socket (LISTEN_FDS) it ends when nobody is connected.

  -a, --address=ADDRESS   listen on this address; default: on all
  -p, --port=PORT         listen on this port; default: 22
      --keys=FILE...      authorized keys; default: /etc/snakeroot/authorized_keys and
                          /perm/snakeroot/ssh/authorized_keys
      --host-key=FILE     the private host key, made when there is none;
                          default: /perm/snakeroot/ssh/host_key
      --shell=FILE        the shell; default: /bin/sh
      --near=NETWORK...   let forwarding reach this network too, as 100.64.0.0/10 of an overlay
      --idle=SECONDS      end after this time without a connection, with LISTEN_FDS;
                          default: 300
"""

from __future__ import annotations

import os
import signal

from toolbox.errors import Fatal, UsageError, say
from toolbox.listening import inherited, listen, parse_endpoint
from toolbox.net.address import parse_network
from toolbox.options import Options

options = Options(__doc__)

#: Runs for long, handles signals, changes the directory.
alters_process = True

KEYS = ["/etc/snakeroot/authorized_keys", "/perm/snakeroot/ssh/authorized_keys"]
HOST_KEY = "/perm/snakeroot/ssh/host_key"


def main(argv: list[str]) -> int:
    """Serve until a signal, or with a socket of the supervisor's until idle."""
    opt, _ = options.parse(argv)
    _, port = parse_endpoint(opt.port or "22")
    keys = [os.path.abspath(path) for path in opt.keys or KEYS]
    key_path = os.path.abspath(opt.host_key or HOST_KEY)
    shell = opt.shell or "/bin/sh"
    if not shell.startswith("/"):
        raise UsageError(f"the shell must be an absolute path: {shell!r}")
    try:
        near = [parse_network(text) for text in opt.near]
    except ValueError as error:
        raise UsageError(f"--near: {error}") from None
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sockets = inherited()
    idle = (300.0 if opt.idle is None else opt.idle) if sockets else None
    sockets = sockets or listen(opt.address, port)

    from toolbox.trust.hostkey import any_host_key

    try:
        key = any_host_key(key_path, lambda text: say(f"breakglass: {text}"))
    except ValueError as error:
        raise Fatal(str(error)) from None
    # The library looks up the user's home directory, which a bare box may not know.
    os.environ.setdefault("HOME", "/")

    from applets.breakglass.library import asyncssh
    from applets.breakglass.server import Server, quieten

    quieten()
    server = Server(keys, key, shell, idle, near)
    os.chdir(server.home)
    try:
        server.run(sockets)
    except asyncssh.KeyImportError as error:
        raise Fatal(f"{key_path}: {error}") from None
    return 0
