"""httpd [-fiv] [-p [ADDRESS:]PORT] [-h DIR] [-c FILE] [-r REALM] [-u USER[:GROUP]]
httpd [--box] [-fv] [-p PORT] [--password-file=FILE] [--token-file=FILE] [--name=NAME]
      [--near=NETWORK] [--anywhere]
httpd [-d STRING] [-e STRING] [-m PASSWORD]

Serve files, or the box's own page, by HTTP.
The box's page shows the machine and its services, and starts and stops them. It is for private
addresses and asks for a password.

  -p, --port=PORT           listen on this port, or ADDRESS:PORT; default: 80
  -f, --foreground          don't go to the background; with --box, and under a supervisor, it
                            never does
  -i, --inetd               serve the one connection that is standard input
  -v, --verbose...          log the requests; twice: connections too
  -h, --home=DIR            serve the files in DIR; default: the current directory
  -c, --config=FILE         configuration: A: and D: addresses, /PATH:USER:PASSWORD, .EXT:TYPE,
                            I:INDEX, E404:PAGE, H:HOME, as BusyBox's httpd.conf
  -r, --realm=REALM         what the question for a password names (Web Server Authentication)
  -u, --user=USER[:GROUP]   become this user after the port is open
  -d, --decode=STRING       decode a percent-encoded STRING, print it, and end
  -e, --encode=STRING       encode STRING for HTML, print it, and end
  -m, --hash=PASSWORD       print the hash of PASSWORD for a configuration or password file;
                            `-`: of the line on standard input, which other users can't see
      --box                 serve the box's page
      --password-file=FILE  where the hash of its password is; default: /etc/snakeroot/password
      --token-file=FILE     where the hashes of tokens are, with which programs may push a release;
                            default: /etc/snakeroot/update-tokens
      --name=NAME...        a further name that the box is known by
      --near=NETWORK...     accept connections from this network too, as 100.64.0.0/10 of an overlay
      --anywhere            accept connections from all addresses
"""

from __future__ import annotations

import os
import signal

from toolbox.errors import UsageError, say
from toolbox.listening import inherited, listen, parse_endpoint
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from applets.httpd.message import Handler
    from toolbox.limited_log import LimitedLog
    from toolbox.options import Values

options = Options(__doc__)

#: Runs for long, handles signals.
alters_process = True

PASSWORD_FILE = "/etc/snakeroot/password"
TOKEN_FILE = "/etc/snakeroot/update-tokens"


def main(argv: list[str]) -> int:
    """Serve until a signal."""
    opt, _ = options.parse(argv)
    if opt.last("decode", "encode", "hash"):
        return _convert(opt)
    address, port = parse_endpoint(opt.port or "80")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    from toolbox.limited_log import LimitedLog

    log = LimitedLog("httpd")
    if opt.box:
        handler, admit, on_stop = _box(opt, log)
    else:
        handler, admit, on_stop = _files(opt, log)

    from applets.httpd.server import Server

    if opt.inetd:
        import socket

        with socket.socket(fileno=os.dup(0)) as sock:
            Server(handler, [], admit, opt.verbose, on_stop, log).serve_one(sock)
        return 0
    sockets = inherited()
    stays = opt.foreground or opt.box or bool(sockets) or "NOTIFY_SOCKET" in os.environ
    sockets = sockets or listen(address, port)
    if opt.user:
        _become(opt.user)
    if not stays:
        _to_background()
    Server(handler, sockets, admit, opt.verbose, on_stop, log).run(lambda: _ready(sockets))
    return 0


def _box(opt: Values, log: LimitedLog) -> tuple[Handler, Callable[[str], bool], Callable[[], None]]:
    from applets.httpd.box import Box
    from applets.httpd.guard import Guard
    from applets.httpd.site import Site
    from toolbox.net.address import is_private, parse_network

    for name in ("home", "config", "realm"):
        if getattr(opt, name) is not None:
            raise UsageError(f"--{name} is for files, not for --box")
    guard = Guard(
        os.path.abspath(opt.password_file or PASSWORD_FILE),
        opt.name,
        token_file=os.path.abspath(opt.token_file or TOKEN_FILE),
        log=log,
    )
    try:
        also = [parse_network(text) for text in opt.near]
    except ValueError as error:
        raise UsageError(f"--near: {error}") from None
    if problem := guard.problem():
        say(f"httpd: {problem}")
    site = Site(Box(), guard)

    def admit(address: str) -> bool:
        return opt.anywhere or is_private(address, also)

    return site, admit, site.stop


def _files(
    opt: Values, log: LimitedLog
) -> tuple[Handler, Callable[[str], bool], Callable[[], None]]:
    from applets.httpd.conf import read_conf
    from applets.httpd.files import Files

    conf = read_conf(opt.config)
    home = opt.home or conf.home or "."
    files = Files(home, conf, opt.realm or "Web Server Authentication", log)
    return files, conf.admits, lambda: None


def _ready(sockets: list[socket.socket]) -> None:
    from toolbox.notify import notify

    for sock in sockets:
        name = sock.getsockname()
        if isinstance(name, tuple):
            shown = f"[{name[0]}]" if ":" in name[0] else name[0]
            say(f"httpd: listening on {shown}:{name[1]}")
    notify("READY=1")


def _become(user: str) -> None:
    """Become the user, and the group, for good.  UsageError when there is none of that name."""
    import grp
    import pwd

    name, _, group = user.partition(":")
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"unknown user: {name!r}") from None
    gid = entry.pw_gid
    if group:
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise UsageError(f"unknown group: {group!r}") from None
    os.setgroups([])
    os.setgid(gid)
    os.setuid(entry.pw_uid)


def _to_background() -> None:
    """Go on as a daemon: in a session of its own, without the terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)


def _convert(opt: Values) -> int:
    from toolbox.net.http import percent_decode
    from toolbox.trust.password import hash_password

    if opt.hash is not None:
        password = opt.hash
        if password == "-":
            password = os.read(0, 4096).decode("utf-8", "surrogateescape").partition("\n")[0]
        try:
            text = f"{hash_password(password)}\n".encode()
        except ValueError as error:
            raise UsageError(str(error)) from None
    elif opt.decode is not None:
        text = percent_decode(opt.decode.replace("+", " "))
    else:
        # Every character that is no letter and no digit, as BusyBox does.
        text = (
            "".join(
                c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in opt.encode
            ).encode("utf-8", "surrogateescape")
            + b"\n"
        )
    stdout().write(text)
    return 0
