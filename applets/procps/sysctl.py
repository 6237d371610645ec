"""sysctl [-abdenNqw] [-r PATTERN] [--pattern PATTERN] [NAME[=VALUE]]...
sysctl -p [FILE]...
sysctl --system

Show and change parameters of the running kernel (/proc/sys).

  -a, -A, -X, --all  all of them
  -p, -f, --load[=FILE]  set what stands in the FILEs (/etc/sysctl.conf; - is standard input)
      --system       set what stands in the system's configuration (sysctl.d(5))
  -n, --values       values without names
  -N, --names        names without values
  -b, --binary       values without names and line ends
  -e, --ignore       unknown names are no error
  -q, --quiet        do not show what was set
  -w, --write        every operand must set a value
  -d                 nothing
  -r, --pattern=PATTERN  only names that match the regular expression
      --dry-run      do not set anything
      --deprecated   with -a those too that have a better successor
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import UsageError, warn
from toolbox.options import Options, Values
from toolbox.streams import stdout

options = Options(__doc__)

_ROOT = "/proc/sys"

#: sysctl.d(5): a file in an earlier folder takes the place of one with the same name in a later one.
_FOLDERS = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)


#: Counted in ticks; the same name with _ms after it is what to use.
_DEPRECATED = ("base_reachable_time", "retrans_time")


def main(argv: list[str]) -> int:
    opt, words = options.parse(argv)
    if opt.system:
        for path in _system_files():
            if not opt.quiet:
                stdout().write(b"* Applying " + os.fsencode(path) + b" ...\n")
            _load(path, opt)
        return 0
    if opt.load is not None:
        files = [opt.load, *words] if opt.load else words
        for path in files or ["/etc/sysctl.conf"]:
            _load(path, opt)
        return 0
    if opt.all:
        _show_tree(_ROOT, opt)
        return 0
    if not words:
        raise UsageError("no variables specified")
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            _set(name.strip(), value.strip(), opt, ignore=False)
        elif opt.write:
            warn(f'"{word}" must be of the form name=value')
        else:
            _show(name, opt)
    return 0


def _path(name: str) -> str:
    """The file of a name; dots and slashes change places when the first of them is a dot (sysctl(8))."""
    first = next((c for c in name if c in "./"), "/")
    if first == ".":
        name = name.translate({ord("."): "/", ord("/"): "."})
    return f"{_ROOT}/{name}"


def _name(path: str) -> str:
    return path[len(_ROOT) + 1 :].translate({ord("."): "/", ord("/"): "."})


def _show(name: str, opt: Values) -> None:
    for path in _matching(_path(name)):
        if os.path.isdir(path):
            _show_tree(path, opt)
        elif os.path.exists(path):
            _print(path, opt)
        elif not opt.ignore:
            warn(f"cannot stat {path}: {os.strerror(2)}")


def _matching(path: str) -> list[str]:
    if not any(c in path for c in "*?["):
        return [path]
    import glob

    return sorted(glob.glob(path)) or [path]


def _show_tree(folder: str, opt: Values) -> None:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return  # an interface that has just gone
    for name in names:
        path = f"{folder}/{name}"
        if os.path.isdir(path):
            _show_tree(path, opt)
        elif name in _DEPRECATED and not opt.deprecated:
            continue
        else:
            try:
                readable = os.stat(path).st_mode & 0o444
            except FileNotFoundError:
                continue
            if readable:
                _print(path, opt)


def _print(path: str, opt: Values) -> None:
    name = _name(path)
    if opt.pattern is not None:
        import re

        if not re.search(opt.pattern, name):
            return
    shown = os.fsencode(name)
    out = stdout()
    if opt.names:
        out.write(shown + b"\n")
        return
    try:
        with open(path, "rb") as file:
            value = file.read()
    except OSError as error:
        unset = opt.all and error.errno == errno.EIO  # net.ipv6's stable_secret before it has one
        if not unset and not (opt.ignore and isinstance(error, PermissionError)):
            warn(
                f"permission denied on key {name!r}"
                if isinstance(error, PermissionError)
                else f"reading key {name!r}: {error.strerror}"
            )
        return
    if opt.binary:
        out.write(value.removesuffix(b"\n"))
        return
    for line in value.removesuffix(b"\n").split(b"\n"):
        out.write(line + b"\n" if opt.values else shown + b" = " + line + b"\n")


def _set(name: str, value: str, opt: Values, *, ignore: bool) -> None:
    """Write a value; with `ignore` a failure is no error (a line that begins with `-`)."""
    for path in _matching(_path(name)):
        try:
            if not opt.dry_run:
                # Not created: a name that does not exist is an error, whatever /proc/sys is.
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(fd, os.fsencode(value) + b"\n")
                finally:
                    os.close(fd)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            if ignore or (missing and opt.ignore):
                continue
            if missing:
                warn(f"cannot stat {path}: {error.strerror}")
            elif isinstance(error, PermissionError):
                warn(f"permission denied on key {_name(path)!r}")
            else:
                warn(f"setting key {_name(path)!r}: {error.strerror}")
            continue
        if not opt.quiet:
            shown = _name(path)
            text = value if opt.values else shown if opt.names else f"{shown} = {value}"
            stdout().write(os.fsencode(text) + b"\n")


def _load(path: str, opt: Values) -> None:
    """Set what stands in a file: `name = value`, `#` and `;` begin comments (sysctl.conf(5))."""
    if path == "-":
        lines = os.fsdecode(b"".join(iter(lambda: os.read(0, 65536), b""))).splitlines()
    else:
        try:
            with open(path, "rb") as file:
                lines = os.fsdecode(file.read()).splitlines()
        except OSError as error:
            warn(f"cannot open {path!r}: {error.strerror}")
            return
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        name, equals, value = text.partition("=")
        if not equals:
            if not text.startswith("-"):
                warn(f"{path}({number}): invalid syntax, continuing...", 0)
            continue
        _set(name.strip().removeprefix("-"), value.strip(), opt, ignore=text.startswith("-"))


def _system_files() -> list[str]:
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, f"{folder}/{name}")
    paths = [found[name] for name in sorted(found)]
    return paths + (["/etc/sysctl.conf"] if os.path.exists("/etc/sysctl.conf") else [])
