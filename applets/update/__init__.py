"""update [show] [--json]
update check
update apply [--downgrade] [--no-reboot] [VERSION|FILE|URL]
update wanted [--downgrade] FILE
update set-default SLOT
update rollback|commit [--no-reboot]
update retry
update --daemon [--check=CMD] [--after=S] [--within=S] [--poll=S] [--window=FROM-TO] [--for=USER]

Show which release runs, and put another one into the slot that does not. The box then restarts
into it on trial: it is kept when it is healthy, and left when it is not.

show         the slot that runs, its version, and how the last update ended and why
check        status 0 when a newer release is there, 1 when none is, 2 when nobody can tell
apply        install a release: a version, a file (-: standard input), a URL of either a release
             or a folder of them; by default the latest of the box's channel
wanted       which ranges of a release's FILE, of which the head and the index will do, are not in
             this box; standard input of `apply -` may be that line, and then their bytes alone
set-default  boot slot a or b from now on, without a trial
rollback     leave the release that runs: go back to the other one
commit       keep the release that runs, which else does so itself when it is healthy
retry        forget which releases failed, and how new the channel was: the daemon tries them again

      --json             show: as JSON
      --downgrade        apply, wanted: take an older version, too
      --no-reboot        leave it to somebody else to restart the box
      --daemon           commit what is healthy, restart what is not, and look for new releases
      --check=CMD        a shell command that must succeed in a healthy box
      --after=SECONDS    how long all must have been well before it is committed (3)
      --within=SECONDS   how long that may take before the box goes back (60)
      --poll=SECONDS     how often to look for a release, about; 0: never (0)
      --for=USER         let this user look at and install releases, too (the box's page)
      --window=FROM-TO    when (HH:MM-HH:MM, UTC) a release may be installed that was looked for

A file /perm/snakeroot/hold keeps the daemon from installing anything.

Releases are asked for through the proxy that the environment names: $http_proxy for http,
$https_proxy for https, but for the hosts of $no_proxy ("example.org,10.0.0.0/8", "*").
"""

from __future__ import annotations

from toolbox.errors import Fatal, UsageError, say
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.options import Values

options = Options(__doc__)

#: Runs for long, as a daemon; holds locks.
alters_process = True


def main(argv: list[str]) -> int:
    """Do what the word says."""
    opt, words = options.parse(argv)
    if opt.daemon:
        if words:
            raise UsageError(f"extra operand {words[0]!r}")
        from applets.update.daemon import run

        return run(opt)
    verb, operands = (words[0], words[1:]) if words else ("show", [])
    known: dict[str, Callable[..., int]] = {
        "show": _show,
        "check": _check,
        "apply": _apply,
        "wanted": _wanted,
        "set-default": _set_default,
        "rollback": _roll_back,
        "commit": _commit,
        "retry": _retry,
    }
    if verb not in known:
        raise UsageError(f"unknown command {verb!r}; known: {', '.join(known)}")
    if door := _is_for_the_daemon():
        return door(words + (["--json"] if opt.json else []))
    needs = {"set-default": "slot: a or b", "wanted": "file of a release"}
    if len(operands) != (verb in needs) and not (verb == "apply" and len(operands) <= 1):
        raise UsageError(f"extra operand {operands[0]!r}" if operands else f"missing {needs[verb]}")
    try:
        return known[verb](opt, *operands)
    except ValueError as error:
        raise Fatal(str(error), 2 if verb == "check" else 1) from None


def _is_for_the_daemon() -> Callable[[list[str]], int] | None:
    """What runs it as root for us, when we are a service of the box that may ask for that."""
    import os

    if os.geteuid() == 0:
        return None
    from applets.update.door import SOCKET, ask

    return ask if os.access(SOCKET, os.W_OK) else None


def _show(opt: Values) -> int:
    from applets.update import work

    described = work.describe()
    if opt.json:
        import json

        text = json.dumps(described, indent=1) + "\n"
    else:
        text = "".join(f"{line}\n" for line in work.lines(described))
    stdout().write(text.encode("utf-8", "backslashreplace"))
    return 0


def _check(opt: Values) -> int:
    from applets.update import work

    found = work.latest()
    if old := work.age(found.channel.created):
        say(f"update: the channel's newest is {found.channel.version}, {old}")
    stdout().write(f"{found.channel.version}\n".encode() if found.newer else b"")
    return 0 if found.newer else 1


def _apply(opt: Values, what: str = "") -> int:
    from applets.update import work
    from toolbox.storage.update import RunsAlready

    try:
        version, slot = work.apply(what, downgrade=opt.downgrade)
    except RunsAlready as error:
        stdout().write(f"{error}: nothing to do\n".encode())
        return 0
    end = "" if opt.no_reboot else "; restarting into it"
    stdout().write(f"version {version} is in slot {slot}{end}\n".encode())
    _restart(opt)
    return 0


def _wanted(opt: Values, what: str) -> int:
    from applets.update import work

    stdout().write(work.wanted(what, downgrade=opt.downgrade))
    return 0


def _set_default(opt: Values, slot: str) -> int:
    from applets.update import work
    from toolbox.storage.bootstate import SLOTS

    if slot not in SLOTS:
        raise UsageError(f"{slot!r} is no slot: a or b")
    with work.opened(writable=True) as updates:
        updates.set_default(slot)
    return 0


def _roll_back(opt: Values) -> int:
    from applets.update import work

    with work.opened(writable=True) as updates:
        slot = updates.roll_back("somebody at the box went back", work.unready())
    stdout().write(f"slot {slot} is booted next\n".encode())
    _restart(opt)
    return 0


def _commit(opt: Values) -> int:
    from applets.update import work

    with work.opened(writable=True) as updates:
        updates.commit()
    return 0


def _retry(opt: Values) -> int:
    from applets.update import work

    work.retry()
    return 0


def _restart(opt: Values) -> None:
    """Through init, which stops the services in their order first."""
    from toolbox import control

    stdout().flush()
    if not opt.no_reboot:
        # Whoever brought the release is to hear of it first.
        control.when_ended("power", action="reboot")
