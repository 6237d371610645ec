"""How the box looks in a browser: HTML made of the data of box.py, and of nothing else.

Every text is escaped here.  Pages consist of fragments with an id, which are also what the live stream
sends when they have changed: there is one renderer, and the script only puts its output in place.
"""

from __future__ import annotations

import time
from html import escape

from toolbox.net.http import percent_encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from toolbox.trust.sessions import Session

#: What a state means for somebody who sees it for the first time: colour and words.
_STATES = {
    "running": ("good", "running"),
    "listening": ("good", "ready, starts when needed"),
    "starting": ("busy", "starting"),
    "waiting": ("busy", "waiting"),
    "stopping": ("busy", "stopping"),
    "backoff": ("bad", "crashed, starts again soon"),
    "failed": ("bad", "failed"),
    "stopped": ("off", "stopped"),
}

_ACTIONS = {"start": "Start", "stop": "Stop", "restart": "Restart"}


def document(title: str, body: str, script: bool = True) -> str:
    """A whole page around `body`, which is HTML."""
    source = '<script src="/box.js" defer></script>' if script else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title>"
        '<link rel="icon" href="/box.svg"><link rel="stylesheet" href="/box.css">'
        f"{source}</head>\n<body>{body}</body></html>\n"
    )


def overview(box: dict[str, Any], session: Session) -> str:
    """The first page: the box and its services."""
    parts = fragments(box, session)
    body = (
        f"{_top(box, session)}"
        f'<main data-live="{session.root}/events">'
        f'<div id="problem">{parts["problem"]}</div>'
        f'<h2>Services</h2><div id="services" class="services">{_services(box, session)}</div>'
        f'<h2>This box</h2><div id="tiles" class="tiles">{parts["tiles"]}</div>'
        f"{_foot(box, session)}</main>"
    )
    return document(box["hostname"], body)


def changes(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """The fragments to send to somebody who has seen `old`."""
    if old.get("services") != new.get("services"):
        return new  # the last lines lie inside that one
    return {name: html for name, html in new.items() if old.get(name) != html}


def without_ages(html: str) -> str:
    """A fragment without the times that the script counts itself: what is left has really changed."""
    head, *parts = html.split(' data-since="')
    return head + "".join(
        f' data-since="{part[: part.index(">")]}>{part[part.index("</time>") :]}' for part in parts
    )


def fragments(box: dict[str, Any], session: Session) -> dict[str, str]:
    """The parts of the first page that change, by their ids."""
    # The last lines of a talkative service must not replace the buttons that somebody is pressing.
    tails = {_tail_id(one): _tail(one) for one in box["services"]}
    return {
        "problem": _problem(box["problem"]),
        "services": _services(box, session, tails=False),
        **tails,
        "tiles": _tiles(box),
    }


def service(
    box: dict[str, Any], name: str, lines: list[dict[str, Any]], session: Session, after: int
) -> str:
    """The page of one service: its state, what can be done, its log (after: the last line's number)."""
    head = service_fragments(box, name, session)["service"]
    body = (
        f"{_top(box, session)}"
        f'<main data-live="{session.root}/services/{_path(name)}/events">'
        f'<p class="back"><a href="{session.root}/">← {escape(box["hostname"])}</a></p>'
        f'<div id="service">{head}</div>'
        f"{_log(f'{session.root}/services/{_path(name)}/log', lines, after)}</main>"
    )
    return document(f"{name} · {box['hostname']}", body)


def service_fragments(box: dict[str, Any], name: str, session: Session) -> dict[str, str]:
    """The part of a service's page that changes."""
    found = [one for one in box["services"] if one.get("name") == name]
    if not found:
        return {"service": f"<h2>{escape(name)}</h2>{_problem(box['problem'])}"}
    one = found[0]
    command = " ".join(str(word) for word in one.get("command") or [])
    facts = [("Command", f"<code>{escape(command)}</code>")] if command else []
    if one.get("pid"):
        facts.append(("Process", escape(str(one["pid"]))))
    if one.get("exit"):
        facts.append(("Last end", escape(str(one["exit"]))))
    facts.append(("Restarts", escape(str(one.get("restarts", 0)))))
    rows = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts)
    return {
        "service": f'<div class="heading"><h2>{escape(name)}</h2>{_state(one, box["time"])}'
        f"{_buttons(one, session, f'/services/{_path(name)}')}</div>"
        f"{_status(one)}<dl>{rows}</dl>"
    }


