"""httpd.conf in BusyBox's form: one rule a line, `#` begins a comment.

A:ADDRESS, D:ADDRESS      allow, deny: 10.0.0.1, 10.0., 10.0.0.0/8, 10.0.0.0/255.0.0.0, fe80::/10, or *
/PATH:USER:PASSWORD       a password for what lies under PATH: a $scrypt$ hash, or in clear;
                          `~` as the user lets anybody in who asks for it
.EXT:TYPE                 the media type of files that end so
I:INDEX  E404:PAGE  H:HOME    the index file, the page for an error status, the home directory

A denied address is turned away whatever allows it; one that nothing names is allowed, unless there
is D:*.  Other rules (CGI, proxies) are errors: nothing is silently left out.
"""

from __future__ import annotations

import hmac
import ipaddress

from toolbox.errors import Fatal
from toolbox.net.address import parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Conf:
    """The rules of one file; as made, those of no file."""

    def __init__(self) -> None:
        self.allowed: list[Network] = []
        self.denied: list[Network] = []
        self.deny_all = False
        self.realms: list[tuple[list[bytes], str, str]] = []
        self.types: dict[str, str] = {}
        self.index = "index.html"
        self.errors: dict[int, str] = {}
        self.home: str | None = None

    def admits(self, address: str) -> bool:
        """Whether the address may connect."""
        try:
            one = parse_address(address)
        except ValueError:
            return not (self.denied or self.deny_all)
        if any(one in network for network in self.denied if network.version == one.version):
            return False
        if any(one in network for network in self.allowed if network.version == one.version):
            return True
        return not self.deny_all

    def users(self, names: list[bytes]) -> list[tuple[str, str]]:
        """Users and stored passwords of the longest PATH that the names lie under; none: it is open."""
        best: list[tuple[str, str]] = []
        length = -1
        for path, user, password in self.realms:
            if names[: len(path)] == path and len(path) >= length:
                if len(path) > length:
                    best, length = [], len(path)
                best.append((user, password))
        return best


def matches(stored: str, password: str) -> bool:
    """Whether the password is the one that a rule holds, as a hash or in clear."""
    if stored.startswith("$scrypt$"):
        from toolbox.trust.password import verify_password

        return verify_password(password, stored)
    return hmac.compare_digest(stored.encode(), password.encode("utf-8", "surrogatepass"))


def read_conf(path: str | None) -> Conf:
    """The rules of the file; of /etc/httpd.conf, if there is one, when no file is named.

    OSError when it cannot be read; Fatal names file, line and what is wrong.
    """
    try:
        with open(path or "/etc/httpd.conf", encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except FileNotFoundError:
        if path is not None:
            raise
        return Conf()
    try:
        return parse_conf(text)
    except ValueError as error:
        raise Fatal(f"{path or '/etc/httpd.conf'}: {error}") from None


def parse_conf(text: str) -> Conf:
    """The rules of a configuration's text; ValueError names the line and what is wrong with it."""
    conf = Conf()
    for number, line in enumerate(text.splitlines(), 1):
        # A `#` may also be part of a password: only after a blank, or at the start, it is a comment.
        rule = line.partition(" #")[0].strip()
        if rule and not rule.startswith("#"):
            try:
                _add(conf, rule)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return conf


def _add(conf: Conf, rule: str) -> None:
    key, colon, value = rule.partition(":")
    if not colon or not value:
        raise ValueError(f"not a rule: {rule!r}")
    if key.startswith("/"):
        _add_realm(conf, key, value)
    elif key.startswith("."):
        conf.types[key[1:].lower()] = value.strip()
    elif key in ("A", "a"):
        conf.allowed += _networks(value.strip())
    elif key in ("D", "d"):
        if value.strip() == "*":
            conf.deny_all = True
        else:
            conf.denied += _networks(value.strip())
    elif key in ("I", "i"):
        if "/" in value:
            raise ValueError("the index is a file's name, without a path")
        conf.index = value.strip()
    elif key in ("H", "h"):
        conf.home = value.strip()
    elif key[:1] in ("E", "e") and key[1:].isdecimal() and 400 <= int(key[1:]) < 600:
        conf.errors[int(key[1:])] = value.strip()
    else:
        raise ValueError(f"rule {key!r} is not supported")


def _add_realm(conf: Conf, path: str, value: str) -> None:
    from toolbox.trust.password import parse

    user, colon, password = value.partition(":")
    if not colon or not user:
        raise ValueError(f"{path}: use /PATH:USER:PASSWORD")
    if password.startswith("$scrypt$"):
        parse(password)
    elif password.startswith("$"):
        raise ValueError(
            f"{path}: only $scrypt$ hashes are understood; 'httpd -m PASSWORD' makes one"
        )
    elif password == "*":
        raise ValueError(f"{path}: system passwords are not used; 'httpd -m PASSWORD' makes a hash")
    names = [name for name in path.encode("utf-8", "surrogateescape").split(b"/") if name]
    conf.realms.append((names, user, password))


def _networks(text: str) -> list[Network]:
    """The network that BusyBox means by an address, a beginning of one, or one with a mask; `*`: all."""
    if text == "*":
        return [ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0")]
    address, slash, mask = text.partition("/")
    if ":" not in address:
        parts = [part for part in address.split(".") if part]
        if len(parts) < 4 and not slash:
            mask = str(8 * len(parts))
        parts += ["0"] * (4 - len(parts))
        address = ".".join(parts)
    try:
        return [ipaddress.ip_network(f"{address}/{mask}" if mask else address, strict=False)]
    except ValueError:
        raise ValueError(f"not an address or network: {text!r}") from None
