"""What a user, a file or a key holds: formats, command lines, programs, settings, keys."""

from __future__ import annotations

import base64
import contextlib
import gzip
import importlib
import io
import json
import lzma
import pkgutil
import re
import tempfile
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from unittest import mock

import asyncssh
from asyncssh.auth_keys import _SSHAuthorizedKeyEntry

import applets
from applets.breakglass import keys
from applets.httpd import conf
from applets.init import config
from applets.sh import errors
from applets.sh.expand import arithmetic
from applets.sh.pattern import Patterns
from applets.sh.syntax.parser import Parser
from applets.sh.syntax.source import Text
from tests.fuzz.target import Target
from toolbox import escapes, fstab, harmless, modes, options, printf, signal_names, sizes, strftime
from toolbox.errors import Fatal, UsageError
from toolbox.linux import modprobe_conf, module_file, pstore
from toolbox.perl_regex import perl
from toolbox.storage.update_record import Record
from toolbox.trust import minisign, password, tokens

_KEY = minisign.SecretKey(b"number 8", bytes(range(32)))
_MESSAGE = b"a message"
_LONG_NUMBER = re.compile(rb"[0-9]{5}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _printf(data: bytes) -> None:
    """A format and its arguments, one a line."""
    if _LONG_NUMBER.search(data):
        return  # what is padded to a width is held in memory
    form, *words = data.split(b"\n")
    with mock.patch.object(printf, "warn"):
        for _ in printf.Template(form).fill([_text(word) for word in words]):
            pass


def _strftime(data: bytes) -> None:
    if _LONG_NUMBER.search(data):
        return
    seconds = int.from_bytes(data[:5], "little", signed=True)
    strftime.strftime(_text(data[5:]), time.gmtime(seconds), seconds, len(data))


def _grammar(data: bytes) -> None:
    """A docstring, which is ours: but a mistake in one should be an error, not a loop."""
    options.Options(_text(data)).help()


@cache
def _grammars() -> dict[str, options.Options]:
    found = {}
    for package in pkgutil.iter_modules(applets.__path__, "applets."):
        for module in pkgutil.iter_modules([package.name.replace(".", "/")], f"{package.name}."):
            made = getattr(importlib.import_module(module.name), "options", None)
            if isinstance(made, options.Options):
                found[made.name] = made
    return found


def _command_line(data: bytes) -> None:
    """An applet's name and its words, one a line."""
    name, *words = _text(data).split("\n")
    made = _grammars()
    if name not in made:
        name = sorted(made)[len(data) % len(made)]
    _parse(made[name], [name, *words])


def _parse(made: options.Options, argv: list[str]) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        made.parse(argv)


def _secret_key(data: bytes) -> None:
    """A file, or what its base64 says."""
    if not data.startswith(b"untrusted"):
        data = minisign.UNTRUSTED.encode() + b"\n" + base64.b64encode(data) + b"\n"
    with mock.patch.object(minisign, "MOST_MEMORY", 1 << 16):
        key = minisign.parse_secret_key(data, lambda: "pass")
    assert minisign.parse_secret_key(key.encode(), str).seed == key.seed


def _signed(data: bytes) -> None:
    """A signature's file.  Only what was signed is believed."""
    signature = minisign.parse_signature(data)
    minisign.verify(
        signature, [_MESSAGE], [_KEY.public, minisign.PublicKey(b"number 8", bytes(32))]
    )
    assert signature.comment == "comment"


def _program(data: bytes) -> None:
    parser = Parser.of(Text(_text(data.replace(b"\0", b"")[:600])), {"ll": "ls -l ", "x": "x y"})
    while parser.command() is not None:
        pass


def _arithmetic(data: bytes) -> None:
    arithmetic.compile_expression(_text(data[:400]))


def _shell_patterns(data: bytes) -> None:
    pattern, _, text = _text(data[:300]).partition("\n")
    patterns = Patterns()
    patterns.matches(pattern, text)
    for operator in ("#", "##", "%", "%%"):
        kept = patterns.remove(operator, pattern, text)
        assert text.endswith(kept) if operator[0] == "#" else text.startswith(kept)
    patterns.replace(pattern, "x", text, every=True)


def _services(data: bytes) -> None:
    found = config.parse(data)
    for name in found.services:
        config.dependencies(found, name)
        config.stopped_before(found, name)
    config.provided(found)


class _Entry(_SSHAuthorizedKeyEntry):
    """A line as the library reads it, without the key, which is seldom one here."""

    def _import_key_or_cert(self, line: str) -> None:
        self.rest = line
        if not line.startswith(("ssh-", "ecdsa-", "sk-")):
            raise asyncssh.KeyImportError("not a key")


def _authorized_keys(data: bytes) -> None:
    """The library takes each line that we take, and understands the same."""
    for line in keys.select(data.decode("utf-8", "replace"), "keys", lambda text: None):
        entry = _Entry(line.text)
        assert entry.rest.split() == line.key.split()
        given = dict(line.options)
        assert entry.options.get("command") == given.get("command")
        assert {*entry.options} == {*given}


def _record(data: bytes) -> None:
    with mock.patch("builtins.open", return_value=io.BytesIO(data)):
        record = Record("record")
    record.may_try("1", 1.7e9)
    json.dumps([record.trial, record.last, record.failed, record.floor, record.seen])


def _module(data: bytes) -> None:
    if data[:4] == b"\x7fELF":
        module_file.ModuleFile("x.ko", data)
        return
    with tempfile.NamedTemporaryFile(suffix=".ko.gz" if data[:1] == b"\x1f" else ".ko.xz") as file:
        file.write(data)
        file.flush()
        module_file.read_module(file.name)


def _modprobe(data: bytes) -> None:
    found = modprobe_conf.ModprobeConfig()
    text = _text(data)
    for _, line in modprobe_conf._joined(text):
        found.take(line)
    found.take_command_line(text)
    list(found.lines())


def _small(data: bytes) -> None:
    """Readers of a line."""
    text = _text(data)
    reads: list[Callable[[], Any]] = [
        lambda: escapes.unescape(data, octal_zero=True, unicode=True),
        lambda: escapes.unescape(data, octal_zero=False),
        lambda: fstab.parse(text),
        lambda: modes.Mode(text).apply(0o644, umask=0o22),
        lambda: sizes.block_size(text),
        lambda: signal_names.parse(text),
        lambda: options.number(text),
        lambda: options.seconds(text),
        lambda: perl(data),
        lambda: password.parse(text),
        lambda: tokens.parse(text),
        lambda: conf.parse_conf(text),
        lambda: pstore.reason(text),
    ]
    for read in reads:
        with contextlib.suppress(UsageError, Fatal, ValueError):
            read()
    shown = harmless.one_line(text)
    assert shown.isprintable() or shown.isascii()


def _elf() -> bytes:
    """A module with a .modinfo, as small as can be."""
    names = b"\0.shstrtab\0.modinfo\0"
    info = b"license=GPL\0depends=a,b\0"
    at = 64 + 3 * 64

    def section(name: int, offset: int, size: int) -> bytes:
        fields = (name, 1, 0, 0, offset, size, 0, 0, 1, 0)
        widths = (4, 4, 8, 8, 8, 8, 4, 4, 8, 8)
        pairs = zip(fields, widths, strict=True)
        return b"".join(value.to_bytes(width, "little") for value, width in pairs)

    head = b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\x3e\0\1\0\0\0" + bytes(16)
    head += (64).to_bytes(8, "little") + bytes(4) + b"\x40\0\0\0\0\0\x40\0\3\0\1\0"
    table = bytes(64) + section(1, at, len(names)) + section(11, at + len(names), len(info))
    return head + table + names + info


_SIGNATURE = minisign.sign(_KEY, [_MESSAGE], "comment").encode()
_PLAIN_KEY = _KEY.encode()

TARGETS: dict[str, Target] = {
    "printf": Target(
        [b"%5.2f|%-8s|%2$d\\n\n1.5\nabc\n7", b"%*d %b %q %c %x %#o %e %a\n5\n3\na\\tb\n'x"],
        _printf,
        (ValueError, Fatal, UsageError),
    ),
    "strftime": Target(
        [
            bytes(5) + b"%Y-%m-%dT%H:%M:%S.%3N%:z",
            b"\xff\xff\xff\x7f\1%-d %_5e %^a %10c %+4Y %G-W%V",
        ],
        _strftime,
        (),
    ),
    "grammar": Target(
        [
            b"x [-ab] [-n N] [FILE]...\n\nDo it.\n\n  -a, --long=N  a number\n  -b...  often\n",
            b"x COMMAND [ARG]...\n\nRun.\n\n      --word[=WHEN]  when\n  -NUM  lines\n",
        ],
        _grammar,
        (ValueError,),
    ),
    "command lines": Target(
        [b"head\n-n\n5\n--lines=3\nfile", b"ls\n-la\n--col\n--\n-x", b"grep\n-5\n--max=1k\nx"],
        _command_line,
        (UsageError,),
    ),
    "secret key": Target(
        [
            _PLAIN_KEY,
            _KEY.encode("pass", 32768, 1 << 16),
            base64.b64decode(_PLAIN_KEY.splitlines()[1]),
            base64.b64decode(_KEY.encode("pass", 32768, 1 << 16).splitlines()[1]),
        ],
        _secret_key,
        (minisign.SignatureError,),
    ),
    "signed message": Target([_SIGNATURE], _signed, (minisign.SignatureError,)),
    "shell": Target(
        [
            b'if a && ! b; then x=$(c `d` "$e${f:-g}") ; elif h; then :; else { i; } fi >k 2>&1\n',
            b"case $x in (a|b*) c;; *) d;& esac; for i in 1 2; do echo $((i+1)); done; f() { :; }\n",
            b"cat <<-'A' <<B\n\tx\n\tA\n$y\nB\nwhile read -r l; do ll; done | until x; do y & done\n",
        ],
        _program,
        (errors.ShellError,),
    ),
    "arithmetic": Target(
        [b"a = b + 0x1F * (c ? 2#101 : -d++) << 3, e **= 2", b"1 && !0 || x % 017 >= ~y"],
        _arithmetic,
        (errors.ShellError,),
    ),
    "shell patterns": Target(
        [b"*a[!b-d]?\nxxacy", b"[[:alpha:]]*\\*\nab*", b"a*b*c\naabbcc"], _shell_patterns, ()
    ),
    "services": Target(
        [
            b'{"services": {"a": {"command": ["/bin/a", "-x"], "after": ["b"], "user": 5}, "b": {}},'
            b' "hostname": "box", "modules": ["m"], "sysctl": {"a.b": "1"}, "trial": 90}'
        ],
        _services,
        (),
    ),
    "authorized_keys": Target(
        [
            b'command="a \\"b\\"",from="10.0.0.0/8,!*.x" ssh-ed25519 AAAA me\n',
            b'# x\nno-pty,permitopen="[::1]:80",environment="A=b" ecdsa-sha2-nistp256 BBBB\n',
        ],
        _authorized_keys,
        (),
    ),
    "update record": Target(
        [
            b'{"trial": {"slot": "a", "version": "1"}, "last": null, "floor": "1.2", "failed":'
            b' {"1": {"outcome": "failed", "count": 2, "time": 5}}, "seen": {"place": "x"}}'
        ],
        _record,
        (),
    ),
    "kernel module": Target(
        [_elf(), gzip.compress(_elf()), lzma.compress(_elf())], _module, (OSError,)
    ),
    "modprobe": Target(
        [
            b"alias a-[b-c]* d\noptions e f=1 \\\n g=2\nsoftdep h pre: i post: j\n",
            b'quiet modprobe.blacklist=a,b x.y="1 2" -- z.w=1',
        ],
        _modprobe,
        (),
    ),
    "lines": Target(
        [
            b"a\\tb\\0101\\u20ac\\x41",
            b"u=rwx,go-w+X",
            b"-1.5h",
            b"SIGRTMIN+3",
            b"1MB",
            b"(?i)a[[:alpha:]]\\Kb",
            b"$scrypt$ln=14,r=8,p=1$AAAA$BBBB",
            b"/dev/a /b ext4 ro,noatime 0 1",
            b"A:10.0.\nD:*\n/x:u:p\n.gz:application/gzip\nE404:/404.html",
        ],
        _small,
        (),
    ),
}
