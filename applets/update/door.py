"""How a service that is not root has a release looked at or installed: the updater's own program, run for it.

The daemon listens at a socket that is one user's alone.  A client sends the words of `update` and its own standard
streams; the daemon runs the program with them, as root, and answers with its exit status.  So what is told, and to
whom, is the same as if the client had run it.  Only what the box's page needs can be asked for, and a client that goes
takes its program with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading

from toolbox.errors import Fatal, say

#: Where the daemon listens.
SOCKET = "/run/update.sock"

#: The longest request; how many run at a time; seconds in which a client must have sent its request.
LONGEST, MOST, PATIENCE = 1 << 16, 8, 10.0

#: Seconds that the daemon waits, when it is told to end, for what it runs.
FAREWELL = 2.0


def is_allowed(words: list[str]) -> bool:
    """Whether these words may be run for others: what the page asks for, and no option but --json."""
    match words:
        case ["show", "--json"] | ["wanted", "-"]:
            return True
        case ["apply", place]:
            return place == "-" or not place.startswith("-")
    return False


def ask(words: list[str], path: str = SOCKET) -> int:
    """Have the daemon run `update` with these words and our standard streams; returns its exit status.

    Fatal when nobody listens, or it is not allowed.
    """
    # A restart of the box that the program asks for ends the services, us too; the answer comes first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(path)
            socket.send_fds(sock, [json.dumps(words).encode() + b"\n"], [0, 1, 2])
            with sock.makefile("rb") as answer:
                line = answer.readline(LONGEST)
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}") from None
    try:
        said = json.loads(line)
        if "error" in said:
            raise Fatal(str(said["error"]))
        return int(said["status"])
    except (ValueError, KeyError, TypeError):
        raise Fatal("the updater was ended") from None


class Door:
    """Serves in threads of its own.  `close` when the daemon is to end."""

    def __init__(
        self, uid: int, path: str = SOCKET, program: tuple[str, ...] = ("update",)
    ) -> None:
        """Listen at `path` for root and for one user.  OSError as bind(2)."""
        self.uid = uid
        self.program = program
        self.places = threading.Semaphore(MOST)
        self.running: set[threading.Thread] = set()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh = f"{path}.new"
        if os.path.lexists(fresh):
            os.unlink(fresh)
        former = os.umask(0o177)
        try:
            self.socket.bind(fresh)
        finally:
            os.umask(former)
        if uid != os.geteuid():
            os.chown(fresh, uid, -1)
        self.socket.listen(MOST)
        os.rename(fresh, path)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let what runs come to its end, for a while."""
        for thread in list(self.running):
            thread.join(FAREWELL)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError as error:
                say(f"update: {error.strerror}")
                return
            self.places.acquire()
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.running.add(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        fds: list[int] = []
        try:
            with sock:
                sock.settimeout(PATIENCE)
                words, fds = self._request(sock)
                if not is_allowed(words):
                    answer: dict[str, object] = {"error": "that may not be asked for by a service"}
                else:
                    answer = {"status": self._run(sock, words, fds)}
                sock.sendall(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError) as error:
            say(f"update: a request of user {self.uid}: {error}")
        finally:
            for fd in fds:
                _close(fd)
            self.running.discard(threading.current_thread())
            self.places.release()

    def _request(self, sock: socket.socket) -> tuple[list[str], list[int]]:
        data, fds, _, _ = socket.recv_fds(sock, LONGEST, 3)
        try:
            while not data.endswith(b"\n") and len(data) < LONGEST and (more := sock.recv(LONGEST)):
                data += more
            words = json.loads(data)
            if (
                len(fds) != 3
                or not isinstance(words, list)
                or not all(isinstance(word, str) and "\0" not in word for word in words)
            ):
                raise ValueError("it is none")
        except BaseException:
            for fd in fds:
                _close(fd)
            raise
        return words, fds

    def _run(self, sock: socket.socket, words: list[str], fds: list[int]) -> int:
        """Run the program to its end, or to its client's."""
        with subprocess.Popen(
            [*self.program, *words], stdin=fds[0], stdout=fds[1], stderr=fds[2]
        ) as process:
            while fds:  # the program has them now, and its end must be the end of them
                _close(fds.pop())
            pidfd = os.pidfd_open(process.pid)
            try:
                wait = select.poll()
                wait.register(pidfd, select.POLLIN)
                wait.register(sock, 0)  # POLLHUP is always told
                if not any(fd == pidfd for fd, _ in wait.poll()):
                    process.kill()
            finally:
                os.close(pidfd)
            return process.wait()


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # of a list that another exception interrupted
