"""What the values of a services file must be: each check returns the value, or raises `Problem`.

The builder asks the same checks, so what it accepts the box accepts.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Check = Callable[[Any], Any]

LIMITS = frozenset(
    {
        *("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
        *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
    }
)


#: execve(2) takes no string of so many bytes, its end included (MAX_ARG_STRLEN).
LONGEST_STRING = 32 * 4096


class Problem(ValueError):
    """A value that may not stand there; the text says what is wrong with it."""


def parse_address(text: str) -> tuple[str, str, int]:
    """A listening address: ("unix", path, 0), or ("tcp", host, port); host "" is every address.

    `0.0.0.0:22`, `[::]:22`, `:22`, `/run/x.sock`, `@abstract`.  Problem when it is none of these.
    """
    if text.startswith(("/", "@")) and len(text) > 1:
        if len(os.fsencode(text)) > 107:
            raise Problem(f"{text!r}: a socket's path has at most 107 bytes")
        return "unix", text, 0
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise Problem(f"{text!r}: an IPv6 address stands in brackets")
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise Problem(f"{text!r} is not ADDRESS:PORT")
    return "tcp", host, int(port)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Problem(f"a string is wanted, not {_shown(value)}")
    if "\0" in value:
        raise Problem("contains a null character")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise Problem(f"{_shown(value)} cannot be encoded") from None
    return value


def strings(value: object) -> list[str]:
    """A list of strings."""
    if not isinstance(value, list):
        raise Problem(f"a list of strings is wanted, not {_shown(value)}")
    return [_string(item) for item in value]


def mapping(value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Problem(f"an object is wanted, not {_shown(value)}")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Problem(f"true or false is wanted, not {_shown(value)}")
    return value


def _command(value: object) -> list[str]:
    words = strings(value)
    if not words or not words[0]:
        raise Problem("a program is wanted")
    for word in words:
        _fits(word)
    return words


def _fits(text: str) -> None:
    if len(os.fsencode(text)) >= LONGEST_STRING:
        raise Problem("longer than a program can be given")


def _environment(value: object) -> dict[str, str]:
    found = {}
    for key, text in mapping(value).items():
        if not key or "=" in _string(key):
            raise Problem(f"{key!r} is no name of a variable")
        found[key] = _string(text)
        _fits(f"{key}={text}")
    return found


def _path(value: object) -> str:
    path = _string(value)
    if not path.startswith("/"):
        raise Problem(f"an absolute path is wanted, not {_shown(value)}")
    return path


def _devices(value: object) -> list[str]:
    paths = strings(value)
    for path in paths:
        if not path.startswith("/dev/") or ".." in path.split("/"):
            raise Problem(f"{path!r} is no path of a device, such as '/dev/net/tun'")
    return paths


def _account(value: object) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    return _string(value)


def seconds(value: object) -> float:
    """Seconds from 0 to a day."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86400:
        raise Problem(f"seconds from 0 to 86400 are wanted, not {_shown(value)}")
    return float(value)


def _one_of(*words: str) -> Check:
    def check(value: object) -> str:
        if value not in words:
            raise Problem(f"one of {', '.join(words)} is wanted, not {_shown(value)}")
        return str(value)

    return check


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


#: What may be asked of init (control.py).
VERBS = ("list", "status", "start", "stop", "restart", "power", "logs", "watch")


def _verbs(value: object) -> list[str]:
    verbs = strings(value)
    for verb in verbs:
        if verb not in VERBS:
            raise Problem(f"{verb!r} is nothing that init does{near(verb, VERBS)}")
    return verbs


def _addresses(value: object) -> list[str]:
    addresses = strings(value)
    for address in addresses:
        parse_address(address)
    return addresses


def _capabilities(value: object) -> list[str] | None:
    from toolbox.linux.capability import NUMBERS

    if value is None:
        return None
    names = []
    for name in strings(value):
        short = name.lower().removeprefix("cap_")
        if short not in NUMBERS:
            raise Problem(f"{name!r} is no capability{near(short, tuple(NUMBERS))}")
        names.append(short)
    return names


