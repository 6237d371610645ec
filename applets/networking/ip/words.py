"""The words of an ip command: shortened as iproute2 allows, read one after the other, refused in its words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Refusal(Exception):
    """What cannot be done; the text is printed as it is, as iproute2 does."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class Words:
    """The words of a command that are still to be read."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def take(self) -> str:
        """The next word."""
        word = self._words[self._at]
        self._at += 1
        return word

    def peek(self) -> str:
        """The next word, which stays; "" at the end."""
        return self._words[self._at] if self else ""

    def after(self, key: str) -> str:
        """The argument of the word `key`.  Refusal when the command ends there."""
        if not self:
            raise Refusal('Command line is not complete. Try option "help"', 255)
        return self.take()

    def number(self, key: str, least: int = 0, most: int = 2**32 - 1) -> int:
        """The argument of `key` as a number (decimal, 0x, 0).  Refusal names it."""
        return number(self.after(key), key, least, most)

    def switch(self, key: str) -> bool:
        """The argument of `key`: on or off."""
        word = self.after(key)
        if word not in ("on", "off"):
            raise Refusal(
                f'Error: argument of "{key}" must be one of "on" "off", not "{word}"', 255
            )
        return word == "on"

    def one_of(self, names: str) -> str:
        """The next word as one of `names`, which may be shortened; "" and not taken when it is none."""
        found = one_of(self.peek(), names)
        if found:
            self.take()
        return found


def one_of(word: str, names: str) -> str:
    """The first of `names` (separated by blanks) that begins with `word`; "" when none does."""
    return next((name for name in names.split() if word and name.startswith(word)), "")


def number(word: str, key: str, least: int = 0, most: int = 2**32 - 1) -> int:
    """A number as C writes it.  Refusal names the argument."""
    try:
        value = int(word, 0) if not word.startswith("0") or word[:2] == "0x" else int(word, 10)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise Refusal(f'Error: argument "{word}" is wrong: Invalid "{key}" value\n', 255)
    return value


def garbage(word: str) -> Refusal:
    """The refusal of a word that means nothing here."""
    return Refusal(f'Error: either "dev" is duplicate, or "{word}" is a garbage.', 255)


def address(word: str, family: int) -> str:
    """An address of the family (0: of either), as the kernel writes it.  Refusal when it is none."""
    import socket

    for one in (socket.AF_INET6,) if ":" in word else (socket.AF_INET,):
        if family in (0, one):
            try:
                return socket.inet_ntop(one, socket.inet_pton(one, word))
            except (OSError, ValueError):  # ValueError: bytes that are no text
                break
    kind = {0: "inet", socket.AF_INET: "inet", socket.AF_INET6: "inet6"}[family]
    raise Refusal(f'Error: {kind} address is expected rather than "{word}".')


def prefix(word: str, family: int) -> tuple[str, int, int]:
    """`10.0.0.0/8`, `default`, `10.1`: (address, prefix length, family); "" and 0 for the default.

    Refusal when it is no prefix.
    """
    import socket

    if word in ("default", "any", "all"):
        return "", 0, family
    text, slash, length = word.partition("/")
    kind = socket.AF_INET6 if ":" in text else socket.AF_INET
    wrong = Refusal(f'Error: any valid prefix is expected rather than "{word}".')
    if family not in (0, kind):
        name = "inet6" if family == socket.AF_INET6 else "inet"
        raise Refusal(f'Error: {name} prefix is expected rather than "{word}".')
    if kind == socket.AF_INET:
        parts = text.split(".")
        if not 1 <= len(parts) <= 4 or not all(p.isascii() and p.isdecimal() for p in parts):
            raise wrong
        # `10/8` is 10.0.0.0/8; without a length such a shortened address has the length it shows.
        text = ".".join([*parts, *["0"] * (4 - len(parts))])
        whole = 32 if len(parts) == 4 else 8 * len(parts)
    else:
        whole = 128
    most = 32 if kind == socket.AF_INET else 128
    try:
        shown = socket.inet_ntop(kind, socket.inet_pton(kind, text))
    except (OSError, UnicodeError):
        raise wrong from None
    if not slash:
        return shown, whole, int(kind)
    if length.isascii() and length.isdecimal() and len(length) < 4 and int(length) <= most:
        return shown, int(length), int(kind)
    bits = _mask_length(length) if kind == socket.AF_INET else None
    if bits is None:
        raise wrong
    return shown, bits, int(kind)


def _mask_length(text: str) -> int | None:
    """The length of a netmask (255.255.255.0)."""
    import socket

    try:
        value = int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, UnicodeError):
        return None
    bits = value.bit_count()
    return bits if value == (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF else None


def hardware(word: str) -> bytes:
    """A hardware address (02:00:00:00:00:01) as bytes.  Refusal when it is none."""
    try:
        parts = [int(part, 16) for part in word.split(":")]
        if len(parts) >= 2:
            return bytes(parts)
    except ValueError:
        pass
    raise Refusal(f'"{word}" is invalid lladdr.')


def within(text: str, network: str, length: int) -> bool:
    """Whether an address lies in network/length."""
    import socket

    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    if not network:
        return True
    if (":" in text) != (":" in network):
        return False
    size = 128 if family == socket.AF_INET6 else 32
    shift = size - length
    one, other = (
        int.from_bytes(socket.inet_pton(family, word), "big") >> shift for word in (text, network)
    )
    return one == other
