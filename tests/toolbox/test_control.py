"""The client of init's socket: every way in which init may fail to answer is one clear message."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from toolbox import control
from toolbox.errors import Fatal

Answer = Callable[[socket.socket, bytes], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], list[Any]]]:
    """Start a server that treats one connection as told; returns the requests it got."""
    threads = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        monkeypatch.setenv("SNAKEROOT_CONTROL", path)

        def start(answer: Answer) -> list[Any]:
            requests: list[Any] = []
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()

            def work() -> None:
                with listener, listener.accept()[0] as sock:
                    line = sock.makefile("rb").readline()
                    requests.append(json.loads(line))
                    answer(sock, line)

            threads.append(threading.Thread(target=work, daemon=True))
            threads[-1].start()
            return requests

        yield start
        for thread in threads:
            thread.join(10)


def test_a_request_and_its_answer(serve: Callable[[Answer], list[Any]]) -> None:
    requests = serve(lambda sock, _: sock.sendall(b'{"ok":true,"x":1}\n'))
    assert control.request("start", names=["a"]) == {"ok": True, "x": 1}
    assert requests == [{"verb": "start", "names": ["a"]}]


def test_a_stream_ends_with_the_connection(serve: Callable[[Answer], list[Any]]) -> None:
    serve(lambda sock, _: sock.sendall(b'{"seq":1}\n{"seq":2}\n'))
    assert list(control.stream("logs", follow=True)) == [{"seq": 1}, {"seq": 2}]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"error":"no such thing"}\n', "no such thing"),
        (b"", "init closed the connection without an answer"),
        (b"junk\n", "init's answer cannot be understood: b'junk\\n'"),
        (b"[]\n", "init's answer cannot be understood: b'[]\\n'"),
    ],
)
def test_bad_answers(serve: Callable[[Answer], list[Any]], answer: bytes, message: str) -> None:
    serve(lambda sock, _: sock.sendall(answer))
    with pytest.raises(Fatal) as failure:
        control.request("list")
    assert str(failure.value) == message


def test_silence(serve: Callable[[Answer], list[Any]]) -> None:
    done = threading.Event()
    serve(lambda sock, _: (done.wait(10), None)[1])
    with pytest.raises(Fatal, match=r"init does not answer \(waited 0.1 s\)"):
        control.request("list", timeout=0.1)
    done.set()


def test_no_init(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        monkeypatch.setenv("SNAKEROOT_CONTROL", path)
        with pytest.raises(Fatal, match=f"init cannot be reached: there is no {path}"):
            control.request("list")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with pytest.raises(Fatal, match=f"init cannot be reached: nobody listens at {path}"):
            control.request("list")


def test_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNAKEROOT_CONTROL", raising=False)
    assert control.path() == "/run/init.sock"
    monkeypatch.setenv("SNAKEROOT_CONTROL", "")
    assert control.path() == "/run/init.sock"
