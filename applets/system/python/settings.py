"""What python3's options and the PYTHON* variables ask for, done to an interpreter that runs already.

    apply(line)   sys.flags, sys._xoptions, warnings, standard streams, faulthandler, tracemalloc, digits, paths

What is fixed when the program is built stays: the seed of hashes, UTF-8 mode, memory allocators, optimization of
imported modules, that no compiled modules are written.
"""

from __future__ import annotations

import os
import sys

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from applets.system.python import CommandLine


def apply(line: CommandLine) -> None:
    """Set the interpreter up as the command line and the environment say."""
    own = {} if line.has("EI") else variables()
    sys._xoptions.clear()
    for text in line.extras:
        name, equals, value = text.partition("=")
        sys._xoptions[name] = value if equals else True
    dev = "dev" in sys._xoptions or bool(own.get("PYTHONDEVMODE"))
    line.flags += "O" * level(own, "PYTHONOPTIMIZE") + "i" * level(own, "PYTHONINSPECT")
    if "P" not in line.flags and own.get("PYTHONSAFEPATH"):
        line.flags += "P"
    _flags(line, dev)
    if line.has("B") or own.get("PYTHONDONTWRITEBYTECODE"):
        sys.dont_write_bytecode = True
    prefix = extra("pycache_prefix") or own.get("PYTHONPYCACHEPREFIX")
    if isinstance(prefix, str) and prefix:
        sys.pycache_prefix = prefix
    _digits(own)
    _warnings(line, own, dev)
    _streams(line.has("u") or bool(own.get("PYTHONUNBUFFERED")), own.get("PYTHONIOENCODING", ""))
    if dev or "faulthandler" in sys._xoptions or own.get("PYTHONFAULTHANDLER"):
        import faulthandler

        if sys.stderr is not None:
            faulthandler.enable()
    _tracemalloc(own)


def variables() -> dict[str, str]:
    """The variables of the environment that are Python's."""
    # Past os.environ's own methods, which decode each name and value: most starts have none of these.
    raw: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    return {
        os.fsdecode(name): os.fsdecode(value)
        for name, value in raw.items()
        if name.startswith(b"PYTHON")
    }


def extra(name: str) -> str | bool | None:
    """The value of -X NAME[=VALUE]: text, True, or None when it was not given."""
    return sys._xoptions.get(name)


def level(own: Mapping[str, str], name: str) -> int:
    """A variable that holds a number, or something else for 1; 0 when it is unset or empty."""
    text = own.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if is_number else int(bool(text))


def _flags(line: CommandLine, dev: bool) -> None:
    """sys.flags as they would be; site stays off, for it looks for an installation."""

    def many(letter: str) -> int:
        return line.flags.count(letter)

    isolated = line.has("I")
    changes: dict[str, Any] = {
        "debug": many("d"),
        "inspect": int(line.has("i")),
        "interactive": int(line.has("i")),
        "optimize": many("O"),
        "no_user_site": int(isolated or line.has("s")),
        "ignore_environment": int(line.has("EI")),
        "verbose": many("v"),
        "bytes_warning": many("b"),
        "quiet": many("q"),
        "isolated": int(isolated),
        "dev_mode": dev,
        "safe_path": line.has("PI"),
    }
    sys.flags = sys.flags.__replace__(**changes)  # type: ignore[attr-defined]


def _digits(own: Mapping[str, str]) -> None:
    """The limit of digits of int() and str(): -X int_max_str_digits=N, PYTHONINTMAXSTRDIGITS."""
    for where, value in (
        ("-X int_max_str_digits", extra("int_max_str_digits")),
        ("PYTHONINTMAXSTRDIGITS", own.get("PYTHONINTMAXSTRDIGITS") or None),
    ):
        if value is None:
            continue
        try:
            number = int(value) if isinstance(value, str) else -1
            sys.set_int_max_str_digits(number)
        except ValueError:
            raise UsageError(
                f"{where}: 0 (no limit) or a number of at least 640 is needed"
            ) from None
        sys.flags = sys.flags.__replace__(int_max_str_digits=number)  # type: ignore[attr-defined]
        return


def _warnings(line: CommandLine, own: Mapping[str, str], dev: bool) -> None:
    """The filters of developers' mode, of PYTHONWARNINGS, and of -W; the later, the stronger."""
    filters = ["default"] if dev else []
    filters += [text for text in own.get("PYTHONWARNINGS", "").split(",") if text]
    filters += line.filters
    if line.has("b"):
        filters.append(
            "error::BytesWarning" if line.flags.count("b") > 1 else "default::BytesWarning"
        )
    sys.warnoptions[:] = filters
    if filters:
        import warnings

        warnings._processoptions(filters)  # type: ignore[attr-defined]


def _streams(unbuffered: bool, encoding: str) -> None:
    """-u: nothing of what is printed is held back, as text or bytes.  PYTHONIOENCODING: ENCODING[:ERRORS]."""
    if unbuffered:
        import io

        for name, fd in (("stdout", 1), ("stderr", 2)):
            old = getattr(sys, name)
            if old is not None:
                raw = io.FileIO(fd, "wb", closefd=False)
                new = io.TextIOWrapper(raw, old.encoding, old.errors, write_through=True)
                new.mode = "w"  # type: ignore[misc]
                raw.name = f"<{name}>"
                setattr(sys, name, new)
                setattr(sys, f"__{name}__", new)
    name, _, errors = encoding.partition(":")
    if name or errors:
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            if stream is None:
                continue
            ours = "backslashreplace" if stream is sys.stderr else errors or "strict"
            try:
                stream.reconfigure(encoding=name or None, errors=ours)  # type: ignore[union-attr]
            except LookupError as error:
                raise UsageError(f"PYTHONIOENCODING: {error}") from None


def _tracemalloc(own: Mapping[str, str]) -> None:
    """-X tracemalloc[=FRAMES], PYTHONTRACEMALLOC."""
    wanted = extra("tracemalloc") or own.get("PYTHONTRACEMALLOC")
    if not wanted or wanted == "0":
        return
    import tracemalloc

    try:
        tracemalloc.start(int(wanted))
    except (ValueError, OverflowError):
        raise UsageError("tracemalloc: a number of frames from 1 to 65535 is needed") from None
