"""Changes to snakeroot.toml that leave everything else as it is: comments, order, layout, line ends, mode.

add, remove     text -> text; tomlkit knows where a table begins and ends
change          the file; what `snakeroot check` refuses never takes its place
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table, Whitespace

from snakeroot import config
from snakeroot.host import BuildError, fresh
from snakeroot.settings import SettingError

#: Stand in the text for a moment: where a service's lines begin and end.  No TOML file may hold them.
_BEGIN, _END = "\0<\n", "\0>\n"

#: Lines of comments directly above a header, which are about it.
_HEADING = re.compile(r"(?:^[ \t]*#[^\n]*\n)+\Z", re.MULTILINE)

#: The first blank line after a table's last key: comments from there on are about what follows.
_BLANK = re.compile(r"^[ \t\r]*$", re.MULTILINE)


def add(text: str, name: str, settings: dict[str, Any]) -> str:
    """The text with [services.NAME] after the last service, or at the end.

    settings: key -> value; a dict becomes an inline table
    BuildError when there is a service of that name.
    """
    wanted = tomllib.loads(text)
    if name in wanted.get("services", {}):
        raise _there_already(name)
    wanted.setdefault("services", {})[name] = settings
    table = tomlkit.table()
    for key, value in settings.items():
        if isinstance(value, dict):
            inline = tomlkit.inline_table()
            inline.update(value)
            value = inline
        table.add(key, value)
    document = tomlkit.document()
    document.add("services", tomlkit.table(is_super_table=True).add(name, table))
    lines = document.as_string()
    candidates = [_after_the_last_service(text, lines)]
    # Services written as dotted keys or as an inline table of the top leave the file's end as a place.
    candidates.append(f"{text.rstrip()}\n\n{lines}" if text.strip() else lines)
    for candidate in candidates:
        if _holds(candidate, wanted):
            return candidate
    raise BuildError(
        f"{config.FILE}: 'services' is one inline table, which no table can be added to",
        "write the services as tables, [services.NAME]: snakeroot edit",
    )


def remove(text: str, name: str) -> tuple[str, str]:
    """The text without [services.NAME], and the lines that are gone.  BuildError when there is no such service.

    Comments directly above its header go with it; what stands after a blank line below its last key stays.
    """
    wanted = tomllib.loads(text)
    services = wanted.get("services", {})
    if name not in services:
        known = f"there are: {', '.join(services)}" if services else "there is none yet"
        raise BuildError(f"there is no service '{name}'", known)
    del services[name]
    for candidate, gone in _candidates(text, name):
        if _holds(candidate, wanted):
            return candidate, gone
    raise BuildError(
        f"services.{name}: stands in {config.FILE} in a way that cannot be taken out",
        "do it by hand: snakeroot edit",
    )


def _candidates(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Texts without a service, and what is gone; the first one that means what it should is right."""
    yield _without(text, name)
    # services.NAME.key = ..., or NAME = ... below [services]
    line = re.compile(rf"(?m)^[ \t]*(?:services\.)?{re.escape(name)}(?:\.[\w.-]+)?[ \t]*=.*\n")
    yield line.sub("", text), "".join(line.findall(text))
    document = tomlkit.parse(text)
    try:
        del document["services"][name]
    except (TOMLKitError, KeyError):
        return
    candidate = document.as_string()
    left = candidate.splitlines(keepends=True)
    yield candidate, "".join(one for one in text.splitlines(keepends=True) if one not in left)


def change(folder: Path, edit: Callable[[str], str]) -> config.Instance:
    """Let `edit` make the new text of the instance's file, and put it in place when it is good.

    Returns the new instance.  SettingError when the file is wrong already; BuildError when it would be.
    """
    config.load(folder)
    data = (folder / config.FILE).read_bytes()
    text = data.decode()
    crlf = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    new = edit(text.replace("\r\n", "\n") if crlf else text)
    new = new.replace("\n", "\r\n") if crlf else new
    try:
        encoded = new.encode()
    except UnicodeEncodeError as error:
        line = new[: error.start].rpartition("\n")[2] + new[error.start :].partition("\n")[0]
        raise BuildError(
            f"{line}: is not UTF-8, as all of {config.FILE} must be", "rename what is called so"
        ) from None
    changed = checked(folder, new, text)
    put(folder, data, encoded)
    return changed


