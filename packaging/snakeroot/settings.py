"""A strict reader of TOML into frozen dataclasses.

The dataclasses are the one declaration: field names are keys, annotations are types, defaults make a key
optional, and `setting(..., help=)` is its documentation.  What does not fit is a `SettingError` that names
file, line, key and, for an unknown key, the nearest right name.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from snakeroot.host import BuildError
from toolbox.harmless import harmless

T = TypeVar("T")


def setting(default: Any = dataclasses.MISSING, *, help: str) -> Any:
    """A field of a settings dataclass; lists and dicts as defaults are copied."""
    metadata = {"help": help}
    if isinstance(default, (list, dict)):
        kind = type(default)
        return dataclasses.field(default_factory=lambda: kind(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class SettingError(BuildError):
    """A key or value that the file must not have; its text starts with FILE:LINE."""


def read(path: Path, kind: type[T]) -> T:
    """The file's settings as `kind`.  SettingError for the first thing that is wrong."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise BuildError(f"{path}: no such file", "make an instance: snakeroot new NAME") from None
    except UnicodeDecodeError as error:
        raise SettingError(f"{path}: not UTF-8 at byte {error.start}") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        line = where[1] if where else str(text.count("\n") + 1)
        raise SettingError(f"{path}:{line}: {error}") from None
    try:
        return _table(table, kind, ())
    except _Misfit as misfit:
        line = str(line_of(text, misfit.keys))
        raise SettingError(f"{path}:{line}: {harmless(misfit.text)}") from None


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line (from 1) where the dotted key `keys` stands in a TOML text, or its nearest table."""
    table: tuple[str, ...] = ()
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = found = _split(header[1])
        elif key := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+)\s*=""", line):
            found = (*table, *_split(key[1]))
        else:
            continue
        if len(found) > depth and keys[: len(found)] == found:
            best, depth = number, len(found)
    return best


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part.strip("\"'") for part in parts)


class _Misfit(Exception):
    def __init__(self, keys: tuple[str, ...], text: str) -> None:
        self.keys = keys
        self.text = text


def _table(table: dict[str, Any], kind: type[T], keys: tuple[str, ...]) -> T:
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind)) if f.init}
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in fields:
            where = f" in [{'.'.join(keys)}]" if keys else ""
            near = difflib.get_close_matches(key, fields, n=1)
            cure = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(fields)}"
            raise _Misfit((*keys, key), f"unknown key '{key}'{where}; {cure}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise _Misfit(keys, f"'{name}' is missing: {f.metadata['help']}")
    return kind(**{key: _value(value, hints[key], (*keys, key)) for key, value in table.items()})


def _value(value: Any, hint: Any, keys: tuple[str, ...]) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value not in arguments:
            raise _misfit(value, " or ".join(repr(a) for a in arguments), keys)
        return value
    if origin is list and isinstance(value, list):
        return [_value(item, arguments[0], keys) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: _value(item, arguments[1], (*keys, key)) for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            kind = typing.get_origin(option) or option
            if type(value) is kind and kind is not dict:
                return _value(value, option, keys)
            if dataclasses.is_dataclass(option) and isinstance(value, dict):
                return _value(value, option, keys)
        wanted = (_TYPES.get(typing.get_origin(a) or a, "a table") for a in arguments)
        raise _misfit(value, " or ".join(wanted), keys)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _table(value, typing.cast("type[Any]", hint), keys)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise _misfit(value, _TYPES.get(origin or hint, "a table"), keys)
    return value


_TYPES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _misfit(value: Any, wanted: str, keys: tuple[str, ...]) -> _Misfit:
    return _Misfit(keys, f"'{'.'.join(keys)}' must be {wanted}, not {value!r}")
