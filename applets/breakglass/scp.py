"""The old scp's far side: what `scp -f` and `scp -t` are asked to do, expanded by the shell, done by the library.

The client sends a command line, `scp -r -f ~/notes/*.txt`, which the other side's shell expands before an scp there
sees it.  So does ours: it runs the line with a function in scp's place, which hands back its words.
"""

from __future__ import annotations

import os

from applets.breakglass.library import SCPSink, SCPSource, SFTPServerFS, asyncssh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from applets.breakglass.session import Files

#: What goes before the line: its words come back with a NUL after each.
FUNCTION = 'scp() { printf "%s\\0" "$@"; }\n'

#: Bytes of words that are taken; as many as a command line may have.
LONGEST = 1 << 21


class Words:
    """Stands for a channel while the shell expands the line: what it prints is kept, its errors go to the client."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._said = bytearray()

    def write(self, data: bytes, datatype: int | None = None) -> None:
        if datatype is not None:
            self._channel.write_stderr(data)
        elif len(self._said) <= LONGEST:
            self._said += data

    def pause_reading(self) -> None:
        """Nothing is written to it."""

    def resume_reading(self) -> None:
        """Nothing is written to it."""

    def words(self) -> list[bytes]:
        """The words; ValueError when they are none, or too many."""
        if len(self._said) > LONGEST:
            raise ValueError("argument list too long")
        if not self._said.endswith(b"\0"):
            raise ValueError("the shell did not get as far as scp")
        return bytes(self._said).split(b"\0")[:-1]


class Job:
    """What scp is told by its words.  ValueError when that is not what an scp at the other side is told."""

    def __init__(self, words: list[bytes]) -> None:
        letters = ""
        while words and words[0].startswith(b"-") and words[0] != b"-":
            word, *words = words
            if word == b"--":
                break
            letters += word[1:].decode("ascii", "replace")
        if unknown := set(letters) - set("dfpqrtv"):
            raise ValueError(f"unknown option -- {min(unknown)}")
        self.paths = words
        self.source = "f" in letters
        self.must_be_folder = "d" in letters
        self.preserve = "p" in letters
        self.recurse = "r" in letters
        if self.source == ("t" in letters):
            raise ValueError("either -f or -t is needed")
        if not self.paths or not (self.source or len(self.paths) == 1):
            raise ValueError("ambiguous target" if self.paths else "no file is named")


async def serve(files: Files, job: Job, reader: Any, writer: Any) -> None:
    """Do it, and end the channel."""
    place = SFTPServerFS(files)
    common: dict[str, Any] = {"error_handler": False, "server": True}
    try:
        if job.source:
            source = Source(place, reader, writer, job.preserve, job.recurse, **common)
            await source.send(job.paths)
        else:
            how = (job.must_be_folder, job.preserve, job.recurse)
            await SCPSink(place, reader, writer, *how, **common).run(job.paths[0])
    finally:
        files.exit()


class Source(SCPSource):
    """Sends files as OpenSSH's scp does: a link is what it leads to, wherever it stands."""

    _above: tuple[tuple[int, int], ...] = ()

    async def send(self, paths: list[bytes]) -> None:
        """All of them; what cannot be sent is said, and the others are sent."""
        try:
            if (refused := await self.await_response()) is not None:
                raise refused
            for path in paths:
                await self._send_files(path.rstrip(b"/") or b"/", b"", None)
        except (OSError, asyncssh.SFTPError) as error:
            self.handle_error(error)
        finally:
            await self.close(False)

    async def _send_files(self, srcpath: bytes, dstpath: bytes, attrs: Any) -> None:
        try:
            found = os.stat(srcpath)
        except OSError as error:
            shown = srcpath.decode("utf-8", "replace")
            self.handle_error(asyncssh.SFTPFailure(f"{shown}: {error.strerror}"))
            return
        me = (found.st_dev, found.st_ino)
        if me in self._above:
            shown = srcpath.decode("utf-8", "replace")
            self.handle_error(asyncssh.SFTPFailure(f"{shown}: leads back to a folder above it"))
            return
        above, self._above = self._above, (*self._above, me)
        try:
            await super()._send_files(srcpath, dstpath, asyncssh.SFTPAttrs.from_local(found))
        finally:
            self._above = above