def _nice(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -20 <= value <= 19:
        raise Problem(f"a number from -20 to 19 is wanted, not {_shown(value)}")
    return value


def _limit(value: object) -> int:
    if value == "unlimited":
        return -1  # resource.RLIM_INFINITY
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Problem(f'a number or "unlimited" is wanted, not {_shown(value)}')
    return value


def _limits(value: object) -> dict[str, tuple[int, int]]:
    found = {}
    for name, bound in mapping(value).items():
        if name not in LIMITS:
            raise Problem(f"{name!r} is no limit{near(name, tuple(LIMITS))}")
        both = bound if isinstance(bound, list) else [bound, bound]
        if len(both) != 2:
            raise Problem(f"{name!r}: [SOFT, HARD] is wanted, not {_shown(bound)}")
        soft, hard = (_limit(one) for one in both)
        if hard >= 0 and not 0 <= soft <= hard:
            raise Problem(f"{name!r}: the soft limit is above the hard one")
        found[name] = (soft, hard)
    return found


def _oom_score(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -1000 <= value <= 1000:
        raise Problem(f"a number from -1000 to 1000 is wanted, not {_shown(value)}")
    return value


def _cgroup(value: object) -> dict[str, str]:
    """Settings by the name of their file.  Those with one value are checked; others the kernel checks."""
    found = {}
    for name, setting in mapping(value).items():
        controller, _, rest = name.partition(".")
        if (
            controller not in CONTROLLERS
            or not rest
            or not rest.replace(".", "").replace("_", "").isascii()
            or not rest.replace(".", "").replace("_", "").isalnum()
        ):
            raise Problem(
                f"{name!r} is no setting of a control group, such as 'memory.max'"
                f"{near(name, tuple(CGROUP_VALUES))}"
            )
        if isinstance(setting, bool) or not isinstance(setting, (str, int)):
            raise Problem(f"{name!r}: a string or number is wanted, not {_shown(setting)}")
        text = _string(str(setting))
        check = CGROUP_VALUES.get(name)
        if check and (wanted := check(text)):
            raise Problem(f"{name!r}: {wanted} is wanted, not {_shown(setting)}")
        found[name] = text
    return found


def share_of(text: str) -> int | None:
    """50 of "50%"; None for what is no share.  A hundredth is the smallest, the whole the largest."""
    number = text.removesuffix("%")
    if number == text or not (number.isascii() and number.isdecimal()) or len(number) > 3:
        return None
    return int(number) if 1 <= int(number) <= 100 else None


def _is_whole(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most


def _bytes(text: str) -> str:
    digits = text[:-1] if text[-1:].upper() in tuple("KMGTPE") else text
    good = text == "max" or share_of(text) is not None or _is_whole(digits, 0, 1 << 60)
    return "" if good else 'a number of bytes ("64M"), a share ("50%") or "max"'


def _count(text: str) -> str:
    good = text == "max" or share_of(text) is not None or _is_whole(text, 0, 1 << 31)
    return "" if good else 'a number, a share ("10%") or "max"'


def _amount(form: Callable[[str], str], least: int, words: str) -> Check:
    """How much of /perm: at least so many bytes or files, as `form` takes them, a share, or "max"."""

    def check(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise Problem(f"{words} is wanted, not {_shown(value)}")
        text = _string(str(value))
        number = text != "max" and share_of(text) is None
        if form(text) or (number and number_of(text) < least):
            raise Problem(f"{words} is wanted, not {_shown(value)}")
        return text

    return check


def number_of(text: str) -> int:
    """65536 of "64K", as the checks here take it."""
    power = "KMGTPE".find(text[-1].upper()) + 1
    return int(text[:-1] if power else text) << 10 * power


def _weight(text: str) -> str:
    return "" if _is_whole(text, 1, 10000) else "a number from 1 to 10000"


def _flag(text: str) -> str:
    return "" if text in ("0", "1") else "0 or 1"


def _bandwidth(text: str) -> str:
    """cpu.max: microseconds, and of how many, which may be left out."""
    quota, _, period = text.partition(" ")
    good = (quota == "max" or _is_whole(quota, 1000, 1 << 44)) and (
        not period or _is_whole(period, 1000, 1_000_000)
    )
    return "" if good else 'microseconds of each period ("50000 100000") or "max"'


#: The kernel's controllers (admin-guide/cgroup-v2).
CONTROLLERS = frozenset(
    ("cpu", "cpuset", "dmem", "hugetlb", "io", "memory", "misc", "perf_event", "pids", "rdma")
)

#: Settings with a single value: what is wanted in place of a wrong one, "" for a right one.
CGROUP_VALUES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(
        (
            *("memory.max", "memory.high", "memory.low", "memory.min"),
            *("memory.swap.max", "memory.swap.high", "memory.zswap.max"),
        ),
        _bytes,
    ),
    "memory.oom.group": _flag,
    "pids.max": _count,
    "cpu.weight": _weight,
    "cpu.max": _bandwidth,
}


def host_name(value: object) -> str:
    """A host name, with dots or without."""
    name = _string(value)
    letters = name.replace("-", "").replace(".", "")
    if not 0 < len(name) <= 64 or not (letters.isascii() and letters.isalnum()):
        raise Problem(f"{_shown(value)} is no host name")
    return name


def sysctl(value: object) -> dict[str, str]:
    """Kernel parameters and their values, as text."""
    found = {}
    for name, setting in mapping(value).items():
        if not name or ".." in name or name.startswith(("/", ".")):
            raise Problem(f"{name!r} is no name of a kernel parameter")
        if isinstance(setting, bool) or not isinstance(setting, (str, int)):
            raise Problem(f"{name!r}: a string or number is wanted, not {_shown(setting)}")
        found[name] = _string(str(setting))
    return found


def near(wrong: str, known: tuple[str, ...]) -> str:
    """`; did you mean NAME?`, or nothing.  difflib is slow to import and rarely needed."""
    import difflib

    close = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


#: What each key of a service must be.
CHECKS: dict[str, Check] = {
    "command": _command,
    "environment": _environment,
    "directory": _path,
    "user": _account,
    "group": _account,
    "wait_for": strings,
    "provides": strings,
    "idle": seconds,
    "restart": _one_of("always", "on-failure", "never"),
    "ready": _one_of("start", "notify", "exit"),
    "start_timeout": _optional(seconds),
    "listen": _addresses,
    "stop_timeout": seconds,
    "no_new_privs": _boolean,
    "capabilities": _capabilities,
    "nice": _nice,
    "limits": _limits,
    "cgroup": _cgroup,
    "control": _verbs,
    "oom_score_adj": _oom_score,
    "disk": _amount(
        _bytes, 4096, 'a number of bytes from 4096 on ("64M"), a share ("50%") or "max"'
    ),
    "files": _amount(_count, 1, 'a number from 1 on, a share ("50%") or "max"'),
    "devices": _devices,
    "tty": _optional(_path),
    "state_directory": _optional(_path),
}
