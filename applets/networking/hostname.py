"""hostname [-asfdiIA]
hostname [-F FILE] [NAME]

Print the host name, or set it.

  -s, --short             up to the first dot
  -f, --fqdn, --long      with the domain, as the resolver knows it
  -d, --domain            the domain alone
  -i, --ip-address        the addresses that the resolver has for the name
  -I, --all-ip-addresses  the addresses of this host's interfaces but loopback and link-local ones
  -a, --alias             the other names that the resolver has for it
  -A, --all-fqdns         the names that the resolver has for the addresses of -I
  -F, --file=FILE         set it to the first line of FILE that is no comment
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError
from toolbox.options import Options
from toolbox.streams import open_input, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

options = Options(__doc__)

QUESTIONS = ("short", "fqdn", "domain", "ip_address", "all_ip_addresses", "alias", "all_fqdns")


def main(argv: list[str]) -> int:
    """hostname(1) of net-tools and BusyBox."""
    opt, names = options.parse(argv)
    asked = opt.last(*QUESTIONS)
    if opt.file is not None and names:
        raise UsageError(f"extra operand {names[0]!r} with --file")
    if opt.file is not None or names:
        if asked:
            raise UsageError("asking and setting exclude each other")
        set_name(names[0] if names else name_in(opt.file))
        return 0
    text = answer(asked, opt)
    stdout().write(os.fsencode(text) + b"\n")
    return 0


def set_name(name: str) -> None:
    """sethostname(2); OSError says for which name it failed."""
    from toolbox.linux.hostname import sethostname

    if not name:
        raise Fatal("the host name must not be empty")
    try:
        sethostname(name)
    except OSError as error:
        raise Fatal(f"cannot set the host name to {name!r}: {error.strerror}") from None


def name_in(file: str) -> str:
    """The first word of the first line of a file (hostname(5)) that is neither empty nor a comment."""
    source = open_input(file)
    if source is None:
        raise SystemExit(1)
    with source:
        for line in source.read_all().split(b"\n"):
            words = line.partition(b"#")[0].split()
            if words:
                return os.fsdecode(words[0])
    raise Fatal(f"{file}: no host name in it")


def answer(asked: str | None, opt: Values) -> str:
    """What is printed for one of QUESTIONS; for none, the name as the kernel has it."""
    name = os.uname().nodename
    if asked is None:
        return name
    if asked == "short":
        return name.partition(".")[0]
    if asked == "all_ip_addresses":
        return " ".join(own_addresses())
    if asked == "all_fqdns":
        from toolbox.names import name_of

        return " ".join(filter(None, map(name_of, own_addresses())))
    if asked == "ip_address":
        return " ".join(addresses_of(name))
    if asked == "alias":
        return " ".join(other_names(name))
    full = full_name(name)
    return full if asked == "fqdn" else full.partition(".")[2]


def full_name(name: str) -> str:
    """The name with its domain (AI_CANONNAME); the name itself when the resolver does not know it."""
    from toolbox.names import canonical

    return name if "." in name else canonical(name)


def addresses_of(name: str) -> list[str]:
    """The name's addresses, each once.  Unresolved when the resolver has none."""
    from toolbox.names import resolve

    return [place.text for place in resolve(name)]


def other_names(name: str) -> list[str]:
    """The aliases of the name.  Unresolved when the resolver does not know it."""
    from toolbox.names import aliases

    return aliases(name)


def own_addresses() -> list[str]:
    """The addresses of the interfaces with global or site scope, by rtnetlink(7)."""
    from toolbox.linux.netlink import Netlink

    with Netlink() as netlink:
        return [address.local for address in netlink.addresses() if address.scope < _LINK_SCOPE]


#: rtnetlink(7)'s RT_SCOPE_LINK: from here on an address is good on one link or on this host only.
_LINK_SCOPE = 253