def log(box: dict[str, Any], lines: list[dict[str, Any]], session: Session, after: int) -> str:
    """The page of all logs: services, init and kernel in their order."""
    body = (
        f'{_top(box, session)}<main><p class="back"><a href="{session.root}/">← {escape(box["hostname"])}</a></p>'
        f"<h2>Everything that was logged</h2>{_log(f'{session.root}/log', lines, after, named=True)}</main>"
    )
    return document(f"log · {box['hostname']}", body)


def log_line(line: dict[str, Any], named: bool) -> str:
    """One line of a log as HTML."""
    when = _number(line.get("time"))
    stamp = time.strftime("%H:%M:%S", time.gmtime(when))
    full = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when))
    source = f"<b>{escape(str(line.get('service', '')))}</b> " if named else ""
    return (
        f'<li><time title="{full}">{stamp}</time> '
        f"{source}<span>{escape(str(line.get('text', '')))}</span></li>"
    )


def login(hostname: str, message: str, possible: bool) -> str:
    """The form that asks for the password; `message` says what was wrong with the last try."""
    form = (
        '<form method="post" action="/login">'
        '<input type="text" name="user" value="owner" autocomplete="username" hidden>'
        '<label for="password">Password</label>'
        '<input id="password" type="password" name="password" autocomplete="current-password"'
        ' required autofocus><button class="main">Log in</button></form>'
    )
    shown = f'<p class="wrong" role="alert">{escape(message)}</p>' if message else ""
    return document(
        f"Log in · {hostname}",
        f'<main class="login"><img src="/box.svg" alt="" width="48" height="48">'
        f"<h1>{escape(hostname)}</h1>{shown}{form if possible else ''}"
        '<p class="quiet">This is the box\'s own page. It runs Snakeroot.</p></main>',
    )


def message(title: str, text: str, session: Session) -> str:
    """A page that says one thing."""
    return document(
        title,
        f'<main class="login"><h1>{escape(title)}</h1><p>{escape(text)}</p>'
        f'<p><a href="{session.root}/">Back to the box</a></p></main>',
        script=False,
    )


# Parts.


def _top(box: dict[str, Any], session: Session) -> str:
    release = box["release"]
    version = " ".join(
        part for part in (release["name"], release["image"] or release["version"]) if part
    )
    about = " · ".join(
        escape(part)
        for part in (box["model"], version, f"{box['kernel']} {box['machine']}")
        if part
    )
    return (
        '<header><div class="bar"><img src="/box.svg" alt="" width="36" height="36">'
        f'<div class="who"><h1><a href="{session.root}/">{escape(box["hostname"])}</a></h1><p>{about}</p></div>'
        '<span id="live" class="live" hidden></span>'
        f'<form method="post" action="{session.root}/logout">{_token(session)}<button>Log out</button></form>'
        "</div></header>"
    )


def _foot(box: dict[str, Any], session: Session) -> str:
    return (
        f'<footer><a href="{session.root}/log">All logs</a>'
        "<details><summary>Restart or power off</summary>"
        f'<form method="post" action="{session.root}/power">{_token(session)}'
        '<button name="action" value="reboot">Restart the box</button>'
        '<button name="action" value="poweroff" class="danger">Power off</button></form></details>'
        "</footer>"
    )


def _problem(text: str | None) -> str:
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def _services(box: dict[str, Any], session: Session, tails: bool = True) -> str:
    rows = [_service_row(one, box["time"], session, tails) for one in box["services"]]
    return "".join(rows) or '<p class="quiet">No services.</p>'


def _service_row(one: dict[str, Any], now: float, session: Session, tails: bool) -> str:
    name = str(one.get("name", "?"))
    restarts = one.get("restarts") or 0
    count = (
        f'<span class="count">{restarts} restart{"s" if restarts != 1 else ""}</span>'
        if restarts
        else ""
    )
    return (
        f'<article><div class="heading"><h3><a href="{session.root}/services/{_path(name)}">{escape(name)}</a></h3>'
        f"{_state(one, now)}{count}{_buttons(one, session, '/')}</div>{_status(one)}"
        f'<div class="tail" id="{_tail_id(one)}">{_tail(one) if tails else ""}</div></article>'
    )


def _tail_id(one: dict[str, Any]) -> str:
    return f"tail-{escape(str(one.get('name')))}"


def _tail(one: dict[str, Any]) -> str:
    return "".join(f"<div>{escape(str(line.get('text', '')))}</div>" for line in one.get("log", []))


