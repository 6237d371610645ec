"""Ways to a running box's updater: by SSH, or by HTTP with the token that is good for nothing else.

ask("wanted", "-", file)    which bytes of a release the box lacks      ask("apply", "-", file)    these bytes
show()                      what runs there, as `update show --json`
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import IO, Any, Protocol

from snakeroot import remote
from snakeroot.config import Instance
from snakeroot.host import BuildError
from toolbox.harmless import harmless, one_line
from toolbox.net import ProtocolError
from toolbox.net.url import URL
from toolbox.web import ConnectTimeout
from toolbox.web.client import Client
from toolbox.web.connect import Settings

#: Seconds for the box to install; for a look at it: how long, and how short; to be reached.
INSTALL, LOOK, GLANCE, CONNECT = 900.0, 15.0, 1.0, 15.0

#: The longest answer that is read, in bytes.
LONGEST = 1 << 20


class Refused(BuildError):
    """The box does not take it.  unknown: it does not know what was asked, being older."""

    def __init__(self, said: str, *, unknown: bool = False, hint: str = "") -> None:
        super().__init__(f"the box did not take it: {one_line(said)}", hint)
        self.unknown = unknown


class Door(Protocol):
    """A way to one box."""

    def ask(self, verb: str, operand: str, file: IO[bytes] | None = None) -> str:
        """What the box answers to `update VERB OPERAND` with that file as its input.  BuildError when it does not."""

    def show(self, seconds: float = LOOK) -> dict[str, Any]:
        """What runs; empty when the box does not answer within that time."""


class SSH:
    """The box of `snakeroot run`, by the instance's key."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def ask(self, verb: str, operand: str, file: IO[bytes] | None = None) -> str:
        try:
            done = subprocess.run(
                remote.ssh(self.instance, ["update", verb, shlex.quote(operand)]),
                stdin=file or subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=INSTALL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _late() from None
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
            raise Refused(said, unknown=f"unknown command '{verb}'" in done.stderr)
        return _cleaned(done.stdout)

    def show(self, seconds: float = LOOK) -> dict[str, Any]:
        try:
            done = subprocess.run(
                remote.ssh(self.instance, ["update", "show", "--json"]),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}
        return _fields(done.stdout) if done.returncode == 0 else {}


class HTTP:
    """A box by the address of its page.  token: a file with one of the tokens whose hashes the box has."""

    def __init__(self, url: str, token: Path) -> None:
        """BuildError when the address is none, or the file cannot be read."""
        try:
            self.url = URL(url)
            if "://" not in url or self.url.target.strip("/"):
                raise ProtocolError
        except ProtocolError:
            raise BuildError(
                f"{url}: is not a box's address", "it looks so: http://192.168.1.20"
            ) from None
        self.token = token
        try:
            self.secret = token.read_text().strip()
        except OSError as error:
            raise BuildError(
                f"{token}: {error.strerror}",
                "make one with `snakeroot token`; its hash must be in the box's image",
            ) from None

    def ask(self, verb: str, operand: str, file: IO[bytes] | None = None) -> str:
        if operand != "-":
            raise BuildError(
                f"{operand}: a token does not let a box fetch a release",
                "name a folder or a file, which is sent",
            )
        path = "/update" if verb == "apply" else f"/update/{verb}"
        try:
            status, said = self._request("PUT", path, INSTALL, file)
        except ConnectTimeout:
            raise BuildError(f"{self.url.host}: cannot be reached within {CONNECT:g} s") from None
        except TimeoutError:
            raise _late() from None
        except (OSError, ProtocolError) as error:
            why = (isinstance(error, OSError) and error.strerror) or str(error)
            raise BuildError(f"{self.url.host}: {one_line(why)}") from None
        if status in (401, 403, 429):
            raise Refused(said, hint=f"its image needs the hash of {self.token} in update_tokens")
        if status != 200:
            raise Refused(said, unknown=status in (404, 405))
        return _cleaned(said) + "\n"

    def show(self, seconds: float = LOOK) -> dict[str, Any]:
        try:
            status, said = self._request("GET", "/update", seconds)
        except (OSError, ProtocolError):
            return {}
        return _fields(said) if status == 200 else {}

    def _request(
        self, method: str, path: str, seconds: float, file: IO[bytes] | None = None
    ) -> tuple[int, str]:
        """The status, and what was said, without the last line's end.

        No proxy sees the token, and no redirection carries it away.
        """
        size = 0
        if file is not None:
            at = file.tell()
            size = file.seek(0, 2) - at
            file.seek(at)
        client = Client(
            Settings(connect_timeout=min(CONNECT, seconds), read_timeout=seconds, use_proxy=False)
        )
        url = self.url.join(path)
        headers = [("Authorization", f"Bearer {self.secret}")]
        try:
            with client.request(url, method, headers, file, size) as response:
                said = response.read_all(LONGEST).decode("utf-8", "replace")
                return response.status, said.strip()
        finally:
            client.close()


def _late() -> BuildError:
    return BuildError(f"the box has not installed it after {INSTALL:g} s")


def _fields(text: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return _clean_strings(found) if isinstance(found, dict) else {}


def _cleaned(said: str) -> str:
    """What a box says, or whoever sits in between: printed on the developer's terminal, where it only may be read."""
    return harmless(said, keep="\n\t")


def _clean_strings(value: Any) -> Any:
    """The same for every string of a JSON value."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dict):
        return {harmless(key): _clean_strings(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean_strings(one) for one in value]
    return value
