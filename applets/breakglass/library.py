"""asyncssh, imported without its search for shared libraries, and with two things put right.

While it is imported it asks `ctypes.util.find_library` for liboqs and libnettle, which runs ldconfig, gcc
and ld four times.  Neither library is on the box, and what they would give comes from `cryptography`.

What is put right (asyncssh 2.24; each is to go when the library has it):

* A guessed key exchange (RFC 4253, 7) is wrong when either side prefers another key exchange *or another host key*; the
  library compares the guess with what was agreed.  Dropbear's clients always guess, and could not log in.
* The command that a key's own command= replaces is forgotten; sshd(8) puts it into SSH_ORIGINAL_COMMAND.
"""

from __future__ import annotations

import ctypes.util

_find_library = ctypes.util.find_library
ctypes.util.find_library = lambda name: None
try:
    import asyncssh
    from asyncssh.channel import SSHServerChannel
    from asyncssh.connection import SSHConnection
    from asyncssh.constants import MSG_KEXINIT
    from asyncssh.forward import SSHForwarder
    from asyncssh.kex import expand_kex_algs
    from asyncssh.packet import SSHPacket
    from asyncssh.scp import _SCPSink as SCPSink
    from asyncssh.scp import _SCPSource as SCPSource
    from asyncssh.sftp import SFTPServerFS
    from asyncssh.stream import SSHReader, SSHServerStreamSession, SSHWriter
finally:
    ctypes.util.find_library = _find_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "SCPSink",
    "SCPSource",
    "SFTPServerFS",
    "SSHForwarder",
    "SSHReader",
    "SSHServerStreamSession",
    "SSHWriter",
    "asyncssh",
]

_process_kexinit = SSHConnection._process_kexinit
_start_session = SSHServerChannel._start_session


async def _judge_the_guess(self: Any, kind: int, number: int, packet: Any) -> None:
    """SSH_MSG_KEXINIT, with the rule for the packet that a client may have sent along on a guess."""
    wrong = False
    if self.is_server():
        copy = SSHPacket(packet.get_full_payload())
        copy.get_bytes(17)  # the message's number and the cookie
        lists = [copy.get_namelist() for _ in range(10)]
        if copy.get_boolean():
            ours = expand_kex_algs(self._kex_algs, [], True)
            wrong = lists[0][:1] != ours[:1] or lists[1][:1] != self._server_host_key_algs[:1]
    await _process_kexinit(self, kind, number, packet)
    if self.is_server():
        self._ignore_first_kex = wrong


def _remember_the_command(self: Any, command: Any = None, subsystem: Any = None) -> Any:
    """The start of a session, whose own command is kept when another takes its place."""
    self.original_command = command if subsystem is None else f"internal-{subsystem}"
    return _start_session(self, command, subsystem)


SSHConnection._packet_handlers = {
    **SSHConnection._packet_handlers,
    MSG_KEXINIT: _judge_the_guess,
}
SSHServerChannel._start_session = _remember_the_command  # type: ignore[method-assign]
