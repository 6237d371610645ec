"""asyncssh, imported without its search for shared libraries.

While it is imported it asks `ctypes.util.find_library` for liboqs and libnettle, which runs ldconfig, gcc
and ld four times.  Neither library is on the box, and what they would give comes from `cryptography`.
"""

from __future__ import annotations

import ctypes.util

_find_library = ctypes.util.find_library
ctypes.util.find_library = lambda name: None
try:
    import asyncssh
    from asyncssh.forward import SSHForwarder
    from asyncssh.stream import SSHServerStreamSession
finally:
    ctypes.util.find_library = _find_library

__all__ = ["SSHForwarder", "SSHServerStreamSession", "asyncssh"]
