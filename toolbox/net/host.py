"""Host names as DNS and HTTP have them: ASCII, in labels (RFC 1035 2.3.4, RFC 1123 2.1, RFC 5890)."""

from __future__ import annotations

from toolbox.net import ProtocolError

#: Bytes of a label, and of a name without the dot at its end.
LONGEST_LABEL, LONGEST_NAME = 63, 253


def ascii_name(name: str) -> str:
    """The name with its labels in ASCII (A-labels); a dot at the end stays.

    ProtocolError when it can be nobody's name: an empty label, one that is too long, a blank, a control
    character.  Which letters a name may have beside is left to DNS.
    """
    if not name.isprintable() or any(map(str.isspace, name)):
        raise ProtocolError("it has a character that no host name has")
    labels = name.removesuffix(".").split(".")
    if not name.isascii():
        try:
            labels = [label.encode("idna").decode() for label in labels]
        except UnicodeError:
            raise ProtocolError("it has a label that international names do not allow") from None
    if not all(labels):
        raise ProtocolError("it has an empty label")
    if any(len(label) > LONGEST_LABEL for label in labels):
        raise ProtocolError(f"it has a label of more than {LONGEST_LABEL} bytes")
    found = ".".join(labels)
    if len(found) > LONGEST_NAME:
        raise ProtocolError(f"it has more than {LONGEST_NAME} bytes")
    return found + "." if name.endswith(".") else found