def checked(folder: Path, text: str, former: str) -> config.Instance:
    """The instance as it would be with this text.  BuildError says what would be wrong, and that nothing is changed.

    former: the text that is there; what would be wrong in one of its lines is told with its number
    """
    with tempfile.NamedTemporaryFile(suffix=f"-{config.FILE}") as copy:
        copy.write(text.encode())
        copy.flush()
        try:
            return config.load(folder, Path(copy.name))
        except SettingError as error:
            line, _, said = str(error).removeprefix(f"{copy.name}:").partition(": ")
            if line.isdecimal() and (number := _in_former(former, text, int(line))):
                said = f"{folder / config.FILE}:{number}: {said}"
            raise BuildError(said, f"{config.FILE} is as it was") from None


def _in_former(former: str, text: str, line: int) -> int:
    """The number that a line of the new text has in the former one; 0 for one that is new."""
    matcher = difflib.SequenceMatcher(None, former.splitlines(), text.splitlines(), autojunk=False)
    for here, there, size in matcher.get_matching_blocks():
        if there < line <= there + size:
            return here + line - there
    return 0


def put(folder: Path, former: bytes, data: bytes) -> None:
    """Replace the file by `data`, if it still holds `former`.  A link stays one, and a mode what it is."""
    path = (folder / config.FILE).resolve()
    if path.read_bytes() != former:
        raise BuildError(f"{path}: somebody else has changed it meanwhile", "try it again")
    mode = path.stat().st_mode
    with fresh(path, private=True) as file:
        file.write(data)
        os.fchmod(file.fileno(), mode & 0o7777)


def _there_already(name: str) -> BuildError:
    return BuildError(
        f"there is a service '{name}' already",
        f"choose another name (--name), or first: snakeroot remove {name}",
    )


def _holds(text: str, wanted: dict[str, Any]) -> bool:
    """Whether the text means just this; no services are the same as no table of them."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return {k: v for k, v in found.items() if k != "services" or v} == {
        k: v for k, v in wanted.items() if k != "services" or v
    }


def _after_the_last_service(text: str, lines: str) -> str:
    document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    places = list(_services(document))
    if not places:
        return ""
    container, index = places[-1]
    _, table = container.body[index]
    container.body.insert(index + 1, (None, Whitespace(f"{_END}{_cut_tail(table)}")))  # type: ignore[arg-type]
    before, after = document.as_string().split(_END)
    return f"{before.rstrip()}\n\n{lines}{after}"


def _without(text: str, name: str) -> tuple[str, str]:
    document = tomlkit.parse(text)
    for container, index in list(_services(document))[::-1]:
        key, table = container.body[index]
        if key is not None and key.key == name:
            tail = _cut_tail(table)  # type: ignore[arg-type]
            container.body.insert(index + 1, (None, Whitespace(f"{_END}{tail}")))
            container.body.insert(index, (None, Whitespace(_BEGIN)))
    marked = document.as_string()
    gone: list[str] = []
    while _BEGIN in marked:
        before, _, rest = marked.partition(_BEGIN)
        lines, _, after = rest.partition(_END)
        if (heading := _HEADING.search(before)) and not re.search(r"#\s*\[", heading[0]):
            lines = heading[0] + lines
            before = before[: heading.start()]
        gone.append(lines)
        # The blank lines on one of its sides go with it.
        if before.endswith("\n\n") or not before:
            after = after.lstrip("\n")
        if not after:
            before = f"{before.rstrip()}\n" if before.strip() else ""
        marked = before + after
    return marked, "".join(gone)


def _services(document: tomlkit.TOMLDocument) -> Iterator[tuple[Container, int]]:
    """Where each [services.NAME] stands, in the file's order."""
    for key, item in document.body:
        if key is not None and key.key == "services" and isinstance(item, Table):
            for index, (_, value) in enumerate(item.value.body):
                if isinstance(value, Table):
                    yield item.value, index


def _cut_tail(table: Table) -> str:
    """Take the lines from a table's end that are about what follows, and return them."""
    body = table.value.body
    last = max((i for i, (key, _) in enumerate(body) if key is not None), default=-1)
    if last >= 0 and isinstance(inner := body[last][1], Table):
        return _cut_tail(inner)
    tail = "".join(item.as_string() for _, item in body[last + 1 :])
    blank = _BLANK.search(tail)
    cut = blank.start() if blank else len(tail)
    body[last + 1 :] = [(None, Whitespace(tail[:cut]))]
    return tail[cut:]
