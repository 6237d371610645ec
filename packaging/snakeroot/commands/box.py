"""Commands that do something in a running box: that of `run`, or the one that --to names, by SSH.

ssh, scp and the browser take this process's place: the terminal, Ctrl-C and the exit status are theirs.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import webbrowser
from typing import Any, NoReturn

from snakeroot import config, develop, qemu, remote, shipped
from snakeroot.config import Instance
from snakeroot.host import BuildError

#: What every command's help ends with.
STATUS = (
    "exit status: 0, 1 for what went wrong, 2 for wrong usage, 255 when the box cannot be reached"
)

#: The same for those that run a program in the box.
PROGRAMS_STATUS = (
    "exit status: the program's; 1 when the box does not run, 255 when it cannot be reached"
)

#: Begins a path in the box.
BOX = "box:"


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    logs = _command(commands, "logs", _logs, "what services, init and the kernel logged", STATUS)
    logs.add_argument("services", nargs="*", metavar="SERVICE", help="by default all")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    logs.add_argument("-n", "--lines", type=_count, metavar="N", help="only the last N lines")
    logs.add_argument("-k", "--kernel", action="store_true", help="the kernel's messages")
    logs.add_argument("--json", action="store_true", help="for programs: an object a line")
    services = _command(commands, "services", _services, "the box's services", STATUS, "ps")
    services.add_argument("--json", action="store_true", help="for programs")
    status = _command(
        commands,
        "status",
        _status,
        "how services are",
        f"{STATUS}; with a SERVICE: 3 when one is not ready, 4 when there is none of the name",
    )
    status.add_argument("services", nargs="*", metavar="SERVICE", help="by default all")
    status.add_argument("--json", action="store_true", help="for programs")
    shell = _command(
        commands, "ssh", _ssh, "a shell, or one command: ssh -- ls -l", PROGRAMS_STATUS
    )
    shell.add_argument("-t", action="store_true", help="a terminal for the command")
    shell.add_argument("command", nargs="*", metavar="COMMAND", help="by default a shell")
    shell.set_defaults(trailing="command")
    execute = _command(
        commands,
        "exec",
        _exec,
        "run a program as a service runs: its user, environment and limits",
        f"{PROGRAMS_STATUS}. It runs while the service does not, too.",
    )
    execute.add_argument("service", metavar="SERVICE", help="exec hello -- python -V")
    execute.add_argument("command", nargs="*", metavar="COMMAND", help="by default sh")
    execute.set_defaults(trailing="command")
    copy = _command(commands, "cp", _cp, "copy files into the box and out of it, by scp", STATUS)
    copy.add_argument(
        "paths", nargs="*", metavar="FILE|box:FILE", help="from where, and last where to"
    )
    copy.add_argument("-r", action="store_true", help="folders with what is in them")
    copy.add_argument("-p", action="store_true", help="keep times and modes")
    copy.set_defaults(trailing="paths")
    forward = _command(
        commands,
        "forward",
        _forward,
        "let ports of this machine lead to ports of the box, until Ctrl-C",
        STATUS,
    )
    forward.add_argument(
        "ports", nargs="+", metavar="PORT[:PORT]", help="here, and in the box (the same by default)"
    )
    dev = _command(
        commands,
        "dev",
        _dev,
        "run what is saved in programs' folders at once, in the box's memory, until Ctrl-C",
        STATUS,
    )
    dev.add_argument("services", nargs="*", metavar="SERVICE", help="by default all with a folder")
    ui = _command(commands, "ui", _ui, "open the box's page in the browser", STATUS)
    ui.add_argument(
        "service", nargs="?", default="", metavar="SERVICE", help="open its first port instead"
    )
    ui.add_argument("--print", action="store_true", help="only print the address")


def _command(
    commands: Any, name: str, run: Any, text: str, epilog: str, *aliases: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[:1].upper()}{text[1:]}.",
        epilog=epilog,
        aliases=aliases,
    )
    made.add_argument(
        "--to", default="", metavar="[USER@]HOST[:PORT]", help="by default the box of `run`"
    )
    made.set_defaults(run=run)
    return made


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of lines")
    return int(text)


def _instance(arguments: argparse.Namespace) -> Instance | None:
    """The instance, which a box that is named does not need: then SSH's own settings and keys count."""
    if arguments.to and not (arguments.folder / config.FILE).exists():
        return None
    return config.load(arguments.folder)


