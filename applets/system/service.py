"""service [--json] [list | status [NAME]...]
service [--no-wait] start|stop|restart NAME...
service exec NAME PROGRAM [ARGUMENT]...

Show the services that init supervises, or start and stop them. exec runs PROGRAM as the service
NAME runs: as its user, with its environment, directory, capabilities and resource limits, but
outside of its control group: it may run while the service does not, and does not end with it.

      --json      print what init answers, as JSON
      --no-wait   don't wait until a stop or start is done

Without arguments the services are listed. The exit status of `status` is 0 when every NAME is
ready, else 3. That of `exec` is PROGRAM's; 126 when it cannot be run, 127 when it is not found.
"""

from __future__ import annotations

import os
import time

from toolbox import control
from toolbox.errors import Fatal, UsageError
from toolbox.harmless import harmless
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

options = Options(__doc__)

#: `exec` becomes another program.
alters_process = True

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def main(argv: list[str]) -> int:
    """Ask init, and print its answer."""
    if argv[1:2] == ["exec"] and argv[2:] != ["--help"]:
        _execute(argv[2:])
    opt, words = options.parse(argv)
    verb, names = (words[0], words[1:]) if words else ("list", [])
    if verb in ("start", "stop", "restart"):
        if not names:
            raise UsageError(f"missing name of a service after '{verb}'")
        # A stop takes as long as the service may take: init limits it, so we need not.
        answer = control.request(verb, timeout=None, names=names, wait=not opt.no_wait)
        failed = [s for s in answer["services"] if verb != "stop" and s["state"] in _BAD]
        if failed:
            raise Fatal("; ".join(f"{s['name']}: {s['status'] or s['exit']}" for s in failed))
        return 0
    if verb == "list":
        if names:
            raise UsageError(f"extra operand {names[0]!r}")
        services = control.request("list")["services"]
        _print(services, _table(services) if services else "", opt.json)
        return 0
    if verb == "status":
        services = control.request("list")["services"]
        if names:
            known = {s["name"]: s for s in services}
            for name in names:
                if name not in known:
                    raise Fatal(f"there is no service {name!r}", 4)
            services = [known[name] for name in names]
        _print(services, "\n".join(map(_details, services)), opt.json)
        return 0 if not names or all(s["ready"] for s in services) else 3
    raise UsageError(f"unknown command {verb!r}; known: list, status, start, stop, restart, exec")


#: What a terminal is like, and the user's language: of whoever calls, where the service has nothing of its own.
_CALLERS = ("TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TZ")


def _execute(words: list[str]) -> NoReturn:
    """Become a program that runs as a service does.  Fatal when that cannot be."""
    from toolbox.linux.becoming import StepError, account, become, limit
    from toolbox.linux.capability import no_new_privileges
    from toolbox.spawn import CANNOT_RUN, execute, failure_status

    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise UsageError("missing name of a service after 'exec'")
    name, command = words[0], words[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise UsageError(f"missing program after 'exec {name}'")
    found = control.request("context", name=name)
    step = ["limits"]
    try:
        limit(found["limits"])
        step[0] = "user"
        who = account(found["user"], found["group"])
        if who.uid is not None:
            # Whoever calls may be kept when memory runs out: a service's programs are not.
            step[0] = "oom_score_adj"
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write(str(found["oom_score_adj"]))
        become(who, found["capabilities"], step)
        step[0] = "no_new_privs"
        if found["no_new_privs"]:
            no_new_privileges()
        step[0] = "directory"
        os.chdir(found["directory"])
    except (OSError, StepError) as error:
        said = (isinstance(error, OSError) and error.strerror) or error
        raise Fatal(f"{name}: {step[0]}: {said}", CANNOT_RUN) from None
    environment = {key: os.environ[key] for key in _CALLERS if key in os.environ}
    environment.update(found["common"])
    if who.name is not None:
        environment.update(USER=who.name, LOGNAME=who.name, HOME=who.home)
    environment.update(found["environment"])
    try:
        execute(command, environment)
    except OSError as error:
        raise Fatal(f"{command[0]}: {error.strerror}", failure_status(error)) from None


#: States in which a service that was to start is not on its way.
_BAD = ("failed", "backoff")


def _print(services: list[dict[str, Any]], text: str, as_json: bool) -> None:
    if as_json:
        import json

        text = json.dumps(services, indent=2) + "\n"
    stdout().write(text.encode("utf-8", "backslashreplace"))


def _table(services: list[dict[str, Any]]) -> str:
    rows = [["NAME", "STATE", "PID", "SINCE", "RESTARTS", "STATUS"]]
    for service in services:
        rows.append(
            [
                service["name"],
                _state(service),
                str(service["pid"] or "-"),
                _ago(service["since"]),
                str(service["restarts"]),
                service["status"] or (service["exit"] or "" if not service["pid"] else ""),
            ]
        )
    # A status is the service's own words.
    rows = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "".join(
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        + "\n"
        for row in rows
    )


def _details(service: dict[str, Any]) -> str:
    lines = [
        ("state", f"{_state(service)} for {_ago(service['since'])}"),
        ("status", service["status"]),
        ("pid", service["pid"]),
        ("restarts", service["restarts"]),
        ("last exit", service["exit"]),
        ("command", " ".join(service["command"])),
    ]
    shown = "".join(
        f"  {key + ':':<11}{harmless(str(value))}\n"
        for key, value in lines
        if value not in (None, "")
    )
    return f"{harmless(service['name'])}\n{shown}"


def _state(service: dict[str, Any]) -> str:
    return str(service["state"])


def _ago(since: float) -> str:
    """How long ago, in the two largest units: `3h12m`."""
    rest = max(0, int(time.time() - since))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts or size == 1:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
