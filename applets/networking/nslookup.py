"""nslookup [-type=TYPE] [-port=N] [-timeout=SECONDS] [-retry=N] [-vc] [-debug] [NAME [SERVER]]

Ask a name server for addresses, names of addresses, or other records.

  -type=TYPE, -query=TYPE, -q=TYPE   A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, ANY...
  -port=N             the server's port (53)
  -timeout=SECONDS    wait so long for each answer
  -retry=N            ask so often
  -class=CLASS        IN, CH or HS
  -domain=DOMAIN      search here instead of resolv.conf's domains
  -ndots=N            names with so many dots are tried as they are first
  -search, -nosearch  use the search list, or do not
  -recurse, -norecurse  let the server ask others, or do not
  -vc, -novc          by TCP, or by UDP
  -debug              the whole answer

Without NAME, or with `-` for it, commands are read: NAME [SERVER], server SERVER, set OPTION, exit.
Status 0: found; 1: no such name, no answer, or no server.
"""

from __future__ import annotations

import os
import socket

from toolbox.errors import Fatal, UsageError
from toolbox.harmless import harmless
from toolbox.names import Unresolved, resolve
from toolbox.net import ProtocolError, dns
from toolbox.options import Options
from toolbox.streams import open_input, stdout
from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

options = Options(__doc__)

_FLAGS = {
    "search": ("search", True),
    "nosearch": ("search", False),
    "recurse": ("recurse", True),
    "norecurse": ("recurse", False),
    "vc": ("tcp", True),
    "novc": ("tcp", False),
    "debug": ("debug", True),
    "nodebug": ("debug", False),
}
_NUMBERS = {"port": (1, 65535), "timeout": (1, 600), "retry": (1, 100), "ndots": (0, 15)}
_TYPES = ("type", "querytype", "query", "qu", "q", "ty")


class _NoServer(Exception):
    """Nobody answered."""


def main(argv: list[str]) -> int:
    options.standard(argv)
    lookup = _Lookup()
    operands = []
    for word in argv[1:]:
        if word.startswith("-") and word != "-":
            lookup.set(word.lstrip("-"))
        else:
            operands.append(word)
    if len(operands) > 2:
        raise UsageError(f"extra operand {operands[2]!r}")
    if len(operands) == 2:
        lookup.use(operands[1])
    if not operands or operands[0] == "-":
        return _converse(lookup)
    return lookup.run(operands[0])


def _converse(lookup: _Lookup) -> int:
    """Read commands from standard input."""
    source = open_input("-")
    status = 0
    if source is None:
        return 1
    for line in source.lines():
        words = os.fsdecode(line).split()
        if not words:
            continue
        if words[0] in ("exit", "quit"):
            break
        try:
            if words[0] in ("server", "lserver") and len(words) > 1:
                lookup.use(words[1])
            elif words[0] == "set" and len(words) > 1:
                lookup.set(words[1])
            else:
                if len(words) > 1:
                    lookup.use(words[1])
                status = lookup.run(words[0])
        except UsageError as error:
            lookup.write(f"*** {error}\n")
        stdout().flush()
    return status