def _become(argv: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(argv[0], argv)


def _in_box(arguments: argparse.Namespace, *words: str, terminal: bool = False) -> NoReturn:
    """Run a program in the box with just these words."""
    instance = _instance(arguments)
    _become(remote.ssh(instance, [shlex.join(words)], terminal=terminal, to=arguments.to))


def _logs(arguments: argparse.Namespace) -> int:
    words = ["logs"]
    words += ["-f"] if arguments.follow else []
    words += ["-k"] if arguments.kernel else []
    words += ["--json"] if arguments.json else []
    words += ["-n", str(arguments.lines)] if arguments.lines is not None else []
    _in_box(arguments, *words, "--", *arguments.services)


def _services(arguments: argparse.Namespace) -> int:
    _in_box(arguments, "service", *(["--json"] if arguments.json else []))


def _status(arguments: argparse.Namespace) -> int:
    words = ["service", *(["--json"] if arguments.json else []), "status", "--"]
    _in_box(arguments, *words, *arguments.services)


def _ssh(arguments: argparse.Namespace) -> int:
    instance = _instance(arguments)
    _become(remote.ssh(instance, arguments.command, terminal=arguments.t, to=arguments.to))


def _exec(arguments: argparse.Namespace) -> int:
    # As a shell would: a terminal for what a terminal asks for and sees.
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    words = ["service", "exec", "--", arguments.service, *(arguments.command or ["sh"])]
    _in_box(arguments, *words, terminal=terminal)


def _cp(arguments: argparse.Namespace) -> int:
    if len(arguments.paths) < 2:
        raise BuildError("cp: missing where to", f"it looks so: snakeroot cp FILE {BOX}/perm/")
    if not any(path.startswith(BOX) for path in arguments.paths):
        raise BuildError("cp: no path of the box is among them", f"one looks so: {BOX}/perm/file")
    options = [word for word, wanted in (("-r", arguments.r), ("-p", arguments.p)) if wanted]
    _become(remote.scp(_instance(arguments), arguments.paths, options, to=arguments.to))


def _forward(arguments: argparse.Namespace) -> int:
    pairs = [_ports(text) for text in arguments.ports]
    for here, _ in pairs:
        if not qemu.is_free(here):
            raise BuildError(
                f"port {here} of 127.0.0.1 is taken",
                f"choose another one: forward {_another(here, pairs)}:{dict(pairs)[here]}",
            )
    instance = _instance(arguments)
    name = arguments.to or (instance.settings.hostname if instance else "")
    told = [f"127.0.0.1:{here} leads to port {there} of {name}" for here, there in pairs]
    text = "\n".join([*told, "Ctrl-C ends it"])
    options = [
        *("-N", "-o", "ExitOnForwardFailure=yes"),
        # The client runs it when the ports are open.
        *("-o", "PermitLocalCommand=yes"),
        *("-o", f"LocalCommand=printf '%%s\\n' {shlex.quote(text).replace('%', '%%')} >&2"),
    ]
    for here, there in pairs:
        options += ["-L", f"127.0.0.1:{here}:localhost:{there}"]
    _become(remote.ssh(instance, [], options=options, to=arguments.to))


def _ports(text: str) -> tuple[int, int]:
    """PORT or PORT:PORT -> here, in the box."""
    here, colon, there = text.partition(":")
    found = []
    for word in (here, there if colon else here):
        if not re.fullmatch(r"[0-9]{1,5}", word) or not 0 < int(word) < 65536:
            raise BuildError(f"'{text}': is no port, nor two", "it looks so: 5432, or 5432:15432")
        found.append(int(word))
    return found[0], found[1]


def _another(taken: int, pairs: list[tuple[int, int]]) -> int:
    """A port from 1024 on that is free, above one that is not."""
    used = {here for here, _ in pairs}
    for port in range(max(taken, 1023) + 1, 65536):
        if port not in used and qemu.is_free(port):
            return port
    return taken


def _dev(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    sources = develop.chosen(instance, arguments.services)
    return develop.develop(instance, sources, shipped.program(), arguments.to)


def _ui(arguments: argparse.Namespace) -> int:
    address = _address(arguments)
    print(address, flush=True)
    if not arguments.print and _has_browser():
        webbrowser.open(address)
    return 0


def _address(arguments: argparse.Namespace) -> str:
    """The URL of the page, or of a service."""
    instance = _instance(arguments)
    port = 80
    if arguments.service:
        services = instance.settings.services if instance else {}
        if arguments.service not in services:
            known = f"there are: {', '.join(services)}" if services else "there is none"
            raise BuildError(f"there is no service '{arguments.service}'", known)
        ports = services[arguments.service].ports
        if not ports:
            raise BuildError(
                f"services.{arguments.service} names no port", "set 'ports' in snakeroot.toml"
            )
        port = int(ports[0])
    if arguments.to:
        host = remote.parse(arguments.to).host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}/" if port == 80 else f"http://{shown}:{port}/"
    if instance is None:
        raise BuildError("there is no instance here", "name its folder: snakeroot -C DIR ui")
    return f"http://127.0.0.1:{qemu.port_of(instance, port)}/"


def _has_browser() -> bool:
    """Whether there is a browser with a window of its own, or one that the user has named."""
    if "BROWSER" in os.environ:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
