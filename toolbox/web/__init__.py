"""HTTP for programs of ours that ask: wget, the updater, the developer's tool.

    client = Client(Settings())
    with client.request(URL("http://example.org/")) as response:
        while data := response.read(): ...

`connect` reaches a server: all addresses of its name in turn, proxies, TLS.  `client` keeps a connection
for the next request.  What goes over the wire is framed in toolbox.net.exchange.

A failure is an OSError (the network, one of those below) or a ProtocolError (what answers is no HTTP).
"""

from __future__ import annotations


class ConnectTimeout(TimeoutError):
    """None of the server's addresses took the connection in time."""


class Untrusted(OSError):
    """The server's certificate does not hold; strerror says why.  It will not the next time, either."""


class NoTLS(OSError):
    """A connection by TLS could not be made."""


class ProxyRefused(OSError):
    """The proxy makes no way to the server; strerror is the reason that it gives, `status` its answer's."""

    status = 0


class NoConnection(OSError):
    """The server closed the connection, or it broke, before the response was whole."""
