"""ip [-46bdfjop] [-br] [-f FAMILY] [-n NAMESPACE] OBJECT [VERB] [ARG]...
ip -batch FILE

Show and change interfaces, addresses, routes, neighbours and routing rules.

  -4                 IPv4 only
  -6                 IPv6 only
  -br, -brief        a line for each interface
  -d, -details       more
  -s, -statistics    with counts
  -o, -oneline       each object on a line, ends of lines written as \\
  -j, -json          JSON
  -p, -pretty        JSON on many lines
  -f, -family=FAMILY  inet or inet6
  -n, -netns=NAMESPACE  in a network namespace
  -b, -batch=FILE    run the commands in FILE (- for standard input)
  -force             go on with the next one when one fails

OBJECT is link, address, route, neighbour, rule or monitor; VERB show, add, delete, replace,
change, flush, get or set. All may be shortened: ip a, ip r, ip l set eth0 up.

  ip link set eth0 up mtu 1400               ip address add 10.0.0.2/24 dev eth0
  ip link add v0 type veth peer name v1      ip address flush dev eth0
  ip route replace default via 10.0.0.1      ip route get 1.1.1.1
  ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0
  ip rule add from 10.0.0.0/24 table 100 pref 1000

Status 1: wrong use; 2: the kernel refused; 255: words that ip does not know.
"""

from __future__ import annotations

import os

from applets.networking.ip.context import INET, INET6, Context
from applets.networking.ip.words import Refusal, Words, one_of
from toolbox.errors import current, say
from toolbox.options import Options

options = Options(__doc__)

_OBJECTS = "address link route rule neighbor neighbour monitor help"


def main(argv: list[str]) -> int:
    options.standard(argv)
    if argv[1:] in (["-V"], ["-Version"]):
        options.standard([argv[0], "--version"])
    context = Context()
    try:
        return _run(argv[1:], context)
    except Refusal as refusal:
        say(*str(refusal).split("\n"))
        return refusal.status
    finally:
        context.close()


def _run(argv: list[str], context: Context) -> int:
    words = Words(argv)
    batch = _options(words, context)
    if batch is not None:
        return _batch(batch, context)
    return _command(words, context)


def _options(words: Words, context: Context) -> str | None:
    """Take the options; the file of -batch."""
    batch = None
    while words.peek().startswith("-") and words.peek() != "-":
        word = words.take()
        name = word[1:] if not word.startswith("--") else word[2:]
        if not name:
            break
        if name in ("4", "6"):
            context.family = INET if name == "4" else INET6
        elif name == "0":
            raise Refusal('Option "-0" is unknown, try "ip -help".', 255)
        elif one_of(name, "force") and len(name) > 1 and name != "f":
            if name.startswith("fo"):
                context.force = True
            else:
                context.family = _family(words.after(word))
        elif one_of(name, "family"):
            context.family = _family(words.after(word))
        elif name == "br" or (one_of(name, "brief") and len(name) > 1):
            context.brief = True
        elif one_of(name, "batch"):
            batch = words.after(word)
        elif one_of(name, "details"):
            context.details = True
        elif one_of(name, "statistics stats") or set(name) == {"s"}:
            context.statistics = True
        elif one_of(name, "oneline"):
            context.oneline = True
        elif one_of(name, "json"):
            context.json = True
        elif one_of(name, "pretty"):
            context.pretty = True
        elif one_of(name, "netns"):
            _enter(words.after(word))
        elif one_of(
            name.partition("=")[0],
            "all color human-readable resolve timestamp numeric loops rcvbuf iec",
        ):
            if one_of(name, "loops rcvbuf") and name not in ("r",):
                words.after(word)
        elif one_of(name, "help"):
            raise Refusal(options.usage(), 255)
        else:
            raise Refusal(f'Option "{word}" is unknown, try "ip -help".', 255)
    return batch


def _family(word: str) -> int:
    if word not in ("inet", "inet6"):
        raise Refusal(f'Error: argument "{word}" is wrong: invalid protocol family\n', 255)
    return INET if word == "inet" else INET6


def _enter(name: str) -> None:
    """Move into a network namespace (setns(2)) that `ip netns` or a container's manager has named."""
    from toolbox.linux.syscall import syscall

    path = name if "/" in name else f"/run/netns/{name}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f'Cannot open network namespace "{name}": {error.strerror}') from None
    try:
        syscall("setns", fd, 0x40000000)  # CLONE_NEWNET
    except OSError as error:
        raise Refusal(f'setting the network namespace "{name}" failed: {error.strerror}') from None
    finally:
        os.close(fd)


def _command(words: Words, context: Context) -> int:
    """Run one command: object, verb, words."""
    if not words:
        raise Refusal(options.usage(), 255)
    given = words.take()
    name = one_of(given, _OBJECTS)
    if name == "help":
        raise Refusal(options.usage(), 255)
    if not name:
        raise Refusal(f'Object "{given}" is unknown, try "ip help".')
    verb = words.take() if words else "show"
    if verb == "help":
        raise Refusal(options.help().rstrip("\n"), 255)
    if name == "link":
        from applets.networking.ip.link import run
    elif name == "address":
        from applets.networking.ip.address import run
    elif name == "route":
        from applets.networking.ip.route import run
    elif name == "rule":
        from applets.networking.ip.rule import run
    elif name == "monitor":
        from applets.networking.ip.monitor import run
    else:
        from applets.networking.ip.neighbour import run
    try:
        return run(verb, words, context)
    except OSError as error:
        from toolbox.linux.netlink import NetlinkError

        if not isinstance(error, NetlinkError):
            raise
        words_ = error.words
        text = (
            f"Error: {words_}." if words_ else f"RTNETLINK answers: {os.strerror(error.errno or 0)}"
        )
        raise Refusal(text, 2) from None


def _batch(path: str, context: Context) -> int:
    """Run each line of a file as a command."""
    import shlex

    from toolbox.streams import open_input

    source = open_input(path)
    if source is None:
        return 1
    status = 0
    with source:
        for number, line in enumerate(source.lines(), 1):
            text = os.fsdecode(line)
            words = Words(shlex.split(text, comments=True))
            if not words:
                continue
            try:
                status = max(status, _command(words, context))
            except Refusal as refusal:
                say(*str(refusal).split("\n"))
                say(f"Command failed {source.name}:{number}")
                status = max(status, refusal.status if refusal.status != 255 else 1)
                if not context.force:
                    break
    return max(status, current().status)