class _Lookup:
    """Settings, and the questions that are asked with them."""

    def __init__(self) -> None:
        try:
            with open("/etc/resolv.conf", "rb") as file:
                text = os.fsdecode(file.read())
        except OSError:
            text = ""
        found = dns.parse_configuration(text)
        self.servers = found.servers or ["127.0.0.1"]
        self.domains = found.search
        self.ndots = found.ndots
        self.timeout = found.timeout
        self.retry = found.attempts
        self.port = dns.PORT
        self.types: list[str] = []
        self.record_class = "IN"
        self.search = self.recurse = True
        self.tcp = self.debug = False
        self.shown: set[str] = set()

    def write(self, text: str) -> None:
        stdout().write(os.fsencode(text))

    def set(self, word: str) -> None:
        """Obey `type=MX`, `port=53`, `debug`.  UsageError when it is not known."""
        name, equals, value = word.partition("=")
        name = name.lower()
        if not equals and name in _FLAGS:
            attribute, flag = _FLAGS[name]
            setattr(self, attribute, flag)
        elif name in _TYPES and value:
            kind = value.upper()
            try:
                dns.type_number(kind)
            except ValueError as error:
                raise UsageError(str(error)) from None
            self.types = [kind]
        elif name in ("class", "cl") and value.upper() in ("IN", "CH", "HS", "ANY"):
            self.record_class = value.upper()
        elif name in ("domain", "srchlist") and value:
            self.domains = value.split("/")
        elif name in _NUMBERS and equals:
            least, most = _NUMBERS[name]
            if not value.isdecimal() or len(value) > 9 or not least <= int(value) <= most:
                raise UsageError(f"invalid {name}: {value!r}")
            setattr(self, name, int(value))
        elif name in ("sil", "silent", "fail", "nofail", "all", "d2", "nod2", "ignoretc"):
            pass  # what other implementations have them for does not apply
        else:
            raise UsageError(f"invalid option: {word}")

    def use(self, server: str) -> None:
        """Ask this server, by address or name, at all its addresses in turn.  Fatal when it has none."""
        try:
            found = resolve(server, kind=socket.SOCK_DGRAM)
        except Unresolved as error:
            raise Fatal(f"couldn't get address for '{server}': {error.strerror}") from None
        self.servers = list(dict.fromkeys(place.name for place in found))

    def run(self, name: str) -> int:
        """Ask for a name and print what is found; the exit status."""
        reverse = dns.reverse_name(name) if not self.types or self.types == ["PTR"] else None
        if reverse is not None:
            names, types = [reverse], ["PTR"]
        else:
            domains = self.domains if self.search else []
            names, types = dns.candidates(name, domains, self.ndots), self.types or ["A", "AAAA"]
        try:
            return self._try(names, types, quiet=reverse is not None)
        except _NoServer:
            self.write(";; connection timed out; no servers could be reached\n\n")
        except ValueError as error:
            self.write(f"nslookup: {error}\n")
        return 1

    def _try(self, names: list[str], types: list[str], *, quiet: bool) -> int:
        server, record = "", None
        for name in names:
            server, record = self._ask(name, types[0])
            if record.header.rcode == 0:
                break
        if record is None:
            return 1
        if not quiet or record.header.rcode != 0:
            self.write(f"Server:\t\t{server}\nAddress:\t{server}#{self.port}\n\n")
        if record.header.rcode != 0:
            code = dns.CODES.get(record.header.rcode, str(record.header.rcode))
            shown = names[0] if len(names) > 1 else name
            self.write(f"** server can't find {shown.rstrip('.')}: {code}\n\n")
            return 1
        self.shown = set()
        found = self._show(record, name, types[0], first=not quiet)
        for kind in types[1:]:
            server, record = self._ask(name, kind)
            if record.header.rcode == 0:
                found = self._show(record, name, kind, first=not found) or found
        if not found:
            self.write(f"*** Can't find {name.rstrip('.')}: No answer\n")
        self.write("\n")
        return 0 if found else 1

    def _ask(self, name: str, kind: str) -> tuple[str, Any]:
        """(server, reply) of the first server that answers.  _NoServer when none does."""
        identity, packet = dns.question(
            name, kind, recurse=self.recurse, record_class=self.record_class
        )
        last = None
        for _ in range(self.retry):
            for server in self.servers:
                try:
                    record = self._exchange(server, identity, packet)
                except (OSError, ProtocolError) as error:
                    if self.debug:
                        self.write(f";; {server}#{self.port}: {error}\n")
                    continue
                if record.header.rcode in (0, 3):
                    return server, record
                last = server, record  # a refusal; another one may know
            if last is not None:
                return last
        raise _NoServer

    def _exchange(self, server: str, identity: int, packet: bytes) -> Any:
        if not self.tcp:
            record = self._by_udp(server, identity, packet)
            if not record.header.tc:
                return record
            self.write(";; Truncated, retrying in TCP mode.\n")
        return self._by_tcp(server, identity, packet)

    def _by_udp(self, server: str, identity: int, packet: bytes) -> Any:
        import time

        place = resolve(server, self.port, kind=socket.SOCK_DGRAM)[0]
        with socket.socket(place.family, socket.SOCK_DGRAM) as s:
            s.connect(place.address)
            s.send(packet)
            end = time.monotonic() + self.timeout
            while True:
                s.settimeout(bounded(max(0.001, end - time.monotonic())))
                reply = s.recv(65535)
                try:
                    return dns.answer(reply, identity, packet)
                except ProtocolError:
                    if time.monotonic() >= end:
                        raise
                    # Forged or stray: the right one may still come.

    def _by_tcp(self, server: str, identity: int, packet: bytes) -> Any:
        place = resolve(server, self.port)[0]
        with socket.socket(place.family, socket.SOCK_STREAM) as s:
            s.settimeout(bounded(self.timeout))
            s.connect(place.address)
            s.sendall(len(packet).to_bytes(2, "big") + packet)
            with s.makefile("rb") as file:
                length = int.from_bytes(file.read(2), "big")
                reply = file.read(length)
        if len(reply) < length or not length:
            raise ProtocolError("the reply ends too early")
        return dns.answer(reply, identity, packet)

    # -- words ------------------------------------------------------------------------------------

    def _show(self, record: Any, name: str, kind: str, *, first: bool) -> bool:
        """Print the answers; whether there were any."""
        if self.debug:
            self.write("".join(f"    {_plain(line)}\n" for line in str(record).split("\n")))
        answers = record.rr
        if not answers:
            return False
        if first and not record.header.aa:
            self.write("Non-authoritative answer:\n")
        for line in map(_words, answers):
            # An alias comes with the addresses of both kinds.
            if line not in self.shown:
                self.write(line)
                self.shown.add(line)
        return True


def _words(answer: Any) -> str:
    """The line of a record, as BIND's nslookup has it."""
    from dnslib import QTYPE

    name = _plain(str(answer.rname).rstrip(".") or ".")
    kind = str(QTYPE.get(answer.rtype))
    data = answer.rdata
    if kind in ("A", "AAAA"):
        return f"Name:\t{name}\nAddress: {data}\n"
    if kind == "SOA":
        labels = ("serial", "refresh", "retry", "expire", "minimum")
        lines = [f"\torigin = {data.mname}".rstrip("."), f"\tmail addr = {data.rname}".rstrip(".")]
        times = zip(labels, data.times, strict=False)
        lines += [f"\t{label} = {value}" for label, value in times]
        return f"{name}\n" + "".join(f"{_plain(line)}\n" for line in lines)
    if kind == "TXT":
        strings = (os.fsdecode(one) if isinstance(one, bytes) else str(one) for one in data.data)
        return f"{name}\ttext = {' '.join(_plain(_quoted(text)) for text in strings)}\n"
    said = {
        "CNAME": "canonical name",
        "PTR": "name",
        "NS": "nameserver",
        "MX": "mail exchanger",
        "SRV": "service",
    }.get(kind, f"rdata_{answer.rtype}")
    return f"{name}\t{said} = {_plain(str(data))}\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """A server's text must not reach the terminal as it is."""
    return harmless(text, keep="\t", form="\\%03d")  # as RFC 1035, 5.1 has it
