"""Protocols without sockets: bytes in, events and bytes out.

Whatever a peer may send ends in a value or in one `ProtocolError`; no codec raises anything else.
"""


class ProtocolError(ValueError):
    """A peer's message breaks the rules of its protocol; the text says which rule, in one line."""