def _state(one: dict[str, Any], now: float) -> str:
    """The state in words and colour, and for how long; the script keeps that time going."""
    state = str(one.get("state", ""))
    kind, words = _STATES.get(state, ("off", state))
    if state == "running" and one.get("ready") is False:
        kind, words = "busy", "running, not ready yet"
    if kind == "bad" and one.get("exit"):
        words += f" ({one['exit']})"
    since = _number(one.get("since"))
    age = (
        f' <time class="since" data-since="{since:.0f}">{duration(max(0, now - since))}</time>'
        if since
        else ""
    )
    return f'<span class="state {kind}">{escape(words)}</span>{age}'


def _status(one: dict[str, Any]) -> str:
    text = str(one.get("status") or "")
    return f'<p class="status">{escape(text)}</p>' if text else ""


def _buttons(one: dict[str, Any], session: Session, back: str) -> str:
    idle = one.get("state") in ("stopped", "failed")
    buttons = "".join(
        f'<button formaction="{session.root}/services/{_path(str(one.get("name")))}/{action}">{_ACTIONS[action]}</button>'
        for action in (("start",) if idle else ("restart", "stop"))
    )
    return (
        f'<form method="post" class="actions">{_token(session)}'
        f'<input type="hidden" name="back" value="{session.root}{escape(back)}">{buttons}</form>'
    )


def _tiles(box: dict[str, Any]) -> str:
    memory = box["memory"]
    tiles = [
        _tile("Up for", duration(box["uptime"])),
        _tile(
            "Load",
            f"{box['load'][0]:.2f}" if box["load"] else "",
            f"{box['processors']} processor{'s' if box['processors'] != 1 else ''}",
        ),
        _meter_tile("Memory", memory["used"], memory["total"]),
    ]
    if update := _update(box.get("update") or {}):
        tiles.append(update)
    for disk in box["disks"]:
        note = " (read-only)" if disk["read_only"] else ""
        tiles.append(_meter_tile(f"Disk {disk['path']}{note}", disk["used"], disk["size"]))
    groups: dict[str, list[str]] = {}
    for one in box["addresses"]:
        groups.setdefault(one["interface"], []).append(f"{one['address']}/{one['prefix']}")
    for interface, addresses in groups.items():
        listed = "".join(f"<li>{escape(address)}</li>" for address in addresses)
        tiles.append(
            f'<section class="tile wide"><h3>{escape(interface)}</h3><ul>{listed}</ul></section>'
        )
    return "".join(tiles)


def _update(update: dict[str, Any]) -> str:
    """Which release runs; the one that is being installed, or how the last try ended."""
    if not update.get("slot"):
        return ""
    value, note = f"slot {update['slot']}", ""
    if progress := update.get("progress"):
        total = _number(progress.get("total")) or 1.0
        share = _number(progress.get("done")) / total
        note = f"{progress.get('version')} is being installed: {share:.0%}"
    elif update.get("trial"):
        note = "on trial"
    elif last := update.get("last"):
        why = f": {last.get('reason')}" if last.get("reason") else ""
        note = f"{last.get('version')} {last.get('outcome')}{why}"
    return _tile("Release", value, note)


def _tile(label: str, value: str, note: str = "") -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    return f'<section class="tile"><h3>{escape(label)}</h3><p>{escape(value)}</p>{small}</section>'


def _meter_tile(label: str, used: int, total: int) -> str:
    share = used / total if total else 0.0
    return (
        f'<section class="tile"><h3>{escape(label)}</h3><p>{share:.0%}</p>'
        f'<meter min="0" max="1" low="0.8" high="0.92" optimum="0" value="{share:.3f}">{share:.0%}</meter>'
        f"<small>{size(used)} of {size(total)}</small></section>"
    )


def _log(url: str, lines: list[dict[str, Any]], after: int, named: bool = False) -> str:
    shown = "".join(log_line(line, named) for line in lines)
    return f'<ol class="log" id="log" data-log="{url}" data-after="{after}">{shown}</ol>'


def _token(session: Session) -> str:
    return f'<input type="hidden" name="csrf" value="{escape(session.csrf)}">'


def _path(name: str) -> str:
    return percent_encode(name.encode("utf-8", "surrogatepass"), safe=b"-._~")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


# Words for numbers.


def duration(seconds: float) -> str:
    """Seconds in the two largest units that fit: `3 d 4 h`, `2 min`, `40 s`."""
    whole = int(seconds)
    for unit, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit:
            rest = whole % unit // part
            return (
                f"{whole // unit} {name} {rest} {part_name}" if rest else f"{whole // unit} {name}"
            )
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"


def size(count: float) -> str:
    """Bytes in binary units with three digits: `512 MiB`, `1.95 GiB`."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1000 and len(units) > 1:
        count /= 1024
        del units[0]
    unit = units[0]
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.3g} {unit}"
